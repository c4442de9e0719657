// What a reader has chosen for this browser.

import { memory } from "./memory.js";

export const settings = {
  keys: {}, snap: "word", guideline: true, breakMinutes: 50, size: 17, compact: false, frame: true, reading: null,
  ...memory.read("settings", {}),
};

let usual = "criterion"; // the project's way of reading, for who has not chosen one

export function setUsualReading(reading) {
  usual = reading;
}

// Whole-post mode: the predictions of all criteria are gone through in the order of the text.
export function readsWhole() {
  return (settings.reading || usual) === "post";
}

export function saveSettings() {
  memory.write("settings", settings);
}
