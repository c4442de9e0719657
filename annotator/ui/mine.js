// What somebody has to read, and what became of their answers and why. Where nobody adjudicated anything there is nothing to see.

import { app } from "../span_editor/js/app.js";
import { fill, make, mount, part, plural } from "../span_editor/js/dom.js";
import { ask, connect } from "./asking.js";

const WORDS = { evidence: "evidence", no_evidence: "no evidence", unsure: "unsure", undecidable: "cannot be decided" };

function roundLine(round) {
  const until = round.deadline && (round.late ? `was due ${round.deadline}` : `until ${round.deadline}`);
  return make("li", {}, [make("b", {}, round.name), ": " + [`${plural(round.left, "post")} left`, until, round.trains && "training: gold is shown after each answer"].filter(Boolean).join(" · ")]);
}

function passages(quotes) {
  return quotes.map((words) => make("q", { dir: "auto" }, words));
}

function decision(row) {
  const fate = row.likeness === null ? "could not be decided" : row.likeness === 1 ? "as you said" : row.likeness === 0 ? "otherwise" : "in part";
  return make("li", {},
    make("span", {}, make("b", {}, row.criterion), " in ", make("a", { href: "?post=" + encodeURIComponent(row.post_id) }, row.post_id), `: decided ${fate}`),
    make("span", {}, `You: ${WORDS[row.mine] || row.mine} `, passages(row.my_words)), make("span", {}, `Gold: ${WORDS[row.gold] || row.gold} `, passages(row.gold_words)),
    (row.reason || row.error_kind) && make("span", { class: "ev-said" }, [row.reason, row.error_kind].filter(Boolean).join(" · ")));
}

async function load() {
  const reply = await ask("mine_read");
  if (!reply) return;
  const { rounds, decisions } = reply;
  const same = decisions.filter((row) => row.likeness === 1).length;
  fill(part("rounds"), rounds.length > 0 && [make("h3", {}, "Your rounds"), make("ul", {}, rounds.map(roundLine))]);
  fill(part("decisions"), decisions.length > 0 && [make("h3", {}, "Your decisions against gold"), make("p", { class: "ev-muted" }, `${plural(decisions.length, "answer")} of yours ${decisions.length === 1 ? "was" : "were"} adjudicated, ${same} of them as you said. The newest first.`), make("ul", { class: "ev-history" }, decisions.map(decision))]);
}

export function start(host) {
  mount(host.element);
  connect(app);
  new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && load()).observe(part("root"));
}
