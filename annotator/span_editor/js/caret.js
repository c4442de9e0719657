// Selecting and adjusting without a mouse.
//
// Caret mode: a caret moves through the text by character, word (Ctrl or Alt) and sentence (up, down); with Shift it selects.
// Edge mode: the same keys move the end of the chosen span, with Shift its start.

import { part } from "./dom.js";
import { moveBy, sentenceAt, trimSpaces, wordAt } from "./offsets.js";
import { activeMark, ed, quote } from "./state.js";
import { settings } from "./settings.js";
import { announce, say } from "./messages.js";
import { drawText } from "./text.js";
import { isRightToLeft, locate, offsetAtPoint, rangeOf, reveal } from "./places.js";
import { surface } from "./surface.js";
import { setMode } from "./modes.js";

function unitOf(event) {
  if (event.key === "ArrowUp" || event.key === "ArrowDown") return "sentence";
  return event.ctrlKey || event.altKey || event.metaKey ? "word" : "char";
}

// Left and right are what the eye sees: in text that runs from the right, left goes on.
function directionOf(event, offset) {
  if (event.key === "ArrowUp" || event.key === "ArrowDown") return event.key === "ArrowDown" ? 1 : -1;
  return (event.key === "ArrowRight") !== isRightToLeft(offset) ? 1 : -1;
}

// One step from `from` where the arrow points. Where text of both directions meets, the next letter may lie the other way: then the step goes
// to what lies onward on the other side of the border, so that the same key never goes to and fro.
function step(event, from, side) {
  const { doc } = ed.item;
  const direction = directionOf(event, from);
  const to = moveBy(doc, from, unitOf(event), direction, side || (direction > 0 ? "end" : "start"));
  if (unitOf(event) === "sentence" || to === from) return to;
  const here = caretBox(from);
  const ahead = (at) => {
    const box = caretBox(at);
    if (Math.abs(box.top - here.top) > box.height / 2) return 1; // in another line
    return Math.sign(Math.round(box.left - here.left)) * (event.key === "ArrowRight" ? 1 : -1);
  };
  if (ahead(to) >= 0) return to;
  for (let at = from; ; ) {
    const next = moveBy(doc, at, "char", -direction, "start");
    if (next === at || ahead(next) > 0) return next;
    at = next;
  }
}

export function startCaret() {
  const mark = activeMark();
  const at = mark ? mark.start : firstVisibleOffset();
  setMode("caret");
  ed.caret = { anchor: at, focus: at };
  announce("Caret mode. Move with the arrow keys, select with Shift, add with Enter, leave with Escape.");
  drawCaret();
}

function firstVisibleOffset() {
  const frame = part("scroll").getBoundingClientRect();
  const at = offsetAtPoint(frame.left + 40, Math.max(frame.top, 0) + 30);
  return at === null ? 0 : at;
}

export function onCaretKey(event) {
  const { doc } = ed.item;
  const arrow = event.key.startsWith("Arrow");
  if (event.key === "Escape") return setMode("review"), true;
  if (event.key === "Enter") return addCaretSelection(), true;
  if (event.key === " ") return selectAround(), true;
  if (!arrow && event.key !== "Home" && event.key !== "End") return false;
  if (unitOf(event) === "sentence" && arrow && !event.shiftKey) return selectSentence(directionOf(event)), true;
  if (arrow) {
    ed.caret.focus = step(event, ed.caret.focus);
  } else {
    ed.caret.focus = event.key === "Home" ? 0 : doc.text.length;
  }
  if (!event.shiftKey) ed.caret.anchor = ed.caret.focus;
  drawCaret();
  announceCaret();
  return true;
}

// Up and down select whole sentences: the one the caret stands in first, then its neighbors.
function selectSentence(direction) {
  const { sentences } = ed.item.doc;
  const selected = caretSpan();
  const here = sentences.findIndex(([start, end]) => start <= ed.caret.focus && ed.caret.focus < end);
  const chosen = selected ? sentences.findIndex(([start, end]) => start === selected[0] && end === selected[1]) : -1;
  const after = sentences.findIndex(([start]) => start >= ed.caret.focus);
  let index = here >= 0 ? here : direction > 0 && after >= 0 ? after : (after < 0 ? sentences.length : after) - 1;
  if (chosen >= 0) index = chosen + direction;
  const sentence = sentences[Math.min(sentences.length - 1, Math.max(0, index))];
  if (!sentence) return;
  ed.caret = { anchor: sentence[1], focus: sentence[0] };
  drawCaret();
  announceCaret();
}

