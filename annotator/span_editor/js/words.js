// How answers are called and shortened, the same in every list.

import { plural } from "./dom.js";
import { labelsText } from "./said.js";
import { ed, isOwn, OF_POST, quote } from "./state.js";

export const VERDICT_SIGN = { evidence: "✓", no_evidence: "∅", unsure: "?" };
export const VERDICT_WORD = { evidence: "evidence", no_evidence: "no evidence", unsure: "unsure" };

export function verdictText(verdict, marks) {
  const own = marks.filter(isOwn).length;
  return { evidence: plural(own, "span") + " of evidence", no_evidence: "no evidence", unsure: "unsure" }[verdict] || "open";
}

export function stateText(criterion) {
  if (criterion.verdict) return verdictText(criterion.verdict, criterion.marks);
  const open = criterion.marks.filter((m) => m.state === "undecided").length;
  if (open) return plural(open, criterion.known === false ? "similar passage" : "predicted span") + " to check";
  if (criterion.marks.length) return "in progress";
  if (criterion.known === false) return "the model does not know this criterion";
  return criterion.predicted ? "nothing predicted" : "not predicted yet";
}

export function stateSign(criterion) {
  const own = criterion.marks.filter(isOwn).length;
  const open = criterion.marks.filter((m) => m.state === "undecided").length;
  if (criterion.verdict) return [VERDICT_SIGN[criterion.verdict], own ? String(own) : ""];
  if (open) return ["○", own ? own + "/" + (own + open) : String(open)];
  return ["–", ""];
}

export function shortQuote(mark) {
  const text = quote(mark.start, mark.end).replace(/\s+/g, " ");
  return "“" + (text.length > 60 ? text.slice(0, 58) + "…" : text) + "”";
}

export function localTime(at) {
  return at ? new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : "";
}

export function criterionName(id) {
  const found = ed.choices && ed.choices.criteria.find((c) => c.id === id);
  return found ? found.name : id === OF_POST ? "the whole post" : id;
}

export function answerText(wire) {
  const spans = wire.spans.length ? ", " + plural(wire.spans.length, "span") : "";
  return labelsText(wire.labels) || (wire.verdict ? VERDICT_WORD[wire.verdict] : "open") + spans;
}
