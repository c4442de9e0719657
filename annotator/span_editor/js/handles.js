// The handles at the edges of the chosen span. They lie over the text, not in it: an element in a line has no touch-action of its
// own, and drawing the text anew while a finger is on one would take it away from under the finger.

import { make, part } from "./dom.js";
import { activeMark, ed } from "./state.js";
import { edgeBox } from "./places.js";

let due = false;

export function startHandles() {
  for (const edge of ["start", "end"]) part("page").append(make("span", { class: "ev-handle", "data-edge": edge, hidden: true }));
  new ResizeObserver(scheduleHandles).observe(part("page"));
}

export function scheduleHandles() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => ((due = false), placeHandles()));
}

function placeHandles() {
  const mark = ed.item && !ed.pending ? activeMark() : null;
  const frame = part("page").getBoundingClientRect();
  for (const node of part("page").querySelectorAll(".ev-handle")) {
    node.hidden = !mark;
    if (!mark) continue;
    const at = ed.draft || mark;
    const box = edgeBox(at, node.dataset.edge);
    node.style.left = box.x - frame.left + "px";
    node.style.top = box.top - frame.top + "px";
    node.style.height = box.height + "px";
  }
}
