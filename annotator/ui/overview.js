// Draws the overview. Everything from the server becomes a text node; bars are elements with a width.

import { find, make, mount, shape } from "../span_editor/js/dom.js";
import { card } from "./card.js";
import { meanings } from "./figure_words.js";

const number = (value, digits = 2) => (value === null || value === undefined ? "–" : Number(value).toFixed(digits));
const VERDICTS = [["evidence", "evidence"], ["no_evidence", "no evidence"], ["unsure", "unsure"]];
const FATES = [["accepted", "accepted"], ["adjusted", "adjusted"], ["rejected", "rejected"]];

function cell(text, className) { return make("td", { class: className }, text); }

function bar(counts, parts) {
  const total = parts.reduce((sum, [key]) => sum + counts[key], 0);
  if (!total) return make("span", { class: "ov-none" }, "none yet");
  const box = make("div", { class: "ov-bar" });
  const words = parts.map(([key, label]) => counts[key] + " " + label).join(", ");
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", words);
  box.title = words;
  for (const [key] of parts) {
    if (!counts[key]) continue;
    const piece = make("i", { class: key });
    piece.style.flexGrow = counts[key];
    if (counts[key] / total > 0.12) piece.textContent = counts[key];
    box.append(piece);
  }
  return box;
}

function snapshotCard(snapshot) {
  const age = snapshot.age_seconds;
  const minutes = Math.round(age / 60);
  const words = age === null ? "none yet" : minutes < 120 ? minutes + " min ago" : Math.round(minutes / 60) + " h ago";
  return card("Last snapshot", words, snapshot.failing || (snapshot.late ? "later than it should be" : "in " + snapshot.place));
}

function cards(value) {
  const p = value.progress;
  const share = p.posts ? Math.round((100 * p.reviewed_by_me) / p.posts) : 0;
  return [
    card("Posts", String(p.posts), value.predicted + " read by the model"),
    card("Reviewed by you", String(p.reviewed_by_me), share + " % of all; " + (p.started_by_me - p.reviewed_by_me) + " more begun"),
    card("Decisions", String(p.decisions), "by " + p.reviewers + (p.reviewers === 1 ? " person" : " people")),
    ...(p.to_adjudicate === null ? [] : [card("To adjudicate", String(p.to_adjudicate), "answers in which reviewers disagree")]),
    ...(value.snapshot ? [snapshotCard(value.snapshot)] : []),
  ];
}

function criterionRow(row) {
  const line = make("tr");
  const name = make("th", {}, row.name);
  name.scope = "row";
  const verdicts = make("td");
  verdicts.append(bar(row.verdicts, VERDICTS));
  const spans = make("td");
  spans.append(bar(row.spans, FATES));
  const f1 = row.f1 === null ? "–" : number(row.f1) + (row.interval ? " (" + number(row.interval[0]) + "–" + number(row.interval[1]) + ")" : "");
  line.append(name, verdicts, spans, cell(String(row.spans.added), "num"), cell(String(row.together), "num"), cell(f1, "num"));
  return line;
}

const percent = (share) => Math.round(100 * share) + " %";
const within = (interval) => (interval ? " (" + percent(interval[0]) + " to " + percent(interval[1]) + ")" : "");

function armRow(row) {
  const line = make("tr");
  const name = make("th", {}, row.name);
  name.scope = "row";
  const missed = row.of ? row.missed + " of " + row.of + within(row.interval) : "–";
  line.append(name, cell(String(row.decisions), "num"), cell(percent(row.evidence), "num"), cell(number(row.passages), "num"), cell(number(row.seconds, 1), "num"), cell(missed, "num"));
  return line;
}

function recallLine(recall) {
  if (!recall) return "";
  return "Of " + recall.of + " passages that people marked without seeing the model's marks, the model marks " + recall.found + ": " + percent(recall.found / recall.of) + within(recall.interval) + ". Nobody was led by the marks here, so this is the recall to quote.";
}

