// Beside the text: the list of criteria and the active one.

import { button, fill, fillOnce, make, part, plural, unwrapped, write } from "./dom.js";
import { colorOf, patternOf } from "./patterns.js";
import { activeCriterion, activeMark, coreOf, ed, inReadingOrder, isOpen, openCount, quote, restOf } from "./state.js";
import { readsWhole, settings } from "./settings.js";
import { shortQuote, stateSign, stateText, VERDICT_SIGN, VERDICT_WORD } from "./words.js";
import { drawText } from "./text.js";
import { putBeside, reveal } from "./places.js";
import { drawBar } from "./bar.js";
import { drawDoubts } from "./doubts.js";
import { passages } from "./passages.js";
import { drawSaid, drawWhole, hasSaid, saidKey, saidText } from "./said.js";

// Everything is written first; only then is asked where things are, so that the browser lays the page out once.
export function refresh() {
  if (!ed.item) return;
  drawText();
  drawCriteria();
  drawDetail();
  drawBar();
  drawChooser();
  const mark = activeMark();
  revealRow();
  if (mark && ed.moved) {
    revealMarkRow();
    reveal(mark.start, mark.end);
  }
  ed.moved = false;
}

// The selection that waits for its criterion: which one it is, by number or by a click.
function drawChooser() {
  const box = part("chooser");
  box.hidden = !ed.pending;
  if (!ed.pending) return;
  fillOnce(box, ed.item.post.id, () => [
    make("b", {}, "Evidence for"),
    ...ed.item.criteria.map((c) => button([make("span", { class: "ev-number" }, c.index + 1), c.name], null, { "data-choose": c.index, style: { "--c": colorOf(c.index) } })),
    button("Cancel", null, { "data-choose": "", class: "ev-plain" }),
  ]);
  putBeside(box, ed.pending);
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
    row.querySelector(".ev-state").title = stateText(criterion);
    fill(row.querySelector(".ev-state"), make("b", {}, sign), count);
  });
}

// In narrow windows the criteria are a strip that scrolls sideways; a window that becomes narrow, or is turned, has another strip.
export function startStrip() {
  const list = part("criteria");
  new ResizeObserver(() => ((list.revealed = null), ed.item && revealRow())).observe(list);
}

function revealRow() {
  const list = part("criteria");
  const other = list.revealed !== ed.active; // by an undo, nothing has moved on
  list.revealed = ed.active;
  if ((ed.moved || other) && list.scrollWidth > list.clientWidth) list.scrollLeft = list.children[ed.active].offsetLeft - list.offsetLeft - 12;
}

function revealMarkRow() {
  const list = part("marks");
  const chosen = list.rows.get(ed.mark);
  if (chosen && list.scrollHeight > list.clientHeight) list.scrollTop = chosen.node.offsetTop - list.clientHeight / 3;
}

function criterionRow(criterion) {
  const [image, size] = patternOf(criterion.index);
  const swatch = make("i", { class: "ev-swatch", style: { "background-image": image, "background-size": size } });
  return make(
    "li",
    { style: { "--c": colorOf(criterion.index) } },
    button(
      [make("span", { class: "ev-number" }, criterion.index + 1), make("span", { class: "ev-name" }, criterion.name, swatch), make("span", { class: "ev-state" })],
      null,
      { class: "ev-criterion" },
    ),
  );
}

export function drawDetail() {
  const criterion = activeCriterion();
  const box = part("detail");
  const typing = box.contains(document.activeElement) && document.activeElement.tagName === "TEXTAREA" && box.criterion === criterion;
  if (box.criterion !== criterion) {
    box.style.setProperty("--c", colorOf(criterion.index));
    box.scrollTop = 0;
  }
  fillOnce(part("detail-head"), [criterion.index, criterion.name, criterion.verdict].join("|"), () => [
    make("span", { class: "ev-number" }, criterion.index + 1), make("h2", {}, criterion.name), verdictBadge(criterion)]);
  write(part("model-line"), modelLine(criterion));
  drawDoubts(criterion);
  drawMarks(criterion);
  drawSaid();
  drawWhole();
  if (box.criterion !== criterion) fill(part("guideline-text"), make("p", { class: "ev-guideline" }, unwrapped(criterion.guideline)), passages(criterion));
  if (part("guideline").open !== settings.guideline) part("guideline").open = settings.guideline;
  write(part("wording"), wordingLine(criterion));
  if (!typing && part("note").value !== criterion.note) part("note").value = criterion.note || "";
  fillOnce(part("others-list"), JSON.stringify(criterion.others), () => criterion.others.map(otherLine));
  box.criterion = criterion;
  const mark = activeMark();
  part("tighten").hidden = !coreOf(mark);
  part("quick").hidden = !(mark && mark.state === "undecided");
  part("verdicts").toggleAttribute("data-single", Boolean(mark) && mark.state === "undecided" && confirmLabel(criterion) === "Accept");
  part("verdicts").toggleAttribute("data-same", isOpen(criterion) && !criterion.marks.length);
  part("edges").disabled = !mark;
  for (const name of ["none", "unsure"]) {
    const wanted = name === "none" ? "no_evidence" : "unsure";
    part(name).setAttribute("aria-pressed", criterion.verdict === wanted ? "true" : "false");
  }
  write(part("confirm").firstChild, confirmLabel(criterion));
}

