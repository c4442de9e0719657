// The map of where evidence lies, beside the text.

import { fillOnce, make, part } from "./dom.js";
import { colorOf } from "./patterns.js";
import { ed } from "./state.js";

let mapEntries = null;

export function scheduleMap(entries) {
  const waiting = mapEntries !== null;
  mapEntries = entries;
  if (!waiting) requestAnimationFrame(drawMap);
}

function drawMap() {
  const entries = mapEntries;
  mapEntries = null;
  if (!ed.item || !entries) return;
  drawWindow();
  const length = ed.item.doc.text.length;
  const key = ed.item.post.id + ":" + entries.map((e) => [e.start, e.end, e.mark.state, e.active, e.criterion.index].join()).join(";");
  fillOnce(part("ticks"), key, () => ticksOf(entries, length));
}

function ticksOf(entries, length) {
  return entries.map((entry) => {
    const kind = entry.active ? entry.mark.state : "other";
    const tick = make("i", { class: "ev-tick ev-" + kind });
    tick.style.cssText =
      "top:" + ((100 * entry.start) / length).toFixed(2) + "%;height:max(3px," + ((100 * (entry.end - entry.start)) / length).toFixed(2) +
      "%);--c:" + colorOf(entry.criterion.index);
    return tick;
  });
}

export function drawWindow() {
  const scroll = part("scroll");
  const frame = part("window");
  const [whole, seen, top] = [Math.max(1, scroll.scrollHeight), scroll.clientHeight, scroll.scrollTop];
  frame.style.top = (100 * top) / whole + "%";
  frame.style.height = (100 * seen) / whole + "%";
  frame.hidden = seen >= whole - 2;
}

export function startMap() {
  part("scroll").addEventListener("scroll", () => requestAnimationFrame(drawWindow), { passive: true });
  part("map").addEventListener("click", (event) => {
    const frame = part("map").getBoundingClientRect();
    const scroll = part("scroll");
    scroll.scrollTop = ((event.clientY - frame.top) / frame.height) * scroll.scrollHeight - scroll.clientHeight / 2;
  });
}
