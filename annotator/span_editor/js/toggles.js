// How the page is looked at.

import { part } from "./dom.js";
import { memory } from "./memory.js";
import { ed } from "./state.js";
import { saveSettings, settings } from "./settings.js";
import { announce } from "./messages.js";
import { drawBar } from "./bar.js";
import { refresh } from "./panels.js";

export function cycleSnap() {
  settings.snap = { off: "word", word: "sentence", sentence: "off" }[settings.snap] || "word";
  saveSettings();
  drawBar();
  announce("Snapping: " + settings.snap);
}

export function toggleShown(what) {
  ed.shown[what] = !ed.shown[what];
  memory.write("shown", ed.shown);
  part("root").classList.toggle("ev-blurred", ed.shown.blur);
  announce(what === "others" ? "Other criteria " + (ed.shown.others ? "shown" : "hidden") : "Blur " + (ed.shown.blur ? "on" : "off"));
  refresh();
}

export function focusNote() {
  part("note-box").open = true;
  part("note").focus();
}

export function toggleGuideline() {
  settings.guideline = !settings.guideline;
  saveSettings();
  refresh();
}
