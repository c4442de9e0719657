// What can be said of a span beside its place (a level, flags, why) and of the whole post, as the project defines it: how it is shown.

import { fillOnce, button, make, part } from "./dom.js";
import { activeMark, ed } from "./state.js";
import { keyOf, ofPosts, ofSpans, shownKey } from "./actions.js";

const RESERVED = "jkrz"; // next and previous span, the rationale, undo
export const MOST_RATIONALE = 1000;

export function hasSaid(said) {
  return Boolean(said && (said.severity || said.rationale || (said.flags && said.flags.length)));
}

// Equal where the same is said.
export function saidKey(said) {
  return hasSaid(said) ? JSON.stringify([said.severity, said.flags, said.rationale]) : "";
}

// In a few words, for lists and titles.
export function saidText(said) {
  if (!hasSaid(said)) return "";
  return [said.severity, ...(said.flags || []), said.rationale && "“" + said.rationale + "”"].filter(Boolean).join(" · ");
}

// Beside the sign of a span in the text: little, the rest is in the title and in the panel.
export function saidTag(said) {
  if (!hasSaid(said)) return "";
  return " " + [said.severity, (said.flags || []).join(" "), said.rationale ? "✎" : ""].filter(Boolean).join(" · ");
}

export function labelsText(labels) {
  return Object.entries(labels || {}).map(([name, level]) => name + ": " + level).join(", ");
}

// flag -> its letter while something is said of a span: the first of its letters that is free, '' if none is.
export function flagKeys() {
  const taken = new Set(RESERVED);
  return (ed.attributes.flags || []).map((flag) => {
    const letter = Array.from(flag.toLowerCase()).find((c) => /^\p{L}$/u.test(c) && !taken.has(c)) || "";
    taken.add(letter);
    return [flag, letter];
  });
}

export function labelAt() {
  const scales = (ed.attributes.labels || []).filter((scale) => scale.levels.length);
  return scales[Math.min(ed.label, scales.length - 1)];
}

export function modeHint(mode) {
  if (mode === "labels") {
    const scale = labelAt();
    return scale.name + ": " + scale.levels.slice(0, 9).map((level, n) => n + 1 + " " + level).join(" · ") + " · 0 takes it back · Esc leaves";
  }
  const { severity, rationale } = ed.attributes;
  const levels = severity ? severity.levels.slice(0, 9).map((level, n) => n + 1 + " " + level).concat(severity.levels.length ? "0 none" : []) : [];
  return ["Say of the span", ...levels, ...flagKeys().filter(([, key]) => key).map(([flag, key]) => key + " " + flag), rationale ? "r why" : "", "Esc leaves"].filter(Boolean).join(" · ");
}

function choice(what, value, key, pressed, label) {
  return button([label || value, key && make("kbd", { "aria-hidden": "true" }, shownKey(key))], null, { "data-say": what, "data-value": value, "aria-pressed": pressed ? "true" : "false" });
}

function group(name, choices, props) {
  return make("div", { class: "ev-choices", role: "group", "aria-label": name, ...props }, make("span", { class: "ev-muted" }, name), choices);
}

function scaleChoices(what, scale, chosen, keyed) {
  const gone = chosen && !scale.levels.includes(chosen);
  return [
    ...scale.levels.map((level, n) => choice(what, level, keyed && n < 9 && String(n + 1), level === chosen)),
    gone && choice(what, chosen, "", true, chosen + " (no longer in use)"),
  ];
}

// The chosen span: buttons that are pressed, by hand or by key, and the field for why.
export function drawSaid() {
  const box = part("said");
  const mark = activeMark();
  const said = mark && mark.state !== "rejected" ? mark.said || {} : null;
  const shown = said && (ofSpans() || hasSaid(said));
  box.hidden = !shown;
  if (!shown) return fillOnce(box, "", () => []);
  const typing = box.mark === mark.id && box.contains(document.activeElement) && document.activeElement.tagName === "TEXTAREA";
  if (typing) return undefined; // what is being written stays
  box.mark = mark.id;
  return fillOnce(box, JSON.stringify([mark.id, ed.mode === "said", said, ed.attributes]), () => saidParts(said));
}

function saidParts(said) {
  const { severity, flags = [], rationale } = ed.attributes;
  const keyed = ed.mode === "said";
  const gone = (said.flags || []).filter((flag) => !flags.includes(flag));
  const why = rationale || (said.rationale && "Why");
  return [
    severity && (severity.levels.length > 0 || said.severity) && group(severity.name, scaleChoices("severity", severity, said.severity, keyed)),
    flags.length + gone.length > 0 && group("Flags", [
      ...flagKeys().map(([flag, letter]) => choice("flag", flag, keyed && letter, (said.flags || []).includes(flag))),
      ...gone.map((flag) => choice("flag", flag, "", true, flag + " (no longer in use)")),
    ]),
    why && make("label", { class: "ev-why-field" }, make("span", { class: "ev-muted" }, why, keyed && make("kbd", { "aria-hidden": "true" }, "r")),
      make("textarea", { rows: 2, maxlength: MOST_RATIONALE, "data-say": "rationale", value: said.rationale || "", dir: "auto" })),
  ];
}

// Labels of the whole post.
export function drawWhole() {
  const box = part("whole");
  const { whole } = ed.item;
  const scales = (ed.attributes.labels || []).filter((scale) => scale.levels.length || whole.labels[scale.name]);
  box.hidden = !scales.length;
  const at = ed.mode === "labels" ? labelAt() : null;
  fillOnce(box, JSON.stringify([ed.item.post.id, whole.labels, at && at.name, ed.attributes.labels]), () => scales.length > 0 && [
    make("h3", {}, "Whole post", ofPosts() && make("kbd", { "aria-hidden": "true" }, shownKey(keyOf("labels")))),
    ...scales.map((scale) => group(scale.name, scaleChoices("label", scale, whole.labels[scale.name], scale === at), { "data-scale": scale.name, "data-current": scale === at ? "true" : null })),
  ]);
}
