// A discussion: what people say about a post or a criterion, as text, and writing to it. Drawn into any box of any page.

import { app } from "./app.js";
import { button, fill, make, makeId } from "./dom.js";
import { localTime } from "./words.js";

const DID = { flagged: "flagged it for the lead", resolved: "resolved it", reopened: "took it up again" };
const UNREACHED = "The server cannot be reached now. What you wrote stays here; try again in a moment.";
const drafts = {}; // what was written and not sent, by subject: closing a box loses nothing
const underway = {}; // what was sent and not answered, by subject: sent again it is the same message, and is kept once

// subject: { post_id, criterion_id }, of a post with the criterion that is open, or of a criterion alone. changed: told what is there now.
export async function drawThread(box, subject, changed) {
  fill(box, make("p", { class: "ev-muted" }, "Loading…"));
  const reply = await asked("thread_read", of(subject));
  if (!reply.ok) return fill(box, make("p", { role: "status" }, reply.error));
  return draw(box, subject, reply, changed);
}

function of({ post_id, criterion_id }) {
  return post_id ? { post_id } : { criterion_id };
}

async function asked(name, message) {
  try {
    return await app[name](message);
  } catch (error) {
    return { ok: false, unreached: true, error: UNREACHED };
  }
}

function draw(box, subject, thread, changed) {
  if (changed) changed(thread);
  const key = JSON.stringify(of(subject));
  const said = make("textarea", { rows: 3, maxlength: 4000, value: drafts[key] || "", "aria-label": "Message. @ and a name speaks to somebody.", placeholder: "@name speaks to somebody", dir: "auto" });
  const trouble = make("p", { class: "ev-said", role: "status", hidden: true });
  let busy = false;

  async function send(what) {
    if (busy) return;
    busy = true;
    const message = sent(key, said.value, what);
    const reply = await asked("thread_say", { ...subject, ...message });
    busy = false;
    if (!reply.unreached) delete underway[key];
    if (!reply.ok) {
      fill(trouble, reply.error);
      trouble.hidden = false;
      return;
    }
    drafts[key] = after(message.text, drafts[key] || "");
    draw(box, subject, reply, changed);
    box.querySelector("textarea").focus();
  }

  said.addEventListener("input", () => (drafts[key] = said.value));
  said.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && (event.preventDefault(), send("said")));
  fill(box,
    thread.partial && make("p", { class: "ev-muted" }, "This post is in a round that is read blind: until it is closed you see what you wrote yourself and what those say who lead it."),
    thread.messages.length ? make("ol", { class: "ev-thread" }, thread.messages.map((message) => line(message, subject, thread.names))) : make("p", { class: "ev-muted" }, "Nothing has been said about it yet."),
    said, trouble,
    make("div", { class: "ev-row" },
      button("Send", () => send("said"), { class: "ev-primary", title: "Ctrl+Enter" }),
      subject.post_id && !thread.flagged && button("Flag for the lead", () => send("flagged")),
      thread.may_resolve && (thread.resolved ? button("Take up again", () => send("reopened")) : button("Resolve", () => send("resolved")))));
}

function sent(key, text, what) {
  const before = underway[key];
  if (!before || before.text !== text || before.what !== what) underway[key] = { text, what, op_id: makeId() };
  return underway[key];
}

// What was typed while the message was on its way.
function after(text, now) {
  return now.startsWith(text) ? now.slice(text.length).trimStart() : now;
}

function line(message, subject, names) {
  const did = DID[message.what];
  return make("li", {},
    make("small", {}, make("b", {}, message.author), did && " " + did, make("span", { class: "ev-muted" }, " · " + localTime(message.at) + (subject.post_id && message.criterion ? " · " + (names[message.criterion] || message.criterion) : ""))),
    message.text && make("p", { dir: "auto" }, message.text));
}
