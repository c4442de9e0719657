// Everything around the text: the bar, the list of criteria, the active criterion, messages.

const VERDICT_SIGN = { evidence: "✓", no_evidence: "∅", unsure: "?" };
const SAVING_IS_SLOW_MS = 300;
const KEY_SIGNS = { "Shift+": "⇧", Enter: "⏎", Backspace: "⌫", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
const VERDICT_WORD = { evidence: "evidence", no_evidence: "no evidence", unsure: "unsure" };

// Everything is written first; only then is asked where things are, so that the browser lays the page out once.
function refresh() {
  if (!ed.item) return;
  drawText();
  drawCriteria();
  drawDetail();
  drawBar();
  const mark = activeMark();
  revealRow();
  if (mark && ed.moved) {
    revealMarkRow();
    reveal(mark.start, mark.end);
  }
  ed.moved = false;
}

// --- messages

const announce = (() => {
  let turn = 0;
  return (text) => {
    turn += 1;
    part("live").textContent = text + (turn % 2 ? "\u00a0" : ""); // a change is what is read out
  };
})();

function say(text) {
  toast(text);
}

function toast(text, label, action) {
  const box = part("toast");
  clearTimeout(box.timer);
  const act = label && button([label, keyHint("undo")], () => ((box.hidden = true), action()), { class: "ev-link" });
  fill(box, h("span", {}, text), act);
  box.hidden = false;
  box.timer = setTimeout(() => (box.hidden = true), label ? 8000 : 4500);
  announce(text);
}

function keyHint(action) {
  return h("kbd", { "aria-hidden": "true" }, shownKey(keyOf(action)));
}

function shownKey(key) {
  return Object.entries(KEY_SIGNS).reduce((shown, [name, sign]) => shown.replace(name, sign), key === " " ? "Space" : key);
}

function actionButton(action, label, props) {
  const entry = ACTIONS.find((a) => a[0] === action);
  const run = () => ed.me && (ed.item || WITHOUT_POST.has(action)) && entry[3]();
  return button([h("span", {}, label), keyHint(action)], run, { "data-action": action, title: entry[2], ...props });
}

// --- bar

function drawBar() {
  drawPosition();
  drawSaved();
  drawMode();
  for (const name of ["others", "blur"]) {
    const toggle = part("tools").querySelector('[data-action="' + name + '"]');
    if (toggle) toggle.setAttribute("aria-pressed", ed.shown[name] ? "true" : "false");
  }
  for (const node of part("bar").querySelectorAll("[data-action]")) node.disabled = !ed.item && !WITHOUT_POST.has(node.dataset.action);
}

function drawPosition() {
  const { progress, item } = ed;
  const done = progress && progress.posts ? Math.round((100 * progress.reviewed) / progress.posts) : 0;
  const id = item ? item.post.id : "";
  fillOnce(part("position"), JSON.stringify([id, progress]), () => [
    id ? h("a", { class: "ev-post-id", href: "?post=" + encodeURIComponent(id), title: "Link to this post: " + id }, id) : h("strong", { class: "ev-post-id" }, "Review"),
    progress && h("span", { class: "ev-muted" }, progress.reviewed + " of " + progress.posts + " reviewed · " + progress.left + " left"),
    progress && h("span", { class: "ev-progress", "aria-hidden": "true" }, h("i", { style: { width: done + "%" } })),
  ]);
}

function savedState() {
  if (outbox.parked.length) return ["conflict", "needs your choice"];
  const waiting = outbox.entries.length;
  if (waiting && outbox.failures) return ["offline", waiting + " not saved yet"]; // short: the bar must not break into two lines
  if (waiting) return ["saving", "Saving…"];
  return ["saved", outbox.lastSaved ? "Saved" : "All saved"];
}

// A save that is quick does not flicker: "Saving" is written once it has taken a moment.
function drawSaved() {
  const [state, text] = savedState();
  const node = part("saved");
  node.dataset.saved = state;
  if (state === "saving") node.timer = node.timer || setTimeout(() => write(node, savedState()[1]), SAVING_IS_SLOW_MS);
  else {
    clearTimeout(node.timer);
    node.timer = 0;
    write(node, text);
  }
  node.title = state === "offline" ? (outbox.reason || "The server does not answer.") + " Your decisions wait in this browser and are sent again." : "";
}

function drawMode() {
  const hints = {
    review: "",
    caret: "Caret: ← → character · Ctrl word · ↑ ↓ sentence · Shift selects · Space word, sentence · Enter adds · Esc leaves",
    edges: "Edges: ← → end by character · Ctrl by word · ↑ ↓ by sentence · Shift moves the start · Enter keeps · Esc leaves",
  };
  write(part("mode"), hints[ed.mode]);
  part("mode").hidden = ed.mode === "review";
  write(part("snap"), "Snap: " + settings.snap);
}

// --- criteria

function stateText(criterion) {
  if (criterion.verdict) return verdictText(criterion.verdict, criterion.marks);
  const open = criterion.marks.filter((m) => m.state === "undecided").length;
  if (open) return plural(open, "predicted span") + " to check";
  if (criterion.marks.length) return "in progress";
  if (criterion.known === false) return "the model does not know this criterion";
  return criterion.predicted ? "nothing predicted" : "not predicted yet";
}

function stateSign(criterion) {
  const own = criterion.marks.filter(isOwn).length;
  const open = criterion.marks.filter((m) => m.state === "undecided").length;
  if (criterion.verdict) return [VERDICT_SIGN[criterion.verdict], own ? String(own) : ""];
  if (open) return ["○", own ? own + "/" + (own + open) : String(open)];
  return ["·", ""];
}

function drawCriteria() {
  const list = part("criteria");
  if (list.item !== ed.item) {
    list.item = ed.item;
    fill(list, ed.item.criteria.map(criterionRow));
  }
  ed.item.criteria.forEach((criterion, index) => {
    const row = list.children[index];
    const key = [index === ed.active, criterion.verdict, stateText(criterion), stateSign(criterion).join()].join("|");
    if (row.key === key) return;
    row.key = key;
    const [sign, count] = stateSign(criterion);
    row.classList.toggle("ev-active", index === ed.active);
    row.dataset.verdict = criterion.verdict || (criterion.marks.length ? "open" : "blank");
    row.firstChild.setAttribute("aria-current", index === ed.active ? "true" : "false");
    row.firstChild.setAttribute("aria-label", index + 1 + ". " + criterion.name + ": " + stateText(criterion));
    fill(row.querySelector(".ev-state"), h("b", {}, sign), count);
  });
}

// In narrow windows the criteria are a strip that scrolls sideways.
function revealRow() {
  const list = part("criteria");
  if (ed.moved && list.scrollWidth > list.clientWidth) list.scrollLeft = list.children[ed.active].offsetLeft - list.offsetLeft - 12;
}

function revealMarkRow() {
  const list = part("marks");
  const chosen = list.rows.get(ed.mark);
  if (chosen && list.scrollHeight > list.clientHeight) list.scrollTop = chosen.node.offsetTop - list.clientHeight / 3;
}

function criterionRow(criterion) {
  const [image, size] = patternOf(criterion.index);
  const swatch = h("i", { class: "ev-swatch", style: { "background-image": image, "background-size": size } });
  return h(
    "li",
    { style: { "--c": colorOf(criterion.index) } },
    button(
      [h("span", { class: "ev-number" }, criterion.index + 1), h("span", { class: "ev-name" }, criterion.name, swatch), h("span", { class: "ev-state" })],
      () => chooseCriterion(criterion.index),
      { class: "ev-criterion" },
    ),
  );
}

// --- the active criterion

function drawDetail() {
  const criterion = activeCriterion();
  const box = part("detail");
  const typing = box.contains(document.activeElement) && document.activeElement.tagName === "TEXTAREA" && box.criterion === criterion;
  if (box.criterion !== criterion) box.style.setProperty("--c", colorOf(criterion.index));
  fillOnce(part("detail-head"), [criterion.index, criterion.name, criterion.verdict].join("|"), () => [
    h("span", { class: "ev-number" }, criterion.index + 1), h("h2", {}, criterion.name), verdictBadge(criterion)]);
  write(part("model-line"), modelLine(criterion));
  drawMarks(criterion);
  if (box.criterion !== criterion) write(part("guideline-text"), unwrapped(criterion.guideline));
  if (part("guideline").open !== settings.guideline) part("guideline").open = settings.guideline;
  write(part("wording"), wordingLine(criterion));
  if (!typing && part("note").value !== criterion.note) part("note").value = criterion.note || "";
  fillOnce(part("others-list"), JSON.stringify(criterion.others), () => criterion.others.map(otherLine));
  box.criterion = criterion;
  const mark = activeMark();
  part("tighten").hidden = !coreOf(mark);
  part("quick").hidden = !(mark && mark.state === "undecided");
  part("verdicts").toggleAttribute("data-same", isOpen(criterion) && !criterion.marks.length);
  part("edges").disabled = !mark;
  for (const name of ["none", "unsure"]) {
    const wanted = name === "none" ? "no_evidence" : "unsure";
    part(name).setAttribute("aria-pressed", criterion.verdict === wanted ? "true" : "false");
  }
  write(part("confirm").firstChild, confirmLabel(criterion));
}

function confirmLabel(criterion) {
  if (!isOpen(criterion)) return openCount(ed.item) ? "Next open criterion" : "Next post";
  const open = criterion.marks.filter((m) => m.state === "undecided").length;
  if (open) return open === 1 ? "Accept" : "Accept all " + open;
  return "Confirm: no evidence";
}

function verdictBadge(criterion) {
  if (!criterion.verdict) return h("span", { class: "ev-badge" }, "open");
  return h("span", { class: "ev-badge", "data-verdict": criterion.verdict }, VERDICT_SIGN[criterion.verdict] + " " + VERDICT_WORD[criterion.verdict]);
}

function modelLine(criterion) {
  const { model } = ed.item;
  if (criterion.known === false) return "The model was not trained on this criterion. Mark what you find yourself.";
  if (!criterion.predicted) {
    if (model.status === "loading") return "The model is still loading. You can begin; its spans come in by themselves.";
    return model.status === "none" ? "No model is in service. Mark what you find yourself." : "Not predicted (" + model.status + "). Mark what you find yourself.";
  }
  const percent = Math.min(99, Math.max(1, Math.round(100 * (1 - criterion.sure)))); // a model is never certain
  const found = criterion.marks.filter((m) => m.predicted).length;
  return found
    ? "The model expects evidence (" + percent + " %) and marks " + plural(found, "span") + "."
    : "The model finds nothing here (evidence " + percent + " %).";
}

function wordingLine(criterion) {
  const decided = criterion.decidedOn;
  if (decided && decided !== criterion.version) return "You decided on wording " + decided + "; the wording is now " + criterion.version + ".";
  return "Wording " + criterion.version;
}

// Rows that have not changed stay: a criterion may have hundreds of spans.
function drawMarks(criterion) {
  const list = part("marks");
  const before = list.rows || new Map();
  list.rows = new Map();
  for (const mark of criterion.marks) {
    const key = [mark.state, mark.start, mark.end, mark.id === ed.mark].join();
    const old = before.get(mark.id);
    const row = old && old.key === key ? old : { key, node: markRow(mark) };
    if (old && old !== row) old.node.replaceWith(row.node);
    list.rows.set(mark.id, row);
  }
  for (const [id, row] of before) if (!list.rows.has(id)) row.node.remove();
  let place = list.firstChild;
  for (const { node } of list.rows.values()) {
    if (node === place) place = place.nextSibling;
    else list.insertBefore(node, place);
  }
}

function markRow(mark) {
  const score = mark.predicted && mark.predicted[2] !== null ? mark.predicted[2].toFixed(2) : "";
  const word = { undecided: "predicted", accepted: "accepted", adjusted: "adjusted", added: "added by you", rejected: "rejected" }[mark.state];
  const act = (verb) => () => {
    ed.mark = mark.id;
    decideMark(verb);
  };
  const text = shortQuote(mark);
  const choose = () => {
    ed.mark = mark.id;
    ed.moved = true;
    refresh();
  };
  return h(
    "li",
    { class: "ev-mark ev-" + mark.state + (mark.id === ed.mark ? " ev-current" : "") },
    button([h("span", { class: "ev-quote", dir: "auto" }, text), h("small", {}, [word, score].filter(Boolean).join(" · "))], choose, { class: "ev-mark-text", "aria-pressed": mark.id === ed.mark ? "true" : "false" }),
    mark.state === "undecided" || mark.state === "rejected" ? button("✓", act("accept"), { class: "ev-yes", "aria-label": "Accept " + text, title: "Accept" }) : null,
    mark.state !== "rejected" ? button("✕", act("reject"), { class: "ev-no", "aria-label": (mark.predicted ? "Reject " : "Remove ") + text, title: mark.predicted ? "Reject" : "Remove" }) : null,
    mark.predicted && mark.state !== "undecided" ? button("↺", act("reopen"), { class: "ev-back", "aria-label": "Take back " + text, title: "Take back" }) : null,
  );
}

function otherLine(other) {
  const spans = other.spans.length ? " (" + plural(other.spans.length, "span") + ")" : "";
  return h("li", {}, h("b", {}, other.reviewer), ": " + VERDICT_WORD[other.verdict] + spans + (other.note ? ": " + other.note : ""));
}

function announceMark() {
  const mark = activeMark();
  if (!mark) return;
  const score = mark.predicted && mark.predicted[2] !== null ? ", score " + mark.predicted[2].toFixed(2) : "";
  announce(activeCriterion().name + ", " + mark.state + score + ": " + quote(mark.start, mark.end).slice(0, 300));
}

function focusNote() {
  part("note-box").open = true;
  part("note").focus();
}

function toggleGuideline() {
  settings.guideline = !settings.guideline;
  saveSettings();
  refresh();
}

function showAddButton(visible) {
  part("add-selection").hidden = !visible;
}
