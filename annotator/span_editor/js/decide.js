// Decisions. Every gesture changes one or several criteria at once, is painted at once, goes to the outbox, and can be undone.

import { answerOf, answerWire, ed, openCount } from "./state.js";
import { announce, endOffer } from "./messages.js";
import { lapClock } from "./clock.js";
import { makeId } from "./dom.js";
import { enqueue } from "./outbox.js";
import { DEFAULT_FILTER } from "./queue.js";

export const local = { undo: [], redo: [] }; // gestures of this page, the latest last; older ones are known to the server

// changes: [[criterion, answer]]. what: said to the reader. Returns the gesture.
export function decide(what, changes, options) {
  const opts = options || {};
  const gesture = { id: makeId(), what, post: ed.item.post.id, changes: [] };
  endOffer();
  const seconds = lapClock() / changes.length;
  const wasOpen = openCount(ed.item) > 0;
  changes.forEach(([criterion, answer], number) => {
    const before = answerOf(criterion);
    const after = { ...before, ...answer };
    const change = { criterion: criterion.id, before, after, op: gesture.id + "." + number, undoes: opts.undoes ? opts.undoes[number] : null };
    gesture.changes.push(change);
    Object.assign(criterion, after);
    enqueue({ ...decisionMessage(criterion, after, change, seconds), bulk: Boolean(opts.bulk) });
  });
  countReviewed(wasOpen);
  if (!opts.undoes) {
    local.undo.push(gesture);
    local.redo = [];
  }
  announce(what);
  return gesture;
}

// The bar counts at once; the server's own count comes with the next post.
function countReviewed(wasOpen) {
  const step = Number(wasOpen) - Number(openCount(ed.item) > 0);
  if (!step || !ed.progress) return;
  const { reviewed, left } = ed.progress;
  const waiting = (ed.filter.state || DEFAULT_FILTER.state) === DEFAULT_FILTER.state;
  ed.progress = { ...ed.progress, reviewed: Math.max(0, reviewed + step), left: waiting ? Math.max(0, left - step) : left };
}

function decisionMessage(criterion, answer, change, seconds) {
  return {
    op_id: change.op,
    post_id: ed.item.post.id,
    criterion_id: criterion.id,
    criterion_version: criterion.version,
    seconds: Math.round(seconds * 10) / 10,
    undoes: change.undoes,
    ...answerWire(ed.item.doc, answer),
  };
}
