// The versions of the model.

import { make, plural } from "../span_editor/js/dom.js";
import { blank, chart, drawing, number, row, size, table, when } from "./retrain_common.js";

function badges(m) {
  const head = make("th", {});
  head.append(m.id + " ");
  if (m.active) head.append(make("span", { class: "rt-badge done" }, "in service"));
  if (m.previous) head.append(make("span", { class: "rt-badge" }, "before"));
  if (m.aside) head.append(make("span", { class: "rt-badge failed" }, "not better, not in use"));
  return head;
}

function download(m) {
  if (m.bundled) return make("span", { class: "rt-soft" }, "built in");
  const link = make("a", {}, "Download");
  link.href = "models/" + encodeURIComponent(m.id) + ".zip";
  link.setAttribute("download", "");
  return link;
}

// Posts of the training split, and those of the dev split that what answers learned from once it was measured on them.
function trainedOn(m) {
  if (blank(m.examples)) return "–";
  if (!m.dev_learned) return String(m.examples);
  const words = make("span", {}, m.examples + " + " + m.dev_learned + " dev");
  words.title = plural(m.dev_learned, "dev post") + " learned from too, after it was measured on them";
  return words;
}

// The version and the one before it on the same posts: figures of different posts say nothing beside each other.
function comparison(m) {
  const found = m.measured;
  if (!found) return [["–", "num"], ["–", "num"], ["not yet", ""]];
  const before = make("span", {}, number(found.before));
  if (found.before_id) before.title = found.before_id;
  return [[number(found.f1), "num"], [before, "num"], [found.posts + " " + found.set + (found.posts === 1 ? " post" : " posts"), ""]];
}

function view(value) {
  if (!value.rows.length) return [make("p", { class: "rt-empty" }, "There is no model in this project yet. A training makes one; a version that was downloaded elsewhere can be imported.")];
  const rows = value.rows.map((m) => row(badges(m), [
    [m.parent || "–", ""], [trainedOn(m), "num"], ...comparison(m),
    [size(m.size), "num"], [m.by || (m.bundled ? "–" : "the rule"), ""], [when(m.at), ""], [download(m), ""]]));
  const parts = [table(
    [["Version", ""], ["From", ""], ["Trained on posts", "num"], ["F1", "num"], ["Model before, same posts", "num"], ["Measured on", ""], ["Size", "num"], ["By", ""], ["Made", ""], ["", ""]],
    rows, "Model versions")];
  const lines = value.curve.lines;
  if (lines.length && new Set(lines[0].points.map(([x]) => x)).size > 1) {
    const box = make("div", { class: "rt-curve" });
    const drawn = lines.map((line, i) => ({ ...line, className: i === 0 ? "macro" : "thin" }));
    box.append(chart("Learning curve: F1 by corrected posts, " + value.curve.set, drawn.reverse(),
      { width: Math.min(640, innerWidth - 24), height: 240, low: 0, high: 1, xTitle: "corrected posts trained on" }));
    parts.push(box);
  }
  return parts;
}

export const start = drawing(view);
