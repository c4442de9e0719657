// Adjudication: a queue of disagreements, the text with a line for each reader, and one key for each decision.

import { app } from "../span_editor/js/app.js";
import { button, fill, make, makeId, mount, part, unwrapped } from "../span_editor/js/dom.js";
import { colorOf, patternOf } from "../span_editor/js/patterns.js";
import { clearSelection, selectedSpan } from "../span_editor/js/places.js";
import { settings } from "../span_editor/js/settings.js";
import { surface } from "../span_editor/js/surface.js";
import { saidText } from "../span_editor/js/said.js";
import { leaveMode } from "../span_editor/js/caret.js";
import {
  draftSpans, dropDraft, hideText, moveBorders, removeChosen, selectByKeys, showText, startFrom, startText, stepDraft, textKey, undoDraft,
} from "./adjudicate_text.js";
import { answered, ask, connect, tell } from "./asking.js";

const page = { cases: [], total: 0, at: 0, shown: null, drawn: false, opened: 0, busy: false, asked: 0, answered: 0, wanted: null };

// What can be chosen of the queue, in the words of the page: [name, label, the choices].
const FILTERS = [
  ["criterion", "Criterion", ({ criteria }) => [["", "Every criterion"], ...criteria.map((c) => [c.id, c.name])]],
  ["one", "Answered by", ({ people }) => [["", "Anybody"], ...people.map((name) => [name, name])]],
  ["other", "and by", ({ people }) => [["", "Anybody"], ...people.map((name) => [name, name])]],
  ["done", "Show", () => [["", "To decide"], ["1", "Decided"]]],
];

function chosen() {
  return Object.fromEntries(new FormData(part("filter")));
}

function drawFilter(choices) {
  fill(part("filter"), FILTERS.map(([name, label, options]) =>
    make("label", {}, label, make("select", { name }, options(choices).map(([value, text]) => make("option", { value }, text))))));
}

// What was asked last is shown: an earlier question may be answered after it.
async function load() {
  leaveMode();
  const asked = (page.asked += 1);
  const { criterion, one, other, done } = chosen();
  const reply = await ask("adjudicate_queue", { criterion, people: [...new Set([one, other].filter(Boolean))], done });
  if (asked !== page.asked) return;
  page.answered = asked;
  if (!reply) return;
  Object.assign(page, { cases: reply.cases, total: reply.total, at: 0 });
  const wanted = page.wanted; // the case that a link names goes first, whether it is in the list or not
  page.wanted = null;
  if (wanted) {
    const rest = page.cases.filter((c) => c.post_id !== wanted.post_id || c.criterion_id !== wanted.criterion_id);
    Object.assign(page, { cases: [wanted, ...rest], total: reply.total + (rest.length === reply.cases.length ? 1 : 0) });
  }
  if (!page.drawn) {
    page.drawn = true;
    drawFilter(reply);
  }
  await open();
}

function drawCount() {
  const { done } = chosen();
  const nothing = done ? "Nothing has been decided here yet." : "Nothing is left to decide: nobody disagrees, or it is decided.";
  fill(part("count"), page.cases.length ? `${page.at + 1} of ${page.total} ${done ? "decided" : "to decide"}` : nothing);
}

async function open() {
  const asked = page.asked;
  const next = page.cases[page.at];
  const shown = next ? await ask("adjudicate_case", { post_id: next.post_id, criterion_id: next.criterion_id }) : null;
  if (asked !== page.asked) return;
  const again = page.shown && shown && page.shown.post.id === shown.post.id && page.shown.criterion.id === shown.criterion.id;
  const typed = again ? typedHere() : null;
  page.shown = shown;
  page.opened = Date.now();
  drawCount();
  drawCase();
  if (typed) typed();
}

