// How the page is looked at.

import { part } from "./dom.js";
import { memory } from "./memory.js";
import { ed } from "./state.js";
import { readsWhole, saveSettings, settings } from "./settings.js";
import { announce, say } from "./messages.js";
import { drawBar } from "./bar.js";
import { refresh } from "./panels.js";
import { beginAt } from "./walk.js";
import { placeCaret } from "./caret.js";

export function cycleSnap() {
  settings.snap = { off: "word", word: "sentence", sentence: "off" }[settings.snap] || "word";
  saveSettings();
  drawBar();
  announce("A selection takes " + { off: "exactly what is drawn", word: "whole words", sentence: "whole sentences" }[settings.snap] + ".");
}

export function toggleShown(what) {
  ed.shown[what] = !ed.shown[what];
  memory.write("shown", ed.shown);
  part("root").classList.toggle("ev-blurred", ed.shown.blur);
  announce(what === "others" ? "Other criteria " + (ed.shown.others ? "shown" : "hidden") : "Blur " + (ed.shown.blur ? "on" : "off"));
  refresh();
  placeCaret();
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

export function toggleReading() {
  settings.reading = readsWhole() ? "criterion" : "post";
  saveSettings();
  ed.pending = null;
  if (ed.item) beginAt(ed.item);
  drawBar();
  say(readsWhole() ? "Whole post: go through the predictions in the order of the text." : "Criterion by criterion.");
  refresh();
}

const SIZES = [14, 15.5, 17, 19, 22, 26];

export function changeSize(by) {
  const at = SIZES.indexOf(settings.size);
  settings.size = SIZES[Math.min(SIZES.length - 1, Math.max(0, (at < 0 ? 2 : at) + by))];
  saveSettings();
  applyLook();
}

export function toggleCompact() {
  settings.compact = !settings.compact;
  saveSettings();
  applyLook();
}

export function toggleFrame() {
  settings.frame = !settings.frame;
  saveSettings();
  applyLook();
}

export function applyLook() {
  const root = part("root");
  root.style.setProperty("--ev-size", settings.size + "px");
  root.classList.toggle("ev-compact", settings.compact);
  document.documentElement.classList.toggle("ev-alone", !settings.frame);
  drawBar();
  placeCaret();
}
