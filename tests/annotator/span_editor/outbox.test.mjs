import assert from "node:assert/strict";
import test, { beforeEach, mock } from "node:test";

const stored = new Map();
globalThis.window = globalThis;
globalThis.addEventListener = () => {};
globalThis.requestAnimationFrame = (run) => setTimeout(run, 16);
globalThis.localStorage = new Proxy({
  getItem: (key) => stored.get(key) ?? null,
  setItem: (key, value) => stored.set(key, value),
  removeItem: (key) => stored.delete(key),
}, { ownKeys: () => [...stored.keys()], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }) });
mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1e12 });

const { connect, enqueue, keepMine, outbox, startOutbox } = await import("../../../annotator/span_editor/js/outbox.js");
const { ed } = await import("../../../annotator/span_editor/js/state.js");
ed.me = { name: "ana" };
ed.project = "project";

const server = { calls: [], reply: null };
connect({
  review_save: async ({ decisions }) => {
    server.calls.push(decisions.map((d) => [d.op_id, d.expected_revision]));
    return server.reply(decisions);
  },
});

const saved = (decisions) => ({ ok: true, results: decisions.map((d) => ({ ok: true, revision: d.expected_revision + 1, saved_at: "now", others: [] })) });
const decision = (op_id, criterion_id = "A") => ({ op_id, post_id: "p", criterion_id });

// Lets promises and due timers run until nothing more happens within `milliseconds`.
async function pass(milliseconds) {
  for (let spent = 0; spent < milliseconds; spent += 100) {
    mock.timers.tick(100);
    for (let i = 0; i < 20; i += 1) await Promise.resolve();
  }
}

beforeEach(() => {
  stored.clear();
  Object.assign(outbox, { entries: [], parked: [], failures: 0 });
  outbox.revisions.clear();
  Object.assign(server, { calls: [], reply: saved });
});

test("decisions on one criterion go one after the other, each on the revision of the one before", async () => {
  enqueue(decision("one.0"));
  enqueue(decision("two.0"));
  enqueue(decision("three.0", "B"));
  await pass(1000);
  assert.deepEqual(server.calls, [[["one.0", 0]], [["two.0", 1], ["three.0", 0]]]);
  assert.deepEqual([outbox.entries.length, stored.size], [0, 0]);
});

test("what is not answered stays in the browser and is sent again under the same key", async () => {
  server.reply = () => undefined;
  enqueue(decision("one.0"));
  await pass(400);
  assert.deepEqual(JSON.parse([...stored.values()][0]).entries.map((e) => e.message.op_id), ["one.0"]);
  server.reply = saved;
  await pass(30000);
  assert.deepEqual(new Set(server.calls.flat().map(([key]) => key)), new Set(["one.0"]));
  assert.deepEqual([outbox.entries.length, stored.size], [0, 0]);
});

test("a conflict parks the latest decision on that criterion and lets the others go on", async () => {
  server.reply = (decisions) => ({
    ok: true,
    results: decisions.map((d) => (d.criterion_id === "A" ? { ok: false, conflict: { revision: 5 } } : saved([d]).results[0])),
  });
  enqueue(decision("one.0"));
  enqueue(decision("two.0"));
  enqueue(decision("three.0", "B"));
  await pass(1000);
  assert.deepEqual(outbox.parked.map((p) => p.message.op_id), ["two.0"]);
  server.reply = saved;
  keepMine(outbox.parked[0]);
  await pass(1000);
  assert.equal(server.calls.at(-1)[0][1], 5);
  assert.deepEqual([outbox.parked.length, outbox.entries.length], [0, 0]);
});

test("what a closed tab of the same person left is taken over, another's is not", async () => {
  const entry = (op_id) => ({ key: "p\u0000A", base: 0, message: decision(op_id) });
  stored.set("evidence.outbox|project|ana|old", JSON.stringify({ beat: 0, entries: [entry("left.0")], parked: [] }));
  stored.set("evidence.outbox|project|ben|old", JSON.stringify({ beat: 0, entries: [entry("not-mine.0")], parked: [] }));
  startOutbox();
  await pass(1000);
  assert.deepEqual(server.calls, [[["left.0", 0]]]);
  assert.deepEqual([...stored.keys()], ["evidence.outbox|project|ben|old"]);
});