function confirmLabel(criterion) {
  if (readsWhole()) return wholeLabel(criterion);
  if (!isOpen(criterion)) return openCount(ed.item) ? "Next open criterion" : "Next post";
  const open = criterion.marks.filter((m) => m.state === "undecided").length;
  if (open) return open === 1 ? "Accept" : "Accept all " + open;
  return "Confirm: no evidence";
}

function wholeLabel(criterion) {
  const mark = activeMark();
  if (mark && mark.state === "undecided") return "Accept";
  if (inReadingOrder(ed.item).some((e) => e.mark.state === "undecided" && isOpen(e.criterion))) return "Next prediction";
  if (!openCount(ed.item)) return "Next post";
  const alone = isOpen(criterion) && !restOf(ed.item, ed.about.one_by_one, true).now.length;
  return alone ? "Confirm: no evidence" : "Nothing else in this post";
}

function verdictBadge(criterion) {
  if (!criterion.verdict) return make("span", { class: "ev-badge" }, "open");
  return make("span", { class: "ev-badge", "data-verdict": criterion.verdict }, VERDICT_SIGN[criterion.verdict] + " " + VERDICT_WORD[criterion.verdict]);
}

function modelLine(criterion) {
  const { model } = ed.item;
  if (model.hidden) return "This post is shown without suggestions. Mark what you find yourself.";
  if (criterion.known === false) return criterion.hint || "The model was not trained on this criterion. Mark what you find yourself.";
  if (!criterion.predicted) {
    if (model.status === "loading") return "The model is still loading. You can begin; its marks come in by themselves.";
    if (model.status.startsWith("reading")) return "The model is reading this long post" + model.status.slice("reading".length).replace("%", " %") + ". You can begin; its marks come in by themselves.";
    return model.status === "none" ? "No model is in service. Mark what you find yourself." : "Not predicted (" + model.status + "). Mark what you find yourself.";
  }
  const offered = criterion.marks.filter((m) => m.predicted);
  const same = offered.filter(isSameWords).length;
  const found = offered.length - same;
  const said = found ? "The model marked " + plural(found, "passage") + "." : "The model marked nothing here.";
  return said + learnedFrom(criterion.model) + (same ? " " + plural(same, "passage") + (same === 1 ? " has" : " have") + " words that you accepted elsewhere." : "");
}

// Offered because the reviewer accepted these words elsewhere: the model said nothing of it, so there is no score.
function isSameWords(mark) {
  return mark.predicted !== null && mark.predicted[2] === null;
}

// A version that the instant learner has improved reads "v3 + 41 decisions".
function learnedFrom(version) {
  const parts = /^(.+) \+ (\d+) decisions$/.exec(version || "");
  return parts ? " Learned from " + parts[1] + " and the last " + plural(Number(parts[2]), "decision") + "." : "";
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
    const key = [criterion.known, mark.state, mark.start, mark.end, mark.id === ed.mark, saidKey(mark.said)].join();
    const old = before.get(mark.id);
    const row = old && old.key === key ? old : { key, node: markRow(mark, criterion.known === false) };
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

function markRow(mark, alike) {
  const score = mark.predicted && mark.predicted[2] !== null ? mark.predicted[2].toFixed(2) : "";
  const word = { undecided: isSameWords(mark) ? "same words" : alike ? "similar" : "predicted", accepted: "accepted", adjusted: "adjusted", added: "added by you", rejected: "rejected" }[mark.state];
  const text = shortQuote(mark);
  const verb = (sign, name, kind, label) => button(sign, null, { "data-verb": name, class: kind, "aria-label": label + " " + text, title: label });
  const yes = verb("✓", "accept", "ev-yes", "Accept");
  const no = verb("✕", "reject", "ev-no", mark.predicted ? "Reject" : "Remove");
  const back = verb("↺", "reopen", "ev-back", "Take back"); // where the button was that was pressed
  return make(
    "li",
    { class: "ev-mark ev-" + mark.state + (mark.id === ed.mark ? " ev-current" : ""), "data-mark": mark.id },
    button([make("span", { class: "ev-quote", dir: "auto" }, text), make("small", {}, [word, score].filter(Boolean).join(" · ")), hasSaid(mark.said) && make("small", { class: "ev-what", dir: "auto" }, saidText(mark.said))], null, { "data-verb": "choose", class: "ev-mark-text", "aria-pressed": mark.id === ed.mark ? "true" : "false" }),
    mark.state === "undecided" || mark.state === "rejected" ? yes : mark.predicted && back,
    mark.state !== "rejected" ? no : back,
  );
}

// What gold says in a training round, in words.
export function goldText(gold) {
  const quotes = gold.spans.map(([start, end]) => "“" + quote(start, end).slice(0, 80) + "”").join(", ");
  return VERDICT_WORD[gold.verdict] + (quotes ? ": " + quotes : "") + (gold.note ? ". " + gold.note : "");
}

function otherLine(other) {
  if (other.gold) return make("li", {}, make("b", {}, other.reviewer), ": " + goldText(other));
  const spans = other.spans.length ? " (" + plural(other.spans.length, "span") + ")" : "";
  return make("li", {}, make("b", {}, other.reviewer), ": " + VERDICT_WORD[other.verdict] + spans + (other.note ? ": " + other.note : ""));
}
