// review: keys decide; caret: they move a caret; edges: they move the ends of the chosen span;
// said: they say more of it; labels: they say more of the whole post.

import { part } from "./dom.js";
import { ed } from "./state.js";
import { clearSelection } from "./places.js";
import { surface } from "./surface.js";

// What the keys do in the modes of the text.
export const TEXT_HINTS = {
  caret: "Select by keys: ← → character · Ctrl word · ↑ ↓ sentence · Shift selects · Space word, sentence · Enter adds · Esc leaves",
  edges: "Move edges: ← → end by character · Ctrl by word · ↑ ↓ by sentence · Shift moves the start · Enter keeps · Esc leaves",
};

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
  surface.modeChanged();
}
