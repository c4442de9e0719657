// A tour of five steps for the first visit, which help can call again. It stands beside what it speaks of and takes no key away.

import { button, fill, make, part } from "./dom.js";
import { memory } from "./memory.js";
import { keyOf, shownKey } from "./actions.js";
import { focusRoot } from "./dialog.js";
import { readsWhole } from "./settings.js";

const STEPS = [
  ["text", () => "Read the post. What the model marked is underlined; a number and a pattern say for which criterion."],
  ["marks", () => `Judge each passage: ${key("accept")} accepts it, ${key("reject")} rejects it. Drag its edges where they are wrong.`],
  ["text", () => "Add what is missing: select the words, or click three times into a sentence" + (readsWhole() ? ", and press the number of its criterion." : ".")],
  ["confirm", () => readsWhole()
    ? `When every passage is judged, ${key("confirm")} says that there is nothing else in the post, and shows first what that means.`
    : `${key("confirm")} confirms the criterion as it is shown and goes on; ${key("none")} says that there is no evidence.`],
  ["post-actions", () => `${key("next_post")} opens the next post. Everything is saved at once, ${key("undo")} takes it back, ${key("help")} shows all keys.`],
];
const guide = { step: 0 };

const key = (action) => shownKey(keyOf(action));

export function offerGuide() {
  if (!memory.read("guide", false)) startGuide();
}

export function startGuide() {
  guide.step = 0;
  draw();
}

function end() {
  memory.write("guide", true);
  part("guide").hidden = true;
  focusRoot();
}

function draw() {
  const box = part("guide");
  const [where, text] = STEPS[guide.step];
  const last = guide.step === STEPS.length - 1;
  const go = (label, by, look) => button(label, () => ((guide.step += by), draw()), { "data-again": label, ...look });
  fill(box,
    make("p", {}, make("b", {}, "Step " + (guide.step + 1) + " of " + STEPS.length + ". "), text()),
    make("div", { class: "ev-row" },
      guide.step > 0 && go("Back", -1),
      last ? button("Done", end, { class: "ev-primary" }) : go("Next", 1, { class: "ev-primary" }),
      !last && button("Leave the tour", end, { class: "ev-plain" })));
  box.hidden = false;
  place(box, part(where).getBoundingClientRect());
}

// Below what it speaks of where there is room, else above the bottom of the window.
function place(box, target) {
  const width = box.offsetWidth;
  const room = document.body.clientWidth; // without the bar that scrolls and what is kept free for it (scrollbar-gutter)
  const left = Math.min(Math.max(8, target.left), Math.max(8, room - width - 8));
  const top = Math.min(target.bottom + 8, window.innerHeight - box.offsetHeight - 12);
  box.style.left = left + "px";
  box.style.top = Math.max(8, top) + "px";
}
