// The one dialog of the page.

import { DOUBLE_CLICK_MS, fill, part } from "./dom.js";

export function openDialog(title, ...content) {
  const dialog = part("dialog");
  dialog.ofPost = false;
  fill(part("dialog-title"), title);
  fill(part("dialog-body"), content);
  if (!dialog.open) {
    dialog.showModal();
    dialog.since = performance.now();
  }
  return dialog;
}

// What is said or asked about the post that is open: it goes with the post.
export function openPostDialog(title, ...content) {
  openDialog(title, ...content).ofPost = true;
}

export function leavePostDialog() {
  if (part("dialog").ofPost) closeDialog();
}

// The second click of a double click on what opened the dialog means nothing in it.
export function isStray(event) {
  const byHand = event.detail > 0 || event.type === "pointerdown"; // a key means what is asked
  return byHand && event.timeStamp - part("dialog").since < DOUBLE_CLICK_MS;
}

export function closeDialog() {
  part("dialog").close();
}

export function focusRoot() {
  part("root").focus({ preventScroll: true });
}
