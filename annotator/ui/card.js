// A figure with its name and what belongs to it, in a list of such.

import { make } from "../span_editor/js/dom.js";

export function card(label, value, detail) {
  const box = make("div");
  box.append(make("dt", {}, label), make("dd", {}, value));
  if (detail) box.append(make("dd", { class: "detail" }, detail));
  return box;
}
