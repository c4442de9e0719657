// What can be said of evidence and of whole posts beside a verdict: reading it, and for an admin changing it.

import { button, fill, make, part } from "../span_editor/js/dom.js";
import { askOnce, tell } from "./asking.js";

const FIELDS = [
  ["severity", "Levels of a span, the lowest first, for example: Severity: mild < moderate < severe", 0],
  ["flags", "Flags of a span, with commas between, for example: past, negated, other person, uncertain", 0],
  ["rationale", "The question for a few words on why it is evidence; empty: it is not asked", 0],
  ["labels", "Labels of the whole post, one a line, for example: Risk: none < low < high. Where levels have no order: Kind: question, report", 3],
];
const TITLES = { severity: "Level of a span", flags: "Flags of a span", rationale: "Why", labels: "Labels of the whole post" };

export function drawAttributes(said, mayEdit) {
  const box = part("attributes");
  if (box.querySelector("form")) return; // what is being written stays
  const used = FIELDS.filter(([name]) => said[name]);
  box.hidden = !used.length && !mayEdit;
  fill(box,
    make("div", { class: "ev-detail-head" }, make("h2", {}, "More than a verdict")),
    used.length ? make("dl", { class: "ev-facts" }, used.map(([name]) => [make("dt", {}, TITLES[name]), said[name].split("\n").map((line) => make("dd", { dir: "auto" }, line))])) : make("p", { class: "ev-muted" }, "So far readers say where evidence is and nothing more of it. Levels, flags, reasons and labels of posts can be added."),
    mayEdit && make("div", { class: "ev-row" }, button(used.length ? "Edit" : "Add levels, flags, reasons or labels", () => edit(said))));
}

function edit(said) {
  const box = part("attributes");
  const close = (now) => (box.replaceChildren(), drawAttributes(now, true));
  const field = ([name, label, rows]) => make("label", { class: "ev-wide" }, label, rows ? make("textarea", { name, rows, value: said[name] }) : make("input", { name, type: "text", value: said[name] }));
  const node = make("form", { class: "ev-filter" }, FIELDS.map(field),
    make("p", { class: "ev-muted ev-wide" }, "What is taken out of use stays with the answers that have it."),
    make("div", { class: "ev-row ev-wide" }, make("button", { type: "submit", class: "ev-primary" }, "Save"), button("Cancel", () => close(said))));
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    const reply = await askOnce("guidelines_attributes", { ...Object.fromEntries(new FormData(node)), before: said });
    if (!reply) return;
    tell("Saved. Review shows it when it is loaded again.");
    close(reply.attributes);
  });
  fill(box, make("div", { class: "ev-detail-head" }, make("h2", {}, "More than a verdict")), node);
  node.querySelector("input").focus();
}
