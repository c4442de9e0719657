// The training that runs: progress, curves, log.

import { find, make } from "../span_editor/js/dom.js";
import { ASIDE, blank, chart, drawing, duration, when } from "./retrain_common.js";

const STATUS = { queued: "waits", running: "running", done: "done", failed: "failed", cancelled: "cancelled" };
const STAGES = { data: "Collecting data", train: "Training", measure: "Measuring", promote: "Deciding", predict: "Predicting" };

function progressBar(job) {
  const bar = make("div", { class: "rt-progress " + job.status });
  const done = Math.round(job.progress * 100);
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", "100");
  bar.setAttribute("aria-valuenow", String(done));
  bar.setAttribute("aria-label", job.title);
  const fill = make("i");
  fill.style.width = done + "%";
  bar.append(fill);
  return bar;
}

function headline(job) {
  const line = make("div", { class: "rt-headline" });
  line.append(make("b", {}, job.title), make("span", { class: "rt-badge " + job.status }, job.cancelling ? "stopping" : STATUS[job.status]));
  const right = make("span", { class: "rt-right" });
  if (job.status === "running") {
    right.textContent = Math.round(job.progress * 100) + " %" + (blank(job.eta_seconds) ? "" : " · about " + duration(job.eta_seconds) + " left");
  } else if (job.ended) right.textContent = when(job.ended);
  line.append(right);
  return line;
}

function words(job) {
  if (job.status === "failed") return [make("p", { class: "rt-note warn" }, job.error || "The job failed.")];
  if (job.status === "done" && job.result) return [make("p", { class: "rt-note" + (job.aside ? " warn" : "") }, (job.model ? job.model + ": " : "") + (job.aside ? ASIDE : "") + job.result)];
  if (job.status === "cancelled") return [make("p", { class: "rt-note" }, "Stopped. Resume goes on from its last checkpoint, or begins anew where there is none.")];
  const stage = STAGES[job.stage] || job.stage;
  const text = [stage, job.message].filter(Boolean).join(": ");
  const parts = [make("p", { class: "rt-soft" }, text || "Waits for the background worker, which does one job after the other.")];
  if (job.stalled) parts.push(make("p", { class: "rt-note warn" }, "The worker has been silent for a while. It is replaced if it stays so."));
  if (job.attempt > 1) parts.push(make("p", { class: "rt-soft" }, "Attempt " + job.attempt + ": resumed after the worker stopped."));
  return parts;
}

function view(value) {
  const job = value.job;
  if (!job) return [make("p", { class: "rt-empty" }, "Nothing runs. A training shows its progress here; reviewing goes on meanwhile.")];
  const box = make("div", { class: "rt-card" });
  box.append(headline(job), progressBar(job), ...words(job));
  if (value.curves.length) {
    const grid = make("div", { class: "rt-charts" });
    for (const curve of value.curves) {
      const bounds = curve.name === "dev_macro_f1" ? { low: 0, high: 1 } : {};
      grid.append(chart(curve.title, [{ name: curve.title, points: curve.points }], bounds));
    }
    box.append(grid);
  }
  if (value.log.length) {
    const old = find("details.rt-log");
    const log = make("details", { class: "rt-log" });
    log.open = old ? old.open : false;
    log.append(make("summary", {}, "Log"), make("pre", {}, value.log.join("\n")));
    box.append(log);
  }
  if (value.waiting.length) box.append(make("p", { class: "rt-soft" }, "Waiting behind it: " + value.waiting.join(", ") + "."));
  return [box];
}

export const start = drawing(view);