function qualityRow(row, index) {
  const line = make("tr", { class: index === 0 ? "own" : "" });
  const name = make("th", {}, row.name);
  name.scope = "row";
  const interval = row.interval ? number(row.interval[0]) + "–" + number(row.interval[1]) : "–";
  line.append(name, cell(number(row.macro_f1), "num"), cell(interval, "num"), cell(number(row.precision), "num"), cell(number(row.recall), "num"),
    cell(number(row.span_f1), "num"), cell(number(row.no_evidence_accuracy), "num"), cell(number(row.ece, 3), "num"));
  return line;
}

function reliability(bins) {
  const picture = shape("svg", { viewBox: "-26 -6 232 228", role: "img", "aria-label": "Reliability diagram" });
  picture.append(shape("line", { x1: 0, y1: 200, x2: 200, y2: 0, class: "ideal" }), shape("path", { d: "M0 0V200H200", class: "axis" }));
  for (const mark of [0, 0.5, 1]) {
    const x = shape("text", { x: mark * 200, y: 216, class: "tick", "text-anchor": "middle" });
    const y = shape("text", { x: -6, y: 204 - mark * 200, class: "tick", "text-anchor": "end" });
    x.textContent = y.textContent = mark;
    picture.append(x, y);
  }
  const most = Math.max(1, ...bins.map((bin) => bin.count));
  for (const bin of bins.filter((b) => b.count)) {
    const dot = shape("circle", { cx: bin.mean_score * 200, cy: 200 - bin.share_positive * 200, r: 3 + 6 * Math.sqrt(bin.count / most), class: "point" });
    const title = shape("title", {});
    title.textContent = bin.count + " sentences, score " + number(bin.mean_score) + ", right " + number(bin.share_positive);
    dot.append(title);
    picture.append(dot);
  }
  return picture;
}

function describe(model) {
  if (!model) return "No model of this project is in service.";
  const origin = [model.note, model.base && "Base: " + model.base].filter(Boolean).map((words) => words.replace(/\.?$/, ".")).join(" ");
  const measured = model.rows.length ? " Measured on " + model.posts + " posts (" + model.pairs + " pairs of post and criterion, " + model.set + " set) that it was not trained on." : model.without.length ? " It has not been measured on this project's criteria." : " It has not been measured yet.";
  const without = model.rows.length && model.without.length ? " Not measured for: " + model.without.join(", ") + "." : "";
  return model.id + ". " + origin + measured + without;
}

function draw(value) {
  find(".ov").hidden = !value || !value.progress;
  if (!value || !value.progress) return;
  find(".ov-cards").replaceChildren(...cards(value));
  find(".ov-whose").textContent = value.own ? "Your decisions per criterion" : "Decisions per criterion";
  find(".ov-criteria tbody").replaceChildren(...value.criteria.map(criterionRow));
  const legend = [...VERDICTS, ...FATES].map(([key, label]) => { const item = make("span", {}); item.append(make("i", { class: key }), document.createTextNode(label)); return item; });
  find(".ov-legend").replaceChildren(...legend);
  find(".ov-arms").hidden = !value.arms;
  find(".ov-arms tbody").replaceChildren(...(value.arms ? value.arms.rows : []).map(armRow));
  find(".ov-recall").textContent = value.arms ? recallLine(value.arms.recall) : "";
  find(".ov-model").textContent = describe(value.model);
  find(".ov-offer").hidden = !value.offer;
  find(".ov-offer").textContent = value.offer;
  const rows = value.model ? value.model.rows : [];
  find(".ov-quality").parentElement.hidden = find(".ov-meanings").hidden = !rows.length;
  find(".ov-quality tbody").replaceChildren(...rows.map(qualityRow));
  const figure = find(".ov-reliability");
  const bins = value.model ? value.model.bins : [];
  figure.hidden = !bins.some((bin) => bin.count);
  for (const old of figure.querySelectorAll("svg")) old.remove();
  if (!figure.hidden) figure.prepend(reliability(bins));
}

export function start({ element, props, watch }) {
  mount(element);
  find(".ov-meanings").append(meanings());
  watch("value", () => draw(props.value));
  draw(props.value);
}
