// Which criterion and which of its spans is worked on, and which comes next.

import { activeCriterion, activeMark, ed, isOpen, isOwn, openCount, quote } from "./state.js";
import { announce, say } from "./messages.js";
import { refresh } from "./panels.js";

// After a decision: the next open span of the criterion, else the next open criterion. `leave`: never stay in this one.
export function advance(leave) {
  const criterion = activeCriterion();
  const after = activeMark() ? activeMark().start : -1;
  const open = leave ? [] : criterion.marks.filter((m) => m.state === "undecided");
  if (open.length) {
    ed.mark = (open.find((m) => m.start >= after) || open[0]).id;
    ed.moved = true;
    return;
  }
  if (!leave && isOpen(criterion) && criterion.verdict !== "unsure") return;
  const count = ed.item.criteria.length;
  for (let step = 1; step < count; step += 1) {
    const index = (ed.active + step) % count;
    if (isOpen(ed.item.criteria[index])) return activate(index);
  }
  if (openCount(ed.item) === 0) announce("All criteria of this post are reviewed. Enter goes to the next post.");
}

// Make a criterion the one that is worked on, at its first open span.
export function activate(index) {
  ed.active = index;
  ed.draft = null;
  const { marks } = ed.item.criteria[index];
  const first = marks.find((m) => m.state === "undecided") || marks.find(isOwn) || null;
  ed.mark = first ? first.id : null;
  ed.moved = true;
}

export function stepMark(direction) {
  const order = ed.item.criteria.flatMap((c, index) => c.marks.map((m) => ({ index, id: m.id })));
  if (!order.length) return say("Nothing is marked in this post.");
  const here = order.findIndex((e) => e.id === ed.mark);
  let target;
  if (here >= 0) target = order[(here + direction + order.length) % order.length];
  else target = direction > 0 ? order.find((e) => e.index >= ed.active) || order[0] : order.findLast((e) => e.index <= ed.active) || order[order.length - 1];
  ed.active = target.index;
  ed.mark = target.id;
  ed.moved = true;
  announceMark();
  return refresh();
}

export function announceMark() {
  const mark = activeMark();
  if (!mark) return;
  const score = mark.predicted && mark.predicted[2] !== null ? ", score " + mark.predicted[2].toFixed(2) : "";
  announce(activeCriterion().name + ", " + mark.state + score + ": " + quote(mark.start, mark.end).slice(0, 300));
}
