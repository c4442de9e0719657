// The passages that a criterion names itself: what is evidence for it, and what resembles it and is none.

import { make } from "./dom.js";
import { ed } from "./state.js";

// Of a reply: those that may be seen by now, where they are others than this page has.
export function takeExamples(reply) {
  if (reply.examples) Object.assign(ed, { examples: reply.examples, examplesMark: reply.examples_mark });
}

// Those of adjudicated posts come after them; none of the post that is open, which is to be judged.
export function passages({ id, examples, counterexamples }) {
  const taken = ed.examples.filter((one) => one.criterion_id === id && one.post_id !== ed.item.post.id);
  const words = (evidence) => taken.filter((one) => one.evidence === evidence).map((one) => one.words);
  return [listed("Evidence, for example", [...examples, ...words(true)]), listed("Resembles it and is no evidence", [...counterexamples, ...words(false)])];
}

function listed(title, found) {
  return found.length > 0 && [make("b", {}, title), make("ul", { class: "ev-examples" }, found.map((text) => make("li", { dir: "auto" }, text)))];
}
