// The bar above the post, and the buttons that do not change with it.

import { fill, fillOnce, make, part, write } from "./dom.js";
import { ed } from "./state.js";
import { settings } from "./settings.js";
import { actionButton, WITHOUT_POST } from "./actions.js";
import { outbox } from "./outbox.js";

const SAVING_IS_SLOW_MS = 300;

export function drawBar() {
  drawPosition();
  drawSaved();
  drawMode();
  for (const name of ["others", "blur"]) {
    const toggle = part("tools").querySelector('[data-action="' + name + '"]');
    if (toggle) toggle.setAttribute("aria-pressed", ed.shown[name] ? "true" : "false");
  }
  for (const node of part("bar").querySelectorAll("[data-action]")) node.disabled = !ed.item && !WITHOUT_POST.has(node.dataset.action);
}

export function drawPosition() {
  const { progress, item } = ed;
  const done = progress && progress.posts ? Math.round((100 * progress.reviewed) / progress.posts) : 0;
  const id = item ? item.post.id : "";
  fillOnce(part("position"), JSON.stringify([id, progress]), () => [
    id ? make("a", { class: "ev-post-id", href: "?post=" + encodeURIComponent(id), title: "Link to this post: " + id }, id) : make("strong", { class: "ev-post-id" }, "Review"),
    progress && make("span", { class: "ev-muted" }, progress.reviewed + " of " + progress.posts + " reviewed · " + progress.left + " left"),
    progress && make("span", { class: "ev-progress", "aria-hidden": "true" }, make("i", { style: { width: done + "%" } })),
  ]);
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
    review: "",
    caret: "Caret: ← → character · Ctrl word · ↑ ↓ sentence · Shift selects · Space word, sentence · Enter adds · Esc leaves",
    edges: "Edges: ← → end by character · Ctrl by word · ↑ ↓ by sentence · Shift moves the start · Enter keeps · Esc leaves",
  };
  write(part("mode"), hints[ed.mode]);
  part("mode").hidden = ed.mode === "review";
  write(part("snap"), "Snap: " + settings.snap);
}

export function drawActions() {
  fill(part("post-actions"),
    actionButton("previous_post", "‹ Previous"), actionButton("next_post", "Next ›"), actionButton("skip", "Skip"));
  fill(part("tools"),
    actionButton("undo", "Undo"), actionButton("redo", "Redo"), actionButton("search", "Queue"), actionButton("history", "History"),
    actionButton("others", "All criteria"), actionButton("blur", "Blur"), actionButton("assign", "Assign to me"), actionButton("help", "Help"));
  const verdicts = [["confirm", "Confirm", "ev-primary"], ["none", "No evidence", ""], ["unsure", "Unsure", ""]];
  const quick = make("div", { class: "ev-quick", "data-part": "quick", hidden: true }, actionButton("accept", "✓ Accept this span"), actionButton("reject", "✕ Reject this span"));
  fill(part("verdicts"), quick, verdicts.map(([id, label, cls]) => actionButton(id, label, { "data-part": id, class: cls })));
  fill(part("span-actions"), actionButton("tighten", "Tighten", { "data-part": "tighten" }), actionButton("edges", "Move edges", { "data-part": "edges" }), actionButton("caret", "Caret"));
  fill(part("rest"), actionButton("confirm_rest", "Confirm the rest"));
}
