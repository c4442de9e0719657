// The Team page: its rounds, the newest first; what is opened of them; the form for a new one; the rules of the project.

import { app } from "../span_editor/js/app.js";
import { button, fill, mount, part, plural } from "../span_editor/js/dom.js";
import { ask, connect } from "./asking.js";
import { drawNew } from "./team_new.js";
import { roundCard } from "./team_round.js";
import { drawRules } from "./team_rules.js";

const page = { rounds: [], people: [], sources: [], opened: new Map(), asked: 0, dirty: new Set() }; // dirty: ids of the cards in which something is being written, `rules` for those

// quiet: nobody asked for it, so what is being written meanwhile stays.
async function load(quiet = false) {
  const asked = (page.asked += 1);
  const reply = await ask("team_start");
  if (!reply || asked !== page.asked || (quiet && page.dirty.size)) return;
  Object.assign(page, reply);
  page.dirty.clear();
  drawActions();
  drawRounds();
  drawRules(part("rules"), reply.rules, reply.may_set_rules, () => load());
  await Promise.all([...page.opened.keys()].map(open));
}

function drawActions() {
  if (part("new").childElementCount) return;
  const leave = () => (fill(part("new")), drawActions(), part("actions").firstChild.focus());
  const show = () => drawNew(part("new"), page, made, leave);
  fill(part("actions"), button("New round", () => (fill(part("actions")), show()), { class: "ev-primary" }), button("Load again", () => load()));
}

async function made(round) {
  fill(part("new"));
  page.opened.set(round.id, round);
  await load();
  const more = part("rounds").querySelector(`[data-round="${round.id}"] button`);
  if (more) more.focus(); // the form is gone
}

function drawRounds() {
  const open = page.rounds.filter((round) => !round.closed_at).length;
  fill(part("count"), page.rounds.length ? `${plural(page.rounds.length, "round")}, ${open} open` : "There are no rounds yet: everybody reads the same queue. A round gives posts to people.");
  if (page.coded) part("count").append(" People stand under codes: the project tells no names to who adjudicates.");
  fill(part("rounds"), page.rounds.map(card));
}

function card(round) {
  return roundCard(page.opened.get(round.id) || round, { page, opened: page.opened.has(round.id), toggle, changed });
}

async function toggle(round) {
  if (page.opened.delete(round.id)) return redraw(round);
  page.opened.set(round.id, round);
  return open(round.id);
}

async function open(id) {
  const reply = await ask("team_round", { round: id });
  if (reply && !page.dirty.has(String(id))) changed(reply.round); // what is being written meanwhile stays
}

// What the server says of a round takes the place of what was known of it, unless that is newer.
function changed(round) {
  const known = page.rounds.find((one) => one.id === round.id);
  if (known && known.revision > round.revision) return;
  if (page.opened.has(round.id)) page.opened.set(round.id, round);
  page.rounds = page.rounds.map((one) => (one.id === round.id ? round : one));
  redraw(round);
}

// One card alone: what is being written in another stays.
function redraw(round) {
  const old = part("rounds").querySelector(`[data-round="${round.id}"]`);
  const known = page.rounds.find((one) => one.id === round.id);
  page.dirty.delete(String(round.id));
  if (old && known) old.replaceWith(card(known));
  else drawRounds();
}

export function start(host) {
  mount(host.element);
  connect(app);
  part("rounds").addEventListener("input", (event) => page.dirty.add(event.target.closest("[data-round]").dataset.round));
  part("rules").addEventListener("input", () => page.dirty.add("rules"));
  // Whenever the page comes into view: others have gone on. What is being written stays.
  new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && !page.dirty.size && load(true)).observe(part("root"));
}