function caretSpan() {
  const { anchor, focus } = ed.caret;
  return anchor === focus ? null : [Math.min(anchor, focus), Math.max(anchor, focus)];
}

// Space widens what is selected: nothing, the word, the sentence.
function selectAround() {
  const { doc } = ed.item;
  const span = caretSpan();
  const word = wordAt(doc, ed.caret.focus);
  const wide = !span && word ? word : sentenceAt(doc, span ? span[0] : ed.caret.focus);
  if (!wide) return;
  ed.caret = { anchor: wide[0], focus: wide[1] };
  drawCaret();
  announceCaret();
}

function addCaretSelection() {
  const span = caretSpan() || sentenceAt(ed.item.doc, ed.caret.focus);
  if (!span) return say("There is no sentence at the caret. Select with Shift and the arrow keys.");
  const [start, end] = settings.snap === "off" ? span : trimSpaces(ed.item.doc, span[0], span[1]);
  if (start >= end) return say("Only spaces are selected.");
  setMode("review");
  return surface.addSpan(start, end, "off");
}

// Its place once the text looks otherwise.
export function placeCaret() {
  if (ed.mode === "caret") drawCaret();
}

function drawCaret() {
  const { focus } = ed.caret;
  const span = caretSpan();
  const selection = window.getSelection();
  if (span) selection.setBaseAndExtent(...locate(ed.caret.anchor), ...locate(focus));
  else selection.removeAllRanges();
  reveal(Math.max(0, focus - 1), focus);
  const box = caretBox(focus);
  const frame = part("page").getBoundingClientRect();
  const caret = part("caret");
  caret.hidden = false;
  caret.style.left = box.left - frame.left + "px";
  caret.style.top = box.top - frame.top + "px";
  caret.style.height = box.height + "px";
}

function caretBox(offset) {
  const { text } = ed.item.doc;
  if (offset < text.length && text[offset] !== "\n" && text[offset] !== "\r") {
    const rect = rangeOf(offset, offset + 1).getClientRects()[0];
    if (rect) return { left: isRightToLeft(offset) ? rect.right : rect.left, top: rect.top, height: rect.height };
  }
  const rects = rangeOf(Math.max(0, offset - 1), offset).getClientRects();
  const rect = rects[rects.length - 1] || part("text").getBoundingClientRect();
  const left = isRightToLeft(Math.max(0, offset - 1)) ? rect.left : rect.right;
  return { left, top: rect.top, height: Math.min(rect.height, 28) };
}

function announceCaret() {
  const span = caretSpan();
  if (span) return announce("Selected: " + quote(span[0], span[1]).slice(-200));
  const word = wordAt(ed.item.doc, ed.caret.focus);
  return announce(word ? quote(word[0], word[1]) : "between words");
}

export function startEdges() {
  const mark = activeMark();
  if (!mark) return say("Choose a span first: j or k, or click it.");
  setMode("edges");
  ed.draft = { start: mark.start, end: mark.end };
  announce("Moving edges. Arrow keys move the end, with Shift the start; Enter keeps it, Escape leaves it as it was.");
  return drawText();
}

export function onEdgeKey(event) {
  if (event.key === "Escape") {
    setMode("review");
    surface.refresh();
    return true;
  }
  if (event.key === "Enter") return keepEdges(), true;
  if (!event.key.startsWith("Arrow")) return false;
  const side = event.shiftKey ? "start" : "end";
  moveEdge(side, step(event, ed.draft[side], side));
  return true;
}

function moveEdge(side, moved) {
  const draft = { ...ed.draft, [side]: moved };
  if (draft.start >= draft.end) return;
  ed.draft = draft;
  drawText();
  reveal(side === "start" ? draft.start : Math.max(0, draft.end - 1), side === "start" ? draft.start + 1 : draft.end);
  announce(quote(draft.start, draft.end).slice(0, 200));
}

// Leaving a mode by any other act, of the keys or the mouse, keeps what was moved: nothing that was done is lost, and nothing of it is
// taken for another span.
export function leaveMode() {
  if (ed.mode === "edges") keepEdges();
  else setMode("review");
}

function keepEdges() {
  const draft = ed.draft;
  setMode("review");
  if (draft) surface.adjustMark(draft.start, draft.end);
  surface.refresh();
}
