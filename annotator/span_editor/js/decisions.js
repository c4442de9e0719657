// The reviewer's decisions, each one gesture.

import { plural } from "./dom.js";
import { snap } from "./offsets.js";
import {
  accepted, activeCriterion, activeMark, added, adjusted, confirmed, coreOf, ed, emptied, isOpen, openCount, rejected,
  reopened, unsure,
} from "./state.js";
import { say, toast } from "./messages.js";
import { shortQuote, verdictText } from "./words.js";
import { refresh } from "./panels.js";
import { advance } from "./walk.js";
import { goNext } from "./queue.js";
import { decide } from "./decide.js";
import { undo } from "./undo.js";

export function decideMark(verb) {
  const criterion = activeCriterion();
  const mark = activeMark();
  if (!mark) return say("No span is chosen. Choose one with j or k, or by clicking it.");
  const doc = ed.item.doc;
  const answers = {
    accept: () => ["Accepted", accepted(criterion, mark.id)],
    reject: () => [mark.predicted ? "Rejected" : "Removed", rejected(doc, criterion, mark.id)],
    reopen: () => [mark.predicted ? "Open again" : "Removed", reopened(doc, criterion, mark.id)],
  };
  const [what, answer] = answers[verb]();
  decide(what + ": " + shortQuote(mark), [[criterion, answer]]);
  if (verb !== "reopen") advance();
  refresh();
}

export function addSpan(start, end, mode) {
  const criterion = activeCriterion();
  const found = snap(ed.item.doc, start, end, mode);
  if (!criterion || !found) return;
  const [answer, id] = added(criterion, found[0], found[1]);
  decide("Added to " + criterion.name, [[criterion, answer]]);
  ed.mark = id;
  refresh();
}

export function adjustMark(start, end) {
  const mark = activeMark();
  if (!mark || (mark.start === start && mark.end === end)) return;
  decide("Adjusted: " + shortQuote({ start, end }), [[activeCriterion(), adjusted(ed.item.doc, activeCriterion(), mark.id, start, end)]]);
}

export function tighten() {
  const core = coreOf(activeMark());
  if (!core) return say("The model offers no tighter passage inside this span.");
  adjustMark(core.start, core.end);
  advance();
  return refresh();
}

export function confirmCriterion() {
  const criterion = activeCriterion();
  if (!isOpen(criterion)) {
    if (openCount(ed.item) === 0) return goNext();
    advance(true);
    return refresh();
  }
  const answer = confirmed(criterion);
  decide(criterion.name + ": " + verdictText(answer.verdict, answer.marks), [[criterion, answer]]);
  advance(true);
  return refresh();
}

// "As shown" needs something to be shown: what the model has not read, or does not know, is decided one by one.
export function confirmRest() {
  if (!openCount(ed.item)) return goNext();
  const open = ed.item.criteria.filter((c) => isOpen(c) && ((c.predicted && c.known) || c.marks.length));
  if (!open.length) return say("The model has not answered the open criteria. Decide them one by one, or wait until it has.");
  decide("Confirmed " + plural(open.length, "criterion").replace("criterions", "criteria") + " as shown", open.map((c) => [c, confirmed(c)]));
  toast("Confirmed " + (open.length === 1 ? "1 criterion" : open.length + " criteria") + " as shown.", "Undo", () => undo());
  advance(true);
  return refresh();
}

export function decideNone() {
  const criterion = activeCriterion();
  decide(criterion.name + ": no evidence", [[criterion, emptied(ed.item.doc, criterion)]]);
  advance(true);
  refresh();
}

export function decideUnsure() {
  const criterion = activeCriterion();
  const answer = unsure(criterion);
  decide(criterion.name + ": " + (answer.verdict === "unsure" ? "unsure" : "no longer unsure"), [[criterion, answer]]);
  if (answer.verdict === "unsure") advance(true);
  refresh();
}

export function saveNote(text) {
  const criterion = activeCriterion();
  if (text === criterion.note) return;
  decide("Note saved", [[criterion, { note: text }]]);
  refresh();
}
