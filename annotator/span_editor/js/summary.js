// What one gesture is about to confirm for several criteria: shown with its passages before it is done.

import { button, make, plural } from "./dom.js";
import { quote, undecidedOf } from "./state.js";
import { colorOf } from "./patterns.js";
import { closeDialog, isStray, openPostDialog } from "./dialog.js";

const LONG_QUOTE = 300;

export function countOf(criteria) {
  return criteria.length === 1 ? "1 criterion" : criteria.length + " criteria";
}

function cut(words) {
  return words.length > LONG_QUOTE ? words.slice(0, LONG_QUOTE) + " …" : words;
}

function passages(criterion) {
  const shown = criterion.marks.filter((m) => m.state !== "rejected");
  return make("li", { style: { "--c": colorOf(criterion.index) } },
    make("div", {}, make("span", { class: "ev-number" }, criterion.index + 1), " ", make("b", {}, criterion.name)),
    make("ul", {}, shown.map((m) => make("li", { dir: "auto" }, cut(quote(m.start, m.end).replace(/\s+/g, " "))))));
}

function names(title, criteria) {
  return criteria.length ? make("p", {}, make("b", {}, title), " ", criteria.map((c) => c.name).join(", ") + ".") : null;
}

// rest: as `restOf` makes it. confirm: run when the reviewer says yes.
export function openSummary(rest, confirm) {
  const evidence = rest.now.filter((c) => c.marks.some((m) => m.state !== "rejected"));
  const none = rest.now.filter((c) => !evidence.includes(c));
  const spans = evidence.reduce((sum, c) => sum + undecidedOf(c).length, 0);
  const yes = button("Confirm " + countOf(rest.now), (event) => isStray(event) || (closeDialog(), confirm()), { class: "ev-primary" });
  openPostDialog("Confirm the rest of this post?",
    spans > 0 && make("p", {}, plural(spans, "passage") + " that the model marked " + (spans === 1 ? "becomes" : "become") + " evidence:"),
    evidence.length > 0 && make("ul", { class: "ev-summary", tabindex: 0, "aria-label": "Passages to be confirmed" }, evidence.map(passages)),
    names("No evidence:", none),
    names("Decided one by one, not here:", rest.alone),
    names("Not answered by the model, so not here:", rest.unread),
    make("p", { class: "ev-row ev-sure" }, yes, button("Not yet", closeDialog)));
  yes.focus();
}
