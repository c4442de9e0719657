// The guidelines: reading, and for an admin changing them. A change of wording is a new version.

import { app } from "../span_editor/js/app.js";
import { button, fill, make, mount, part, plural, unwrapped } from "../span_editor/js/dom.js";
import { drawThread } from "../span_editor/js/thread.js";
import { passages } from "../span_editor/js/passages.js";
import { ask, askOnce, connect, tell } from "./asking.js";
import { drawAttributes } from "./guidelines_attributes.js";

let mayEdit = false;
let mayRemove = false;

async function load() {
  const reply = await ask("guidelines_read");
  if (!reply) return;
  mayEdit = reply.may_edit;
  mayRemove = reply.may_remove;
  order = reply.criteria.filter((c) => c.active).map((c) => c.id);
  const used = order.length;
  part("intro").textContent = plural(used, "criterion").replace("criterions", "criteria") + " in use. A decision stays tied to the wording that was shown when it was made." +
    (mayEdit ? " If you change what the model reads, it reads the posts again. The order here is the order in Review and in exports." : "");
  const written = new Map(Array.from(part("list").children, (box) => [box.dataset.id, box]).filter(([, box]) => box.querySelector("form")));
  fill(part("list"), reply.criteria.map((criterion, index) => written.get(criterion.id) || card(criterion, index))); // what is being written stays
  if (!part("more").querySelector("form")) offerMore();
  drawAttributes(reply.attributes, mayEdit);
}

function offerMore() {
  const open = () => {
    fill(part("more"), form({ id: "", name: "", text: "", guideline: "", examples: [], counterexamples: [], active: true, version: null }, offerMore));
    part("more").querySelector("input").focus();
  };
  fill(part("more"), mayEdit && button("Add a criterion", open));
}

function card(criterion, index) {
  const box = make("article", { class: "ev-card" + (criterion.active ? "" : " ev-retired"), "data-id": criterion.id, style: { "--c": "var(--ev-c" + (index % 12) + ")" } });
  const edit = () => fill(box, heading(criterion, index), form(criterion, show));
  const show = () => fill(box, heading(criterion, index), reading(criterion), mayEdit && make("div", { class: "ev-row" }, button("Edit", edit), criterion.active && movers(criterion)));
  if (mayEdit && criterion.active) dragging(box, criterion);
  show();
  return box;
}

// The order, by buttons or by dragging a card.

let order = []; // ids of the criteria in use

function movers(criterion) {
  const at = order.indexOf(criterion.id);
  const mover = (sign, word, to) => button(sign, () => moveTo(criterion, to, word), { "aria-label": "Move " + criterion.name + " " + word, title: "Move " + word, "data-move": word, disabled: to < 0 || to >= order.length });
  return [mover("↑", "up", at - 1), mover("↓", "down", at + 1)];
}

async function moveTo(criterion, to, word) {
  const ids = order.filter((id) => id !== criterion.id);
  ids.splice(to, 0, criterion.id);
  const reply = await askOnce("guidelines_order", { ids });
  if (!reply) return load();
  await load();
  tell(criterion.name + " is now number " + (to + 1) + " of " + ids.length + ".");
  const card = part("list").children[to];
  const again = card.querySelector('[data-move="' + word + '"]:not(:disabled)') || card.querySelector("[data-move]:not(:disabled)");
  if (word && again) again.focus();
  return undefined;
}

function dragging(box, criterion) {
  box.addEventListener("dragstart", (event) => {
    event.dataTransfer.setData("text/plain", criterion.id);
    event.dataTransfer.effectAllowed = "move";
    part("list").dragged = criterion;
  });
  box.addEventListener("dragend", () => ((part("list").dragged = null), (box.draggable = false)));
  box.addEventListener("dragover", (event) => {
    if (!part("list").dragged) return;
    event.preventDefault();
    box.classList.toggle("ev-target", part("list").dragged !== criterion);
  });
  box.addEventListener("dragleave", () => box.classList.remove("ev-target"));
  box.addEventListener("drop", (event) => {
    const { dragged } = part("list");
    if (!dragged || dragged === criterion) return;
    event.preventDefault();
    moveTo(dragged, order.indexOf(criterion.id), "");
  });
}

// A card can be dragged by its grip alone, so that the text in it can still be selected.
function armGrip(grip) {
  grip.addEventListener("pointerdown", () => (grip.closest(".ev-card").draggable = true));
  grip.addEventListener("pointerup", () => (grip.closest(".ev-card").draggable = false));
}

