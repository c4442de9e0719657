// Saving. Decisions leave the page one after the other, each with a key that makes a repeated save harmless, and stay in the
// browser's storage until the server has said that they are on disk. Only decisions and offsets are kept there, no post text.

import { afterPaint, makeId, sleep } from "./dom.js";
import { memory } from "./memory.js";
import { ed } from "./state.js";
import { timing } from "./clock.js";

const SEND_TIMEOUT_MS = 15000;
const STALE_AFTER_MS = 30000;
const BATCH = 25;

export const outbox = {
  tab: makeId(),
  entries: [], // { op_id, key, base, message }
  parked: [], // entries that the server refused, with `conflict` or `error`
  revisions: new Map(), // key -> latest revision known
  sending: false,
  failures: 0,
  wake: null,
  lastSaved: null,
  inFlight: 0,
  onchange: () => {},
  onsaved: () => {},
};

export function outboxKey(postId, criterionId) {
  return postId + "\u0000" + criterionId;
}

// One browser may hold the decisions of several people in several projects; no name is the beginning of another one's key.
function storageKey(tab) {
  return ["outbox", ed.project, ed.me ? encodeURIComponent(ed.me.name) : "", tab].join("|");
}

function persistOutbox(released) {
  if (!ed.me) return;
  const held = [...outbox.entries, ...outbox.parked];
  if (!held.length) memory.write(storageKey(outbox.tab), null);
  else memory.write(storageKey(outbox.tab), { beat: released ? 0 : Date.now(), entries: outbox.entries, parked: outbox.parked });
}

// Take over what a closed, reloaded or crashed tab of the same person left. The keys make it harmless if it lives after all.
function adoptOutboxes() {
  for (const key of memory.keys(storageKey(""))) {
    const left = memory.read(key, null);
    if (!left || key === storageKey(outbox.tab) || Date.now() - left.beat < STALE_AFTER_MS) continue;
    const known = new Set(outbox.entries.map((e) => e.message.op_id));
    outbox.entries.push(...left.entries.filter((e) => !known.has(e.message.op_id)));
    outbox.parked.push(...(left.parked || []));
    memory.write(key, null);
  }
  persistOutbox();
  flush();
}

export function enqueue(message) {
  const key = outboxKey(message.post_id, message.criterion_id);
  const chained = outbox.entries.some((e) => e.key === key);
  outbox.entries.push({ key, base: chained ? null : outbox.revisions.get(key) || 0, message });
  persistOutbox();
  outbox.onchange();
  afterPaint(flush); // what the reader sees comes first
}

export function pendingFor(postId) {
  return outbox.entries.filter((e) => e.message.post_id === postId);
}

// Entries that may go together: none depends on the answer to another.
function nextBatch() {
  const seen = new Set();
  const batch = [];
  for (const entry of outbox.entries) {
    if (seen.has(entry.key) || batch.length === BATCH) break;
    seen.add(entry.key);
    batch.push(entry);
  }
  return batch;
}

function expected(entry) {
  return entry.base === null ? outbox.revisions.get(entry.key) || 0 : entry.base;
}

let server = null; // the functions of the app that may be asked

export function connect(functions) {
  server = functions;
}

export async function call(name, message) {
  const timeout = sleep(SEND_TIMEOUT_MS).then(() => undefined);
  try {
    return await Promise.race([server[name](message), timeout]);
  } catch (error) {
    return undefined; // no answer: the caller tries again or says so
  }
}

async function flush() {
  if (outbox.sending) return;
  outbox.sending = true;
  while (outbox.entries.length) {
    const batch = nextBatch();
    outbox.inFlight = batch.length;
    outbox.onchange();
    const began = performance.now();
    const reply = await call("review_save", { decisions: batch.map((e) => ({ ...e.message, expected_revision: expected(e) })) });
    outbox.inFlight = 0;
    if (!reply || reply.ok !== true) {
      outbox.failures += 1;
      outbox.reason = reply && reply.error ? reply.error : "";
      outbox.onchange();
      await backOff();
      continue;
    }
    timing("save", performance.now() - began);
    outbox.failures = 0;
    batch.forEach((entry, i) => settle(entry, reply.results[i]));
    persistOutbox();
    outbox.onchange();
  }
  outbox.sending = false;
}

function settle(entry, result) {
  outbox.entries = outbox.entries.filter((e) => e !== entry);
  if (result.ok) {
    outbox.revisions.set(entry.key, result.revision);
    const following = outbox.entries.find((e) => e.key === entry.key);
    if (following) following.base = result.revision;
    outbox.lastSaved = result.saved_at;
    outbox.onsaved(entry, result);
    return;
  }
  // later decisions on the same criterion build on this one: the last of them is what the reviewer wants
  const later = outbox.entries.filter((e) => e.key === entry.key);
  const last = later.length ? later[later.length - 1] : entry;
  outbox.entries = outbox.entries.filter((e) => e.key !== entry.key);
  outbox.parked = outbox.parked.filter((e) => e.key !== entry.key);
  outbox.parked.push({ ...last, conflict: result.conflict || null, error: result.error || null });
}

function backOff() {
  const wait = Math.min(15000, 500 * 2 ** Math.min(outbox.failures - 1, 5)) * (0.8 + Math.random() * 0.4);
  return Promise.race([sleep(wait), new Promise((resolve) => (outbox.wake = resolve))]);
}

// "Keep mine": the parked decision goes again, now knowing what it replaces. "Take theirs": it is dropped.
export function keepMine(parked) {
  outbox.parked = outbox.parked.filter((e) => e !== parked);
  outbox.revisions.set(parked.key, parked.conflict.revision);
  enqueue({ ...parked.message, op_id: makeId() + ".0" });
}

export function dropParked(parked) {
  outbox.parked = outbox.parked.filter((e) => e !== parked);
  persistOutbox();
  outbox.onchange();
}

export function startOutbox() {
  window.addEventListener("online", () => outbox.wake && outbox.wake());
  window.addEventListener("pagehide", () => persistOutbox(true));
  window.addEventListener("beforeunload", (event) => {
    if (outbox.entries.length && outbox.failures && !window.evidenceLeaving) event.preventDefault();
  });
  setInterval(() => (outbox.entries.length || outbox.parked.length) && persistOutbox(), STALE_AFTER_MS / 3);
  adoptOutboxes();
}

export async function drained() {
  for (let i = 0; i < 100 && outbox.entries.length; i += 1) await sleep(30);
}
