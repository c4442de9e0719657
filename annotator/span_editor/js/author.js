// The author's posts before and after the one that is open: context to read. Nothing is marked in them, and no answer is shown.

import { button, make } from "./dom.js";
import { ed } from "./state.js";
import { say } from "./messages.js";
import { call } from "./outbox.js";
import { closeDialog, openPostDialog } from "./dialog.js";
import { openPost } from "./queue.js";

export async function openAuthor() {
  const { item } = ed;
  if (!item.place) return say("No other post of this author is known.");
  const reply = await call("review_neighbours", { post_id: item.post.id });
  if (ed.item !== item) return undefined;
  if (!reply || !reply.ok) return say((reply && reply.error) || "The server cannot be reached now.");
  const { place, earlier, later } = reply;
  const here = make("li", { class: "ev-here", "aria-current": "true", tabindex: -1 }, make("b", {}, "This post"), make("small", { class: "ev-muted" }, item.post.posted_at || ""));
  openPostDialog("Posts of this author, in order of time" + (place ? " (" + place.at + " of " + place.of + ")" : ""),
    make("ol", { class: "ev-neighbours", tabindex: 0, "aria-label": "Posts before and after" }, earlier.map(other), here, later.map(other)));
  here.scrollIntoView({ block: "center" });
  return undefined;
}

function other(post) {
  const open = button("Open", () => (closeDialog(), openPost(post.id)), { "aria-label": "Open " + post.id });
  return make("li", {}, make("div", { class: "ev-row" }, make("b", {}, post.id), make("small", { class: "ev-muted" }, post.posted_at || ""), open),
    make("p", { dir: "auto" }, post.text + (post.cut ? "…" : "")));
}
