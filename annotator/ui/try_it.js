// Draws the highlighted text and the list of criteria. Everything from the server becomes a text node, never markup.

import { find, make, mount } from "../span_editor/js/dom.js";
import { colorOf, patternOf } from "../span_editor/js/patterns.js";

const shown = { value: null };
const state = { threshold: null, focus: null, model: "" }; // threshold null: each criterion's own; model: its state, as the header says
const LANE = 4;

function isShown(criterion, span) {
  return span.score >= (state.threshold === null ? criterion.threshold : state.threshold);
}

const percent = (share) => Math.round(share * 100) + " %";

// The same lines as on the Review page, one above the other where passages of several criteria overlap.
function paint(mark, over) {
  const lines = over.slice(0, 4).map(({ index }) => patternOf(index));
  mark.style.setProperty("--c", colorOf(over[0].index));
  mark.style.backgroundImage = lines.map(([image]) => image).join(",");
  mark.style.backgroundSize = lines.map(([, size]) => size).join(",");
  mark.style.backgroundPosition = lines.map((_, lane) => "0 calc(100% - " + lane * LANE + "px)").join(",");
  mark.style.paddingBottom = lines.length * LANE - 2 + "px";
  mark.title = over.map(({ index, criterion, span }) => index + 1 + " " + criterion.name + " " + span.score.toFixed(2)).join("\n");
}

function drawText(value) {
  const post = find(".try-post");
  post.replaceChildren();
  for (const [text, hits] of value.pieces) {
    const over = [];
    for (const [index, n] of hits) {
      const criterion = value.criteria[index];
      if (isShown(criterion, criterion.spans[n]) && (state.focus === null || state.focus === index)) over.push({ index, criterion, span: criterion.spans[n] });
    }
    if (!over.length) {
      post.append(document.createTextNode(text));
      continue;
    }
    const mark = make("mark", {}, text);
    paint(mark, over);
    post.append(mark);
  }
}

function drawCriterion(criterion, index) {
  const shown = criterion.spans.filter((span) => isShown(criterion, span));
  const item = make("li", { class: shown.length ? "found" : "" });
  const button = make("button");
  button.type = "button";
  button.setAttribute("aria-pressed", String(state.focus === index));
  button.style.setProperty("--c", colorOf(index));
  const swatch = make("i", { class: "swatch" });
  [swatch.style.backgroundImage, swatch.style.backgroundSize] = patternOf(index);
  const name = make("span", { class: "name" });
  name.append(make("span", {}, criterion.name), swatch);
  button.append(make("span", { class: "number" }, index + 1), name);
  const meter = make("span", { class: "meter" });
  meter.style.setProperty("--score", criterion.score);
  if (criterion.known) button.append(meter, make("span", { class: "score" }, criterion.score.toFixed(2)));
  else button.append(make("span", { class: "score" }, "not known to this model"));
  button.addEventListener("click", () => { state.focus = state.focus === index ? null : index; draw(); });
  item.append(button);
  if (state.focus === index) {
    const quotes = make("ol", { class: "quotes" });
    for (const span of shown) quotes.append(make("li", {}, span.score.toFixed(2) + "  " + span.quote.trim()));
    if (!shown.length) quotes.append(make("li", {}, "No passage has a score as high."));
    item.append(quotes);
  }
  return item;
}

const NO_MODEL = {
  none: "No model is in service, so nothing can be highlighted yet. An admin chooses one under Retrain.",
  failed: "The model cannot be loaded, so nothing can be highlighted. An admin puts another one in service under Retrain.",
};

// What stands where the highlighted text would be.
function placeholder(value) {
  if (value && value.problem) return value.problem;
  if (value && value.reading !== undefined) return "The model is reading: " + percent(value.reading);
  return NO_MODEL[state.model] || "The highlighted text appears here.";
}

function draw() {
  const { value } = shown;
  const ready = Boolean(value && value.pieces);
  find(".try-empty").hidden = ready;
  find(".try-empty").textContent = placeholder(value);
  for (const name of [".try-bar", ".try-post", ".try-criteria", ".try-language", ".try-measured"]) find(name).hidden = !ready;
  if (!ready) return;
  find(".try-slider output").textContent = state.threshold === null ? "the model's own" : state.threshold.toFixed(2);
  find(".try-own").setAttribute("aria-pressed", String(state.threshold === null));
  const count = value.criteria.reduce((sum, c) => sum + c.spans.filter((s) => isShown(c, s)).length, 0);
  find(".try-caption").textContent = count + (count === 1 ? " passage" : " passages") + " · " + value.criteria.length + " criteria · read in " + (value.milliseconds / 1000).toFixed(value.milliseconds < 1000 ? 2 : 1) + " s · model " + value.model;
  find(".try-language").hidden = !value.language;
  find(".try-language").textContent = value.language || "";
  const measured = value.measured;
  find(".try-measured").hidden = !measured || Boolean(value.language); // it was measured on the model's language
  if (measured) find(".try-measured").textContent = "Measured on text that the model never saw: F1 " + measured.macro_f1.toFixed(2) + " on average over the criteria; of the sentences it marks " + percent(measured.precision) + " are right, of those it should mark it finds " + percent(measured.recall) + ".";
  drawText(value);
  find(".try-criteria").replaceChildren(...value.criteria.map(drawCriterion));
}

export function start({ element, props, watch }) {
  mount(element);
  const slider = find(".try-slider input");
  const show = () => ((shown.value = props.value), draw());
  slider.addEventListener("input", () => { state.threshold = Number(slider.value); draw(); });
  find(".try-own").addEventListener("click", () => { state.threshold = null; draw(); });
  state.model = document.querySelector(".app-model")?.dataset.state;
  window.addEventListener("evidence:model", ({ detail }) => {
    state.model = detail.state;
    if (shown.value?.problem && detail.state === "ready") shown.value = null;
    draw();
  });
  let asked = false; // on a phone the text stands below what was pressed
  find(".try").closest("#page-try").addEventListener("click", () => (asked = true));
  watch("value", () => {
    state.focus = null;
    show();
    if (!asked || find(".try-post").hidden) return;
    asked = false;
    if (find(".try-post").getBoundingClientRect().top > innerHeight * 0.7) find(".try").scrollIntoView({ block: "start" });
  });
  show();
}
