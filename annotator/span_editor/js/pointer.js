// The mouse: selecting makes a span, clicking chooses one, dragging a handle moves its edge. Double click: word; triple: sentence.

import { part } from "./dom.js";
import { sentenceAt, snap, wordAt } from "./offsets.js";
import { activeMark, ed } from "./state.js";
import { settings } from "./settings.js";
import { drawText } from "./text.js";
import { clearSelection, offsetAtPoint, selectedSpan, showAddButton } from "./places.js";
import { surface } from "./surface.js";
import { leaveMode } from "./caret.js";

const DOUBLE_CLICK_WAIT_MS = 280; // a third click may follow and mean the sentence
const mouse = { down: false, drag: null, timer: 0, touch: false };

export function startMouse() {
  const text = part("text");
  text.addEventListener("pointerdown", onPointerDown);
  document.addEventListener("mouseup", onMouseUp); // unlike pointerup, it counts clicks
  startDragging();
  document.addEventListener("selectionchange", () => {
    if (mouse.touch && ed.item) showAddButton(Boolean(selectedSpan()));
  });
}

function onPointerDown(event) {
  mouse.touch = event.pointerType === "touch";
  mouse.down = event.button === 0;
  mouse.x = event.clientX;
  mouse.y = event.clientY;
}

function onMouseUp(event) {
  if (!mouse.down || !ed.item) return undefined;
  mouse.down = false;
  if (mouse.touch) return event.target.closest(".ev-seg") && pick(event.target.closest(".ev-seg"));
  // the browser settles the selection after this event
  setTimeout(() => onClicks(event), 0);
  return undefined;
}

function onClicks(event) {
  clearTimeout(mouse.timer);
  const moved = Math.abs(event.clientX - mouse.x) + Math.abs(event.clientY - mouse.y) > 4;
  const span = selectedSpan();
  if (moved || event.detail <= 1) {
    if (span && (moved || event.shiftKey)) {
      leaveMode();
      surface.addSpan(span[0], span[1], settings.snap);
      clearSelection();
    } else if (event.target.closest && event.target.closest(".ev-seg")) {
      pick(event.target.closest(".ev-seg"));
    }
    return;
  }
  const at = span ? span[0] : offsetAtPoint(event.clientX, event.clientY);
  if (at === null) return;
  if (event.detail === 2) {
    mouse.word = span || wordAt(ed.item.doc, at);
    mouse.timer = setTimeout(() => addExactly(mouse.word && snap(ed.item.doc, mouse.word[0], mouse.word[1], "word")), DOUBLE_CLICK_WAIT_MS);
  } else {
    const inside = offsetAtPoint(event.clientX, event.clientY);
    addExactly(sentenceAt(ed.item.doc, inside === null ? at : inside) || sentenceAt(ed.item.doc, at));
  }
}

function pick(piece) {
  leaveMode();
  surface.pick(piece.dataset.marks.split(" ").map(Number));
}

function addExactly(span) {
  leaveMode();
  if (span) surface.addSpan(span[0], span[1], "off");
  clearSelection();
}

// A handle follows the pointer that took it and no other; only letting go on purpose saves. A pointer that the browser takes away,
// as for a scroll or a call, leaves the span as it was.
function startDragging() {
  for (const handle of part("page").querySelectorAll(".ev-handle")) {
    handle.addEventListener("pointerdown", (event) => {
      if (!activeMark() || event.button !== 0) return;
      event.preventDefault();
      event.stopPropagation();
      leaveMode();
      const mark = activeMark();
      mouse.drag = { pointer: event.pointerId, edge: handle.dataset.edge, start: mark.start, end: mark.end };
      handle.setPointerCapture(event.pointerId);
      part("page").classList.add("ev-dragging"); // the text beneath is what is looked for
    });
    handle.addEventListener("pointermove", onDrag);
    handle.addEventListener("pointerup", (event) => isDragged(event) && endDrag(true));
    for (const lost of ["pointercancel", "lostpointercapture"]) handle.addEventListener(lost, (event) => isDragged(event) && endDrag(false));
  }
}

function isDragged(event) {
  return mouse.drag !== null && mouse.drag.pointer === event.pointerId;
}

function onDrag(event) {
  if (!isDragged(event)) return;
  const at = offsetAtPoint(event.clientX, event.clientY);
  if (at === null) return;
  const { edge, start, end } = mouse.drag;
  const raw = edge === "start" ? [Math.min(at, end - 1), end] : [start, Math.max(at, start + 1)];
  const mode = event.altKey ? "off" : settings.snap;
  const snapped = snap(ed.item.doc, raw[0], raw[1], mode);
  if (!snapped) return;
  ed.draft = edge === "start" ? { start: Math.min(snapped[0], end - 1), end } : { start, end: snapped[1] };
  drawText();
}

function endDrag(keep) {
  mouse.drag = null;
  part("page").classList.remove("ev-dragging");
  const draft = ed.draft;
  ed.draft = null;
  if (keep && draft) surface.adjustMark(draft.start, draft.end);
  clearSelection();
  surface.refresh();
}
