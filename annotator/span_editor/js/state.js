// What is on the page: the item (post, criteria, marks) and pure functions that change a criterion's marks.
//
// A mark is one span with its state: undecided or rejected (the model's), accepted, adjusted or added (the reviewer's).
// Its offsets are UTF-16 units; `predicted` keeps the model's span as it came, in code points, to be sent back unchanged; `said` is
// what is said of it: { severity, flags, rationale }, each only where there is something.

import { makeDoc } from "./offsets.js";

export const ed = {
  me: null,
  project: "",
  item: null, // { post, doc, criteria, model }
  items: new Map(), // post id -> item, the latest few: going back needs no server
  active: 0, // index of the criterion that is worked on
  mark: null, // id of the mark that is worked on
  mode: "review", // review | caret | edges | said | labels
  caret: null, // { anchor, focus } in units, while mode is caret
  draft: null, // { start, end } of the marked span while its edges are being moved
  pending: null, // { start, end } that was selected in whole-post mode and waits for its criterion
  peek: false, // Shift is held: everything that would be confirmed is shown
  about: { one_by_one: [] }, // what the criteria set says of its subject
  examples: [], // passages of adjudicated posts: { criterion_id, post_id, evidence, words }
  examplesMark: "", // of these, so that they are sent again only when others may be seen
  attributes: {}, // what can be said of spans and posts beside a verdict; {} for nothing
  lanes: 3, // under the words, for lines of spans
  label: 0, // which label of the whole post is set, while mode is labels
  trail: [],
  at: -1,
  next: null, // promise of the next item
  filter: {},
  progress: null,
  shown: { others: false, blur: false },
};

let markNumber = 0;

export function makeMark(state, start, end, predicted, said) {
  markNumber += 1;
  return { id: markNumber, state, start, end, predicted: predicted || null, said: said || (predicted && predicted[5]) || {} };
}

export function readItem(wire) {
  const doc = makeDoc(wire.post.text, wire.sentences);
  const criteria = wire.criteria.map((c, index) => readCriterion(doc, c, index));
  const whole = { id: OF_POST, index: -1, name: "Whole post", version: 1, others: [], doubts: [], ...readAnswer(doc, wire.whole || NOTHING) };
  return { post: wire.post, doc, criteria, whole, place: wire.place || null, model: wire.model, language: wire.language, why: wire.why };
}

// What stands for a criterion in answers about the whole post.
export const OF_POST = "@post";
const NOTHING = { verdict: null, spans: [], rejected: [], undecided: [], note: "", revision: 0, labels: {} };

export function answerable(item, id) {
  return id === OF_POST ? item.whole : item.criteria.find((c) => c.id === id);
}

function readCriterion(doc, wire, index) {
  return {
    id: wire.id,
    index,
    name: wire.name,
    guideline: wire.guideline,
    examples: wire.examples || [],
    counterexamples: wire.counterexamples || [],
    version: wire.version,
    predicted: wire.predicted,
    known: wire.known,
    hint: wire.hint,
    doubts: wire.doubts || [],
    others: wire.others,
    ...readAnswer(doc, wire),
  };
}

export function readAnswer(doc, wire) {
  const unit = (point) => doc.toUnit[point];
  const marks = [
    ...wire.undecided.map((p) => makeMark("undecided", unit(p[0]), unit(p[1]), p)),
    ...wire.rejected.map((p) => makeMark("rejected", unit(p[0]), unit(p[1]), p)),
    ...wire.spans.map(([start, end, origin, p, said]) => makeMark(origin, unit(start), unit(end), p, said || {})),
  ];
  return {
    marks: sortMarks(marks),
    verdict: wire.verdict,
    note: wire.note,
    labels: wire.labels || {},
    revision: wire.revision,
    model: wire.model_version,
    savedAt: wire.saved_at || null,
    decidedOn: wire.decided_on_version || null,
  };
}

export function answerWire(doc, answer) {
  const point = (unit) => doc.toPoint[unit];
  const own = answer.marks.filter(isOwn);
  return {
    verdict: answer.verdict,
    spans: own.map((m) => [point(m.start), point(m.end), m.state, m.predicted, ...saidOf(m)]),
    rejected: answer.marks.filter((m) => m.state === "rejected").map((m) => m.predicted),
    undecided: answer.marks.filter((m) => m.state === "undecided").map((m) => m.predicted),
    note: answer.note,
    model_version: answer.model,
    ...(Object.keys(answer.labels || {}).length ? { labels: answer.labels } : {}),
  };
}

// As the server takes it: an item more where something is said of the span, none else.
export function saidOf(mark) {
  const found = Object.entries(mark.said || {}).filter(([, value]) => value && value.length);
  return found.length ? [Object.fromEntries(found)] : [];
}

// More is said of a span; of a predicted one that is open: it is accepted with it.
export function withSaid(answer, id, more) {
  const state = (m) => (m.state === "undecided" ? "accepted" : m.state);
  const opened = answer.marks.some((m) => m.id === id && m.state === "undecided");
  const marks = answer.marks.map((m) => (m.id === id ? { ...m, said: more, state: state(m) } : m));
  return opened ? withMarks(answer, marks) : { marks, verdict: answer.verdict, note: answer.note };
}

