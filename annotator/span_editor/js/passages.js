// The passages that a criterion names itself: what is evidence for it, and what resembles it and is none.

import { make } from "./dom.js";

export function passages({ examples, counterexamples }) {
  return [listed("Evidence, for example", examples), listed("Resembles it and is no evidence", counterexamples)];
}

function listed(title, found) {
  return found.length > 0 && [make("b", {}, title), make("ul", { class: "ev-examples" }, found.map((text) => make("li", { dir: "auto" }, text)))];
}
