// The list of posts: filters, a table, and what can be done to the chosen ones.

import { app } from "../span_editor/js/app.js";
import { button, debounce, fill, make, mount, part, plural, sleep } from "../span_editor/js/dom.js";
import { ask, askOnce, askQuietly, connect, tell } from "./asking.js";
import { sureButton } from "./sure.js";

const PAGE_SIZE = 50;
const KEPT = "evidence.posts.filter";
const SCORE = "0 to 1: how sure the model is of its surest mark in the post";
const list = { offset: 0, total: 0, places: [""], posts: [], chosen: new Set(), me: null, choices: null, turn: 0 };

const FIELDS = [
  ["order", "Order", [["newest", "Newest first"], ["uncertain", "Least certain first"], ["evidence", "Most likely evidence first"], ["random", "Random"], ["doubts", "Answers the model doubts"]]],
  ["state", "State", [["any", "All"], ["todo", "To review"], ["skipped", "Skipped"], ["reviewed", "Reviewed by me"], ["outdated", "Decided under an older wording"]]],
  ["criterion", "Criterion", () => [["", "Any"], ...list.choices.criteria.map((c) => [c.id, c.name])]],
  ["verdict", "Verdict", [["", "Any"], ["evidence", "Evidence"], ["no_evidence", "No evidence"], ["unsure", "Unsure"]]],
  ["split", "Split", [["", "Any"], ["train", "train"], ["dev", "dev"], ["test", "test"]]],
  ["source", "Source", () => [["", "Any"], ...list.choices.sources.map((s) => [s, s])]],
  ["reviewer", "Reviewed by", () => [["", "Anybody"], ...list.choices.reviewers.map((r) => [r, r])]],
  ["assigned_to", "Assigned to", () => [["", "Anybody"], ["me", "Me"], ...(list.curator ? list.choices.reviewers.map((r) => [r, r]) : [])]],
];

function choice(name, options, props) {
  return make("select", { name, ...props }, options.map(([value, text]) => make("option", { value }, text)));
}

function drawFilter() {
  const form = part("filter");
  fill(form,
    make("label", { class: "ev-wide" }, "Words in the text", make("input", { type: "search", name: "query", autocomplete: "off" })),
    make("details", { class: "ev-more ev-wide", open: part("root").clientWidth > 700 }, make("summary", {}, "Filters"), make("div", { class: "ev-filter" },
      FIELDS.map(([name, label, options]) => make("label", {}, label, choice(name, typeof options === "function" ? options() : options))),
      [["min_score", "Model's score from"], ["max_score", "Model's score to"]].map(([name, label]) => make("label", {}, label, make("input", { type: "number", name, min: 0, max: 1, step: 0.05, placeholder: name === "min_score" ? "0" : "1", title: SCORE }))))));
  const look = debounce(200, findFirst);
  form.addEventListener("input", look);
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const [name, value] of Object.entries(kept())) if (form.elements[name]) form.elements[name].value = value;
}

// Who opens a post and comes back finds the list as it was left, in this tab.
function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) || "{}");
  } catch (error) {
    return {};
  }
}

function keep(given) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(given));
  } catch (error) {
    return; // no storage: then it begins anew
  }
}

function filter() {
  const given = Object.fromEntries(Array.from(new FormData(part("filter"))).filter(([, value]) => value !== ""));
  for (const name of ["min_score", "max_score"]) if (given[name]) given[name] = Number(given[name]);
  return given;
}

function findFirst() {
  Object.assign(list, { offset: 0, places: [""] });
  return find();
}

// `places[n]` is where page n begins: behind the last post of the page before.
async function find() {
  const turn = (list.turn += 1);
  keep(filter());
  const reply = await ask("posts_find", { filter: filter(), limit: PAGE_SIZE, after: list.places[list.offset / PAGE_SIZE] });
  if (!reply || turn !== list.turn) return;
  Object.assign(list, { total: reply.total, atLeast: reply.at_least, posts: reply.posts });
  if (reply.posts.length) list.places[list.offset / PAGE_SIZE + 1] = reply.posts[reply.posts.length - 1].place;
  drawTable();
  drawBulk();
}

function score(value) {
  return value === null ? "–" : value.toFixed(2);
}

