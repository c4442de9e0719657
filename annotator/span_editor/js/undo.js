// Taking back and doing again: gestures of this page here, older ones on the server.

import { answerable, ed } from "./state.js";
import { say, toast } from "./messages.js";
import { makeId } from "./dom.js";
import { call, drained } from "./outbox.js";
import { refresh } from "./panels.js";
import { activate } from "./walk.js";
import { openPost } from "./queue.js";
import { decide, local } from "./decide.js";

// The undo that a line offers: of that gesture and of no other.
export function undoGesture(gesture) {
  if (local.undo[local.undo.length - 1] === gesture) return undo();
  return say("Something else was decided since. Undo takes that back first.");
}

let last = Promise.resolve();

// One after the other: each takes back what stands when the one before is through.
export function undo(again) {
  const run = () => undoOne(again);
  return (last = last.then(run, run));
}

async function undoOne(again) {
  const stack = again ? local.redo : local.undo;
  const other = again ? local.undo : local.redo;
  const gesture = stack.pop();
  if (!gesture || gesture.server) return undoOnServer(again, other);
  if ((!ed.item || gesture.post !== ed.item.post.id) && !(await openPost(gesture.post))) {
    stack.push(gesture);
    return say("The post of that decision cannot be opened now.");
  }
  const changes = gesture.changes.map((c) => [answerable(ed.item, c.criterion), c.before]);
  const what = (again ? "Redone: " : "Undone: ") + gesture.what.replace(/^(Undone|Redone): /, "");
  const reversed = decide(what, changes, { undoes: gesture.changes.map((c) => c.op) });
  other.push(reversed);
  if (changes[0][0].index >= 0) {
    ed.active = changes[0][0].index;
    ed.mark = null;
  }
  toast(what);
  return refresh();
}

async function undoOnServer(again, other) {
  await drained();
  const reply = await call("review_undo", { gesture: makeId(), redo: Boolean(again) });
  if (!reply || !reply.ok) return say("That could not be undone now: " + ((reply && reply.error) || "no connection."));
  if (!reply.post_id) return say(again ? "Nothing to redo." : "Nothing to undo.");
  other.push({ server: true });
  ed.items.delete(reply.post_id);
  if (!(await openPost(reply.post_id, { fresh: true }))) return undefined;
  const index = ed.item.criteria.findIndex((c) => c.id === reply.criteria[0]);
  if (index >= 0) activate(index);
  toast(again ? "Redone." : "Undone: an earlier decision is taken back.");
  return refresh();
}