function heading(criterion, index) {
  const grip = mayEdit && criterion.active && make("span", { class: "ev-grip", "aria-hidden": "true", title: "Drag to another place" }, "⠿");
  if (grip) armGrip(grip);
  return make("div", { class: "ev-detail-head" }, grip, criterion.active && make("span", { class: "ev-number" }, index + 1), make("h2", {}, criterion.name),
    make("span", { class: "ev-muted" }, criterion.id + " · wording " + criterion.version + (criterion.active ? "" : " · out of use")));
}

function reading(criterion) {
  return [
    make("p", {}, make("b", {}, "The model reads: "), criterion.text),
    make("p", { class: "ev-guideline" }, unwrapped(criterion.guideline)),
    passages(criterion),
    fromPosts(criterion),
    criterion.earlier.length > 0 && make("details", {}, make("summary", {}, plural(criterion.earlier.length, "earlier wording")),
      criterion.earlier.map((v) => make("div", { class: "ev-earlier" }, make("b", {}, `Wording ${v.version}, from ${v.at.slice(0, 10)}: ${v.name}`), changed(v),
        make("details", {}, make("summary", {}, "As it was"), make("p", {}, v.text), make("p", { class: "ev-guideline" }, unwrapped(v.guideline)), passages(v))))),
    discussion(criterion),
  ];
}

// What became different in the wording that followed: words that went and words that came, told by more than their colour.
function changed(version) {
  return version.changes.map(({ part: what, pieces }) => make("p", { class: "ev-changes", dir: "auto" }, make("b", {}, what + ": "),
    pieces.map(([sign, words]) => (sign === "=" ? words : make(sign === "-" ? "del" : "ins", {}, words)))));
}

// Passages of adjudicated posts, each with a way to its post.
function fromPosts(criterion) {
  const listed = (title, found) => found.length > 0 && [make("b", {}, title), make("ul", { class: "ev-examples" }, found.map(example))];
  const example = (one) => make("li", { dir: "auto" }, one.words + " ", make("a", { href: "?post=" + encodeURIComponent(one.post_id) }, one.post_id),
    mayRemove && [" ", button("Remove", () => removeExample(criterion, one), { "aria-label": `Remove this example of ${criterion.name}, from ${one.post_id}` })]);
  return [listed("Adjudicated as evidence", criterion.from_posts.filter((one) => one.evidence)), listed("Adjudicated as no evidence", criterion.from_posts.filter((one) => !one.evidence))];
}

async function removeExample(criterion, one) {
  const reply = await askOnce("guidelines_remove_example", { criterion_id: criterion.id, post_id: one.post_id, start: one.start, end: one.end });
  if (reply) tell("Removed. The post and what was decided about it stay as they are.");
  if (reply) await load();
}

function discussion(criterion) {
  const box = make("div", { class: "ev-discussion" });
  const fold = make("details", { class: "ev-fold" }, make("summary", {}, "Discussion"), box);
  fold.addEventListener("toggle", () => fold.open && !box.firstChild && drawThread(box, { criterion_id: criterion.id }));
  return fold;
}

function form(criterion, done) {
  const field = (name, label, rows) => {
    const required = ["id", "name", "text"].includes(name);
    const value = [criterion[name]].flat().join("\n");
    const input = rows ? make("textarea", { name, rows, value, required }) : make("input", { name, value: criterion[name], type: "text", required });
    return make("label", { class: "ev-wide" }, label, input);
  };
  const active = make("input", { type: "checkbox", name: "active", checked: criterion.active });
  const node = make("form", { class: "ev-filter" },
    criterion.version === null && field("id", "Id: letters, digits, _ - and . only; it never changes"),
    field("name", "Name"), field("text", "What the model reads", 2), field("guideline", "Guideline for the reviewers", 8),
    field("examples", "Examples: passages that are evidence, one a line", 4), field("counterexamples", "Passages that resemble it and are no evidence, one a line", 3),
    criterion.version !== null && make("label", { class: "ev-check ev-wide" }, active, " in use"),
    make("div", { class: "ev-row ev-wide" }, make("button", { type: "submit", class: "ev-primary" }, "Save"), button("Cancel", done)));
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(node));
    const reply = await askOnce("guidelines_save", { id: criterion.id, ...given, active: criterion.version === null || active.checked, version: criterion.version });
    if (!reply) return;
    tell(reply.version === criterion.version ? "Saved." : "Saved as wording " + reply.version + ".");
    node.remove();
    load();
  });
  return node;
}

export function start(host) {
  mount(host.element);
  connect(app);
  load();
}
