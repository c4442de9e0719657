// What is said to the reader: a line at the bottom, and the live region for those who listen.

import { button, fill, make, part } from "./dom.js";
import { keyHint } from "./actions.js";

export const announce = (() => {
  let turn = 0;
  return (text) => {
    turn += 1;
    part("live").textContent = text + (turn % 2 ? "\u00a0" : ""); // a change is what is read out
  };
})();

export function say(text) {
  toast(text);
}

// `action`, if given, is offered until something else is decided: it does what the line says and nothing else.
export function toast(text, label, action, key = "undo") {
  const box = part("toast");
  clearTimeout(box.timer);
  box.offers = Boolean(label);
  const act = label && button([label, key && keyHint(key)], () => ((box.hidden = true), action()), { class: "ev-link" });
  fill(box, make("span", {}, text), act);
  box.hidden = false;
  box.timer = setTimeout(() => (box.hidden = true), label ? 8000 : 4500);
  announce(text);
}

// The line is gone if it is still this one.
export function unsay(text) {
  const box = part("toast");
  if (box.textContent === text) box.hidden = true;
}

// A decision takes away the offer to undo the one before.
export function endOffer() {
  const box = part("toast");
  if (box.offers) box.hidden = true;
}
