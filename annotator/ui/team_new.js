// The form for a new round. What it would make is shown first; it is made only as it was shown.

import { button, fill, make, plural, write } from "../span_editor/js/dom.js";
import { ask, tell } from "./asking.js";

const KINDS = [["main", "Main"], ["calibration", "Calibration"], ["training", "Training"], ["gold_check", "Gold check"]];
const KIND_WORDS = { main: "Main: the annotation itself.", calibration: "Calibration: everybody reads the same posts, so that you can compare and talk about the answers.", training: "Training: posts whose right answer (gold) is known; it is shown after each answer.", gold_check: "Gold check: posts whose right answer (gold) is known are mixed in, and nobody is told which." };
const SUGGESTIONS = [["shown", "Shown"], ["hidden", "Hidden"], ["random", "Shown in a random half"]];
const EXPECTS = [["", "Anything"], ["likely", "Evidence likely"], ["unlikely", "Evidence unlikely"], ["unread", "Not read by the model"]];
const ORDERS = [["lot", "Random"], ["uncertain", "Least certain first"], ["evidence", "Most likely evidence first"], ["came", "As they came in"]];
const STRATA = [["source", "the sources"], ["expectation", "what the model expects"]];

function select(name, options) {
  return make("select", { name }, options.map(([value, text]) => make("option", { value }, text)));
}

function labelled(text, node, props) {
  return make("label", props || {}, text, node);
}

function check(name, value, text, checked) {
  return make("label", { class: "ev-check" }, make("input", { type: "checkbox", name, value, checked }), text);
}

function number(name, props) {
  return make("input", { type: "number", name, ...props });
}

function group(text, ...inside) {
  return make("fieldset", { class: "ev-wide ev-group-of" }, make("legend", {}, text), inside);
}

export function drawNew(box, page, made, leave) {
  const outcome = make("div", { role: "status", class: "ev-outcome" });
  const names = page.people.map((p) => p.name);
  const form = make("form", { class: "ev-card ev-new", "aria-label": "New round" },
    make("h3", {}, "New round"),
    make("div", { class: "ev-filter" },
      labelled("Name", make("input", { name: "name", maxlength: 80, required: true, autocomplete: "off" })), labelled("Kind", select("kind", KINDS)),
      labelled("Answers of others", select("blind", [["1", "Blind until it is closed"], ["", "Seen after one's own decision"]])), labelled("The model's marks", select("suggestions", SUGGESTIONS)),
      labelled("Last day (optional)", make("input", { type: "date", name: "deadline" })), labelled("Order", select("order", ORDERS)),
      make("small", { class: "ev-wide", "data-kind": true, role: "status" }),
      group("Who reads", names.length ? names.map((name) => check("people", name, name, false)) : "There is nobody yet: invite people first."),
      group("Posts", make("div", { class: "ev-filter ev-wide" },
        labelled("How many (empty: all that fit)", number("posts", { min: 1 })), labelled("Source", select("source", [["", "Any"], ...page.sources.map((s) => [s, s])])),
        labelled("Split", select("split", [["", "Any"], ["train", "train"], ["dev", "dev"], ["test", "test"]])), labelled("The model expects", select("expects", EXPECTS)),
        labelled("Words in the text", make("input", { name: "query", autocomplete: "off" })), labelled("Posts with gold to mix in", number("gold_posts", { min: 1, value: 10 }), { "data-gold": true, hidden: true }), labelled("Seed of the random draw", number("seed", { value: 0 }))),
        check("unread", "1", "Only posts that nobody has read and no round holds", true), STRATA.map(([value, text]) => check("strata", value, "Keep the shares of: " + text, true))),
      group("Readers of a post", make("div", { class: "ev-filter ev-wide" }, labelled("Readers of each post", number("base", { min: 1, value: 1 })),
        [1, 2].map((n) => make("div", { class: "ev-pair" }, labelled("Share with more readers, %", number("share" + n, { min: 0, max: 100, step: "any" })), labelled("How many read it", number("readers" + n, { min: 1 }))))))),
    outcome,
    make("div", { class: "ev-row" }, button("Show who gets what", null, { type: "submit", "data-part": "look" }), button("Cancel", leave)));
  const look = () => (pairUp(form), form.reportValidity() && preview(form, outcome, made));
  form.addEventListener("submit", (event) => (event.preventDefault(), look()));
  form.addEventListener("input", (event) => (pairUp(form), (form.asked = (form.asked || 0) + 1), event.target.name === "kind" && suit(form), fill(outcome))); // what was shown holds no longer
  suit(form);
  fill(box, form);
  form.elements.name.focus();
}

