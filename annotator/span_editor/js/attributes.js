// Saying something of the chosen span (a level, flags, why) and of the whole post: by key, in a mode of its own, or by the buttons.

import { part } from "./dom.js";
import { activeCriterion, activeMark, ed, withSaid } from "./state.js";
import { ofPosts, ofSpans } from "./actions.js";
import { announce, say } from "./messages.js";
import { shortQuote } from "./words.js";
import { flagKeys, labelAt, MOST_RATIONALE, saidKey, saidText } from "./said.js";
import { decide } from "./decide.js";
import { refresh } from "./panels.js";
import { setMode } from "./modes.js";

export function startSaying() {
  if (!ofSpans()) return undefined;
  if (ed.mode === "said") return leave();
  if (!chosen()) return undefined;
  setMode("said");
  announce("Say of the span: a digit sets the level, a letter a flag, r writes why, Escape leaves.");
  return refresh();
}

export function startLabels() {
  if (!ofPosts()) return undefined;
  if (ed.mode === "labels") return leave();
  ed.label = 0;
  setMode("labels");
  announce("Whole post, " + labelAt().name + ": a digit sets the level, Escape leaves.");
  return refresh();
}

function leave() {
  setMode("review");
  refresh();
}

function chosen() {
  const mark = activeMark();
  if (!mark) return say("No span is chosen. Choose one with j or k, or by clicking it.");
  if (mark.state === "rejected") return say("This span is rejected. Accept it first, to say more of it.");
  return mark;
}

// Whether the key was one of the mode.
export function onSaidKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (event.key === "Escape" || event.key === "Enter") return leave(), true;
  if (/^[0-9]$/.test(event.key)) return event.repeat || pressDigit(Number(event.key)), true;
  if (ed.mode === "labels") return false;
  if (event.key === "r" && ed.attributes.rationale) return writeWhy(), true;
  const found = flagKeys().find(([, letter]) => letter && letter === event.key.toLowerCase());
  if (found && !event.repeat) toggleFlag(found[0]);
  return Boolean(found);
}

function pressDigit(digit) {
  const scale = ed.mode === "labels" ? labelAt() : ed.attributes.severity;
  const level = digit ? scale && scale.levels[digit - 1] : "";
  if (level === undefined || !scale) return undefined;
  return ed.mode === "labels" ? setLabel(scale.name, level) : setSeverity(level);
}

function writeWhy() {
  setMode("review");
  refresh();
  const field = part("said").querySelector("textarea");
  if (field) field.focus();
}

// What is said of a predicted span accepts it: nobody says how severe something is that is no evidence.
function saySpan(change) {
  const mark = chosen();
  if (!mark) return;
  const before = mark.said || {};
  const said = { ...before, ...change };
  if (saidKey(said) === saidKey(before)) return;
  decide(shortQuote(mark) + ": " + (saidText(said) || "nothing more said"), [[activeCriterion(), withSaid(activeCriterion(), mark.id, said)]]);
  refresh();
}

function setSeverity(level) {
  const mark = activeMark();
  const same = mark && mark.said && mark.said.severity === level;
  saySpan({ severity: same ? "" : level });
}

function toggleFlag(flag) {
  const mark = activeMark();
  const before = (mark && mark.said && mark.said.flags) || [];
  const known = ed.attributes.flags || [];
  const flags = before.includes(flag) ? before.filter((f) => f !== flag) : [...before, flag];
  saySpan({ flags: flags.sort((a, b) => known.indexOf(a) - known.indexOf(b)) });
}

function setLabel(name, level) {
  const { whole } = ed.item;
  const labels = { ...whole.labels, [name]: level };
  const byKey = ed.mode === "labels"; // a digit sets the level, a button that is pressed takes it back
  if (!level || (!byKey && whole.labels[name] === level)) delete labels[name];
  if (byKey && level) {
    ed.label += 1;
    if (!(ed.label < ed.attributes.labels.filter((scale) => scale.levels.length).length)) setMode("review");
  }
  if (labels[name] !== whole.labels[name]) decide("Whole post, " + name + ": " + (labels[name] || "taken back"), [[whole, { labels }]]);
  refresh();
}

export function hearSaid() {
  for (const name of ["said", "whole"]) part(name).addEventListener("click", pressed);
  part("said").addEventListener("change", (event) => event.target.dataset.say === "rationale" && saySpan({ rationale: event.target.value.trim().slice(0, MOST_RATIONALE) }));
}

function pressed(event) {
  const node = event.target.closest("[data-say]");
  if (!node || node.dataset.say === "rationale") return;
  if (node.dataset.say === "severity") setSeverity(node.dataset.value);
  else if (node.dataset.say === "flag") toggleFlag(node.dataset.value);
  else setLabel(node.closest("[data-scale]").dataset.scale, node.dataset.value);
}
