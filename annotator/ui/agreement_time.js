// Agreement over time as a drawing: one line, its interval as a band, and a mark where a wording changed. A table says the same in words.

import { make, shape } from "../span_editor/js/dom.js";
import { table } from "./agreement_tables.js";

const HEIGHT = 220, LEFT = 40, RIGHT = 12, TOP = 12, BOTTOM = 34;
const FIGURES = [["alpha", "Krippendorff's α"], ["percent", "Equal verdicts"], ["gwet_ac1", "Gwet's AC1"], ["fleiss_kappa", "Fleiss' κ"]];

export function drawTime(agreement, names) {
  const criteria = [...new Set(agreement.periods.map((p) => p.name))];
  if (!criteria.length) return null;
  const box = make("div");
  const pick = (label, name, options) => make("label", {}, label, make("select", { name }, options.map(([value, text]) => make("option", { value }, text))));
  const form = make("form", { class: "ev-filter", onchange: draw, onsubmit: (event) => event.preventDefault() },
    pick("Criterion", "criterion", criteria.map((c) => [c, c === "all" ? "All criteria" : names[c] || c])), pick("Figure", "figure", FIGURES));

  function draw() {
    const given = Object.fromEntries(new FormData(form));
    const periods = agreement.periods.filter((p) => p.name === given.criterion);
    const changes = agreement.wordings.filter((w) => given.criterion === "all" || w.criterion === given.criterion);
    const label = FIGURES.find(([key]) => key === given.figure)[1];
    box.replaceChildren(plot(periods, changes, given.figure, label), ...said(periods, changes, given.figure, label, names).filter(Boolean));
  }

  draw();
  return [make("h3", {}, "Over time"), form, box];
}

function plot(periods, changes, key, label) {
  const width = Math.min(640, innerWidth - 24); // its words are as large as others
  const days = periods.map((p) => Date.parse(p.period));
  const first = days[0], last = days[days.length - 1];
  const span = Math.max(last - first, 1);
  const values = periods.flatMap((p) => [p.figures[key].value, p.figures[key].low]).filter((v) => v !== null);
  const lowest = Math.min(0, ...values);
  const x = (day) => LEFT + (days.length === 1 ? 0.5 : (day - first) / span) * (width - LEFT - RIGHT);
  const y = (value) => TOP + ((1 - value) / (1 - lowest)) * (HEIGHT - TOP - BOTTOM);
  const picture = shape("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, class: "ag-plot", role: "img", "aria-label": `${label} over time; the table below says the same` });
  for (const tick of [...new Set([lowest, 0, 0.5, 1])]) {
    picture.append(shape("line", { x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick), class: "grid" }), shape("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, tick.toFixed(1)));
  }
  const known = periods.map((p, n) => ({ day: days[n], ...p.figures[key] })).filter((p) => p.value !== null);
  const banded = known.filter((p) => p.low !== null);
  if (banded.length > 1) picture.append(shape("polygon", { class: "band", points: [...banded.map((p) => `${x(p.day)},${y(p.high)}`), ...banded.reverse().map((p) => `${x(p.day)},${y(p.low)}`)].join(" ") }));
  picture.append(shape("polyline", { class: "line", points: known.map((p) => `${x(p.day)},${y(p.value)}`).join(" ") }));
  for (const p of known) picture.append(shape("circle", { class: "point", cx: x(p.day), cy: y(p.value), r: 3.5 }));
  for (const change of changes) {
    const at = x(Math.min(last, Math.max(first, Date.parse(change.at))));
    const mark = shape("line", { class: "wording", x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM });
    mark.append(shape("title", {}, `${change.criterion}: wording ${change.version}, ${change.at.slice(0, 10)}`));
    picture.append(mark);
  }
  picture.append(shape("text", { x: LEFT, y: HEIGHT - 10 }, periods[0].period), shape("text", { x: width - RIGHT, y: HEIGHT - 10, "text-anchor": "end" }, periods[periods.length - 1].period));
  return picture;
}

function said(periods, changes, key, label, names) {
  const rows = periods.map((p) => {
    const { value, low, high, reason } = p.figures[key];
    return [p.period, p.units, value === null ? `undefined: ${reason}` : value.toFixed(2) + (low === null ? "" : ` (${low.toFixed(2)} to ${high.toFixed(2)})`)];
  });
  const words = changes.map((w) => `${names[w.criterion] || w.criterion}: wording ${w.version} on ${w.at.slice(0, 10)}`);
  return [words.length && make("p", { class: "ev-muted" }, `Dashed: ${words.join("; ")}.`), make("details", {}, make("summary", {}, "The same as a table"), table("Agreement by period", ["From", "Read by several", label], rows))];
}
