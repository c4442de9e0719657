// The fields in which words are written: a note, or why a span is evidence. What is in one is saved when it is left, and it is left before
// anything else is chosen or another post comes, so that it is saved where it belongs.

import { part } from "./dom.js";
import { focusRoot } from "./dialog.js";

const WRITTEN = '[data-part="note"], [data-say="rationale"]';

export function startFields() {
  part("detail").addEventListener("keydown", (event) => {
    if (!event.target.matches(WRITTEN)) return;
    if (event.key !== "Escape" && !(event.key === "Enter" && (event.ctrlKey || event.metaKey))) return;
    event.preventDefault();
    event.stopPropagation();
    focusRoot();
  });
  // a button is drawn anew by what is saved, and acts on the click
  document.addEventListener("pointerdown", (event) => event.target.closest("button") || leaveField(event.target), true);
  document.addEventListener("click", (event) => leaveField(event.target), true);
  window.addEventListener("pagehide", () => leaveField(null));
}

export function leaveField(target) {
  const field = document.activeElement;
  if (field && field !== target && field.matches(WRITTEN)) field.blur();
}
