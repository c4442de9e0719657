// Adjudication: a queue of disagreements, a lane for each reader, and one key for each decision.

import { app } from "../span_editor/js/app.js";
import { button, fill, make, makeId, mount, part, unwrapped } from "../span_editor/js/dom.js";
import { saidText } from "../span_editor/js/said.js";
import { answered, ask, connect, tell } from "./asking.js";

const page = { cases: [], total: 0, at: 0, shown: null, criteria: null, opened: 0, busy: false, asked: 0, wanted: null };

function drawFilter() {
  const options = [["", "Every criterion"], ...page.criteria.map((c) => [c.id, c.name])];
  fill(part("filter"),
    make("label", {}, "Criterion", make("select", { name: "criterion" }, options.map(([value, text]) => make("option", { value }, text)))),
    make("label", {}, "Show", make("select", { name: "done" }, [["", "Open, worst first"], ["1", "Decided"]].map(([value, text]) => make("option", { value }, text)))));
}

// What was asked last is shown: an earlier question may be answered after it.
async function load() {
  const asked = (page.asked += 1);
  const form = new FormData(part("filter"));
  const reply = await ask("adjudicate_queue", { criterion: form.get("criterion"), done: form.get("done") });
  if (!reply || asked !== page.asked) return;
  Object.assign(page, { cases: reply.cases, total: reply.total, at: 0 });
  const wanted = page.wanted; // the case that a link names goes first, whether it is in the list or not
  page.wanted = null;
  if (wanted) {
    const rest = page.cases.filter((c) => c.post_id !== wanted.post_id || c.criterion_id !== wanted.criterion_id);
    Object.assign(page, { cases: [wanted, ...rest], total: reply.total + (rest.length === reply.cases.length ? 1 : 0) });
  }
  if (!page.criteria) {
    page.criteria = reply.criteria;
    drawFilter();
  }
  await open();
}

