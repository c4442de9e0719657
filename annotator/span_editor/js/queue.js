// Which post is open. The next one is fetched while this one is read; posts seen lately are kept, so going back is immediate.

import { afterPaint, button, fill, make, part, plural, sleep, write } from "./dom.js";
import { memory } from "./memory.js";
import { ed, openCount, readAnswer, readItem, sameMarks } from "./state.js";
import { perform } from "./actions.js";
import { announce, say, toast, unsay } from "./messages.js";
import { lapClock, timing } from "./clock.js";
import { call, outbox, outboxKey, pendingFor } from "./outbox.js";
import { mountText } from "./text.js";
import { bringEditor } from "./places.js";
import { drawAuthor, drawBar, drawPosition } from "./bar.js";
import { refresh } from "./panels.js";
import { takeExamples } from "./passages.js";
import { activate, beginAt } from "./walk.js";
import { leaveMode } from "./caret.js";
import { leaveField } from "./fields.js";
import { leavePostDialog } from "./dialog.js";

const KEPT_ITEMS = 30;
const SLOW_MS = 600;
const WAITING = "The post is on its way…";
export const DEFAULT_FILTER = { order: "random", state: "todo" };

function keepItem(item) {
  ed.items.delete(item.post.id);
  ed.items.set(item.post.id, item);
  while (ed.items.size > KEPT_ITEMS) ed.items.delete(ed.items.keys().next().value);
}

// What is being written or moved belongs to the post as it is known now.
function leaveOpen() {
  if (!ed.item) return;
  leaveField(null);
  leaveMode();
}

// An item from the server, with the decisions of this browser that are still on their way there.
export function receiveItem(wire) {
  if (ed.item && ed.item.post.id === wire.post.id) leaveOpen(); // it was made without knowing of the revisions that come now
  const item = readItem(wire);
  for (const criterion of [...item.criteria, item.whole]) {
    const key = outboxKey(item.post.id, criterion.id);
    const pending = outbox.entries.filter((e) => e.key === key).pop();
    if (!pending) {
      outbox.revisions.set(key, criterion.revision);
      continue;
    }
    const message = pending.message;
    Object.assign(criterion, readAnswer(item.doc, { ...message, revision: criterion.revision }));
  }
  keepItem(item);
  return item;
}

async function fetchItem(message) {
  const reply = await call("review_item", { ...message, examples_mark: ed.examplesMark });
  if (!reply) return { error: "The server cannot be reached. What you decided is kept in this browser and will be saved." };
  if (!reply.ok) return { error: reply.error };
  takeExamples(reply);
  if (reply.progress && !outbox.entries.length) ed.progress = reply.progress; // what is not saved yet is counted here already
  drawPosition();
  return { item: reply.item ? receiveItem(reply.item) : null };
}

// The next of the queue that was not open on this page yet; once there is none, those left unfinished come again.
async function fetchNext(opened) {
  const here = ed.item ? ed.item.post.id : "";
  const seen = await fetchItem({ next: true, filter: ed.filter, exclude: ed.trail.slice(-500), opened });
  if (seen.error || seen.item || ed.trail.length < 2) return seen;
  return fetchItem({ next: true, filter: ed.filter, exclude: [here] });
}

// Asking for the next one also says which one is open now.
function prefetch(opened) {
  ed.next = { wanted: JSON.stringify(ed.filter), reply: fetchNext(opened) };
}

let turn = 0; // which post was asked for last: an answer that comes after another question opens nothing
let going = 0; // the turn in which the next post is on its way, 0 for none

// Says that a post is on its way where it takes a moment.
async function awaited(reply) {
  const timer = setTimeout(() => say(WAITING), SLOW_MS);
  const answer = await reply;
  clearTimeout(timer);
  unsay(WAITING);
  return answer;
}

