// Decisions. Every gesture changes one or several criteria at once, is painted at once, goes to the outbox, and can be undone.

const local = { undo: [], redo: [] }; // gestures of this page, the latest last; older ones are known to the server
const clock = { last: performance.now(), spent: 0, idleAfter: 90000 };

function lapClock() {
  const now = performance.now();
  const seconds = (clock.spent + Math.min(now - clock.last, clock.idleAfter)) / 1000;
  clock.spent = 0;
  clock.last = now;
  return Math.round(seconds * 10) / 10;
}

function noteActivity() {
  const now = performance.now();
  clock.spent += Math.min(now - clock.last, clock.idleAfter);
  clock.last = now;
}

function timing(name, milliseconds) {
  performance.measure("evidence:" + name, { start: Math.max(0, performance.now() - milliseconds), duration: milliseconds });
}

// changes: [[criterion, answer]]. what: said to the reader. Returns the gesture.
function decide(what, changes, options) {
  const opts = options || {};
  const gesture = { id: makeId(), what, post: ed.item.post.id, changes: [] };
  const seconds = lapClock() / changes.length;
  const wasOpen = openCount(ed.item) > 0;
  changes.forEach(([criterion, answer], number) => {
    const before = answerOf(criterion);
    const after = { ...before, ...answer };
    const change = { criterion: criterion.id, before, after, op: gesture.id + "." + number, undoes: opts.undoes ? opts.undoes[number] : null };
    gesture.changes.push(change);
    Object.assign(criterion, after);
    enqueue(decisionMessage(criterion, after, change, seconds));
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
  const { posts, reviewed, left } = ed.progress;
  const waiting = (ed.filter.state || DEFAULT_FILTER.state) === DEFAULT_FILTER.state;
  ed.progress = { posts, reviewed: Math.max(0, reviewed + step), left: waiting ? Math.max(0, left - step) : left };
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

// --- one criterion

function decideMark(verb) {
  const criterion = activeCriterion();
  const mark = activeMark();
  if (!mark) return say("No span is chosen. Choose one with j or k, or by clicking it.");
  const doc = ed.item.doc;
  const answers = {
    accept: () => ["Accepted", accepted(criterion, mark.id)],
    reject: () => [mark.predicted ? "Rejected" : "Removed", rejected(doc, criterion, mark.id)],
    reopen: () => [mark.predicted ? "Open again" : "Removed", reopened(doc, criterion, mark.id)],
  };
  const [what, answer] = answers[verb]();
  decide(what + ": " + shortQuote(mark), [[criterion, answer]]);
  if (verb !== "reopen") advance();
  refresh();
}

function addSpan(start, end, mode) {
  const criterion = activeCriterion();
  const found = snap(ed.item.doc, start, end, mode);
  if (!criterion || !found) return;
  const [answer, id] = added(criterion, found[0], found[1]);
  decide("Added to " + criterion.name, [[criterion, answer]]);
  ed.mark = id;
  refresh();
}

function adjustMark(start, end) {
  const mark = activeMark();
  if (!mark || (mark.start === start && mark.end === end)) return;
  decide("Adjusted: " + shortQuote({ start, end }), [[activeCriterion(), adjusted(ed.item.doc, activeCriterion(), mark.id, start, end)]]);
}

function tighten() {
  const core = coreOf(activeMark());
  if (!core) return say("The model offers no tighter passage inside this span.");
  adjustMark(core.start, core.end);
  advance();
  return refresh();
}

function confirmCriterion() {
  const criterion = activeCriterion();
  if (!isOpen(criterion)) {
    if (openCount(ed.item) === 0) return goNext();
    advance(true);
    return refresh();
  }
  const answer = confirmed(criterion);
  decide(criterion.name + ": " + verdictText(answer.verdict, answer.marks), [[criterion, answer]]);
  advance(true);
  return refresh();
}

// "As shown" needs something to be shown: what the model has not read, or does not know, is decided one by one.
function confirmRest() {
  if (!openCount(ed.item)) return goNext();
  const open = ed.item.criteria.filter((c) => isOpen(c) && ((c.predicted && c.known) || c.marks.length));
  if (!open.length) return say("The model has not answered the open criteria. Decide them one by one, or wait until it has.");
  decide("Confirmed " + plural(open.length, "criterion").replace("criterions", "criteria") + " as shown", open.map((c) => [c, confirmed(c)]));
  toast("Confirmed " + (open.length === 1 ? "1 criterion" : open.length + " criteria") + " as shown.", "Undo", () => undo());
  advance(true);
  return refresh();
}

function decideNone() {
  const criterion = activeCriterion();
  decide(criterion.name + ": no evidence", [[criterion, emptied(ed.item.doc, criterion)]]);
  advance(true);
  refresh();
}

function decideUnsure() {
  const criterion = activeCriterion();
  const answer = unsure(criterion);
  decide(criterion.name + ": " + (answer.verdict === "unsure" ? "unsure" : "no longer unsure"), [[criterion, answer]]);
  if (answer.verdict === "unsure") advance(true);
  refresh();
}

function saveNote(text) {
  const criterion = activeCriterion();
  if (text === criterion.note) return;
  decide("Note saved", [[criterion, { note: text }]]);
  refresh();
}

// --- moving on

// After a decision: the next open span of the criterion, else the next open criterion. `leave`: never stay in this one.
function advance(leave) {
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
function activate(index) {
  ed.active = index;
  ed.draft = null;
  const { marks } = ed.item.criteria[index];
  const first = marks.find((m) => m.state === "undecided") || marks.find(isOwn) || null;
  ed.mark = first ? first.id : null;
  ed.moved = true;
}

function stepMark(direction) {
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

// --- undo

async function undo(again) {
  const stack = again ? local.redo : local.undo;
  const other = again ? local.undo : local.redo;
  const gesture = stack.pop();
  if (!gesture || gesture.server) return undoOnServer(again, other);
  if ((!ed.item || gesture.post !== ed.item.post.id) && !(await openPost(gesture.post))) {
    stack.push(gesture);
    return say("The post of that decision cannot be opened now.");
  }
  const changes = gesture.changes.map((c) => [ed.item.criteria.find((k) => k.id === c.criterion), c.before]);
  const what = (again ? "Redone: " : "Undone: ") + gesture.what.replace(/^(Undone|Redone): /, "");
  const reversed = decide(what, changes, { undoes: gesture.changes.map((c) => c.op) });
  other.push(reversed);
  ed.active = changes[0][0].index;
  ed.mark = null;
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

async function drained() {
  for (let i = 0; i < 100 && outbox.entries.length; i += 1) await sleep(30);
}

function verdictText(verdict, marks) {
  const own = marks.filter(isOwn).length;
  return { evidence: plural(own, "span") + " of evidence", no_evidence: "no evidence", unsure: "unsure" }[verdict] || "open";
}

function shortQuote(mark) {
  const text = quote(mark.start, mark.end).replace(/\s+/g, " ");
  return "“" + (text.length > 60 ? text.slice(0, 58) + "…" : text) + "”";
}
