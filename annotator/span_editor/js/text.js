// Drawing the post. The text is cut at every edge of a visible mark; each piece is one element that shows all marks over it,
// the active criterion's as a fill and every criterion's as an underline in a lane of its own. Only blocks whose pieces
// have changed are built again, so a gesture costs the same in a long post as in a short one.

import { fill, make, part } from "./dom.js";
import { blockIndexAt } from "./offsets.js";
import { colorOf, patternOf } from "./patterns.js";
import { activeCriterion, ed, isOpen, sortMarks, undecidedOf } from "./state.js";
import { readsWhole } from "./settings.js";
import { scheduleHandles } from "./handles.js";
import { surface } from "./surface.js";
import { hasSaid, saidKey, saidTag, saidText } from "./said.js";

const LONG_POST = 20000; // from here on the browser leaves out what is not on the screen
const LANE_HEIGHT = 4;
const PRIORITY = { pending: 9, accepted: 3, adjusted: 3, added: 3, undecided: 2, rejected: 1 };
const PENDING = { id: 0, state: "pending", predicted: null };

// What is drawn: { mark, criterion, active, start, end, lane }, those of the active criterion first. In whole-post mode every
// criterion's marks are drawn as the active one's are; while Shift is held, all that would be confirmed.
function visibleMarks(item) {
  const active = activeCriterion();
  const whole = readsWhole();
  const layer = (criterion, marks) =>
    sortMarks(marks).map((mark) => ({ mark, criterion, active: whole || criterion === active, start: mark.start, end: mark.end, lane: 0 }));
  const layers = layer(active, active.marks);
  for (const criterion of item.criteria) {
    if (criterion === active) continue;
    if (whole) layers.push(...layer(criterion, criterion.marks));
    else if (ed.shown.others) layers.push(...layer(criterion, criterion.marks.filter((m) => m.state !== "rejected")));
    else if (ed.peek && isOpen(criterion)) layers.push(...layer(criterion, undecidedOf(criterion)));
  }
  for (const entry of layers) if (ed.draft && entry.mark.id === ed.mark) Object.assign(entry, ed.draft);
  if (ed.pending) layers.push({ ...ed.pending, mark: PENDING, criterion: active, active: true, lane: 0 });
  return assignLanes(layers);
}

function assignLanes(layers) {
  const taken = []; // lane -> spans in it
  for (const entry of layers) {
    let lane = taken.findIndex((spans) => spans.every(([start, end]) => end <= entry.start || entry.end <= start));
    if (lane < 0) lane = taken.push([]) - 1;
    taken[lane].push([entry.start, entry.end]);
    entry.lane = Math.min(entry.criterion.lane ?? lane, ed.lanes - 1);
  }
  return layers;
}

function signatureOf(entry) {
  const m = entry.mark;
  return [entry.start, entry.end, m.id, m.state, entry.lane, entry.active, m.id === ed.mark, entry.criterion.index, saidKey(m.said)].join(",");
}

export function mountText(item) {
  part("text").style.setProperty("--lane-room", ed.lanes * LANE_HEIGHT + "px");
  const paragraphs = [];
  for (const block of item.doc.blocks) {
    block.signature = null;
    block.node = make("span", { class: "ev-block" });
    block.node.block = block;
    if (block.opens) paragraphs.push(make("div", { class: "ev-par", dir: "auto" }));
    paragraphs[paragraphs.length - 1].append(block.node);
  }
  part("text").classList.toggle("ev-long", item.doc.text.length > LONG_POST);
  fill(part("text"), paragraphs);
  drawText();
}

export function drawText() {
  const { doc } = ed.item;
  const entries = visibleMarks(ed.item);
  const perBlock = new Map();
  for (const entry of entries) {
    const last = blockIndexAt(doc, entry.end - 1);
    for (let i = blockIndexAt(doc, entry.start); i <= last; i += 1) {
      if (!perBlock.has(i)) perBlock.set(i, []);
      perBlock.get(i).push(entry);
    }
  }
  doc.blocks.forEach((block, i) => {
    const here = perBlock.get(i) || [];
    const signature = here.map(signatureOf).join(";");
    if (block.signature !== signature) drawBlock(doc, block, here, signature);
  });
  surface.drawn(entries);
  scheduleHandles();
}

function drawBlock(doc, block, entries, signature) {
  block.signature = signature;
  const pieces = [];
  const edges = cutPoints(block, entries);
  for (let i = 0; i + 1 < edges.length; i += 1) {
    const [start, end] = [edges[i], edges[i + 1]];
    const over = entries.filter((e) => e.start <= start && end <= e.end);
    const text = document.createTextNode(doc.text.slice(start, end));
    pieces.push(over.length ? pieceOf(over, text, start) : text);
  }
  fill(block.node, pieces);
}

function cutPoints(block, entries) {
  const edges = new Set([block.start, block.end]);
  for (const entry of entries) {
    edges.add(Math.max(block.start, entry.start));
    edges.add(Math.min(block.end, entry.end));
  }
  return Array.from(edges).sort((a, b) => a - b);
}

function pieceOf(over, text, start) {
  const ranked = over.slice().sort((a, b) => rank(b) - rank(a));
  const top = ranked[0];
  const piece = make("span", { class: "ev-seg ev-" + (top.active ? top.mark.state : "other") }, text);
  piece.classList.toggle("ev-current", top.mark.id === ed.mark && top.active);
  piece.dataset.marks = ranked.map((e) => e.mark.id).join(" ");
  piece.style.setProperty("--c", colorOf(top.criterion.index));
  paintLanes(piece, over);
  const others = ranked.filter((e) => readsWhole() || !e.active).map((e) => e.criterion.index + 1 + " " + e.criterion.name);
  if (top.active && hasSaid(top.mark.said)) others.push(saidText(top.mark.said));
  if (others.length) piece.title = others.join("\n");
  if (top.active && top.start === start && top.mark.state !== "pending") piece.dataset.tag = tagOf(top);
  return piece;
}

function rank(entry) {
  return (entry.active ? 10 : 0) + (entry.mark.id === ed.mark ? 5 : 0) + PRIORITY[entry.mark.state];
}

function tagOf(entry) {
  const { mark } = entry;
  const score = mark.predicted && mark.predicted[2] !== null ? mark.predicted[2].toFixed(2) : "";
  const sign = { accepted: "✓", adjusted: "✓", added: "+", rejected: "✕", undecided: "" }[mark.state];
  const number = readsWhole() ? entry.criterion.index + 1 + " " : "";
  return number + ((sign + " " + score).trim() || "○") + saidTag(mark.said);
}

function paintLanes(piece, over) {
  const images = [];
  const sizes = [];
  const places = [];
  for (const entry of over) {
    if (entry.mark.state === "rejected") continue;
    const [image, size] = patternOf(entry.criterion.index);
    images.push(image);
    sizes.push(size);
    places.push("0 calc(100% - " + (ed.lanes - 1 - entry.lane) * LANE_HEIGHT + "px)");
  }
  piece.style.setProperty("--lanes", images.length ? images.join(",") : "none");
  piece.style.backgroundImage = [...images, "linear-gradient(var(--fill),var(--fill))"].join(",");
  piece.style.backgroundSize = [...sizes, "100% calc(100% - " + ed.lanes * LANE_HEIGHT + "px)"].join(",");
  piece.style.backgroundPosition = [...places, "0 0"].join(",");
  piece.style.backgroundRepeat = [...images.map(() => "repeat-x"), "no-repeat"].join(",");
}
