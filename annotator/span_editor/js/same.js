// The words of a decision that stand elsewhere in the post too: offered, and each decided by itself.

import { decide } from "./decide.js";
import { plural } from "./dom.js";
import { toast } from "./messages.js";
import { refresh } from "./panels.js";
import { ed, makeMark, sortMarks } from "./state.js";
import { activate } from "./walk.js";

export function offerSameWords(criterion, places) {
  if (!places || !places.length) return;
  const item = ed.item;
  const show = () => ed.item === item && mark(criterion, places);
  toast("The same words stand in " + plural(places.length, "other place") + " of this post.", "Mark to decide", show, "");
}

function mark(criterion, places) {
  const { doc } = ed.item;
  const marks = places.map(([start, end]) => makeMark("undecided", doc.toUnit[start], doc.toUnit[end], [start, end, null, null, null]));
  decide("Marked for you to decide.", [[criterion, { marks: sortMarks([...criterion.marks, ...marks]), verdict: null }]]);
  activate(criterion.index);
  refresh();
}