export async function openPost(postId, options) {
  const mine = (turn += 1);
  const kept = options && options.fresh ? null : ed.items.get(postId);
  const { item, error } = kept ? { item: kept } : await awaited(fetchItem({ post_id: postId, filter: ed.filter }));
  if (mine !== turn) return false;
  if (error) {
    say(error);
    return false;
  }
  const index = ed.trail.indexOf(postId);
  if (index >= 0) ed.at = index;
  else ed.at = ed.trail.push(postId) - 1;
  show(item);
  return true;
}

export async function goNext() {
  if (going && going === turn) return undefined; // pressed again while it is on its way: still the next one
  const taken = takeNext();
  const mine = (going = turn);
  try {
    return await taken;
  } finally {
    if (going === mine) going = 0;
  }
}

async function takeNext() {
  const began = performance.now();
  if (ed.at + 1 < ed.trail.length) {
    await openPost(ed.trail[ed.at + 1]);
    return timing("next", performance.now() - began);
  }
  const mine = (turn += 1);
  const prepared = ed.next && ed.next.wanted === JSON.stringify(ed.filter) ? ed.next.reply : null;
  ed.next = null;
  let { item, error } = await awaited(prepared || fetchNext());
  if ((error || !item) && prepared) ({ item, error } = await awaited(fetchNext()));
  if (mine !== turn) return undefined;
  if (error) return say(error);
  if (!item) return nothingLeft();
  if (ed.trail[ed.trail.length - 1] !== item.post.id) ed.trail.push(item.post.id);
  ed.at = ed.trail.length - 1;
  show(item);
  requestAnimationFrame(() => timing("next", performance.now() - began));
  return undefined;
}

export async function goPrevious() {
  if (!ed.item && ed.at >= 0) return openPost(ed.trail[ed.at]); // the queue is at its end: back to what was open
  if (ed.at <= 0) return say("This is the first post that you opened.");
  return openPost(ed.trail[ed.at - 1]);
}

export async function skipPost() {
  const { item } = ed;
  const reply = await call("review_skip", { post_id: item.post.id });
  if (!reply || !reply.ok) return say("The post could not be put off now: " + ((reply && reply.error) || "no connection."));
  toast("Skipped. It stays in the queue under “skipped”.");
  return ed.item === item ? goNext() : undefined;
}

export async function assignToMe() {
  const reply = await call("review_assign", { post_id: ed.item.post.id });
  return say(reply && reply.ok ? "This post is assigned to you." : "The post could not be assigned: " + ((reply && reply.error) || "no connection."));
}

export function show(item) {
  if (!item.criteria.length) return nothingToShow("There are no criteria yet. Add them on the Guidelines or the Data page.");
  if (ed.item !== item) leavePostDialog();
  leaveOpen();
  ed.item = item;
  ed.draft = null;
  ed.pending = null;
  beginAt(item);
  lapClock();
  part("root").dataset.state = "ready";
  part("root").dataset.shown = Number(part("root").dataset.shown || 0) + 1; // how many posts have been shown
  part("scroll").scrollTop = 0;
  part("why").hidden = !item.why;
  write(part("why"), item.why || "");
  part("language").hidden = !item.language;
  write(part("language"), item.language || "");
  drawAuthor();
  mountText(item);
  refresh();
  bringEditor();
  announce("Post " + item.post.id + ". " + plural(openCount(item), "criterion").replace("criterions", "criteria") + " open.");
  const last = ed.at === ed.trail.length - 1;
  if (last) ed.next = null;
  afterPaint(() => {
    if (last && ed.item === item) prefetch(item.post.id);
    else call("review_opened", { post_id: item.post.id });
  });
  return watchModel(item);
}

const comesBySelf = (model) => model.missing && (model.status === "loading" || model.status.startsWith("reading"));