// What was typed about a case stays when the same case is drawn again. Returns what puts it back.
function typedHere() {
  const fields = () => [...part("case").querySelectorAll("[name=reason], [name=error_kind]")];
  const values = fields().map((field) => field.value);
  const at = fields().indexOf(document.activeElement);
  return () => {
    fields().forEach((field, n) => (field.value = values[n]));
    if (at >= 0) fields()[at].focus({ preventScroll: true });
  };
}

const AGAIN = new Set(["]", "z", "k"]); // each click of a quick row of them is meant

function keyed(label, key, onclick, props) {
  return button([label, make("kbd", {}, key)], () => alone(onclick), { "aria-keyshortcuts": key, "data-again": AGAIN.has(key) && key, ...props });
}

// A reader's answer, or the decision: its passages in words, with what is said of each.
function lane(title, spans, text, controls, index) {
  const letters = spans.length ? Array.from(text) : [];
  const [image, size] = index === undefined ? [] : patternOf(index);
  return make("article", { class: "ev-lane" },
    make("header", {}, make("h4", {}, title, image && make("i", { class: "ev-swatch", style: { "--c": colorOf(index), "background-image": image, "background-size": size } })), controls),
    spans.length > 0 && make("ul", { class: "ev-what" }, spans.map(([start, end, more]) => make("li", { dir: "auto" }, make("mark", {}, shortened(letters.slice(start, end))), more && " " + saidText(more)))));
}

function shortened(letters) {
  return letters.length > MOST_WORDS ? letters.slice(0, MOST_WORDS).join("") + "…" : letters.join("");
}

const MOST_WORDS = 160; // letters of a passage beside the text, where it stands in full

function words(value) {
  return value.replaceAll("_", " ");
}

function drawCase() {
  const { shown } = page;
  const ways = [keyed("Later", "j", () => move(1), { disabled: page.at >= page.cases.length - 1 }), keyed("Back", "k", () => move(-1), { disabled: page.at === 0 })];
  part("judge").hidden = !shown;
  if (!shown) {
    hideText();
    for (const name of ["head", "lanes"]) fill(part(name));
    return fill(part("case"), page.cases.length > 0 && [make("p", {}, "This one cannot be shown to you now. Go on to another."), make("div", { class: "ev-row" }, ways)]);
  }
  drawHead(shown);
  fill(part("lanes"), drawLanes(shown));
  showText(shown, drawTools);
  drawTools();
  return fill(part("case"), drawWhy(shown.error_kinds), make("div", { class: "ev-row" }, drawVerdicts(shown), make("span", { class: "ev-gap" }), ways));
}

function isDecided({ decision }) {
  return Boolean(decision) && decision.outcome !== "reopened";
}

function drawHead(shown) {
  const { post, criterion, decision } = shown;
  const said = isDecided(shown) && [decision.reason, decision.error_kind].filter(Boolean).join(" · ");
  fill(part("head"),
    make("h3", {}, criterion.name, make("small", {}, post.id)),
    criterion.guideline && make("p", { class: "ev-guideline ev-muted" }, unwrapped(criterion.guideline)),
    said && make("p", { class: "ev-said" }, said),
    shown.attributes_differ && make("p", { class: "ev-said" }, "They say different levels or flags of the same evidence. Who takes an answer takes those of its reader."));
}

function drawLanes(shown) {
  const { post, decision } = shown;
  const lanes = shown.given ? labelLanes(shown) : shown.lanes.map((one, n) => lane(`${one.name}: ${words(one.verdict)}`, one.spans, post.text, make("div", { class: "ev-row" }, [
    one.verdict !== "unsure" && n < 9 && keyed("Take", n + 1, () => take(n)),
    one.spans.length > 0 && n < 9 && keyed("Edit", "⇧" + (n + 1), () => startFrom(one.spans), { "aria-keyshortcuts": `Shift+${n + 1}`, "aria-label": `Edit the passages of ${one.name}` }),
  ]), n));
  if (isDecided(shown)) lanes.unshift(lane(`Decided by ${decision.by}: ${decision.level || words(decision.outcome)}`, decision.spans, post.text));
  return lanes;
}

