// What a reader has chosen for this browser.

import { memory } from "./memory.js";

export const settings = { keys: {}, snap: "word", guideline: true, breakMinutes: 50, ...memory.read("settings", {}) };

export function saveSettings() {
  memory.write("settings", settings);
}