function drawCount() {
  const done = new FormData(part("filter")).get("done");
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

// Offsets are code points, so the text is cut as an array of them.
function marked(text, spans) {
  const letters = Array.from(text);
  const borders = [...new Set([0, letters.length, ...spans.flatMap(([start, end]) => [start, end])])].sort((a, b) => a - b);
  return borders.slice(0, -1).map((start, n) => {
    const words = letters.slice(start, borders[n + 1]).join("");
    return spans.some(([s, e]) => s <= start && start < e) ? make("mark", {}, words) : words;
  });
}

function keyed(label, key, onclick, props) {
  return button([label, make("kbd", {}, key)], () => alone(onclick), { "aria-keyshortcuts": key, ...props });
}

function lane(title, spans, text, control) {
  return make("article", { class: "ev-lane" }, make("header", {}, make("h4", {}, title), control), make("p", { class: "ev-lane-text", dir: "auto" }, ...marked(text, spans)), saidLines(text, spans));
}

// What a reader says of each span beside its place.
function saidLines(text, spans) {
  const said = spans.filter((span) => span[2]);
  const letters = said.length ? Array.from(text) : [];
  return said.length > 0 && make("ul", { class: "ev-what" }, said.map(([start, end, more]) =>
    make("li", { dir: "auto" }, "“" + letters.slice(start, Math.min(end, start + 40)).join("") + (end - start > 40 ? "…" : "") + "”: " + saidText(more))));
}

function words(value) {
  return value.replaceAll("_", " ");
}

function drawCase() {
  const { shown } = page;
  const ways = [keyed("Later", "j", () => move(1), { disabled: page.at >= page.cases.length - 1 }), keyed("Back", "k", () => move(-1), { disabled: page.at === 0 })];
  if (!page.cases.length) return fill(part("case"));
  if (!shown) return fill(part("case"), make("p", {}, "This one cannot be shown to you now. Go on to another."), make("div", { class: "ev-row" }, ways));
  const { post, criterion, decision } = shown;
  const decided = decision && decision.outcome !== "reopened";
  const lanes = shown.given ? labelLanes(shown) : shown.lanes.map((one, n) => lane(`${one.name}: ${words(one.verdict)}`, one.spans, post.text,
    one.verdict !== "unsure" && n < 9 && keyed("Take", n + 1, () => take(n))));
  if (decided) lanes.unshift(lane(`Decided by ${decision.by}: ${decision.level || words(decision.outcome)}`, decision.spans, shown.given ? "" : post.text));
  const said = decided && [decision.reason, decision.error_kind].filter(Boolean).join(" · ");
  return fill(part("case"),
    make("h3", {}, criterion.name, make("small", {}, post.id)),
    shown.given ? make("p", { class: "ev-lane-text ev-labelled", dir: "auto" }, post.text) : make("p", { class: "ev-guideline ev-muted" }, unwrapped(criterion.guideline)),
    said && make("p", { class: "ev-said" }, said),
    shown.attributes_differ && make("p", { class: "ev-said" }, "They say different levels or flags of the same evidence. Who takes an answer takes those of its reader."),
    make("div", { class: "ev-lanes" }, lanes),
    drawWhy(shown.error_kinds),
    make("div", { class: "ev-row" },
      shown.given && shown.levels.map((level, n) => (n < 9 ? keyed(level, n + 1, () => decideLevel(n)) : button(level, () => alone(() => decideLevel(n))))),
      shown.union.length > 0 && keyed("Take everybody's spans", "m", () => decide("evidence", shown.union)),
      !shown.given && keyed("No evidence", "n", () => decide("no_evidence", [])),
      keyed("Cannot be decided", "u", () => decide("undecidable", [])),
      decided && keyed("Open again", "o", () => decide("reopened", [])),
      make("span", { class: "ev-gap" }), ways));
}

function drawWhy(kinds) {
  const options = [["", "None"], ...kinds.map((kind) => [kind, kind])];
  return make("div", { class: "ev-filter ev-why" },
    make("label", {}, "Reason (Enter: back to the keys)", make("input", { name: "reason", maxlength: 4000, autocomplete: "off" })),
    make("label", {}, "Kind of error", make("select", { name: "error_kind" }, options.map(([value, text]) => make("option", { value }, text)))),
    !page.shown.given && make("label", { class: "ev-check" }, make("input", { type: "checkbox", name: "example", "aria-keyshortcuts": "e" }), " keep the passages as examples in the guidelines", make("kbd", {}, "e")));
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

// What was typed stays when the save is refused; the keys are heard again once it is through.
async function decide(outcome, spans, level) {
  const { shown } = page;
  const box = part("case");
  const reply = await ask("adjudicate_decide", {
    post_id: shown.post.id, criterion_id: shown.criterion.id, outcome, spans, level, expected_revision: shown.revision,
    reason: box.querySelector("[name=reason]").value, error_kind: box.querySelector("[name=error_kind]").value,
    seconds: (Date.now() - page.opened) / 1000, op_id: makeId(),
  });
  if (!reply) return;
  const wanted = box.querySelector("[name=example]");
  if (wanted && wanted.checked && (outcome === "evidence" || outcome === "no_evidence")) await keepExample(shown);
  else tell("Saved.");
  page.cases.splice(page.at, 1);
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

const KEYS = { m: () => page.shown.union.length && decide("evidence", page.shown.union), n: () => decide("no_evidence", []), u: () => decide("undecidable", []),
  o: () => page.shown.decision && page.shown.decision.outcome !== "reopened" && decide("reopened", []), e: toggleExample, j: () => move(1), k: () => move(-1) };

function action(key) {
  if (key === "j" || key === "k") return KEYS[key];
  if (!page.shown) return null;
  if (key === "n" && page.shown.given) return null;
  return /^[1-9]$/.test(key) ? () => take(Number(key) - 1) : KEYS[key];
}

// One at a time: a second click or a key that is held down must not decide about the next case, which nobody has read.
async function alone(run) {
  if (page.busy) return;
  page.busy = true;
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
  const run = !event.ctrlKey && !event.metaKey && !event.altKey && action(event.key);
  if (!run) return;
  event.preventDefault();
  if (!event.repeat) alone(run);
}

export function start(host) {
  mount(host.element);
  connect(app);
  const address = new URL(location).searchParams;
  if (address.get("case") && address.get("of")) page.wanted = { post_id: address.get("case"), criterion_id: address.get("of") };
  part("filter").addEventListener("change", load);
  part("filter").addEventListener("submit", (event) => event.preventDefault());
  part("root").addEventListener("keydown", press);
  part("root").addEventListener("focus", () => page.cases.length || load()); // the page was opened again: others have gone on
  load().then(() => part("root").focus({ preventScroll: true }));
}
