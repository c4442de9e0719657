// The bar above the post, and the buttons that do not change with it.

import { button, fill, fillOnce, find, make, part, write } from "./dom.js";
import { ed } from "./state.js";
import { readsWhole, settings } from "./settings.js";
import { actionButton, ofSpans, WITHOUT_POST } from "./actions.js";
import { outbox } from "./outbox.js";
import { TEXT_HINTS } from "./modes.js";
import { modeHint } from "./said.js";

const SAVING_IS_SLOW_MS = 300;
const SNAPS = { off: "Selection: exactly as drawn", word: "Selection: whole words", sentence: "Selection: whole sentences" };

// Where there is little room the tools are a menu.
function toggleTools(event) {
  const open = part("tools").classList.toggle("ev-open");
  part("more-tools").setAttribute("aria-expanded", open ? "true" : "false");
  if (open) part("tools").addEventListener("click", toggleTools, { once: true });
  else part("tools").removeEventListener("click", toggleTools);
  event.stopPropagation();
}

export function drawBar() {
  drawPosition();
  drawSaved();
  drawMode();
  const on = { others: ed.shown.others, blur: ed.shown.blur, reading: readsWhole(), compact: settings.compact, frame: !settings.frame };
  for (const [name, pressed] of Object.entries(on)) {
    const toggle = find('[data-action="' + name + '"]');
    if (toggle) toggle.setAttribute("aria-pressed", pressed ? "true" : "false");
  }
  part("root").dataset.reading = readsWhole() ? "post" : "criterion";
  for (const node of part("bar").querySelectorAll("[data-action]")) node.disabled = !ed.item && !WITHOUT_POST.has(node.dataset.action);
}

export function drawPosition() {
  const { progress, item } = ed;
  const done = progress && progress.posts ? Math.round((100 * progress.reviewed) / progress.posts) : 0;
  const id = item ? item.post.id : "";
  fillOnce(part("position"), JSON.stringify([id, progress]), () => [
    id ? make("a", { class: "ev-post-id", href: "?post=" + encodeURIComponent(id), title: "Link to this post: " + id }, id) : make("strong", { class: "ev-post-id" }, "Review"),
    progress && make("span", { class: "ev-muted", title: farText(progress) }, farText(progress)),
    progress && make("span", { class: "ev-progress", "aria-hidden": "true" }, make("i", { style: { width: done + "%" } })),
  ]);
}

// How far the person is. What is left comes first: in a narrow bar the end is cut.
function farText(progress) {
  return (progress.at_least ? "at least " : "") + progress.left + " left · " + progress.reviewed + " of " + progress.posts + " reviewed" + roundsText(progress.rounds);
}

// The rounds in which the person reads now; after the last day reading goes on, but it is said.
function roundsText(rounds) {
  return (rounds || []).map((r) => " · " + r.name + (r.trains ? " (training)" : "") + (r.deadline ? (r.late ? ", was due " : ", until ") + r.deadline : "")).join("");
}

function savedState() {
  if (outbox.parked.length) return ["conflict", "needs your choice"];
  const waiting = outbox.entries.length;
  if (waiting && outbox.failures) return ["offline", waiting + " not saved yet"]; // short: the bar must not break into two lines
  if (waiting) return ["saving", "Saving…"];
  return ["saved", outbox.lastSaved ? "Saved" : "All saved"];
}

// A save that is quick does not flicker: "Saving" is written once it has taken a moment.
export function drawSaved() {
  const [state, text] = savedState();
  const node = part("saved");
  node.dataset.saved = state;
  if (state === "saving") node.timer = node.timer || setTimeout(() => write(node, savedState()[1]), SAVING_IS_SLOW_MS);
  else {
    clearTimeout(node.timer);
    node.timer = 0;
    write(node, text);
  }
  node.title = state === "offline" ? (outbox.reason || "The server does not answer.") + " Your decisions wait in this browser and are sent again." : "";
}

function drawMode() {
  const hints = {
    ...TEXT_HINTS,
    review: "",
    said: ed.mode === "said" ? modeHint("said") : "",
    labels: ed.mode === "labels" ? modeHint("labels") : "",
  };
  write(part("mode"), hints[ed.mode]);
  part("mode").hidden = ed.mode === "review";
  write(part("snap"), SNAPS[settings.snap]);
  part("snap").dataset.snap = settings.snap;
}

// Which of its author's posts it is, above the text; nothing where no other is known.
export function drawAuthor() {
  const { post, place } = ed.item;
  part("author").hidden = !place;
  fillOnce(part("author"), JSON.stringify([post.id, place]), () => [place && actionButton("author", "Post " + place.at + " of " + place.of + " by this author")]);
}

export function drawActions() {
  fill(part("post-actions"),
    actionButton("previous_post", ["‹", make("span", { class: "ev-roomy" }, " Previous")], { "aria-label": "Previous post" }),
    actionButton("next_post", [make("span", { class: "ev-roomy" }, "Next "), "›"], { "aria-label": "Next post" }), actionButton("skip", "Skip"),
    button("Tools", toggleTools, { class: "ev-more-tools", "aria-expanded": "false", "data-part": "more-tools" }));
  fill(part("tools"),
    actionButton("undo", "Undo"), actionButton("redo", "Redo"), actionButton("reading", "Whole post"), actionButton("others", "All criteria"),
    actionButton("search", "Queue"), actionButton("history", "History"), actionButton("discuss", "Discuss"), actionButton("assign", "Assign to me"), actionButton("help", "Help"));
  fill(part("look"),
    actionButton("smaller", "A−", { "aria-label": "Smaller text" }), actionButton("bigger", "A+", { "aria-label": "Larger text" }),
    actionButton("compact", "Dense lines"), actionButton("blur", "Blur"), actionButton("frame", "Editor only"));
  const verdicts = [["confirm", "Confirm", "ev-primary"], ["none", "No evidence", ""], ["unsure", "Unsure", ""]];
  const quick = make("div", { class: "ev-quick", "data-part": "quick", hidden: true }, actionButton("accept", "✓ Accept"), actionButton("reject", "✕ Reject"));
  fill(part("verdicts"), quick, verdicts.map(([id, label, cls]) => actionButton(id, label, { "data-part": id, class: cls })));
  fill(part("span-actions"), actionButton("tighten", "Shorten to the core", { "data-part": "tighten" }), actionButton("edges", "Move edges", { "data-part": "edges" }), actionButton("caret", "Select by keys"), ofSpans() && actionButton("said", "Say more"));
  fill(part("rest"), actionButton("confirm_rest", "Confirm the rest"));
}
