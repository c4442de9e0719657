// Answers that the model doubts: looked at again, kept as they are, or handed to an adjudicator. To change one is to answer anew.

import { button, fillOnce, make, part } from "./dom.js";
import { announce, say } from "./messages.js";
import { call } from "./outbox.js";
import { activeCriterion, ed } from "./state.js";

export function drawDoubts(criterion) {
  const box = part("doubts");
  const doubts = criterion.doubts;
  box.hidden = !doubts.length;
  fillOnce(box, JSON.stringify([ed.item.post.id, criterion.index, doubts]), () => doubts.length && [
    make("p", {}, make("b", {}, "The model doubts this answer."), " Keep it, change it as usual, or ask an adjudicator."),
    make("ul", {}, doubts.map((doubt) => line(doubt))),
    make("div", { class: "ev-row" }, button("Keep the answer", () => settle("kept"), { "data-part": "keep" }), button("Ask an adjudicator", () => settle("handed_over"))),
  ]);
}

function line({ passage: [start, end], evidence, doubt }) {
  const said = evidence ? "marked, and hardly evidence" : "not marked, and looks like evidence";
  const quote = Array.from(ed.item.post.text).slice(start, end).join("");
  return make("li", {}, make("q", { dir: "auto" }, quote.length > 120 ? quote.slice(0, 117) + "…" : quote), " " + said + " (" + doubt.toFixed(2) + ")");
}

async function settle(look) {
  const { item } = ed;
  const criterion = activeCriterion();
  const answer = criterion.doubts[0].answer;
  const reply = await call("review_look_again", { post_id: item.post.id, answer, look });
  if (!reply || !reply.ok) return say("This could not be noted now: " + ((reply && reply.error) || "no connection."));
  criterion.doubts = [];
  if (activeCriterion() === criterion) drawDoubts(criterion);
  return announce(look === "kept" ? "Kept as it is." : "Handed to an adjudicator.");
}
