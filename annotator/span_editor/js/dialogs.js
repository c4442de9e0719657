// What opens over the page: help and keys, history, search and queue, conflicts.

function openDialog(title, ...content) {
  const dialog = part("dialog");
  fill(part("dialog-title"), title);
  fill(part("dialog-body"), content);
  if (!dialog.open) dialog.showModal();
  return dialog;
}

function closeDialog() {
  part("dialog").close();
}

function focusRoot() {
  part("root").focus({ preventScroll: true });
}

// --- help and keys

let listening = null; // takes the next key, while a new one is being chosen

function openHelp(said) {
  openDialog(
    "Keys",
    said && h("p", { class: "ev-said", role: "status" }, said),
    h("p", { class: "ev-muted" }, "Choose a key to change it. Digits choose a criterion, Ctrl+Z undoes. A click on a span chooses it; selecting text adds a span; double click takes the word, triple click the sentence; the edges of the chosen span can be dragged."),
    h("ul", { class: "ev-keys" }, ACTIONS.map(keyRow)),
    h("h3", {}, "In the text"),
    h("p", {}, "Caret (" + shownKey(keyOf("caret")) + ") and edges (" + shownKey(keyOf("edges")) + "): arrows left and right move by character, with Ctrl or Alt by word, up and down by sentence. In the caret mode Shift selects and Space takes the word, then the sentence; in the edge mode Shift moves the start."),
    h("p", { class: "ev-row" }, button("Set all keys back", resetKeys), breakChoice()),
  );
}

function keyRow([id, , text]) {
  const change = button(shownKey(keyOf(id)), () => listenForKey(id, change), { class: "ev-key", "data-key": id, "aria-label": text + ": key " + keyOf(id) + ". Change" });
  return h("li", {}, change, h("span", {}, text));
}

function listenForKey(id, node) {
  stopListening();
  node.textContent = "…";
  announce("Press the new key, or Escape.");
  listening = (event) => {
    if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const at = part("dialog-body").scrollTop;
    stopListening();
    openHelp(event.key === "Escape" ? "" : setKey(id, event));
    part("dialog-body").scrollTop = at;
    part("dialog-body").querySelector('[data-key="' + id + '"]').focus({ preventScroll: true });
  };
  window.addEventListener("keydown", listening, true);
}

function stopListening() {
  if (!listening) return;
  window.removeEventListener("keydown", listening, true);
  listening = null;
  for (const node of part("dialog-body").querySelectorAll("[data-key]")) write(node, shownKey(keyOf(node.dataset.key)));
}

// Gives the action its key, and says what else that changes.
function setKey(id, event) {
  const name = keyName(event);
  if (event.ctrlKey || event.altKey || event.metaKey || /^([1-9]|(Shift\+)?Tab)$/.test(name)) return "That key has its own meaning and cannot be given away.";
  const other = ACTIONS.find(([key]) => key !== id && keyOf(key) === name);
  const freed = keyOf(id);
  if (other) settings.keys[other[0]] = freed; // swap, so that no action is left without a key
  settings.keys[id] = name;
  saveSettings();
  drawActions();
  if (ed.item) refresh();
  else drawBar();
  return other ? "“" + other[2] + "” had that key; it has “" + shownKey(freed) + "” now." : "";
}

function resetKeys() {
  settings.keys = {};
  saveSettings();
  drawActions();
  if (ed.item) refresh();
  else drawBar();
  openHelp("All keys are as they were at first.");
}

// --- history

async function openHistory() {
  openDialog("History of this post", h("p", {}, "Loading…"));
  await drained();
  const reply = await call("review_history", { post_id: ed.item.post.id });
  if (!reply || !reply.ok) return openDialog("History of this post", h("p", {}, (reply && reply.error) || "The server cannot be reached now."));
  const rows = reply.history.map(historyRow);
  return openDialog("History of this post", rows.length ? h("ol", { class: "ev-history" }, rows) : h("p", {}, "Nothing has been decided on this post yet."));
}

