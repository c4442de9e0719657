// What the figures of a model mean, for who is no statistician. In words below the tables, since a phone shows no tooltip.

import { make } from "../span_editor/js/dom.js";

const MEANINGS = [
  ["Macro F1", "how well the model finds the sentences that are evidence: for each criterion, then averaged. 1 is perfect, 0 is nothing found."],
  ["95 %", "the figure lies in this range in 95 of 100 draws of as many posts. The fewer posts, the wider."],
  ["Precision", "of the sentences that it marks, the share that is right."],
  ["Recall", "of the sentences that are evidence, the share that it marks."],
  ["Passage F1", "the same as F1 with whole passages: one counts as found where it touches the reviewer's."],
  ["Correct “no evidence”", "of the posts without evidence for a criterion, the share in which it marks nothing."],
  ["ECE", "calibration error: how far its scores are from how often they are right. 0 is best."],
];

export function meanings(className = "") {
  return make("details", { class: className }, make("summary", {}, "What these figures mean"),
    make("ul", {}, MEANINGS.map(([name, text]) => make("li", {}, make("b", {}, name), ": " + text))));
}
