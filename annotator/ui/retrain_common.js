// Shared by the views of the Retrain page: everything from the server becomes a text node, charts are SVG elements.

import { find, make, mount, shape } from "../span_editor/js/dom.js";

export const blank = (value) => value === null || value === undefined;
export const number = (value, digits = 2) => (blank(value) ? "–" : Number(value).toFixed(digits));
export const percent = (value) => (blank(value) ? "–" : Math.round(value * 100) + " %");
export const when = (iso) => (iso ? new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "–");

// What a training is for when its model did not prove better: nothing is lost, and nothing has changed.
export const ASIDE = "The new model is kept but not used: it did not prove better than the one in service, which goes on answering. ";

export function duration(seconds) {
  if (blank(seconds)) return "–";
  if (seconds < 90) return Math.max(1, Math.round(seconds)) + " s";
  if (seconds < 5400) return Math.round(seconds / 60) + " min";
  return (seconds / 3600).toFixed(1) + " h";
}

export function size(bytes) {
  if (blank(bytes)) return "–";
  return bytes > 1e9 ? (bytes / 1e9).toFixed(1) + " GB" : (bytes / 1e6).toFixed(1) + " MB";
}

export function table(heads, rows, label) {
  const scroll = make("div", { class: "rt-scroll" });
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", label);
  const box = make("table");
  const head = make("tr");
  for (const [text, className] of heads) {
    const cell = make("th", { class: className }, text);
    cell.scope = "col";
    head.append(cell);
  }
  const thead = make("thead");
  thead.append(head);
  const body = make("tbody");
  body.append(...rows);
  box.append(thead, body);
  scroll.append(box);
  return scroll;
}

export function row(name, cells, className) {
  const line = make("tr", { class: className });
  const head = typeof name === "string" ? make("th", {}, name) : name;
  head.scope = "row";
  line.append(head);
  for (const [text, cellClass] of cells) {
    if (text instanceof Node) {
      const cell = make("td", { class: cellClass });
      cell.append(text);
      line.append(cell);
    } else line.append(make("td", { class: cellClass }, text));
  }
  return line;
}

export function interval(value) { return value ? number(value[0]) + "–" + number(value[1]) : "–"; }

function nice(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 100000)) return value.toExponential(1);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(size < 0.1 ? 3 : 2);
}

// lines: [{name, points: [[x, y, label]], className}]
export function chart(title, lines, { width = 320, height = 130, low = null, high = null, xTitle = "" } = {}) {
  const points = lines.flatMap((line) => line.points);
  const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
  const x0 = Math.min(...xs), x1 = Math.max(...xs);
  let y0 = low ?? Math.min(...ys), y1 = high ?? Math.max(...ys);
  if (y0 === y1) { y0 -= Math.abs(y0) * 0.1 || 0.1; y1 += Math.abs(y1) * 0.1 || 0.1; }
  const left = 44, right = 8, top = 8, bottom = xTitle ? 32 : 20;
  const px = (x) => left + (x1 === x0 ? 0.5 : (x - x0) / (x1 - x0)) * (width - left - right);
  const py = (y) => top + (1 - (y - y0) / (y1 - y0)) * (height - top - bottom);
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const last = points[points.length - 1];
  svg.append(shape("title", {}, `${title}: ${points.length} points, last ${nice(last[1])}`));
  for (const y of [y0, (y0 + y1) / 2, y1]) {
    svg.append(shape("line", { x1: left, x2: width - right, y1: py(y), y2: py(y), class: "grid" }));
    svg.append(shape("text", { x: left - 6, y: py(y) + 3.5, class: "tick end" }, nice(y)));
  }
  svg.append(shape("text", { x: left, y: height - bottom + 14, class: "tick" }, String(x0)));
  if (x1 !== x0) svg.append(shape("text", { x: width - right, y: height - bottom + 14, class: "tick end" }, String(x1)));
  if (xTitle) svg.append(shape("text", { x: (left + width - right) / 2, y: height - 3, class: "tick middle" }, xTitle));
  for (const line of lines) {
    const group = shape("g", { class: "line " + (line.className || "") });
    group.append(shape("title", {}, line.name));
    group.append(shape("polyline", { points: line.points.map((p) => px(p[0]) + "," + py(p[1])).join(" ") }));
    if (line.points.length < 30) {
      for (const p of line.points) {
        const dot = shape("circle", { cx: px(p[0]), cy: py(p[1]), r: 3 });
        dot.append(shape("title", {}, `${line.name} ${p[2] || ""}: ${nice(p[1])}`));
        group.append(dot);
      }
    }
    svg.append(group);
  }
  const box = make("figure", { class: "rt-chart" });
  box.append(make("figcaption", {}, title), svg);
  return box;
}

// The `start` of a view: draws what `view` makes of each value.
// What cannot be drawn says so itself; the views beside it stay.
function drawn(view, value) {
  if (value.broken) return [make("p", { class: "rt-note", role: "alert" }, value.broken)];
  try {
    return view(value);
  } catch (error) {
    return [make("p", { class: "rt-note", role: "alert" }, "This cannot be shown: what is stored here is damaged. An admin finds out more with the command “evidence check”.")];
  }
}

export function drawing(view) {
  return ({ element, props, watch }) => {
    mount(element);
    const draw = () => find(".rt").replaceChildren(...(props.value ? drawn(view, props.value) : []));
    watch("value", draw);
    draw();
  };
}
