// Decisions that the server did not take: changed elsewhere, or refused.

import { button, fillOnce, make, part } from "./dom.js";
import { activeCriterion, ed } from "./state.js";
import { answerText, criterionName, localTime } from "./words.js";
import { dropParked, keepMine, outbox } from "./outbox.js";
import { bringEditor } from "./places.js";
import { setMode } from "./modes.js";
import { openPost } from "./queue.js";

export function drawConflicts() {
  const key = outbox.parked.map((e) => e.message.op_id).join();
  const box = part("conflicts");
  const before = box.childElementCount;
  fillOnce(box, key, () => outbox.parked.map((parked) => (parked.conflict ? conflictBox(parked) : refusedBox(parked))));
  if (box.childElementCount > before) bringEditor();
}

function conflictBox(parked) {
  const { message, conflict } = parked;
  const text = "“" + criterionName(message.criterion_id) + "” of post " + message.post_id + " was changed in another tab or session" + (conflict.saved_at ? " (" + localTime(conflict.saved_at) + ")" : "") + ": " + answerText(conflict) + ". Yours here: " + answerText(message) + ".";
  return make("div", { class: "ev-notice ev-warn", role: "alert" }, make("p", {}, text), make("div", { class: "ev-row" },
    button("Keep mine", () => keepMine(parked), { class: "ev-primary" }),
    button("Take theirs", () => takeTheirs(parked))));
}

function refusedBox(parked) {
  const { message } = parked;
  return make("div", { class: "ev-notice ev-warn", role: "alert" }, make("p", {}, "A decision on " + criterionName(message.criterion_id) + " in post " + message.post_id + " could not be saved: " + parked.error), make("div", { class: "ev-row" },
    button("Drop it and load the post again", () => takeTheirs(parked))));
}

async function takeTheirs(parked) {
  const { post_id, criterion_id } = parked.message;
  dropParked(parked);
  ed.items.delete(post_id);
  if (!ed.item || ed.item.post.id !== post_id) return;
  if (activeCriterion().id === criterion_id) setMode("review"); // what is half moved goes with it
  await openPost(post_id, { fresh: true });
}
