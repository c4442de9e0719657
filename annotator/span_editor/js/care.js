// Care for the reader: the notice before the first post, where to find help, and a reminder to take a break.

import { button, fill, make, part } from "./dom.js";
import { memory } from "./memory.js";
import { ed } from "./state.js";
import { saveSettings, settings } from "./settings.js";
import { announce } from "./messages.js";
import { clock, noteActivity } from "./clock.js";
import { bringEditor } from "./places.js";
import { focusRoot } from "./dialog.js";
import { toggleShown } from "./toggles.js";
import { offerGuide } from "./guide.js";

const AWAY_MS = 5 * 60000; // who does nothing for so long has taken a break already
const SNOOZE_MINUTES = 5;
const LOOK_EVERY_MS = 15000;
export const notice = { open: false };
const breaks = { since: Date.now(), notBefore: 0 };

export function showNotice() {
  if (memory.read("notice", false) || !ed.about.notice) return;
  notice.open = true;
  const begin = (blurred) => () => {
    notice.open = false;
    memory.write("notice", true);
    part("notice").hidden = true;
    if (blurred && !ed.shown.blur) toggleShown("blur");
    focusRoot();
    bringEditor();
    offerGuide();
  };
  const start = button("Begin", begin(false), { class: "ev-primary" });
  fill(part("notice"), make("h2", {}, "Before you begin"),
    make("p", {}, ed.about.notice),
    ed.about.reminder && make("p", {}, ed.about.reminder),
    careLine(),
    make("div", { class: "ev-row" }, start, button("Begin with the text blurred", begin(true))));
  part("notice").hidden = false;
  start.focus();
}

function careLine() {
  const { crisis_text: text, crisis_url: url } = ed.about;
  if (!text) return null;
  const safe = /^https?:\/\//.test(url);
  return make("p", {}, text + " ", safe && make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, "Find help"));
}

export function breakChoice() {
  const times = [[0, "never"], ...[15, 25, 50, 90].map((m) => [m, "after " + m + " minutes"])];
  const change = (event) => {
    settings.breakMinutes = Number(event.target.value);
    saveSettings();
    restartBreak();
  };
  const options = times.map(([value, text]) => make("option", { value, selected: settings.breakMinutes === value }, text));
  return make("label", {}, "Remind me of a break ", make("select", { name: "break", onchange: change }, options));
}

function restartBreak() {
  Object.assign(breaks, { since: Date.now(), notBefore: 0 });
  fill(part("break"));
}

function snoozeBreak() {
  breaks.notBefore = Date.now() + SNOOZE_MINUTES * 60000;
  fill(part("break"));
  focusRoot();
}

export function startBreaks() {
  for (const name of ["pointerdown", "wheel"]) part("root").addEventListener(name, noteActivity, { passive: true });
  setInterval(lookAtTheTime, LOOK_EVERY_MS);
}

function lookAtTheTime() {
  const now = Date.now();
  const shown = part("break").childNodes.length > 0;
  if (!shown && (document.hidden || performance.now() - clock.last > AWAY_MS)) breaks.since = now;
  const minutes = Math.floor((now - breaks.since) / 60000);
  if (shown || !settings.breakMinutes || minutes < settings.breakMinutes || now < breaks.notBefore) return;
  fill(part("break"),
    make("p", {}, "You have been reading for " + minutes + " minutes. Everything you decided is kept; a short break does good."),
    make("span", { class: "ev-row" },
      button("I had a break", () => (restartBreak(), focusRoot())),
      button("Remind me in " + SNOOZE_MINUTES + " minutes", snoozeBreak)));
  bringEditor();
  announce("Time for a break: you have been reading for " + minutes + " minutes.");
}
