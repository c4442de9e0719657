// What a reader has chosen for this browser.

import { memory } from "./memory.js";

export const settings = {
  keys: {}, snap: "word", guideline: true, breakMinutes: 50, size: 17, compact: false, frame: true, reading: "criterion",
  ...memory.read("settings", {}),
};

// Whole-post mode: the predictions of all criteria are gone through in the order of the text.
export function readsWhole() {
  return settings.reading === "post";
}

export function saveSettings() {
  memory.write("settings", settings);
}
