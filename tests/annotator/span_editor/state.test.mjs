import assert from "node:assert/strict";
import test from "node:test";

import {
  accepted, added, adjusted, answerable, answerWire, confirmed, emptied, readItem, rejected, reopened, unsure, withSaid,
} from "../../../annotator/span_editor/js/state.js";

const TEXT = "😞 I cannot sleep. All is grey.";
const SLEEP = [2, 18, 0.87, null, null];
const GREY = [19, 31, 0.6, null, null];

function itemWith(answer) {
  const blank = { verdict: null, spans: [], rejected: [], undecided: [], note: "", revision: 0, model_version: "m1" };
  const criterion = { id: "SLEEP", name: "Sleep", guideline: "", version: 1, predicted: true, known: true, no_evidence_score: 0.1, others: [], ...blank, ...answer };
  return readItem({ post: { id: "p", text: TEXT }, sentences: [[0, 18], [19, 31]], criteria: [criterion], model: {} });
}

function wireOf(item, answer) {
  return answerWire(item.doc, { ...item.criteria[0], ...answer });
}

test("what comes from the server goes back as it came", () => {
  const spans = [[2, 6, "added", null], [7, 18, "adjusted", SLEEP]];
  const item = itemWith({ verdict: null, spans, rejected: [GREY], undecided: [[0, 1, 0.2, null, null]] });
  const { verdict, rejected: no, undecided, spans: own } = wireOf(item, {});
  assert.deepEqual([verdict, own, no, undecided], [null, spans, [GREY], [[0, 1, 0.2, null, null]]]);
});

test("a criterion is decided once none of its predictions is open", () => {
  const item = itemWith({ undecided: [SLEEP, GREY] });
  const [criterion] = item.criteria;
  const [first, second] = criterion.marks;
  const one = { ...criterion, ...accepted(criterion, first.id) };
  assert.equal(one.verdict, null);
  assert.equal(rejected(item.doc, one, second.id).verdict, "evidence");
  const none = { ...criterion, ...rejected(item.doc, criterion, first.id) };
  assert.equal(rejected(item.doc, none, second.id).verdict, "no_evidence");
});

test("an adjusted span that is moved back is an accepted one, and rejecting it rejects what was predicted", () => {
  const item = itemWith({ undecided: [SLEEP] });
  const [criterion] = item.criteria;
  const [mark] = criterion.marks;
  const moved = { ...criterion, ...adjusted(item.doc, criterion, mark.id, mark.start + 2, mark.end) };
  assert.deepEqual(wireOf(item, moved).spans, [[4, 18, "adjusted", SLEEP]]);
  const again = { ...moved, ...adjusted(item.doc, moved, mark.id, mark.start, mark.end) };
  assert.deepEqual(wireOf(item, again).spans, [[2, 18, "accepted", SLEEP]]);
  assert.deepEqual(wireOf(item, rejected(item.doc, moved, mark.id)).rejected, [SLEEP]);
});

test("adding what stands there already accepts it", () => {
  const item = itemWith({ undecided: [SLEEP] });
  const [criterion] = item.criteria;
  const [mark] = criterion.marks;
  const [answer, id] = added(criterion, mark.start, mark.end);
  assert.equal(id, mark.id);
  assert.deepEqual(wireOf(item, answer).spans, [[2, 18, "accepted", SLEEP]]);
});

test("confirming takes the open predictions as evidence, and where nothing is marked, there is none", () => {
  const item = itemWith({ undecided: [SLEEP] });
  assert.equal(confirmed(item.criteria[0]).verdict, "evidence");
  assert.equal(confirmed(itemWith({}).criteria[0]).verdict, "no_evidence");
  assert.deepEqual(wireOf(item, emptied(item.doc, item.criteria[0])).rejected, [SLEEP]);
});

test("unsure is taken back by saying it again, and a decision on a span can be", () => {
  const item = itemWith({ spans: [[2, 18, "accepted", SLEEP]], verdict: "evidence" });
  const [criterion] = item.criteria;
  const asked = { ...criterion, ...unsure(criterion) };
  assert.equal(asked.verdict, "unsure");
  assert.equal(unsure(asked).verdict, "evidence");
  assert.deepEqual(wireOf(item, reopened(item.doc, criterion, criterion.marks[0].id)).undecided, [SLEEP]);
});

test("what is said of a span travels with it, accepts a prediction, and leaves the verdict of one's own span as it is", () => {
  const guessed = [...SLEEP, { severity: "mild" }];
  const said = { severity: "severe", flags: ["past"], rationale: "<b>" };
  const item = itemWith({ verdict: null, undecided: [guessed], spans: [[19, 30, "added", null, { rationale: "why" }]] });
  const [criterion] = item.criteria;
  const [mark, own] = criterion.marks;
  assert.deepEqual(wireOf(item, accepted(criterion, mark.id)).spans[0], [2, 18, "accepted", guessed, { severity: "mild" }]);
  const more = { ...criterion, ...withSaid(criterion, mark.id, said) };
  assert.deepEqual([more.verdict, wireOf(item, more).spans[0]], ["evidence", [2, 18, "accepted", guessed, said]]);
  const doubted = { ...more, verdict: "unsure" };
  assert.equal(withSaid(doubted, own.id, {}).verdict, "unsure");
  assert.deepEqual(wireOf(item, withSaid(doubted, own.id, {})).spans[1], [19, 30, "added", null]);
  assert.deepEqual(wireOf(item, rejected(item.doc, more, mark.id)).rejected, [guessed]);
});

test("labels of the whole post are an answer of their own", () => {
  const item = itemWith({});
  const whole = answerable(item, "@post");
  assert.deepEqual([whole.labels, whole.revision, item.criteria.includes(whole)], [{}, 0, false]);
  assert.deepEqual(answerWire(item.doc, { ...whole, labels: { Risk: "low" } }).labels, { Risk: "low" });
});