// What can be done with the passages of the decision, and to decide as they are.
function drawTools() {
  const { shown } = page;
  const marked = !shown.given && draftSpans().length;
  fill(part("tools"), !shown.given && [
    keyed("Decide as marked", "⏎", decideMarked, { disabled: !marked, class: "ev-primary", "data-part": "marked", "aria-keyshortcuts": "Enter" }),
    keyed("Move borders", "e", moveBorders, { disabled: !marked }), keyed("Select by keys", "c", selectByKeys), keyed("Remove", "x", removeChosen, { disabled: !marked }),
    keyed("Next", "]", () => stepDraft(1), { disabled: !marked, "aria-label": "Next passage" }), keyed("Undo", "z", undoDraft)]);
}

function drawVerdicts(shown) {
  return [
    shown.given && shown.levels.map((level, n) => (n < 9 ? keyed(level, n + 1, () => decideLevel(n)) : button(level, () => alone(() => decideLevel(n))))),
    shown.union.length > 0 && [keyed("Take everybody's spans", "m", () => decide("evidence", shown.union)), keyed("Edit everybody's spans", "⇧M", () => startFrom(shown.union), { "aria-keyshortcuts": "Shift+M" })],
    !shown.given && keyed("No evidence", "n", () => decide("no_evidence", [])),
    keyed("Cannot be decided", "u", () => decide("undecidable", [])),
    isDecided(shown) && keyed("Open again", "o", () => decide("reopened", [])),
  ];
}

function drawWhy(kinds) {
  const options = [["", "None"], ...kinds.map((kind) => [kind, kind])];
  return make("div", { class: "ev-filter ev-why" },
    make("label", {}, "Reason (Enter goes back to the keys)", make("input", { name: "reason", maxlength: 4000, autocomplete: "off" })),
    make("label", {}, "Kind of error", make("select", { name: "error_kind" }, options.map(([value, text]) => make("option", { value }, text)))),
    !page.shown.given && make("label", { class: "ev-check" }, make("input", { type: "checkbox", name: "example", "aria-keyshortcuts": "g" }), " Keep the passages as examples in the guidelines", make("kbd", {}, "g")));
}

// Of a label of the whole post: who said which level; a level is one key, whether somebody gave it or not.
function labelLanes(shown) {
  return shown.lanes.map((one, n) => make("article", { class: "ev-lane" }, make("header", {}, make("h4", {}, `${one.name}: ${shown.given[n]}`)), one.note && make("p", { dir: "auto" }, one.note)));
}

function decideLevel(number) {
  const level = page.shown.levels[number];
  return level === undefined ? undefined : decide("label", [], level);
}

function take(number) {
  if (page.shown.given) return decideLevel(number);
  const one = page.shown.lanes[number];
  if (one && one.verdict !== "unsure") return decide(one.verdict, one.spans);
}

function decideMarked() {
  const spans = draftSpans();
  return spans.length ? decide("evidence", spans) : tell("Nothing is marked in the decision: select words, or press n for no evidence.");
}

// What was typed stays when the save is refused; the keys are heard again once it is through.
async function decide(outcome, spans, level) {
  const { shown, asked } = page;
  const decided = page.cases[page.at];
  const box = part("case");
  const reply = await ask("adjudicate_decide", {
    post_id: shown.post.id, criterion_id: shown.criterion.id, outcome, spans, level, expected_revision: shown.revision,
    reason: box.querySelector("[name=reason]").value, error_kind: box.querySelector("[name=error_kind]").value,
    seconds: (Date.now() - page.opened) / 1000, op_id: makeId(),
  });
  if (!reply) return;
  dropDraft(shown);
  const wanted = box.querySelector("[name=example]");
  if (wanted && wanted.checked && (outcome === "evidence" || outcome === "no_evidence")) await keepExample(shown);
  else tell("Saved.");
  if (asked !== page.asked) return load(); // another list was asked for meanwhile, perhaps before this was stored
  page.cases.splice(page.cases.indexOf(decided), 1);
  page.total -= 1;
  page.at = Math.min(page.at, Math.max(0, page.cases.length - 1));
  if (page.cases.length) await open();
  else await load();
  part("root").focus({ preventScroll: true });
}

