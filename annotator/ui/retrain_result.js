// What came of a training, measured, and where it differs from the model before.

import { make, plural } from "../span_editor/js/dom.js";
import { meanings } from "./figure_words.js";
import { ASIDE, blank, drawing, interval, number, row, table, when } from "./retrain_common.js";

function delta(now, before) {
  if (blank(now) || blank(before)) return make("span", {}, "–");
  const change = now - before;
  const text = (change > 0.0005 ? "▲ +" : change < -0.0005 ? "▼ −" : "") + Math.abs(change).toFixed(2);
  return make("span", { class: change > 0.0005 ? "up" : change < -0.0005 ? "down" : "" }, text);
}

function setTables(set, index) {
  const box = make("div", { class: "rt-set" });
  box.append(make("h4", {}, set.title + " (" + set.posts + ")"));
  box.append(table(
    [["Model", ""], ["Macro F1", "num"], ["95 %", "num"], ["Precision", "num"], ["Recall", "num"], ["Passage F1", "num"], ["Correct “no evidence”", "num"], ["ECE", "num"]],
    set.rows.map((r) => row(r.name, [
      [number(r.macro_f1), "num"], [interval(r.interval), "num"], [number(r.precision), "num"], [number(r.recall), "num"],
      [number(r.span_f1), "num"], [number(r.no_evidence_accuracy), "num"], [number(r.ece, 3), "num"]], r.own ? "own" : "")),
    set.title));
  if (set.then_learned) box.append(make("p", { class: "rt-soft" }, "Measured before it learned from the dev posts among these too."));
  if (set.others) box.append(make("p", { class: "rt-soft" }, `Counted over the criteria in use. ${set.others} more ${set.others === 1 ? "was" : "were"} measured with them; “–” is known over all together only.`));
  const rows = set.criteria.map((c) => row(c.name, [
    [String(c.support), "num"], [number(c.precision), "num"], [number(c.recall), "num"], [number(c.f1), "num"],
    [interval(c.interval), "num"], [number(c.before), "num"], [delta(c.f1, c.before), "num"]]));
  const details = make("details", { class: "rt-details" });
  details.append(make("summary", {}, "Per criterion"));
  details.append(table(
    [["Criterion", ""], ["Gold", "num"], ["Precision", "num"], ["Recall", "num"], ["F1", "num"], ["95 %", "num"], ["F1 before", "num"], ["Change", "num"]],
    rows, "Per criterion"));
  details.open = index === 0;
  box.append(details);
  return box;
}

function pairBox(pair) {
  const box = make("article", { class: "rt-pair" });
  const head = make("div", { class: "rt-headline" });
  const verdict = pair.gain > 0 ? "better" : pair.gain < 0 ? "worse" : "no change in what is right";
  head.append(make("b", {}, pair.criterion), make("span", { class: "rt-badge " + (pair.gain > 0 ? "done" : pair.gain < 0 ? "failed" : "") }, verdict));
  const link = make("a", { class: "rt-right" }, pair.post);
  link.href = "?post=" + encodeURIComponent(pair.post);
  head.append(link);
  const text = make("p", { class: "rt-text" });
  text.dir = "auto";
  for (const piece of pair.pieces) {
    if (piece.text === "") { text.append(make("span", { class: "gap" }, " … ")); continue; }
    const classes = ["gold", "active", "candidate"].filter((name) => piece[name]);
    text.append(classes.length ? make("mark", { class: classes.join(" ") }, piece.text) : document.createTextNode(piece.text));
  }
  box.append(head, text);
  if (!pair.gold) box.append(make("p", { class: "rt-soft" }, "The reviewer found no evidence here."));
  return box;
}

function differences(found, before) {
  if (!found.total) return [];
  const details = make("details", { class: "rt-details" });
  const title = `Where it differs from ${before || "the model before"}: ${found.total} pairs of post and criterion, ${found.better} better, ${found.worse} worse`;
  details.append(make("summary", {}, title));
  const legend = make("p", { class: "rt-legend" });
  for (const [name, text] of [["gold", "marked by the reviewer"], ["candidate", "by this version"], ["active", "by the model before"]]) {
    const item = make("span");
    item.append(make("mark", { class: name }, "text"), text);
    legend.append(item);
  }
  details.append(legend, ...found.pairs.map(pairBox));
  if (found.pairs.length < found.total) details.append(make("p", { class: "rt-soft" }, `The first ${found.pairs.length} are shown, the largest changes first.`));
  return [details];
}

function view(value) {
  if (!value.model) return [];
  const parts = [];
  if (value.decision) parts.push(make("p", { class: "rt-note" + (value.status === "aside" ? " warn" : "") }, (value.status === "aside" ? ASIDE : "") + value.decision));
  if (value.note) parts.push(make("p", { class: "rt-soft rt-lines" }, value.note));
  if (!value.sets.length) parts.push(make("p", { class: "rt-soft" }, "This version was not measured on posts of this project yet. “Measure again” does that."));
  parts.push(...value.sets.map((set, index) => setTables(set, index)));
  if (value.sets.length) parts.push(meanings("rt-details"));
  if (value.latest) {
    const text = Object.entries(value.latest.sets).map(([name, s]) => `${name}: macro F1 ${number(s.macro_f1)} on ${s.posts} posts`).join(", ");
    parts.push(make("p", { class: "rt-soft" }, `Measured again ${when(value.latest.at)} on all posts reviewed by then. ${text}.`));
  }
  parts.push(...differences(value.differing, value.compared_with));
  if (value.data.sha256) {
    const details = make("details", { class: "rt-details" });
    details.append(make("summary", {}, "What it was made from"));
    const facts = make("ul", { class: "rt-facts" });
    facts.append(make("li", {}, `Trained further from ${value.data.parent} (base: ${value.data.base}).`));
    facts.append(make("li", {}, "Posts: " + Object.entries(value.data.posts).map(([k, v]) => v + " " + k.replace("_", " ")).join(", ") + "."));
    if (value.data.dev_learned) facts.append(make("li", {}, "Once it was measured, what answers learned from " + plural(value.data.dev_learned, "dev post") + " too."));
    facts.append(make("li", {}, "Data: SHA-256 " + value.data.sha256));
    details.append(facts, make("pre", {}, JSON.stringify(value.settings, null, 1)));
    parts.push(details);
  }
  return parts;
}

export const start = drawing(view);
