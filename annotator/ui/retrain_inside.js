// Maps of what the model looks at. They are images, so that nothing in a text can be more than a picture of it.

import { make } from "../span_editor/js/dom.js";
import { drawing } from "./retrain_common.js";

function figure(map) {
  const box = make("figure", { class: "rt-map" });
  const picture = make("img", {});
  picture.src = map.image;
  picture.alt = map.title + ": " + map.words;
  box.append(picture, make("figcaption", { class: "rt-soft" }, map.words));
  return box;
}

function view(value) {
  const maps = make("div", { class: "rt-maps" });
  maps.append(...value.maps.map(figure));
  return [make("p", { class: "rt-soft" }, value.explanation), maps];
}

export const start = drawing(view);
