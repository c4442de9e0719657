// The one dialog of the page.

import { fill, part } from "./dom.js";

export function openDialog(title, ...content) {
  const dialog = part("dialog");
  fill(part("dialog-title"), title);
  fill(part("dialog-body"), content);
  if (!dialog.open) dialog.showModal();
  return dialog;
}

export function closeDialog() {
  part("dialog").close();
}

export function focusRoot() {
  part("root").focus({ preventScroll: true });
}
