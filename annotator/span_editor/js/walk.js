// Which criterion and which of its spans is worked on, and which comes next.

import { activeCriterion, activeMark, ed, inReadingOrder, isOpen, isOwn, openCount, quote } from "./state.js";
import { readsWhole } from "./settings.js";
import { announce, say } from "./messages.js";
import { refresh } from "./panels.js";

// After a decision: the next open span of the criterion, else the next open criterion. `leave`: never stay in this one.
export function advance(leave) {
  const criterion = activeCriterion();
  if (readsWhole()) return advanceInOrder();
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

// Whole post: the next open prediction after this place, then those before it; then the criteria that are decided by themselves.
function advanceInOrder() {
  const here = activeMark() ? activeMark().start : -1;
  const open = inReadingOrder(ed.item).filter((e) => e.mark.state === "undecided" && e.criterion.verdict !== "unsure");
  const next = open.find((e) => e.mark.start >= here) || open[0];
  if (next) return chooseMark(next.criterion, next.mark);
  ed.mark = null;
  const left = ed.item.criteria.filter(isOpen);
  const last = left.find((c) => ed.about.one_by_one.includes(c.id));
  if (left.length && last && left.every((c) => ed.about.one_by_one.includes(c.id))) return activate(last.index);
  return announce(left.length ? "Every prediction is decided. Add what is missing, or Enter: nothing else." : "All criteria of this post are reviewed. Enter goes to the next post.");
}

function chooseMark(criterion, mark) {
  ed.active = criterion.index;
  ed.mark = mark.id;
  ed.moved = true;
}

// Where a post begins: at the first prediction, so that what the model says is seen at once.
export function beginAt(item) {
  const doubted = item.criteria.findIndex((c) => c.doubts.length);
  if (ed.filter.order === "doubts" && doubted >= 0) return activate(doubted);
  const open = inReadingOrder(item).find((e) => isOpen(e.criterion) && e.mark.state === "undecided");
  if (readsWhole() && open) return chooseMark(open.criterion, open.mark);
  const first = item.criteria.findIndex((c) => isOpen(c) && c.marks.some((m) => m.state === "undecided"));
  return activate(first >= 0 ? first : Math.max(0, item.criteria.findIndex(isOpen)));
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
  const byCriterion = ed.item.criteria.flatMap((criterion) => criterion.marks.map((mark) => ({ criterion, mark })));
  const order = (readsWhole() ? inReadingOrder(ed.item) : byCriterion).map((e) => ({ index: e.criterion.index, id: e.mark.id }));
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

// Clicking where spans overlap goes through them, one per click.
export function pickMark(ids) {
  const id = ids[(ids.indexOf(ed.mark) + 1) % ids.length];
  const criterion = ed.item.criteria.find((c) => c.marks.some((m) => m.id === id));
  if (!criterion) return;
  ed.active = criterion.index;
  ed.mark = id;
  announceMark();
  refresh();
}

function announceMark() {
  const mark = activeMark();
  if (!mark) return;
  const score = mark.predicted && mark.predicted[2] !== null ? ", score " + mark.predicted[2].toFixed(2) : "";
  announce(activeCriterion().name + ", " + mark.state + score + ": " + quote(mark.start, mark.end).slice(0, 300));
}
