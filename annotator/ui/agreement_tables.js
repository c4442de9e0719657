// Tables of the lead's page. Everything from the server becomes a text node.

import { button, make } from "../span_editor/js/dom.js";

const COEFFICIENTS = [
  ["percent", "Equal verdicts"], ["cohen_kappa", "Cohen's κ, mean of pairs"], ["fleiss_kappa", "Fleiss' κ"], ["gwet_ac1", "Gwet's AC1"], ["alpha", "Krippendorff's α"],
  ["sentence_alpha", "α on sentences"], ["unitizing_alpha", "Unitizing α"], ["span_f1", "Passages F1, by words"], ["span_f1_exact", "Passages F1, exact"], ["border_distance", "Borders apart, characters"],
];
const VERDICTS = ["no evidence", "evidence", "unsure"];

export function percent(value) {
  return value === null || value === undefined ? "–" : `${Math.round(100 * value)} %`;
}

function decimals(value, digits = 2) {
  return value === null || value === undefined ? "–" : value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1");
}

export function table(title, heads, rows, more) {
  if (!rows.length) return null;
  const head = heads.map((text, n) => make("th", { scope: "col", class: n ? "num" : null }, text));
  return [make("h3", {}, title), make("div", { class: "ev-table ag-table", tabindex: 0, role: "region", "aria-label": title },
    make("table", {}, make("thead", {}, make("tr", {}, head)), make("tbody", {}, rows.map(([first, ...cells]) =>
      make("tr", {}, make("th", { scope: "row" }, first), cells.map((cell) => make("td", { class: "num" }, cell))))))), more];
}

// A figure with its interval; "undefined" where there is none, its reason below the table.
function shown(figure, reasons, digits = 2) {
  if (!figure) return "–";
  if (figure.value === null) {
    reasons.add(figure.reason);
    return make("span", { class: "ag-none", title: figure.reason }, "undefined");
  }
  const interval = figure.low !== null && make("small", {}, ` ${decimals(figure.low, digits)} to ${decimals(figure.high, digits)}`);
  return [decimals(figure.value, digits), interval];
}

function explained(reasons) {
  return reasons.size > 0 && make("p", { class: "ev-muted" }, `Undefined where ${[...reasons].join("; or where ")}.`);
}

// Levels and flags of the spans that two people marked, labels of posts; null where the project defines none.
export function drawSaid(rows) {
  if (!rows || !rows.length) return null;
  const reasons = new Set();
  const cells = rows.map((row) => [`${{ severity: "Level", flag: "Flag", label: "Post" }[row.what]}: ${row.name}`, row.units, percent(row.percent.value), shown(row.alpha, reasons), row.open ?? "", row.adjudicated ?? ""]);
  return table("What is said beside the verdict", ["", "Spans or posts", "Equal", "Krippendorff's α", "Open disagreements", "Adjudicated"], cells, explained(reasons));
}

export function drawPeople(people) {
  const heads = ["Person", "Given", "Done", "Left", "Decisions", "Per day", "Seconds each", "Confirmed in bulk", "Unsure", "As gold", "As adjudicated", "As the others", "κ with the others", "Drift"];
  const rows = people.map((p) => [p.person, p.assigned, p.done, p.left, p.decisions, decimals(p.per_day, 0), decimals(p.seconds, 1), percent(p.bulk_share), percent(p.unsure_share),
    counted(p.gold.same, p.gold.units), counted(p.gold.adjudicated_same, p.gold.adjudicated), p.others ? counted(p.others.percent, p.others.units) : "–",
    p.others ? decimals(p.others.cohen_kappa) : "–", drift(p.others)]);
  return table("People", heads, rows, make("p", { class: "ev-muted" },
    "Per day: decisions on a day on which somebody worked. Seconds: the median of decisions made one by one, five minutes at most. As gold: answers equal to gold, on posts that several people read. " +
    "Drift: how much more often the verdicts are those of the others in the later half of the comparisons than in the earlier."));
}

function counted(share, units) {
  return units ? [percent(share), make("small", {}, ` of ${units}`)] : "–";
}

function drift(others) {
  if (!others || others.drift.difference.value === null) return "–";
  const { value, low, high } = others.drift.difference;
  const points = (share) => `${share > 0 ? "+" : ""}${Math.round(100 * share)}`;
  return [make("span", { class: others.drift.falls ? "ag-falls" : null }, points(value)), low !== null && make("small", {}, ` ${points(low)} to ${points(high)}`)];
}

export function drawCriteria(criteria, showOlder) {
  const reasons = new Set();
  const rows = criteria.filter((c) => c.active || c.decisions).map((c) => [c.name, c.decisions, percent(c.prevalence), shown(c.percent, reasons), shown(c.alpha, reasons), c.open, c.adjudicated, older(c, showOlder)]);
  return table("Criteria", ["Criterion", "Decisions", "Evidence", "Equal verdicts", "Krippendorff's α", "Open disagreements", "Adjudicated", "Under an older wording"], rows, explained(reasons));
}

