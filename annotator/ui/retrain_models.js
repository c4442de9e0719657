// The versions of the model.

import { make } from "../span_editor/js/dom.js";
import { blank, chart, drawing, number, row, size, table, when } from "./retrain_common.js";

function badges(m) {
  const head = make("th", {});
  head.append(m.id + " ");
  if (m.active) head.append(make("span", { class: "rt-badge done" }, "in service"));
  if (m.previous) head.append(make("span", { class: "rt-badge" }, "before"));
  if (m.aside) head.append(make("span", { class: "rt-badge failed" }, "set aside"));
  return head;
}

function download(m) {
  if (m.bundled) return make("span", { class: "rt-soft" }, "with the program");
  const link = make("a", {}, "Download");
  link.href = "models/" + encodeURIComponent(m.id) + ".zip";
  link.setAttribute("download", "");
  return link;
}

function view(value) {
  const rows = value.rows.map((m) => row(badges(m), [
    [m.parent || "–", ""], [blank(m.examples) ? "–" : String(m.examples), "num"], [number(m.dev), "num"], [number(m.test), "num"],
    [size(m.size), "num"], [m.data || "–", "mono"], [m.by || (m.bundled ? "–" : "the rule"), ""], [when(m.at), ""], [download(m), ""]]));
  const parts = [table(
    [["Version", ""], ["From", ""], ["Posts", "num"], ["Dev F1", "num"], ["Test F1", "num"], ["Size", "num"], ["Data", ""], ["By", ""], ["Made", ""], ["", ""]],
    rows, "Model versions")];
  const lines = value.curve.lines;
  if (lines.length && lines[0].points.length > 1) {
    const box = make("div", { class: "rt-curve" });
    const drawn = lines.map((line, i) => ({ ...line, className: i === 0 ? "macro" : "thin" }));
    box.append(chart("Learning curve: F1 by corrected posts, " + value.curve.set, drawn.reverse(),
      { width: 640, height: 240, low: 0, high: 1, xTitle: "corrected posts trained on" }));
    parts.push(box);
  }
  return parts;
}

export const start = drawing(view);