function historyRow(entry) {
  const spans = entry.spans.length ? plural(entry.spans.length, "span") : "";
  const what = [entry.verdict ? VERDICT_WORD[entry.verdict] : "open", spans, entry.rejected ? entry.rejected + " rejected" : ""].filter(Boolean).join(", ");
  const how = entry.undoes ? "undo" : entry.restored_from ? "restored" : "";
  return h("li", {},
    h("div", {}, h("b", {}, entry.criterion), " ", h("span", {}, what), how && h("em", {}, " (" + how + ")")),
    h("small", { class: "ev-muted" }, [entry.reviewer, localTime(entry.at), "wording " + entry.criterion_version, entry.model_version && "model " + entry.model_version, entry.seconds !== null && entry.seconds + " s"].filter(Boolean).join(" · ")),
    entry.note && h("p", {}, entry.note),
    button("Restore", () => restoreRevision(entry), { "aria-label": "Restore " + entry.criterion + " as of revision " + entry.revision + " by " + entry.reviewer }));
}

function localTime(at) {
  return at ? new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : "";
}

async function restoreRevision(entry) {
  const key = outboxKey(ed.item.post.id, entry.criterion_id);
  const reply = await call("review_restore", { annotation_id: entry.id, expected_revision: outbox.revisions.get(key) || 0, op_id: makeId() + ".0" });
  closeDialog();
  if (!reply || !reply.ok) return say("It could not be restored: " + ((reply && (reply.error || (reply.conflict && reply.conflict.message))) || "no connection."));
  local.undo.push({ server: true });
  local.redo = [];
  await openPost(ed.item.post.id, { fresh: true });
  activate(Math.max(0, ed.item.criteria.findIndex((c) => c.id === entry.criterion_id)));
  refresh();
  return toast("Restored: " + entry.criterion);
}

// --- search and queue

const FILTER_FIELDS = [
  ["order", "Order", [["uncertain", "Least certain first"], ["evidence", "Most likely evidence first"], ["disagreement", "Model and baseline disagree"], ["newest", "Newest first"], ["random", "Random"]]],
  ["state", "State", [["todo", "To review"], ["skipped", "Skipped"], ["reviewed", "Reviewed by me"], ["any", "All posts"]]],
  ["criterion", "Criterion", null],
  ["verdict", "Verdict", [["", "Any"], ["evidence", "Evidence"], ["no_evidence", "No evidence"], ["unsure", "Unsure"]]],
  ["split", "Split", [["", "Any"], ["train", "train"], ["dev", "dev"], ["test", "test"]]],
  ["source", "Source", null],
  ["reviewer", "Reviewed by", null],
  ["assigned_to", "Assigned to", null],
];

function filterChoices(name) {
  const named = FILTER_FIELDS.find((f) => f[0] === name)[2];
  if (named) return named;
  if (name === "criterion") return [["", "Any"], ...ed.choices.criteria.map((c) => [c.id, c.name])];
  if (name === "source") return [["", "Any"], ...ed.choices.sources.map((s) => [s, s])];
  const people = ed.choices.reviewers.map((r) => [r, r]);
  return name === "reviewer" ? [["", "Anybody"], ...people] : [["", "Anybody"], ["me", "Me"], ...people];
}

