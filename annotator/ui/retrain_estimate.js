// How long a training will take, and how much memory.

import { make } from "../span_editor/js/dom.js";
import { drawing, duration } from "./retrain_common.js";

function view(value) {
  if (value.error) return [make("p", { class: "rt-note warn" }, value.error)];
  const facts = make("p", { class: "rt-estimate" });
  const guess = value.steps ? "a rough guess: no training of this kind was measured here yet" : "a rough guess, from how much there is to read";
  const how = value.measured ? "as the last training of this kind took" : guess;
  const steps = value.steps ? `${value.steps} steps` : "learning beside the model";
  facts.append(
    make("b", {}, "About " + duration(value.seconds)),
    ` and ${(value.memory_mb / 1000).toFixed(1)} GB of memory for ${steps} on ${value.device} (${how}).`);
  const parts = [];
  if (value.preset) parts.push(make("p", { class: "rt-soft" }, value.preset + (value.changed ? " " + value.changed : "")));
  parts.push(facts);
  return parts;
}

export const start = drawing(view);