// A kind brings what is usual for it; everything can be changed.
function suit(form) {
  const kind = form.elements.kind.value;
  write(form.querySelector("[data-kind]"), KIND_WORDS[kind]);
  form.querySelector("[data-gold]").hidden = form.elements.gold_posts.disabled = kind !== "gold_check";
  const everybody = kind === "training" || kind === "calibration";
  form.elements.base.placeholder = everybody ? "everybody" : "1";
  form.elements.base.value = everybody ? "" : form.elements.base.value || 1;
  if (kind === "calibration") form.elements.suggestions.value = "hidden";
}

// A share and how many read it belong together: one without the other is said, not left out.
function pairUp(form) {
  let shared = 0;
  for (const n of [1, 2]) {
    const [share, readers] = [form.elements["share" + n], form.elements["readers" + n]];
    shared += Number(share.value);
    readers.setCustomValidity(Number(share.value) > 0 && !readers.value ? "By how many is this share read? Write a number, or empty the share." : "");
    share.setCustomValidity(readers.value && !share.value ? "Which share do so many read? Write it in %, or empty the number." : shared > 100 ? "The shares are more than 100 % together." : "");
  }
}

function planOf(form) {
  const data = new FormData(form);
  const whole = (name) => (data.get(name) === "" || data.get(name) === null ? null : Number(data.get(name)));
  const people = data.getAll("people");
  const base = whole("base") || Math.max(1, people.length);
  const overlap = {};
  let rest = 100;
  for (const n of [1, 2]) {
    const share = whole("share" + n);
    const readers = whole("readers" + n);
    if (!share) continue;
    overlap[readers] = (overlap[readers] || 0) + share / 100;
    rest -= share;
  }
  if (rest > 1e-9 || rest < -1e-9) overlap[base] = (overlap[base] || 0) + rest / 100;
  return {
    name: data.get("name"), kind: data.get("kind"), blind: Boolean(data.get("blind")), suggestions: data.get("suggestions"), deadline: data.get("deadline") || null,
    order: data.get("order"), people, posts: whole("posts"), source: data.get("source"), split: data.get("split"), expects: data.get("expects"), query: data.get("query"),
    gold_posts: data.get("kind") === "gold_check" ? whole("gold_posts") : 0, seed: whole("seed"), unread: Boolean(data.get("unread")), strata: data.getAll("strata"), overlap,
  };
}

async function preview(form, outcome, made) {
  const asked = (form.asked = (form.asked || 0) + 1);
  const plan = planOf(form);
  const reply = await ask("team_preview", { plan });
  if (asked !== form.asked) return null; // the form says something else by now
  if (!reply) return fill(outcome);
  const { preview: found } = reply;
  const hides = plan.suggestions === "random";
  const heads = ["Person", "Posts", hides && "of them without marks", plan.kind === "gold_check" && "of them with gold"].filter(Boolean);
  const rows = found.people.map((p) => [p.person, p.posts, hides && p.hidden, plan.kind === "gold_check" && p.gold].filter((cell) => cell !== false));
  const readers = Object.entries(found.readers).map(([n, count]) => `${count} read by ${n}`).join(", ");
  return fill(outcome,
    make("p", {}, `${plural(found.posts, "post")} (of ${found.fitting} that fit): ${readers}.`),
    make("div", { class: "ev-table ev-narrow", tabindex: 0, role: "region", "aria-label": "Who gets how many" }, make("table", {}, make("thead", {}, make("tr", {}, heads.map((h) => make("th", { scope: "col" }, h)))), make("tbody", {}, rows.map((cells) => make("tr", {}, cells.map((c, at) => make("td", { class: at === 0 && "ev-person" }, c))))))),
    found.pairs.length > 0 && make("p", { class: "ev-muted" }, "Read by both: " + found.pairs.map((p) => `${p.one} and ${p.other} ${p.posts}`).join(", ")),
    found.notes.map((note) => make("p", { class: "ev-said" }, note)),
    button("Make the round", (event) => save(event.target, plan, made), { class: "ev-primary" }));
}

async function save(node, plan, made) {
  node.disabled = true;
  const reply = await ask("team_make", { plan });
  node.disabled = false;
  if (!reply) return;
  tell(`${reply.round.name} is made.`);
  made(reply.round);
}