async function keepExample({ post, criterion }) {
  const reply = await answered("adjudicate_example", { post_id: post.id, criterion_id: criterion.id });
  if (reply.ok) tell(`Saved, with ${reply.kept === 1 ? "an example" : `${reply.kept} examples`} on Guidelines.`);
  else tell(`Saved. ${reply.error}`, 12_000);
}

function toggleExample() {
  const box = part("case").querySelector("[name=example]");
  if (box) box.checked = !box.checked;
}

async function move(by) {
  const to = page.at + by;
  if (to < 0 || to >= page.cases.length) return;
  page.at = to;
  await open();
  part("root").focus({ preventScroll: true });
}

const KEYS = {
  m: () => page.shown.union.length && decide("evidence", page.shown.union), n: () => decide("no_evidence", []), u: () => decide("undecidable", []),
  o: () => isDecided(page.shown) && decide("reopened", []), g: toggleExample, j: () => move(1), k: () => move(-1),
  Enter: decideMarked, e: moveBorders, c: selectByKeys, x: removeChosen, "]": () => stepDraft(1), "[": () => stepDraft(-1), z: undoDraft,
  M: () => page.shown.union.length && startFrom(page.shown.union),
};
const OF_PASSAGES = new Set(["n", "Enter", "e", "c", "x", "[", "]", "z", "M"]);

function action(event) {
  const { key } = event;
  if (key === "j" || key === "k") return KEYS[key];
  if (!page.shown || (OF_PASSAGES.has(key) && page.shown.given)) return null;
  if (/^[1-9]$/.test(key)) return () => take(Number(key) - 1);
  if (Object.hasOwn(KEYS, key)) return KEYS[key];
  // the key of a digit with Shift, or without it where digits need Shift
  const digit = /^Digit[1-9]$/.test(event.code) && !event.getModifierState("AltGraph") && page.shown.lanes[Number(event.code.slice(5)) - 1];
  return digit && !page.shown.given && digit.spans.length ? () => startFrom(digit.spans) : null;
}

// One at a time: a second click or a key that is held down must not decide about the next case, which nobody has read.
async function alone(run) {
  if (page.busy) return;
  page.busy = true;
  leaveMode(); // what was moved is part of what is decided, by key or by button
  try {
    await run();
  } finally {
    page.busy = false;
  }
}

function press(event) {
  if (event.target.closest("input, select")) {
    if (event.key === "Escape" || (event.key === "Enter" && event.target.matches("input"))) part("root").focus({ preventScroll: true });
    return;
  }
  if (event.target.closest("button") && (event.key === "Enter" || event.key === " ")) return;
  if (!page.busy && textKey(event)) return event.preventDefault();
  const plain = event.getModifierState("AltGraph") || !(event.ctrlKey || event.metaKey || event.altKey); // some keyboards have [ and ] there
  const run = plain && action(event);
  if (!run) return;
  event.preventDefault();
  if (!event.repeat) alone(run);
}

export function start(host) {
  mount(host.element);
  connect(app);
  startText();
  const address = new URL(location).searchParams;
  if (address.get("case") && address.get("of")) page.wanted = { post_id: address.get("case"), criterion_id: address.get("of") };
  part("filter").addEventListener("change", load);
  part("filter").addEventListener("submit", (event) => event.preventDefault());
  part("root").addEventListener("keydown", press);
  part("add-selection").addEventListener("click", () => {
    const span = selectedSpan();
    if (span) surface.addSpan(span[0], span[1], settings.snap);
    clearSelection();
  });
  part("root").addEventListener("focus", () => page.cases.length || page.answered !== page.asked || load()); // the page was opened again: others have gone on
  load().then(() => part("root").focus({ preventScroll: true }));
}
