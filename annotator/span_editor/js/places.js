// Where things are: positions of the post on the screen and back, and what the browser has selected.

import { part } from "./dom.js";
import { blockIndexAt } from "./offsets.js";
import { ed } from "./state.js";

// [text node, offset in it] of a position in the post.
export function locate(offset) {
  const { doc } = ed.item;
  const block = doc.blocks[blockIndexAt(doc, Math.min(offset, doc.text.length))];
  let left = offset - block.start;
  const walker = document.createTreeWalker(block.node, NodeFilter.SHOW_TEXT);
  let node = walker.nextNode();
  while (node && left > node.length) {
    left -= node.length;
    node = walker.nextNode();
  }
  return node ? [node, Math.min(left, node.length)] : [block.node, 0];
}

// Position in the post of a point in the page's tree, or null if it is not in the text.
function offsetAt(node, within) {
  const text = part("text");
  if (!text.contains(node)) return null;
  const holder = (node.nodeType === 1 ? node : node.parentElement).closest(".ev-block");
  const range = document.createRange();
  range.selectNodeContents(holder || text);
  range.setEnd(node, within);
  return (holder ? holder.block.start : 0) + range.toString().length;
}

export function offsetAtPoint(x, y) {
  if (document.caretPositionFromPoint) {
    const position = document.caretPositionFromPoint(x, y);
    return position ? offsetAt(position.offsetNode, position.offset) : null;
  }
  const range = document.caretRangeFromPoint(x, y);
  return range ? offsetAt(range.startContainer, range.startOffset) : null;
}

export function rangeOf(start, end) {
  const range = document.createRange();
  range.setStart(...locate(start));
  range.setEnd(...locate(end));
  return range;
}

// What is seen of the pane in which the text scrolls: { top, bottom }.
function seenFrame() {
  const frame = part("scroll").getBoundingClientRect();
  const over = ["verdicts", "break", "conflicts"].map(part) // what stands at the bottom of the window, the verdicts where it is narrow
    .filter((box) => box.childNodes.length && getComputedStyle(box).position === "fixed").map((box) => box.getBoundingClientRect().top);
  return { top: Math.max(frame.top, 0), bottom: Math.min(frame.bottom, window.innerHeight, ...over) };
}

// In a small window the pages' own head leaves no room: then the editor is scrolled to its top, so that the text is seen.
export function bringEditor() {
  const { top, bottom } = seenFrame();
  if (bottom - top < window.innerHeight / 2) part("root").scrollIntoView({ block: "start", behavior: "instant" });
}

const FROM_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\ud802\ud803\ud83a\ud83b]/;

// Whether the text runs from the right at the offset: as its letter says, between letters as its paragraph does.
export function isRightToLeft(offset) {
  const { text } = ed.item.doc;
  if (FROM_RIGHT.test(text[offset])) return true;
  if (offset < text.length && /[\p{L}\p{N}]/u.test(String.fromCodePoint(text.codePointAt(offset)))) return false;
  const holder = locate(offset)[0].parentElement.closest(".ev-par");
  return holder !== null && getComputedStyle(holder).direction === "rtl";
}

// Where an edge of a span stands on the screen: { x, top, height }. In text that runs from the right a span starts on the right.
export function edgeBox(span, edge) {
  const [from, to] = edge === "start" ? [span.start, span.start + 1] : [span.end - 1, span.end];
  const rects = Array.from(rangeOf(from, to).getClientRects());
  const wide = rects.filter((r) => r.width > 0); // where a line is broken, the end of the line before it has a rect without width
  const rect = (wide.length ? wide : rects).at(edge === "start" ? 0 : -1) || part("text").getBoundingClientRect();
  const right = (edge === "end") !== isRightToLeft(from);
  return { x: right ? rect.right : rect.left, top: rect.top, height: rect.height };
}

// Bring a span into view, only as far as needed, with a few lines around it. What was left out of a long post so far has only
// a guessed height: once it is there, the span is looked for again.
export function reveal(start, end) {
  bringIntoView(start, end);
  const { item } = ed;
  if (part("text").classList.contains("ev-long")) requestAnimationFrame(() => ed.item === item && bringIntoView(start, end));
}

function bringIntoView(start, end) {
  const pane = scrolled();
  const frame = pane === window ? { top: 0, bottom: window.innerHeight } : pane.getBoundingClientRect();
  const rect = rangeOf(start, Math.max(end, start)).getBoundingClientRect();
  if (!rect.height && !rect.top) return;
  const margin = Math.min(120, (frame.bottom - frame.top) / 4);
  let by = 0;
  if (rect.top < frame.top + margin) by = rect.top - frame.top - margin;
  else if (rect.bottom > frame.bottom - margin) by = Math.min(rect.bottom - frame.bottom + margin, rect.top - frame.top - margin);
  if (by) pane.scrollBy({ top: by, behavior: "instant" });
}

// What scrolls when the text does.
function scrolled() {
  const scroll = part("scroll");
  return scroll.scrollHeight > scroll.clientHeight + 1 && getComputedStyle(scroll).overflowY !== "visible" ? scroll : window;
}

// Puts a box that belongs to a span over the text: below the span, above it where it would not be seen below, else below it, which
// scrolls as far as the span's end is still seen.
export function putBeside(box, span) {
  const seen = seenFrame();
  const end = edgeBox(span, "end");
  const below = end.top + end.height + GAP;
  const above = edgeBox(span, "start").top - GAP - box.offsetHeight;
  const hidden = below + box.offsetHeight - seen.bottom;
  const top = hidden > 0 && above >= seen.top ? above : below;
  box.style.top = top - part("page").getBoundingClientRect().top + "px";
  if (hidden > 0 && top === below) scrolled().scrollBy({ top: Math.min(hidden, Math.max(0, end.top - seen.top)), behavior: "instant" });
}

const GAP = 8;

export function selectedSpan() {
  const selection = window.getSelection();
  if (!selection || selection.isCollapsed || !selection.rangeCount) return null;
  const range = selection.getRangeAt(0);
  const text = part("text");
  if (!range.intersectsNode(text)) return null;
  const start = offsetAt(range.startContainer, range.startOffset) ?? 0;
  const end = offsetAt(range.endContainer, range.endOffset) ?? ed.item.doc.text.length;
  return start < end ? [start, end] : null;
}

export function clearSelection() {
  const selection = window.getSelection();
  if (selection) selection.removeAllRanges();
  showAddButton(false);
}

export function showAddButton(visible) {
  part("add-selection").hidden = !visible;
}
