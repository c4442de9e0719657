// Help: all keys, and changing them.

import { button, make, part, write } from "./dom.js";
import { ed } from "./state.js";
import { readsWhole, saveSettings, settings } from "./settings.js";
import { ACTIONS, keyName, keyOf, offered, shownKey } from "./actions.js";
import { announce } from "./messages.js";
import { drawActions, drawBar } from "./bar.js";
import { refresh } from "./panels.js";
import { closeDialog, openDialog } from "./dialog.js";
import { startGuide } from "./guide.js";
import { breakChoice } from "./care.js";

let listening = null; // takes the next key, while a new one is being chosen

export function openHelp(said) {
  openDialog(
    "Keys",
    said && make("p", { class: "ev-said", role: "status" }, said),
    make("p", { class: "ev-muted" }, "Choose a key to change it. " + digits() + " Ctrl+Z undoes. A click on a span chooses it; selecting text adds a span; double click takes the word, triple click the sentence; the edges of the chosen span can be dragged."),
    make("ul", { class: "ev-keys" }, offered().map(keyRow)),
    make("h3", {}, "In the text"),
    make("p", {}, "Caret (" + shownKey(keyOf("caret")) + ") and edges (" + shownKey(keyOf("edges")) + "): arrows left and right move by character, with Ctrl or Alt by word, up and down by sentence. In the caret mode Shift selects and Space takes the word, then the sentence; in the edge mode Shift moves the start."),
    make("p", { class: "ev-row" }, button("Show the tour", () => (closeDialog(), startGuide())), button("Set all keys back", resetKeys), breakChoice()),
  );
}

function digits() {
  if (!readsWhole()) return "Digits choose a criterion.";
  return "A digit says for which criterion the chosen open passage, or the selection, is evidence (its own accepts it); where none is chosen, it opens that criterion.";
}

function keyRow([id, , text]) {
  const change = button(shownKey(keyOf(id)), () => listenForKey(id, change), { class: "ev-key", "data-key": id, "aria-label": text + ": key " + keyOf(id) + ". Change" });
  return make("li", {}, change, make("span", {}, text));
}

function listenForKey(id, node) {
  stopListening();
  node.textContent = "…";
  announce("Press the new key, or Escape.");
  listening = (event) => {
    if (!part("dialog").open) return stopListening(); // its `close` event comes a little later than a quick key
    if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const at = part("dialog-body").scrollTop;
    stopListening();
    openHelp(event.key === "Escape" ? "" : setKey(id, event));
    part("dialog-body").scrollTop = at;
    part("dialog-body").querySelector('[data-key="' + id + '"]').focus({ preventScroll: true });
  };
  window.addEventListener("keydown", listening, true);
}

export function stopListening() {
  if (!listening) return;
  window.removeEventListener("keydown", listening, true);
  listening = null;
  for (const node of part("dialog-body").querySelectorAll("[data-key]")) write(node, shownKey(keyOf(node.dataset.key)));
}

// Gives the action its key, and says what else that changes.
function setKey(id, event) {
  const name = keyName(event);
  if (event.ctrlKey || event.altKey || event.metaKey || /^([1-9]|(Shift\+)?Tab)$/.test(name)) return "That key has its own meaning and cannot be given away.";
  const other = ACTIONS.find(([key]) => key !== id && keyOf(key) === name);
  const freed = keyOf(id);
  if (other) settings.keys[other[0]] = freed; // swap, so that no action is left without a key
  settings.keys[id] = name;
  saveSettings();
  drawActions();
  if (ed.item) refresh();
  else drawBar();
  return other ? "“" + other[2] + "” had that key; it has “" + shownKey(freed) + "” now." : "";
}

function resetKeys() {
  settings.keys = {};
  saveSettings();
  drawActions();
  if (ed.item) refresh();
  else drawBar();
  openHelp("All keys are as they were at first.");
}