// While the model loads, or reads a long post, the post can be read and reviewed; its spans come in as soon as they are there.
async function watchModel(item) {
  while (ed.item === item && comesBySelf(item.model)) {
    await sleep(1500);
    const reply = await call("review_item", { post_id: item.post.id, filter: ed.filter });
    if (ed.item !== item || !reply || !reply.ok || !reply.item) continue;
    item.model = reply.item.model;
    for (const wire of reply.item.criteria) takePrediction(item, wire);
    const untouched = !ed.mark && !ed.pending && ed.mode === "review" && item.criteria.every((c) => !c.verdict && !c.revision);
    if (untouched) beginAt(item); // what the model says is seen at once, also when it comes late
    refresh();
  }
}

// A new model was put into service while this post is open: what nobody has decided is shown as that model reads it.
export async function askNewModel(status) {
  const { item } = ed;
  if (!item || status.state !== "ready" || !item.model.version || status.version === item.model.version) return;
  const reply = await call("review_item", { post_id: item.post.id, filter: ed.filter });
  if (ed.item !== item || !reply || !reply.ok || !reply.item || reply.item.model.version === item.model.version) return;
  item.model = reply.item.model;
  const taken = reply.item.criteria.filter((wire) => takePrediction(item, wire)).length;
  if (taken) say("Model " + item.model.version + " is in service now and has read this post: what you have not decided shows its marks.");
  refresh();
}

function takePrediction(item, wire) {
  const criterion = item.criteria.find((c) => c.id === wire.id);
  if (!criterion || !wire.predicted) return false;
  Object.assign(criterion, { predicted: true, known: wire.known, hint: wire.hint });
  const untouched = criterion.verdict === null && !criterion.revision && criterion.marks.every((m) => m.state === "undecided");
  if (!untouched || pendingFor(item.post.id).some((e) => e.message.criterion_id === wire.id)) return false;
  const chosen = criterion.marks.some((m) => m.id === ed.mark);
  const answer = readAnswer(item.doc, wire);
  const same = sameMarks(answer.marks, criterion.marks);
  Object.assign(criterion, answer, same && { marks: criterion.marks }); // the same again: what is chosen and looked at stays
  if (!same && criterion.index === ed.active && (chosen || !ed.mark)) activate(ed.active);
  return true;
}

export function nothingLeft() {
  ed.next = null;
  if (ed.item && openCount(ed.item)) return say("This is the last post of the queue.");
  if (ed.filter.order === "doubts") return nothingToShow("The model doubts no answer now. After a change of model or many decisions it looks again, which takes a minute.", button("Show all posts to review", () => changeFilter({}), { class: "ev-primary" }));
  const narrowed = Object.entries(ed.filter).some(([name, value]) => name !== "order" && value !== "" && value !== DEFAULT_FILTER[name]);
  if (ed.progress && !ed.progress.posts) return nothingToShow("There are no posts yet. Import some on the Data page.");
  const look = button("Choose another queue", () => perform("search"));
  if (narrowed) return nothingToShow("No post is left in this queue.", button("Show all posts to review", () => changeFilter({}), { class: "ev-primary" }), look);
  return nothingToShow("Nothing is left to review. Import more posts on the Data page, or choose the posts that are reviewed.", look);
}

function nothingToShow(text, ...ways) {
  ed.item = null;
  part("root").dataset.state = "empty";
  fill(part("empty"), make("span", {}, text), ways.length ? make("span", { class: "ev-row" }, ways) : null);
  drawBar();
  announce(text);
}

export async function changeFilter(filter) {
  ed.filter = filter;
  memory.write("filter", { ...filter, query: "" });
  ed.next = null;
  const mine = (turn += 1);
  const { item, error } = await awaited(fetchItem({ next: true, filter, exclude: [] }));
  if (mine !== turn) return undefined;
  if (error) return say(error);
  if (!item) {
    ed.item = null;
    return nothingLeft();
  }
  if (!ed.item || item.post.id !== ed.item.post.id) {
    ed.trail = ed.trail.slice(0, ed.at + 1);
    ed.at = ed.trail.push(item.post.id) - 1;
  }
  return show(ed.items.get(item.post.id) || item);
}
