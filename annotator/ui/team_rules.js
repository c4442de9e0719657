// The rules of the project: how gold comes about, and how people adjudicate. Admins set them; others read them.

import { fill, make } from "../span_editor/js/dom.js";
import { askOnce, tell } from "./asking.js";

const SPANS = [["latest", "those of the latest answer"], ["union", "all of them together"], ["intersection", "what all of them share"], ["longest", "the longest ones"]];

export function drawRules(box, rules, maySet, changed) {
  if (box.querySelector("details[open] form")) return; // what is being written stays
  const { gold, adjudication } = rules;
  const off = { disabled: !maySet };
  const number = (name, value, props) => make("input", { type: "number", name, value, ...off, ...props });
  const check = (name, value, text) => make("label", { class: "ev-check" }, make("input", { type: "checkbox", name, checked: value, ...off }), text);
  const form = make("form", { class: "ev-card", "aria-label": "Rules of the project" },
    make("p", { class: "ev-muted" }, "Gold is the answer that trains the model and is exported: the adjudication; else the answer of the only reader; else, where all agree, what is set here. Each exported gold answer says by which rule it came about."),
    make("div", { class: "ev-filter" },
      make("label", {}, "Two spans are the same evidence if they share this much of their words (0.5: half)", number("iou", gold.iou, { min: 0.01, max: 1, step: "any", required: true })),
      make("label", {}, "Where people agree, the spans of gold are", make("select", { name: "spans", ...off }, SPANS.map(([value, text]) => make("option", { value, selected: value === gold.spans }, text)))),
      make("label", {}, "An opened post is kept from others for so many minutes", number("reserved", rules.reserved_minutes, { min: 1, max: 1440, step: "any", required: true }))),
    check("attributes", Boolean(gold.attributes), "Another level or other flags of the same evidence are a disagreement too (where the project has such)"),
    check("names", adjudication.names, "Who adjudicates is told names (else a code for everybody else, also in files; an admin from their first decision on)"), check("own", adjudication.own, "Adjudicators may decide about their own answers"),
    make("label", { class: "ev-kinds" }, "Kinds of error, one a line", make("textarea", { name: "kinds", rows: 6, ...off }, adjudication.error_kinds.join("\n"))),
    maySet ? make("button", { type: "submit", class: "ev-primary" }, "Save the rules") : make("small", {}, "Admins can change them."));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save(form, rules, changed);
  });
  fill(box, make("details", { class: "ev-rules" }, make("summary", {}, `Rules of the project: where people agree, the spans of gold are ${SPANS.find(([value]) => value === gold.spans)[1]}`), form));
}

async function save(form, shown, changed) {
  const { elements } = form;
  const rules = {
    gold: { iou: Number(elements.iou.value), spans: elements.spans.value, ...(elements.attributes.checked ? { attributes: true } : {}) },
    adjudication: { names: elements.names.checked, own: elements.own.checked, error_kinds: elements.kinds.value.split("\n") },
    reserved_minutes: Number(elements.reserved.value),
  };
  const reply = await askOnce("team_rules", { rules, shown });
  if (!reply) return;
  form.closest("details").open = false;
  tell("The rules are set.");
  changed();
}
