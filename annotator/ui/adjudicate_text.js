// The text of a case: under its words a line for each reader's passages, and in it the decision as it will be. Its passages are added, moved
// and removed as in Review, by the same mouse, handles and caret. What was changed of a case is kept while the page is open.

import { part } from "../span_editor/js/dom.js";
import { hasWords, makeDoc, snap } from "../span_editor/js/offsets.js";
import { activeCriterion, activeMark, added, adjusted, ed, makeMark, quote, rejected, saidOf, withSaid } from "../span_editor/js/state.js";
import { settings } from "../span_editor/js/settings.js";
import { announce, say } from "../span_editor/js/messages.js";
import { drawText, mountText } from "../span_editor/js/text.js";
import { startHandles } from "../span_editor/js/handles.js";
import { reveal } from "../span_editor/js/places.js";
import { serve } from "../span_editor/js/surface.js";
import { TEXT_HINTS } from "../span_editor/js/modes.js";
import { leaveMode, onCaretKey, onEdgeKey, startCaret, startEdges } from "../span_editor/js/caret.js";
import { startMouse } from "../span_editor/js/pointer.js";

const MOST_LANES = 9;
const DRAFT_COLOR = 11; // readers have those before it
const kept = new Map(); // case -> the passages as they were left, [] of what they were before
let open = null; // { key, shown, before: earlier passages, changed(): to draw what depends on them }

export function startText() {
  settings.reading = "criterion"; // one question at a time, however one reads posts; of this page alone
  serve({ refresh, addSpan, adjustMark, pick, modeChanged, drawn: () => {} });
  startHandles();
  startMouse();
}

function draft() {
  return ed.item.criteria[ed.active];
}

function change(answer, mark) {
  open.before.push(draft().marks);
  put(answer.marks, mark);
}

function put(marks, mark) {
  draft().marks = marks;
  ed.mark = mark ?? null;
  kept.set(open.key, marks);
  refresh();
}

function refresh() {
  drawText();
  open.changed();
}

function modeChanged() {
  part("mode").textContent = TEXT_HINTS[ed.mode] || "";
  part("mode").hidden = !TEXT_HINTS[ed.mode];
}

// Shows the case, its decision so far or what all agree on filled in; what was changed of it before is there again.
export function showText(shown, changed) {
  leaveMode();
  const doc = makeDoc(shown.post.text, shown.sentences);
  const toMarks = (spans) => spans.map(([start, end, said]) => makeMark("added", doc.toUnit[start], doc.toUnit[end], null, said));
  const readers = shown.given ? [] : shown.lanes.map((one, index) => ({ index, lane: Math.min(index + 1, MOST_LANES - 1), name: one.name, verdict: one.verdict, marks: toMarks(one.spans) }));
  const key = keyOf(shown);
  const decided = shown.decision && shown.decision.outcome === "evidence" ? shown.decision.spans : shown.shared;
  const marks = kept.get(key) || toMarks(shown.given ? [] : decided);
  open = { key, shown, before: [], changed };
  ed.lanes = Math.min(readers.length + 1, MOST_LANES);
  ed.shown.others = true;
  ed.item = { post: shown.post, doc, criteria: [...readers, { index: DRAFT_COLOR, lane: 0, name: "Decision", verdict: "evidence", marks }] };
  ed.active = readers.length;
  ed.mark = null;
  part("text").style.lineHeight = 30 + 4 * ed.lanes + "px";
  mountText(ed.item);
}

export function hideText() {
  leaveMode();
  ed.item = null;
}

// The passages of the decision as the server takes them.
export function draftSpans() {
  const { toPoint } = ed.item.doc;
  return draft().marks.map((mark) => [toPoint[mark.start], toPoint[mark.end], ...saidOf(mark)]);
}

export function dropDraft(shown) {
  kept.delete(keyOf(shown));
}

function keyOf({ post, criterion, revision }) {
  return JSON.stringify([post.id, criterion.id, revision]);
}

function addSpan(start, end, mode) {
  if (open.shown.given) return undefined;
  const found = snap(ed.item.doc, start, end, mode);
  if (!found || !hasWords(quote(...found))) return say("There are no words in what you selected. Select the words that are evidence.");
  const [answer, mark] = added(draft(), found[0], found[1]);
  announce("Added: " + quote(...found).slice(0, 200));
  return change(answer, mark);
}

function adjustMark(start, end) {
  const mark = activeMark();
  if (!mark || (mark.start === start && mark.end === end)) return undefined;
  if (!hasWords(quote(start, end))) return say("There would be no words left in the passage. It stays as it was.");
  return change(adjusted(ed.item.doc, draft(), mark.id, start, end), mark.id);
}

// A click chooses a passage of the decision; on a reader's alone, it takes it into the decision.
function pick(ids) {
  const own = ids.filter((id) => draft().marks.some((mark) => mark.id === id));
  if (own.length) return choose(own[(own.indexOf(ed.mark) + 1) % own.length]);
  const theirs = ed.item.criteria.flatMap((reader) => reader.marks).find((mark) => mark.id === ids[0]);
  if (!theirs) return undefined;
  const [answer, id] = added(draft(), theirs.start, theirs.end);
  return change(withSaid(answer, id, theirs.said), id);
}

function choose(id) {
  ed.mark = id;
  const mark = activeMark();
  announce("Chosen: " + quote(mark.start, mark.end).slice(0, 200));
  refresh();
  reveal(mark.start, mark.end);
}

export function stepDraft(by) {
  const { marks } = activeCriterion();
  if (!marks.length) return say("Nothing is marked in the decision yet: select words, or click a reader's passage.");
  const here = marks.findIndex((mark) => mark.id === ed.mark);
  return choose(marks[here < 0 ? (by > 0 ? 0 : marks.length - 1) : (here + by + marks.length) % marks.length].id);
}

// Starts from these passages (a reader's, or everybody's), the first of them chosen.
export function startFrom(spans) {
  const { toUnit } = ed.item.doc;
  const marks = spans.map(([start, end, said]) => makeMark("added", toUnit[start], toUnit[end], null, said));
  change({ marks }, marks.length ? marks[0].id : null);
  if (marks.length) reveal(marks[0].start, marks[0].end);
}

export function removeChosen() {
  const mark = activeMark();
  if (!mark) return say("Choose a passage of the decision first: ] or [, or click it.");
  return change(rejected(ed.item.doc, draft(), mark.id));
}

export function undoDraft() {
  if (!open.before.length) return say("Nothing was changed in this decision.");
  return put(open.before.pop());
}

export function moveBorders() {
  if (!activeMark() && draft().marks.length) ed.mark = draft().marks[0].id;
  if (!activeMark()) return say("Choose a passage of the decision first: ] or [, or click it.");
  return startEdges();
}

export const selectByKeys = startCaret;

// Whether a mode of the text took the key. Any other key leaves the mode; what was moved is kept.
export function textKey(event) {
  if (!ed.item) return false;
  if (ed.mode === "caret" && onCaretKey(event)) return true;
  if (ed.mode === "edges" && onEdgeKey(event)) return true;
  return false;
}
