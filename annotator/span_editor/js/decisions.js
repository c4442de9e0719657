// The reviewer's decisions, each one gesture.

import { hasWords, snap } from "./offsets.js";
import {
  accepted, activeCriterion, activeMark, added, adjusted, confirmed, coreOf, ed, emptied, inReadingOrder, isOpen, openCount, quote,
  rejected, reopened, restOf, unsure, withSaid,
} from "./state.js";
import { readsWhole } from "./settings.js";
import { announce, say, toast } from "./messages.js";
import { shortQuote, verdictText } from "./words.js";
import { refresh } from "./panels.js";
import { activate, advance } from "./walk.js";
import { goNext } from "./queue.js";
import { decide } from "./decide.js";
import { undoGesture } from "./undo.js";
import { countOf, openSummary } from "./summary.js";

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
  const found = snap(ed.item.doc, start, end, mode);
  if (!found || !hasWords(quote(...found))) return say("There are no words in what you selected. Select the words that are evidence.");
  if (!readsWhole()) return addTo(activeCriterion(), found);
  ed.pending = { start: found[0], end: found[1] };
  ed.mark = null;
  announce("Selected: " + quote(found[0], found[1]).slice(0, 200) + ". Press the number of its criterion.");
  refresh();
}

// The selection goes to the criterion; in whole-post mode it has waited for one.
export function addPending(criterion) {
  const { start, end } = ed.pending;
  ed.pending = null;
  ed.active = criterion.index;
  addTo(criterion, [start, end]);
}

export function dropPending() {
  ed.pending = null;
  refresh();
}

function addTo(criterion, found) {
  const [answer, id] = added(criterion, found[0], found[1]);
  decide("Added to " + criterion.name, [[criterion, answer]]);
  ed.mark = id;
  refresh();
}

// The chosen passage speaks for another criterion than the model said.
export function moveMark(criterion) {
  const from = activeCriterion();
  const mark = activeMark();
  const [taken, id] = added(criterion, mark.start, mark.end);
  const there = taken.marks.find((m) => m.id === id);
  const answer = withSaid(taken, id, { ...mark.said, ...there.said });
  const gesture = decide("Moved to " + criterion.name + ": " + shortQuote(mark), [[from, rejected(ed.item.doc, from, mark.id)], [criterion, answer]]);
  ed.active = criterion.index;
  ed.mark = id;
  advance();
  refresh();
  toast(gesture.what, "Undo", () => undoGesture(gesture));
}

export function adjustMark(start, end) {
  const mark = activeMark();
  if (!mark || (mark.start === start && mark.end === end)) return;
  if (!hasWords(quote(start, end))) return say("There would be no words left in the passage. It stays as it was.");
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
  if (readsWhole()) return confirmInOrder();
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

// Whole post: the chosen prediction, then the next; when none is open, everything else; when all is done, the next post.
function confirmInOrder() {
  const mark = activeMark();
  if (mark && mark.state === "undecided") return decideMark("accept");
  const left = inReadingOrder(ed.item).find((e) => e.mark.state === "undecided" && isOpen(e.criterion));
  if (left) return (advance(), refresh());
  const criterion = activeCriterion();
  if (isOpen(criterion) && !restOf(ed.item, ed.about.one_by_one, true).now.length) {
    decide(criterion.name + ": " + verdictText(confirmed(criterion).verdict, criterion.marks), [[criterion, confirmed(criterion)]]);
    advance(true);
    return refresh();
  }
  return confirmRest();
}

// "As shown" needs something to be shown, and to be looked at first.
export function confirmRest() {
  if (!openCount(ed.item)) return goNext();
  const rest = restOf(ed.item, ed.about.one_by_one, readsWhole());
  if (rest.now.length) return summarize(rest);
  if (rest.unread.length) return say("The model has not answered the open criteria. Decide them one by one, or wait until it has.");
  activate(rest.alone[0].index);
  say(rest.alone[0].name + " is always decided by itself: Enter confirms it.");
  return refresh();
}

// Confirmed is what was shown: a model that answers meanwhile is shown first.
function summarize(rest) {
  const shown = rest.now.map((c) => c.marks);
  openSummary(rest, () => {
    if (rest.now.every((c, n) => c.marks === shown[n])) return confirmTogether(rest.now);
    say("The model has answered meanwhile: look once more.");
    return confirmRest();
  });
}

function confirmTogether(criteria) {
  const what = "Confirmed " + countOf(criteria) + " as shown";
  const gesture = decide(what, criteria.map((c) => [c, confirmed(c)]), { bulk: criteria.length > 1 });
  advance(true);
  refresh();
  toast(what + ".", "Undo", () => undoGesture(gesture));
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
