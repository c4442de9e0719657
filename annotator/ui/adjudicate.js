// Adjudication: a queue of disagreements, a lane for each reader, and one key for each decision.

import { app } from "../span_editor/js/app.js";
import { button, fill, make, mount, part } from "../span_editor/js/dom.js";
import { ask, connect, tell } from "./asking.js";

const page = { cases: [], at: 0, shown: null, criteria: null, opened: 0 };

function drawFilter() {
  const options = [["", "Every criterion"], ...page.criteria.map((c) => [c.id, c.name])];
  fill(part("filter"),
    make("label", {}, "Criterion", make("select", { name: "criterion" }, options.map(([value, text]) => make("option", { value }, text)))),
    make("label", {}, "Show", make("select", { name: "done" }, [["", "Open, worst first"], ["1", "Decided"]].map(([value, text]) => make("option", { value }, text)))));
}

async function load() {
  const form = new FormData(part("filter"));
  const reply = await ask("adjudicate_queue", { criterion: form.get("criterion"), done: form.get("done") });
  if (!reply) return;
  Object.assign(page, { cases: reply.cases, at: 0 });
  if (!page.criteria) {
    page.criteria = reply.criteria;
    drawFilter();
  }
  fill(part("count"), reply.total ? `${reply.total} of them` : "Nothing to show: nobody disagrees here.");
  await open();
}

async function open() {
  const next = page.cases[page.at];
  page.shown = next ? await ask("adjudicate_case", next) : null;
  page.opened = Date.now();
  drawCase();
}

// Offsets are code points, so the text is cut as an array of them.
function marked(text, spans) {
  const letters = Array.from(text);
  const borders = [...new Set([0, letters.length, ...spans.flat()])].sort((a, b) => a - b);
  return borders.slice(0, -1).map((start, n) => {
    const words = letters.slice(start, borders[n + 1]).join("");
    return spans.some(([s, e]) => s <= start && start < e) ? make("mark", {}, words) : words;
  });
}

function lane(title, spans, text, ...controls) {
  return make("article", { class: "ev-lane" }, make("h4", {}, title, " ", ...controls), make("p", { class: "ev-lane-text" }, ...marked(text, spans)));
}

function drawCase() {
  const shown = page.shown;
  if (!shown) return fill(part("case"));
  const lanes = shown.lanes.map((one, n) => lane(`${one.name}: ${one.verdict.replace("_", " ")}`, one.spans, shown.post.text,
    one.verdict === "unsure" ? "" : button(`Take (${n + 1})`, () => take(n))));
  const kinds = [["", "No kind of error"], ...shown.error_kinds.map((kind) => [kind, kind])];
  const decided = shown.decision && shown.decision.outcome !== "reopened";
  return fill(part("case"),
    make("h3", {}, `${shown.criterion.name}, post ${shown.post.id}`),
    make("p", { class: "ev-muted" }, shown.criterion.guideline),
    decided ? make("p", {}, `Decided by ${shown.decision.by}: ${shown.decision.outcome.replace("_", " ")}. ${shown.decision.reason}`) : "",
    decided ? lane("The decision", shown.decision.spans, shown.post.text) : "",
    lanes,
    make("div", { class: "ev-row" },
      make("label", {}, "Reason ", make("input", { name: "reason", maxlength: 4000, autocomplete: "off" })),
      make("label", {}, "What went wrong ", make("select", { name: "error_kind" }, kinds.map(([value, text]) => make("option", { value }, text))))),
    make("div", { class: "ev-row" },
      shown.union.length ? button("Take all together (m)", () => decide("evidence", shown.union)) : "",
      button("Nothing there (n)", () => decide("no_evidence", [])),
      button("Cannot be decided (u)", () => decide("undecidable", [])),
      decided ? button("Open again (o)", () => decide("reopened", [])) : "",
      button("Later (j)", () => move(1)), button("Back (k)", () => move(-1))));
}

function take(number) {
  const one = page.shown.lanes[number];
  if (one && one.verdict !== "unsure") decide(one.verdict, one.spans);
}

async function decide(outcome, spans) {
  const shown = page.shown;
  const box = part("case");
  const reply = await ask("adjudicate_decide", {
    post_id: shown.post.id, criterion_id: shown.criterion.id, outcome, spans, expected_revision: shown.revision,
    reason: box.querySelector("[name=reason]").value, error_kind: box.querySelector("[name=error_kind]").value,
    seconds: (Date.now() - page.opened) / 1000, op_id: crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}.${Math.random()}`,
  });
  if (!reply) return;
  tell("Saved.");
  page.cases.splice(page.at, 1);
  page.at = Math.min(page.at, Math.max(0, page.cases.length - 1));
  if (page.cases.length) await open();
  else await load();
}

function move(by) {
  page.at = Math.min(Math.max(page.at + by, 0), Math.max(0, page.cases.length - 1));
  return open();
}

const KEYS = { m: () => page.shown.union.length && decide("evidence", page.shown.union), n: () => decide("no_evidence", []), u: () => decide("undecidable", []),
  o: () => page.shown.decision && decide("reopened", []), j: () => move(1), k: () => move(-1) };

function press(event) {
  if (!page.shown || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  if (/^[1-9]$/.test(event.key)) take(Number(event.key) - 1);
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
}

export function start(host) {
  mount(host.element);
  connect(app);
  part("filter").addEventListener("change", load);
  part("filter").addEventListener("submit", (event) => event.preventDefault());
  part("root").addEventListener("keydown", press);
  load().then(() => part("root").focus({ preventScroll: true }));
}
