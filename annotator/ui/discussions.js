// What is being talked about: flagged posts for who leads, what speaks to oneself, what is open and what is resolved.

import { app } from "../span_editor/js/app.js";
import { button, fill, make, mount, part, plural } from "../span_editor/js/dom.js";
import { drawThread } from "../span_editor/js/thread.js";
import { ask, askQuietly, connect } from "./asking.js";

const CHOICES = [["flagged", "Flagged for the lead"], ["mine", "With you"], ["open", "Open"], ["resolved", "Resolved"]];
let chosen = null;
let reply = null;
let turn = 0;

// What was asked last is shown: an earlier question may be answered after it.
async function load() {
  const mine = (turn += 1);
  const found = await ask("thread_list", { wanted: chosen });
  if (!found || mine !== turn) return;
  reply = found;
  chosen = reply.chosen;
  draw();
}

function total(counts) {
  return counts.open + counts.resolved;
}

function draw() {
  const { threads, counts, names } = reply;
  if (!total(counts)) return fill(part("list"), make("h3", {}, "Discussions"), make("p", { class: "ev-muted" }, "Nobody has written anything yet. Begin in Review with Discuss, about the post that is open, also to flag it for the lead; or on Guidelines, about a criterion."));
  return fill(part("list"),
    make("h3", {}, "Discussions" + (counts.new ? `, ${counts.new} new for you` : "")),
    make("div", { class: "ev-row", role: "group", "aria-label": "Which discussions" }, CHOICES.map(([id, label]) => button(`${label} (${counts[id]})`, () => ((chosen = id), load()), { "aria-pressed": id === chosen ? "true" : "false" }))),
    threads.length ? make("ul", { class: "ev-threads" }, threads.map((thread) => row(thread, names))) : make("p", { class: "ev-muted" }, "None."));
}

function row(thread, names) {
  const { post_id, criterion_id, last } = thread;
  const title = post_id ? make("a", { href: "?post=" + encodeURIComponent(post_id) }, post_id) : make("b", {}, names[criterion_id] || criterion_id);
  const about = post_id && last.criterion ? " · " + (names[last.criterion] || last.criterion) : "";
  const state = [thread.new && "new for you", thread.flagged && "flagged", thread.resolved && "resolved", plural(thread.messages, "message")].filter(Boolean).join(" · ");
  const box = make("div", { class: "ev-discussion" });
  const subject = { post_id, criterion_id: post_id ? last.criterion || null : criterion_id };
  const open = make("details", {}, make("summary", {}, make("span", { dir: "auto" }, last.text || "…")), box);
  open.addEventListener("toggle", () => open.open && !box.firstChild && drawThread(box, subject, counted));
  return make("li", {}, make("div", {}, title, make("span", { class: "ev-muted" }, `${about} · ${state} · ${last.author}`)), open);
}

// The numbers follow what was said just now; the row stays where it is being read.
async function counted() {
  const fresh = await askQuietly("thread_list", { wanted: chosen });
  if (!fresh) return;
  const group = part("list").querySelector("[role=group]");
  if (group) CHOICES.forEach(([id, label], n) => fill(group.children[n], `${label} (${fresh.counts[id]})`));
}

export function start(host) {
  mount(host.element);
  connect(app);
  new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && !part("list").contains(document.activeElement) && load()).observe(part("root"));
}