function openQueue() {
  const form = h("form", { class: "ev-filter" },
    h("label", { class: "ev-wide" }, "Words in the text", h("input", { type: "text", inputmode: "search", name: "query", value: ed.filter.query || "", autocomplete: "off" })),
    FILTER_FIELDS.map(([name, label]) => h("label", {}, label, h("select", { name }, filterChoices(name).map(([value, text]) => h("option", { value, selected: (ed.filter[name] || "") === value }, text))))),
    ["min_score", "max_score"].map((name) => h("label", {}, name === "min_score" ? "Score from" : "Score to", h("input", { type: "number", name, min: 0, max: 1, step: 0.05, value: ed.filter[name] ?? "" }))),
    h("div", { class: "ev-row ev-wide" }, h("button", { type: "submit", class: "ev-primary" }, "Review these"), button("Clear", () => form.reset() || clearForm(form))),
  );
  const results = h("div", { class: "ev-results", "aria-live": "polite" });
  const look = debounce(150, () => showResults(form, results));
  form.addEventListener("input", look);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    closeDialog();
    changeFilter(readForm(form));
  });
  openDialog("Search and queue", form, results);
  form.querySelector("input").focus();
  showResults(form, results);
}

function clearForm(form) {
  for (const field of form.elements) if (field.name) field.value = DEFAULT_FILTER[field.name] || "";
  form.dispatchEvent(new Event("input"));
}

function readForm(form) {
  const filter = Object.fromEntries(Array.from(new FormData(form)).filter(([, value]) => value !== ""));
  for (const name of ["min_score", "max_score"]) if (filter[name]) filter[name] = Number(filter[name]);
  return filter;
}

async function showResults(form, results) {
  const turn = (results.turn = (results.turn || 0) + 1);
  const reply = await call("review_find", { filter: readForm(form), limit: 30 });
  if (results.turn !== turn) return;
  if (!reply || !reply.ok) return fill(results, h("p", {}, (reply && reply.error) || "The server cannot be reached now."));
  const open = (post) => () => {
    closeDialog();
    openPost(post.post_id);
  };
  if (!reply.total) return fill(results, h("p", { class: "ev-muted" }, "No post matches."));
  fill(results,
    h("p", { class: "ev-muted" }, plural(reply.total, "post") + (reply.total > reply.posts.length ? ", the first " + reply.posts.length + ":" : ":")),
    h("ul", {}, reply.posts.map((post) => h("li", {}, button([h("b", {}, post.post_id), h("span", { dir: "auto" }, post.excerpt), h("small", {}, post.state + " · " + post.decided + "/" + post.criteria)], open(post))))));
}

// --- conflicts and refused decisions

function drawConflicts() {
  const key = outbox.parked.map((e) => e.message.op_id).join();
  fillOnce(part("conflicts"), key, () => outbox.parked.map((parked) => (parked.conflict ? conflictBox(parked) : refusedBox(parked))));
}

function criterionName(id) {
  const found = ed.choices && ed.choices.criteria.find((c) => c.id === id);
  return found ? found.name : id;
}

function answerText(wire) {
  const spans = wire.spans.length ? ", " + plural(wire.spans.length, "span") : "";
  return (wire.verdict ? VERDICT_WORD[wire.verdict] : "open") + spans;
}

function conflictBox(parked) {
  const { message, conflict } = parked;
  const text = "“" + criterionName(message.criterion_id) + "” of post " + message.post_id + " was changed in another tab or session" + (conflict.saved_at ? " (" + localTime(conflict.saved_at) + ")" : "") + ": " + answerText(conflict) + ". Yours here: " + answerText(message) + ".";
  return h("div", { class: "ev-notice ev-warn", role: "alert" }, h("p", {}, text), h("div", { class: "ev-row" },
    button("Keep mine", () => keepMine(parked), { class: "ev-primary" }),
    button("Take theirs", () => takeTheirs(parked))));
}

function refusedBox(parked) {
  const { message } = parked;
  return h("div", { class: "ev-notice ev-warn", role: "alert" }, h("p", {}, "A decision on " + criterionName(message.criterion_id) + " in post " + message.post_id + " could not be saved: " + parked.error), h("div", { class: "ev-row" },
    button("Drop it and load the post again", () => takeTheirs(parked))));
}

async function takeTheirs(parked) {
  dropParked(parked);
  ed.items.delete(parked.message.post_id);
  if (ed.item && ed.item.post.id === parked.message.post_id) await openPost(parked.message.post_id, { fresh: true });
}