// A column by which the server can order all posts, not only those in view.
function sorter(order, label) {
  const field = part("filter").elements.order;
  const chosen = field.value === order;
  const sort = () => ((field.value = order), findFirst());
  return button(label + (chosen ? " ↓" : ""), sort, { class: "ev-sort", "aria-pressed": chosen ? "true" : "false", title: "Order all posts by this" });
}

function drawTable() {
  const heads = ["", sorter("newest", "Post"), "Text", "Reviewed", sorter("evidence", "Evidence"), sorter("uncertain", "Uncertainty"), "Split", "Source", "Assigned to"];
  const all = make("input", { type: "checkbox", "aria-label": "Choose all on this page", checked: list.posts.length > 0 && list.posts.every((p) => list.chosen.has(p.post_id)) });
  all.addEventListener("change", () => {
    for (const post of list.posts) list.chosen[all.checked ? "add" : "delete"](post.post_id);
    drawTable();
    drawBulk();
  });
  fill(part("table"), list.posts.length ? make("table", {}, make("thead", {}, make("tr", {}, heads.map((text, i) => make("th", { scope: "col" }, i ? text : all)))), make("tbody", {}, list.posts.map(rowOf))) : nothingFound());
  const from = list.total ? list.offset + 1 : 0;
  fill(part("count"), (list.atLeast ? "at least " : "") + plural(list.total, "post") + (list.total > PAGE_SIZE ? ", showing " + from + " to " + (list.offset + list.posts.length) : ""));
  const turnTo = (offset) => () => ((list.offset = offset), find());
  fill(part("pager"), list.total > PAGE_SIZE && [
    button("‹ Previous", turnTo(Math.max(0, list.offset - PAGE_SIZE)), { disabled: list.offset === 0 }),
    button("Next ›", turnTo(list.offset + PAGE_SIZE), { disabled: list.posts.length < PAGE_SIZE || (!list.atLeast && list.offset + PAGE_SIZE >= list.total) })]);
}

function nothingFound() {
  const narrowed = Object.entries(filter()).some(([name, value]) => name !== "order" && !(name === "state" && value === "any"));
  if (!narrowed) return make("p", { class: "ev-empty-list" }, "There are no posts yet. Import some on the Data page.");
  return make("p", { class: "ev-empty-list" }, "No post fits these filters. ", button("Clear the filters", () => (part("filter").reset(), findFirst())));
}

function rowOf(post) {
  const box = make("input", { type: "checkbox", checked: list.chosen.has(post.post_id), "aria-label": "Choose post " + post.post_id });
  box.addEventListener("change", () => {
    list.chosen[box.checked ? "add" : "delete"](post.post_id);
    drawBulk();
  });
  const link = make("a", { href: "?post=" + encodeURIComponent(post.post_id), title: "Review this post" }, post.post_id);
  return make("tr", {},
    make("td", {}, box), make("td", { class: "ev-id" }, link), make("td", { class: "ev-excerpt", dir: "auto" }, make("span", {}, post.excerpt)),
    make("td", {}, post.decided + "/" + post.criteria, make("small", {}, " " + post.state)), make("td", {}, score(post.evidence)), make("td", {}, score(post.uncertainty)),
    make("td", {}, post.split), make("td", {}, post.source || "–"), make("td", { title: post.assigned.join(", ") || null }, post.assigned.join(", ") || "–"));
}

// What is chosen stays chosen when the filters change: the line says how much of it is out of sight.
function chosenText() {
  const count = list.chosen.size;
  const unseen = count - list.posts.filter((p) => list.chosen.has(p.post_id)).length;
  if (!count) return "Choose posts to";
  return plural(count, "post") + " chosen" + (unseen ? ", " + unseen + " not in view" : "");
}

