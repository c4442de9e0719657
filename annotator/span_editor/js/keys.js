// The keyboard.

import { part } from "./dom.js";
import { activeCriterion, activeMark, ed } from "./state.js";
import { readsWhole } from "./settings.js";
import { actionFor, LOOKS, perform, WITHOUT_POST } from "./actions.js";
import { announce } from "./messages.js";
import { stateText } from "./words.js";
import { measurePaint, noteActivity } from "./clock.js";
import { clearSelection } from "./places.js";
import { drawText } from "./text.js";
import { refresh } from "./panels.js";
import { activate } from "./walk.js";
import { undo } from "./undo.js";
import { addPending, decideMark, dropPending, moveMark } from "./decisions.js";
import { onSaidKey } from "./attributes.js";
import { leaveMode, onCaretKey, onEdgeKey } from "./caret.js";
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
  if (isSaying() && onSaidKey(event)) return true;
  if (event.ctrlKey || event.metaKey) return undoKey(event);
  if (event.altKey) return false;
  if (event.key >= "1" && event.key <= "9" && !event.shiftKey) return leaveMode(), pressNumber(Number(event.key) - 1);
  if (event.key === "Escape") {
    if (ed.pending) return dropPending(), true;
    return clearSelection(), false;
  }
  const action = actionFor(event);
  if (!action || event.repeat && !["next_span", "previous_span"].includes(action[0])) return Boolean(action);
  perform(action[0]);
  return true;
}

// Before an action, by key or by button.
export function prepareFor(action) {
  if (!LOOKS.has(action) && !(isSaying() && STAYS.includes(action))) leaveMode();
}

const STAYS = ["next_span", "previous_span", "said", "labels"]; // from span to span without leaving the mode

function isSaying() {
  return ed.mode === "said" || ed.mode === "labels";
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
  leaveMode();
  undo(key === "y" || event.shiftKey);
  return true;
}

// In whole-post mode a number says which criterion: of the selection that waits, or of the chosen prediction; else it opens it.
function pressNumber(index) {
  const criterion = ed.item.criteria[index];
  if (!criterion) return false;
  const mark = activeMark();
  if (ed.pending) addPending(criterion);
  else if (!readsWhole() || !mark || mark.state !== "undecided") return chooseCriterion(index);
  else if (criterion === activeCriterion()) decideMark("accept");
  else moveMark(criterion);
  return true;
}

// While Shift is held alone, all that confirming the rest would take is seen in the text.
export function onShift(event) {
  const held = event.type === "keydown" && event.key === "Shift" && ed.item && ed.mode === "review" && wantsKeys(event.target);
  if (event.key !== "Shift" && !(event.type === "blur")) return;
  if (ed.peek === Boolean(held)) return;
  ed.peek = Boolean(held);
  if (ed.item) drawText();
}

export function chooseCriterion(index) {
  if (index >= ed.item.criteria.length) return false;
  leaveMode();
  ed.pending = null;
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
