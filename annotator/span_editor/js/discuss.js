// The discussion of the post that is open, in a dialog.

import { make } from "./dom.js";
import { activeCriterion, ed } from "./state.js";
import { openPostDialog } from "./dialog.js";
import { drawThread } from "./thread.js";

export async function openDiscussion() {
  const box = make("div", { class: "ev-discussion" });
  openPostDialog("Discussion of this post", box);
  const criterion = activeCriterion();
  await drawThread(box, { post_id: ed.item.post.id, criterion_id: criterion ? criterion.id : null });
  const field = box.querySelector("textarea");
  if (field) field.focus();
}