function older(row, showOlder) {
  if (!row.older) return "0";
  return make("details", { class: "ag-people" }, make("summary", {}, String(row.older)),
    Object.entries(row.older_by_person).map(([person, count]) => button(`${person}: ${count}`, () => showOlder(row.criterion, person), { class: "ev-link" })));
}

// How far suggestions draw people: only where some posts were given without them.
export function drawArms(arms) {
  const rows = arms.map((a) => [`Suggestions ${a.suggestions}`, a.decisions, percent(a.prevalence), percent(a.unsure_share), decimals(a.seconds, 1), counted(a.gold_same, a.gold_units)]);
  return arms.length > 1 && table("With and without suggestions", ["Posts given with", "Decisions", "Evidence", "Unsure", "Seconds each", "As gold"], rows);
}

export function drawFigures(agreement, names, showGamma) {
  const reasons = new Set();
  const title = (row) => (row.name === "all" ? "All criteria" : names[row.name] || row.name);
  const order = ["all", ...Object.keys(names)];
  const rows = [...agreement.criteria].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name)).map((row) => [title(row), row.units, ...COEFFICIENTS.map(([key]) => shown(row.figures[key], reasons, key === "border_distance" ? 1 : 2)),
    row.name === "all" ? "" : button("Work out", () => showGamma(row.name), { "aria-label": `Gamma of ${title(row)}` })]);
  return table("Agreement by criterion", ["Criterion", "Read by several", ...COEFFICIENTS.map(([, label]) => label), "Gamma"], rows,
    [make("p", { class: "ev-muted" }, `With 95 % intervals, by resampling posts (seed ${agreement.seed}). Passages agree from ${Math.round(100 * agreement.rule.iou)} % of their words in common. κ, AC1 and α: 1 is full agreement, 0 what chance alone would give.`), late(agreement.changed_late), explained(reasons)]);
}

// Answers that were made alike afterwards would make the agreement look better than it was.
function late(count) {
  return count > 0 && make("p", { class: "ev-muted" }, `Answers that were changed after a blind round was closed or a decision was made, when others' could be seen: ${count}. The figures compare the latest answers.`);
}

export function drawRounds(agreement) {
  const reasons = new Set();
  const some = COEFFICIENTS.slice(0, 8);
  const rows = agreement.rounds.map((row) => [`${row.name} (${row.kind.replaceAll("_", " ")})`, row.units, ...some.map(([key]) => shown(row.figures[key], reasons))]);
  return table("Agreement by round", ["Round", "Read by several", ...some.map(([, label]) => label)], rows, explained(reasons));
}

// The matrix of people: one coefficient at a time; a cell shows what the pair said.
export function drawPairs(agreement, names, showMixedUp) {
  const box = make("div", { class: "ag-matrix" });
  const detail = make("div", { role: "status" });
  const label = make("div", { class: "ev-filter" }, make("label", {}, "Figure", make("select", { onchange: (event) => draw(event.target.value) },
    ["cohen_kappa", "percent", "span_f1", "span_f1_exact", "border_distance"].map((key) => make("option", { value: key }, key === "cohen_kappa" ? "Cohen's κ" : COEFFICIENTS.find(([k]) => k === key)[1])))));
  const people = [...new Set(agreement.pairs.flatMap((p) => [p.one, p.other]))].sort();

  function draw(key) {
    const reasons = new Set();
    const rows = people.map((one) => [one, ...people.map((other) => {
      const pair = agreement.pairs.find((p) => (p.one === one && p.other === other) || (p.one === other && p.other === one));
      return pair ? cell(pair, key, reasons) : one === other ? "" : "–";
    })]);
    box.replaceChildren(...[table("Pairs", ["", ...people], rows), explained(reasons)].flat().filter(Boolean));
  }

  function cell(pair, key, reasons) {
    const figure = pair.figures[key];
    const value = figure.value === null ? (reasons.add(figure.reason), "undefined") : decimals(figure.value, key === "border_distance" ? 1 : 2);
    const share = key === "border_distance" || figure.value === null ? 0 : Math.max(0, figure.value);
    const interval = figure.low === null ? "" : `, ${decimals(figure.low)} to ${decimals(figure.high)}`;
    return make("button", { type: "button", class: "ag-cell", style: { "--share": `${Math.round(45 * share)}%` }, "aria-label": `${pair.one} and ${pair.other}: ${value}${interval}`, onclick: () => explain(pair) }, value);
  }

  function explain(pair) {
    const rows = pair.confusion.map((counts, n) => [`${pair.one}: ${VERDICTS[n]}`, ...counts]);
    detail.replaceChildren(...table(`${pair.one} and ${pair.other}, over ${pair.units} answers of both`, ["", ...VERDICTS.map((v) => `${pair.other}: ${v}`)], rows).filter(Boolean));
  }

  draw("cohen_kappa");
  const title = (one, other) => `${names[one] || one} / ${names[other] || other}`;
  const confused = agreement.confusions.map(([one, other, times]) => [title(one, other), button(String(times), () => showMixedUp(one, other), { class: "ev-link", "aria-label": `${times} passages: ${title(one, other)}` })]);
  return [label, box, detail, table("Passages that one marked for one criterion and another for another", ["Criteria", "Times"], confused.slice(0, 15))];
}
