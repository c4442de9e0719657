// The keyboard.

import { part } from "./dom.js";
import { activeCriterion, ed } from "./state.js";
import { actionFor, perform, WITHOUT_POST } from "./actions.js";
import { announce } from "./messages.js";
import { stateText } from "./words.js";
import { measurePaint, noteActivity } from "./clock.js";
import { clearSelection } from "./places.js";
import { refresh } from "./panels.js";
import { activate } from "./walk.js";
import { setMode } from "./modes.js";
import { undo } from "./undo.js";
import { keepEdges, onCaretKey, onEdgeKey } from "./caret.js";
import { notice } from "./care.js";

function wantsKeys(target) {
  const root = part("root");
  if (!root.offsetParent && !root.getClientRects().length) return false; // another tab of the page is open
  if (part("dialog").open) return false;
  if (target === document.body || target === document.documentElement) return true;
  return root.contains(target) && !target.closest("input, textarea, select, [contenteditable]");
}

export function onKeyDown(event) {
  if (event.defaultPrevented || event.isComposing || !wantsKeys(event.target)) return;
  noteActivity();
  const began = performance.now();
  const onButton = event.target.closest && event.target.closest("button, summary, a[href]");
  if (onButton && (event.key === "Enter" || event.key === " ")) return;
  if (handleKey(event)) {
    event.preventDefault();
    measurePaint(began);
  }
}

function handleKey(event) {
  if (!ed.item) return handleWithoutItem(event);
  if (notice.open) return false;
  if (ed.mode === "caret" && onCaretKey(event)) return true;
  if (ed.mode === "edges" && onEdgeKey(event)) return true;
  if (event.ctrlKey || event.metaKey) return undoKey(event);
  if (event.altKey) return false;
  if (event.key >= "1" && event.key <= "9" && !event.shiftKey) return chooseCriterion(Number(event.key) - 1);
  if (event.key === "Escape") return clearSelection(), false;
  const action = actionFor(event);
  if (!action || event.repeat && !["next_span", "previous_span"].includes(action[0])) return Boolean(action);
  if (ed.mode === "edges") keepEdges();
  if (ed.mode === "caret") setMode("review");
  perform(action[0]);
  return true;
}

function handleWithoutItem(event) {
  if (!ed.me || notice.open) return false; // still starting
  if (event.ctrlKey || event.metaKey) return undoKey(event);
  const action = event.altKey || event.repeat ? null : actionFor(event);
  if (!action || !WITHOUT_POST.has(action[0])) return false;
  perform(action[0]);
  return true;
}

function undoKey(event) {
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return false;
  undo(key === "y" || event.shiftKey);
  return true;
}

export function chooseCriterion(index) {
  if (index >= ed.item.criteria.length) return false;
  if (ed.mode === "edges") keepEdges();
  if (ed.mode === "caret") setMode("review");
  activate(index);
  const criterion = activeCriterion();
  announce(criterion.name + ", " + stateText(criterion));
  refresh();
  return true;
}

export function stepCriterion(direction) {
  const count = ed.item.criteria.length;
  chooseCriterion((ed.active + direction + count) % count);
}