function drawBulk() {
  const count = list.chosen.size;
  const [to, split] = ["Assign to", "Split"].map((name) => (part("bulk").querySelector('[aria-label="' + name + '"]') || {}).value);
  const people = make("select", { "aria-label": "Assign to" }, list.choices.reviewers.filter((r) => list.curator || r === list.me.name).map((r) => make("option", { value: r, selected: r === (to || list.me.name) }, r)));
  const splits = choice("split", [["train", "train"], ["dev", "dev"], ["test", "test"]], { "aria-label": "Split" });
  if (split) splits.value = split;
  const none = { disabled: count === 0 };
  const move = sureButton("Move to split", () => "Move " + plural(count, "post") + " to " + splits.value + "?", () => act("posts_split", { split: splits.value }, "moved"), none);
  splits.addEventListener("change", move.calm);
  fill(part("bulk"),
    make("span", { class: "ev-chosen" }, chosenText()),
    make("span", { class: "ev-row" }, button("Assign to", () => act("posts_assign", { to: people.value }, "assigned"), none), people,
      button("Unassign", () => act("posts_unassign", { from: people.value }, "no longer assigned"), { ...none, title: "These posts are no longer this person's" })),
    list.me.role === "admin" && make("span", { class: "ev-row" }, move, splits),
    list.me.role === "admin" && sureButton("Withdraw", () => "Remove " + plural(count, "post") + " for good, with all that was said?", withdraw, { ...none, title: "For posts whose authors take back their consent: no word of them stays in the database" }),
    button("Predict next", predictNext, { ...none, title: "The model reads these posts before all others" }),
    button("Choose all that fit", chooseAll),
    count > 0 && button("Choose none", () => (list.chosen.clear(), drawTable(), drawBulk())));
}

async function chooseAll() {
  const reply = await ask("posts_ids", { filter: filter() });
  if (!reply) return;
  list.chosen = new Set(reply.ids);
  drawTable();
  drawBulk();
}

async function act(name, message, word) {
  const reply = await askOnce(name, { ...message, post_ids: Array.from(list.chosen) });
  if (!reply) return;
  tell(plural(reply.count, "post") + " " + word + ".");
  find();
}

async function withdraw() {
  const reply = await askOnce("posts_withdraw", { post_ids: Array.from(list.chosen) });
  if (!reply) return;
  list.chosen.clear();
  tell(plural(reply.count, "post") + " removed. " + reply.words, 20_000);
  findFirst();
}

// A few posts are read by the app itself; many are a background job, which is watched here.
async function predictNext() {
  const asked = list.chosen.size;
  const reply = await askOnce("posts_predict", { post_ids: Array.from(list.chosen) });
  if (!reply) return;
  tell(plural(reply.count, "post") + " queued for prediction" + (reply.count < asked ? ", the first of " + asked + " chosen." : "."));
  if (reply.job) watchJob(reply.job);
  else find();
}

const JOB_EVERY_MS = 1500;
const ENDED = {
  done: () => "The chosen posts are predicted.",
  failed: (job) => "The prediction failed: " + (job.error || "see the Retrain page."),
  cancelled: () => "The prediction was stopped. What it had read stays.",
};

async function watchJob(first) {
  if (list.watched) return;
  for (let job = (list.watched = first); job; ) {
    drawJob(job);
    if (ENDED[job.status]) break;
    await sleep(JOB_EVERY_MS);
    const reply = part("root").isConnected && !document.hidden ? await askQuietly("posts_job", { job: job.id }) : null;
    if (reply) job = reply.job;
  }
  list.watched = null;
  find();
}

function drawJob(job) {
  const percent = Math.round(100 * job.progress);
  const ended = ENDED[job.status];
  const text = ended ? ended(job) : job.status === "queued" ? "Prediction of " + plural(job.posts, "post") + " waits for the worker." : "Predicting " + plural(job.posts, "post") + ": " + percent + " %" + (job.message ? " · " + job.message : "");
  const stop = !ended && list.curator && button(job.stopping ? "Stopping…" : "Stop", () => ask("posts_stop", { job: job.id }), { disabled: job.stopping });
  const bar = !ended && make("span", { class: "ev-progress", role: "progressbar", "aria-label": "Prediction", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": percent }, make("i", { style: { width: percent + "%" } }));
  fill(part("job"), make("span", {}, text), bar, stop, ended && button("✕", () => fill(part("job")), { class: "ev-plain", "aria-label": "Hide this line" }));
}

async function begin() {
  const reply = await ask("posts_start");
  if (!reply) return;
  Object.assign(list, { me: reply.me, choices: reply.choices, curator: reply.me.role !== "reviewer" });
  drawFilter();
  await find();
  const job = await ask("posts_job");
  if (job && job.job) watchJob(job.job);
}

export function start(host) {
  mount(host.element);
  connect(app);
  begin();
}
