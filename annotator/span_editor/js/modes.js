// review: keys decide; caret: they move a caret; edges: they move the ends of the chosen span;
// said: they say more of it; labels: they say more of the whole post.

import { part } from "./dom.js";
import { ed } from "./state.js";
import { clearSelection } from "./places.js";
import { drawBar } from "./bar.js";

export function setMode(mode) {
  if (ed.mode === mode) return;
  ed.mode = mode;
  if (mode !== "caret") {
    ed.caret = null;
    part("caret").hidden = true;
    clearSelection();
  }
  if (mode !== "edges") ed.draft = null;
  part("root").dataset.mode = mode;
  drawBar();
}
