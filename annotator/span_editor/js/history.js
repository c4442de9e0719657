// Who decided what on this post, and bringing an earlier answer back.

import { button, fill, make, makeId, plural } from "./dom.js";
import { ed } from "./state.js";
import { say, toast } from "./messages.js";
import { localTime, VERDICT_WORD } from "./words.js";
import { call, drained, outbox, outboxKey } from "./outbox.js";
import { refresh } from "./panels.js";
import { hasSaid, labelsText, saidText } from "./said.js";
import { activate } from "./walk.js";
import { openPost } from "./queue.js";
import { local } from "./decide.js";
import { closeDialog, openPostDialog } from "./dialog.js";

export async function openHistory() {
  const box = make("div", {}, "Loading…"); // filled when the answer comes, whether it is still looked at or not
  openPostDialog("History of this post", box);
  const { post } = ed.item;
  await drained();
  const reply = await call("review_history", { post_id: post.id });
  if (!reply || !reply.ok) return fill(box, make("p", {}, (reply && reply.error) || "The server cannot be reached now."));
  const rows = [...reply.decisions.map(decisionRow), ...reply.history.map(historyRow)];
  return fill(box, rows.length ? make("ol", { class: "ev-history" }, rows) : make("p", {}, "Nothing has been decided on this post yet."));
}

function historyRow(entry) {
  const spans = entry.spans.length ? plural(entry.spans.length, "span") : "";
  const labels = labelsText(entry.labels);
  const what = [entry.verdict ? VERDICT_WORD[entry.verdict] : labels || "open", spans, entry.rejected.length ? entry.rejected.length + " rejected" : ""].filter(Boolean).join(", ");
  const how = entry.undoes ? "undo" : entry.restored_from ? "restored" : entry.bulk ? "confirmed together with others" : "";
  return make("li", {},
    make("div", {}, make("b", {}, entry.criterion), " ", make("span", {}, what), how && make("em", {}, " (" + how + ")")),
    make("small", { class: "ev-muted" }, [entry.reviewer, localTime(entry.at), "wording " + entry.criterion_version, entry.model_version && "model " + entry.model_version, entry.seconds !== null && entry.seconds + " s"].filter(Boolean).join(" · ")),
    entry.quotes.map((words, n) => make("div", {}, make("q", { dir: "auto" }, words), hasSaid(entry.said[n]) && make("small", { class: "ev-what", dir: "auto" }, saidText(entry.said[n])))),
    entry.rejected.map((words) => make("q", { class: "ev-rejected-words", dir: "auto" }, words)),
    entry.note && make("p", {}, entry.note),
    button("Restore", () => restoreRevision(entry), { "aria-label": "Restore " + entry.criterion + " as of revision " + entry.revision + " by " + entry.reviewer }));
}

// A decision about everybody's answers: it holds whatever they said.
function decisionRow(entry) {
  return make("li", {},
    make("div", {}, make("b", {}, entry.criterion), " ", make("span", {}, "adjudicated: " + entry.outcome.replaceAll("_", " "))),
    make("small", { class: "ev-muted" }, [entry.by, localTime(entry.at), entry.error_kind].filter(Boolean).join(" · ")),
    entry.quotes.map((words) => make("q", { dir: "auto" }, words)),
    entry.reason && make("p", { dir: "auto" }, entry.reason));
}

async function restoreRevision(entry) {
  const { post } = ed.item;
  closeDialog();
  const key = outboxKey(post.id, entry.criterion_id);
  const reply = await call("review_restore", { annotation_id: entry.id, expected_revision: outbox.revisions.get(key) || 0, op_id: makeId() + ".0" });
  if (!reply || !reply.ok) return say("It could not be restored: " + ((reply && (reply.error || (reply.conflict && reply.conflict.message))) || "no connection."));
  local.undo.push({ server: true });
  local.redo = [];
  if (ed.item.post.id !== post.id) return toast("Restored: " + entry.criterion + " of post " + post.id);
  await openPost(post.id, { fresh: true });
  activate(Math.max(0, ed.item.criteria.findIndex((c) => c.id === entry.criterion_id)));
  refresh();
  return toast("Restored: " + entry.criterion);
}
