// The Team page: its rounds, the newest first; what is opened of them; the form for a new one; the rules of the project.

import { app } from "../span_editor/js/app.js";
import { button, fill, mount, part, plural } from "../span_editor/js/dom.js";
import { ask, connect } from "./asking.js";
import { drawNew } from "./team_new.js";
import { roundCard } from "./team_round.js";
import { drawRules } from "./team_rules.js";

const page = { rounds: [], people: [], sources: [], opened: new Map(), asked: 0, dirty: false };

async function load() {
  const asked = (page.asked += 1);
  const reply = await ask("team_start");
  if (!reply || asked !== page.asked) return;
  Object.assign(page, reply, { dirty: false });
  drawActions();
  drawRounds();
  drawRules(part("rules"), reply.rules, reply.may_set_rules, load);
  await Promise.all([...page.opened.keys()].map(open));
}

function drawActions() {
  if (part("new").childElementCount) return;
  const show = () => drawNew(part("new"), page, made, () => (fill(part("new")), drawActions()));
  fill(part("actions"), button("New round", () => (fill(part("actions")), show()), { class: "ev-primary" }), button("Load again", load));
}

async function made(round) {
  fill(part("new"));
  page.opened.set(round.id, round);
  await load();
}

function drawRounds() {
  const open = page.rounds.filter((round) => !round.closed_at).length;
  fill(part("count"), page.rounds.length ? `${plural(page.rounds.length, "round")}, ${open} open` : "There are no rounds yet: everybody reads the same queue. A round gives posts to people.");
  fill(part("rounds"), page.rounds.map((round) => roundCard(page.opened.get(round.id) || round, { page, opened: page.opened.has(round.id), toggle, changed })));
}

async function toggle(round) {
  if (page.opened.delete(round.id)) return drawRounds();
  page.opened.set(round.id, round);
  return open(round.id);
}

async function open(id) {
  const reply = await ask("team_round", { round: id });
  if (reply) changed(reply.round);
}

// What the server says of a round takes the place of what was known of it.
function changed(round) {
  if (page.opened.has(round.id)) page.opened.set(round.id, round);
  page.rounds = page.rounds.map((known) => (known.id === round.id ? round : known));
  page.dirty = false;
  drawRounds();
}

export function start(host) {
  mount(host.element);
  connect(app);
  for (const name of ["rounds", "rules"]) part(name).addEventListener("input", () => (page.dirty = true));
  // Whenever the page comes into view: others have gone on. What is being written stays.
  new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && !page.dirty && load()).observe(part("root"));
}