export function sameMarks(some, others) {
  const told = (marks) => JSON.stringify(marks.map((m) => [m.state, m.start, m.end, m.predicted, m.said]));
  return told(some) === told(others);
}

export function sortMarks(marks) {
  return marks.slice().sort((a, b) => a.start - b.start || a.end - b.end || a.id - b.id);
}

export function isOwn(mark) {
  return mark.state === "accepted" || mark.state === "adjusted" || mark.state === "added";
}

// Evidence once a span is there and nothing is open; no evidence once all predictions are rejected; else still open.
function verdictOf(marks) {
  if (marks.some((m) => m.state === "undecided")) return null;
  if (marks.some(isOwn)) return "evidence";
  return marks.length ? "no_evidence" : null;
}

function withMarks(answer, marks) {
  const sorted = sortMarks(marks);
  return { marks: sorted, verdict: verdictOf(sorted), note: answer.note };
}

function replaceMark(answer, id, change) {
  return withMarks(answer, answer.marks.flatMap((m) => (m.id === id ? change(m) : [m])));
}

function back(doc, mark, state) {
  return { ...mark, state, start: doc.toUnit[mark.predicted[0]], end: doc.toUnit[mark.predicted[1]], said: mark.predicted[5] || {} };
}

export function accepted(answer, id) {
  return replaceMark(answer, id, (m) => [m.state === "added" ? m : { ...m, state: m.state === "adjusted" ? "adjusted" : "accepted" }]);
}

// A span of the model is rejected as the model made it; a span of one's own just goes.
export function rejected(doc, answer, id) {
  return replaceMark(answer, id, (m) => (m.predicted ? [back(doc, m, "rejected")] : []));
}

export function reopened(doc, answer, id) {
  return replaceMark(answer, id, (m) => (m.predicted ? [back(doc, m, "undecided")] : []));
}

export function adjusted(doc, answer, id, start, end) {
  return replaceMark(answer, id, (m) => {
    if (!m.predicted) return [{ ...m, start, end }];
    const same = doc.toPoint[start] === m.predicted[0] && doc.toPoint[end] === m.predicted[1];
    return [{ ...m, start, end, state: same ? "accepted" : "adjusted" }];
  });
}

// Adding what stands there already means accepting it. Returns [answer, id of the mark].
export function added(answer, start, end) {
  const same = answer.marks.find((m) => m.start === start && m.end === end);
  if (same) return [accepted(answer, same.id), same.id];
  const mark = makeMark("added", start, end, null);
  return [withMarks(answer, [...answer.marks, mark]), mark.id];
}

// The criterion as it is shown, taken as the answer: open predictions are evidence, and where nothing is marked, there is none.
export function confirmed(answer) {
  const marks = answer.marks.map((m) => (m.state === "undecided" ? { ...m, state: "accepted" } : m));
  return { marks, verdict: verdictOf(marks) || "no_evidence", note: answer.note };
}

export function emptied(doc, answer) {
  const marks = answer.marks.filter((m) => m.predicted).map((m) => back(doc, m, "rejected"));
  return { marks: sortMarks(marks), verdict: "no_evidence", note: answer.note };
}

export function unsure(answer) {
  const verdict = answer.verdict === "unsure" ? verdictOf(answer.marks) : "unsure";
  return { marks: answer.marks, verdict, note: answer.note };
}

export function answerOf(criterion) {
  return { marks: criterion.marks, verdict: criterion.verdict, note: criterion.note, model: criterion.model, labels: criterion.labels };
}

export function activeCriterion() {
  return ed.item ? ed.item.criteria[ed.active] : null;
}

export function activeMark() {
  const criterion = activeCriterion();
  return (criterion && criterion.marks.find((m) => m.id === ed.mark)) || null;
}

// All marks of the post in the order in which they are read.
export function inReadingOrder(item) {
  const all = item.criteria.flatMap((criterion) => criterion.marks.map((mark) => ({ criterion, mark })));
  return all.sort((a, b) => a.mark.start - b.mark.start || a.mark.end - b.mark.end || a.criterion.index - b.criterion.index);
}

export function undecidedOf(criterion) {
  return criterion.marks.filter((m) => m.state === "undecided");
}

// What confirming the rest would do: `now` as it is shown; `alone` are decided one by one by the rule of the project, `unread` because
// nothing is shown of them: the model has not answered. Who has read the post for all criteria (`whole`) has read it for those too.
export function restOf(item, alone, whole) {
  const open = item.criteria.filter(isOpen);
  const byItself = open.filter((c) => alone.includes(c.id));
  const rest = open.filter((c) => !alone.includes(c.id));
  const shown = (c) => whole || (c.predicted && c.known) || c.marks.length > 0;
  return { now: rest.filter(shown), alone: byItself, unread: rest.filter((c) => !shown(c)) };
}

export function isOpen(criterion) {
  return criterion.verdict === null;
}

export function openCount(item) {
  return item.criteria.filter(isOpen).length;
}

export function coreOf(mark) {
  const p = mark && mark.predicted;
  if (!p || p[3] === null || p[3] === undefined) return null;
  const core = { start: ed.item.doc.toUnit[p[3]], end: ed.item.doc.toUnit[p[4]] };
  return core.start === mark.start && core.end === mark.end ? null : core;
}

export function quote(start, end) {
  return ed.item.doc.text.slice(start, end);
}
