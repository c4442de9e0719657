// Offsets. The server counts Unicode code points, the page UTF-16 units; this file is the only place that converts.
// Also: where characters (grapheme clusters), words and sentences begin and end, and snapping to them.

function pointMaps(text) {
  const toPoint = new Int32Array(text.length + 1);
  let points = 0;
  for (let i = 0; i < text.length; i += 1) {
    toPoint[i] = points;
    const pair = (text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    if (pair) {
      i += 1;
      toPoint[i] = points; // the middle of a pair belongs to its beginning
    }
    points += 1;
  }
  toPoint[text.length] = points;
  const toUnit = new Int32Array(points + 1);
  for (let i = text.length; i >= 0; i -= 1) toUnit[toPoint[i]] = i;
  return { toPoint, toUnit };
}

const BLOCK_LENGTH = 1200;
const WALL_LENGTH = 6000;

// A post as the page holds it. Blocks are the pieces that are drawn anew as a whole: a paragraph with its line break, or, in
// long paragraphs, a run of sentences. `opens` marks the blocks that begin a paragraph; a wall of text without a single line
// break is shown as several, because a browser lays out a paragraph as a whole whenever anything in it changes.
export function makeDoc(text, sentencePoints) {
  const maps = pointMaps(text);
  const sentences = sentencePoints.map(([a, b]) => [maps.toUnit[a], maps.toUnit[b]]);
  const blocks = [];
  let next = 0; // index into sentences
  for (let start = 0; start < text.length; ) {
    const line = text.indexOf("\n", start);
    const end = line < 0 ? text.length : line + 1;
    const wall = end - start > WALL_LENGTH;
    let from = start;
    for (; next < sentences.length && sentences[next][0] < end; next += 1) {
      const cut = sentences[next][0];
      if (cut - from < BLOCK_LENGTH || cut <= start) continue;
      blocks.push({ start: from, end: cut, opens: wall || from === start });
      from = cut;
    }
    blocks.push({ start: from, end, opens: wall || from === start });
    start = end;
  }
  return { text, ...maps, blocks, sentences };
}

export function blockIndexAt(doc, offset) {
  let low = 0;
  let high = doc.blocks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (doc.blocks[middle].start <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

const graphemeSegmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const wordSegmenter = new Intl.Segmenter(undefined, { granularity: "word" });

// Edges of the graphemes of one block, ascending, both ends included.
function graphemeEdges(doc, block) {
  if (!block.graphemes) {
    const edges = [block.start];
    for (const s of graphemeSegmenter.segment(doc.text.slice(block.start, block.end))) {
      edges.push(block.start + s.index + s.segment.length);
    }
    block.graphemes = edges;
  }
  return block.graphemes;
}

function wordsOf(doc, block) {
  if (!block.words) {
    block.words = [];
    for (const s of wordSegmenter.segment(doc.text.slice(block.start, block.end))) {
      const start = block.start + s.index;
      if (s.isWordLike || /\p{Extended_Pictographic}/u.test(s.segment)) block.words.push([start, start + s.segment.length]);
    }
    block.words = joinApostrophes(doc.text, block.words);
  }
  return block.words;
}

// "can't" and "self-harm" are one word to a reader, whatever the segmenter says.
function joinApostrophes(text, words) {
  const joined = [];
  for (const [start, end] of words) {
    const last = joined[joined.length - 1];
    if (last && start - last[1] === 1 && /['’\-‑]/.test(text[last[1]])) last[1] = end;
    else joined.push([start, end]);
  }
  return joined;
}

// The nearest edge in an ascending list that lies strictly beyond `offset` in direction +1 or -1.
function beyond(edges, offset, direction) {
  if (direction > 0) return edges.find((edge) => edge > offset);
  for (let i = edges.length - 1; i >= 0; i -= 1) if (edges[i] < offset) return edges[i];
  return undefined;
}

function unitEdges(doc, unit, index, side) {
  const block = doc.blocks[index];
  if (unit === "char") return graphemeEdges(doc, block);
  return wordsOf(doc, block).map((word) => word[side === "start" ? 0 : 1]);
}

// Where an edge gets to when it moves by one unit. side: whether it marks the start or the end of something.
export function moveBy(doc, offset, unit, direction, side) {
  const last = direction > 0 ? doc.text.length : 0;
  if (unit === "sentence") {
    const edges = doc.sentences.map((s) => s[side === "start" ? 0 : 1]);
    return beyond(edges, offset, direction) ?? last;
  }
  let index = blockIndexAt(doc, direction > 0 ? Math.min(offset, doc.text.length) : Math.max(0, offset - 1));
  for (; index >= 0 && index < doc.blocks.length; index += direction) {
    const found = beyond(unitEdges(doc, unit, index, side), offset, direction);
    if (found !== undefined) return found;
  }
  return last;
}

export function wordAt(doc, offset) {
  const words = wordsOf(doc, doc.blocks[blockIndexAt(doc, offset)]);
  return words.find(([start, end]) => start <= offset && offset < end) || words.find(([, end]) => end === offset) || null;
}

export function sentenceAt(doc, offset) {
  return doc.sentences.find(([start, end]) => start <= offset && offset < end) || null;
}

// No edge may cut a character: one accent, one family of emoji, one CRLF.
function toGraphemes(doc, start, end) {
  const first = graphemeEdges(doc, doc.blocks[blockIndexAt(doc, start)]);
  const last = graphemeEdges(doc, doc.blocks[blockIndexAt(doc, Math.max(start, end - 1))]);
  return [first.findLast((edge) => edge <= start) ?? start, last.find((edge) => edge >= end) ?? end];
}

const SPACE = /\s/u;
const TRAILING = /[.,;:!?…。、，！？]/u;

export function trimSpaces(doc, start, end) {
  while (start < end && SPACE.test(doc.text[start])) start += 1;
  while (end > start && SPACE.test(doc.text[end - 1])) end -= 1;
  return [start, end];
}

// A full stop is no evidence; a face made of signs, as :-( , is left to the reader.
export function hasWords(text) {
  return !/^[\s.,;!?…·•"'“”‘’«»–—-]*$/u.test(text) && !/^\p{P}$/u.test(text.trim());
}

// What a selection becomes. "off": whole characters, exactly as selected. "word": whole words, without spaces around and
// punctuation behind. "sentence": whole sentences, the same ones that the model scores. Null when nothing is left.
export function snap(doc, start, end, mode) {
  [start, end] = toGraphemes(doc, Math.min(start, end), Math.max(start, end));
  if (mode === "off") return end > start ? [start, end] : null;
  [start, end] = trimSpaces(doc, start, end);
  if (start >= end) return null;
  if (mode === "sentence") {
    const touched = doc.sentences.filter(([a, b]) => a < end && start < b);
    return touched.length ? [touched[0][0], touched[touched.length - 1][1]] : [start, end];
  }
  const first = wordAt(doc, start);
  const last = wordAt(doc, end - 1);
  if (first && first[0] < start && start < first[1]) start = first[0];
  if (last && last[0] < end && end < last[1]) end = last[1];
  let trimmed = end;
  while (trimmed > start && (TRAILING.test(doc.text[trimmed - 1]) || SPACE.test(doc.text[trimmed - 1]))) trimmed -= 1;
  return trimmed > start ? [start, trimmed] : [start, end];
}
