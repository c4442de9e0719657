import assert from "node:assert/strict";
import test from "node:test";

import { makeDoc, moveBy, sentenceAt, snap, wordAt } from "../../../annotator/span_editor/js/offsets.js";

const FAMILY = "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}";
const TEXTS = ["", "plain", "😞 tired 😞😞", `We ${FAMILY} sleep`, "e\u0301te\u0301", "a\r\nb\n\nc", "שלום 😞 abc", "𝓘 𝓪𝓶"];

function docOf(text) {
  const points = Array.from(text).length;
  return makeDoc(text, points ? [[0, points]] : []);
}

function cut(doc, span) {
  return span && doc.text.slice(span[0], span[1]);
}

test("every code point goes to its unit and back", () => {
  for (const text of TEXTS) {
    const doc = docOf(text);
    let unit = 0;
    Array.from(text).forEach((character, point) => {
      assert.equal(doc.toUnit[point], unit);
      assert.equal(doc.toPoint[unit], point);
      unit += character.length;
    });
    assert.equal(doc.toUnit[Array.from(text).length], text.length);
  }
});

test("the blocks of a post are its text, each character once", () => {
  const long = "A sentence. ".repeat(900);
  const sentences = Array.from({ length: 900 }, (_, i) => [12 * i, 12 * i + 11]);
  for (const doc of [...TEXTS.map(docOf), makeDoc(long, sentences)]) {
    assert.equal(doc.blocks.map((b) => doc.text.slice(b.start, b.end)).join(""), doc.text);
  }
});

test("a selection takes whole characters, words or sentences", () => {
  const doc = makeDoc("I can't sleep. Not at all!", [[0, 14], [15, 26]]);
  assert.equal(cut(doc, snap(doc, 4, 9, "word")), "can't sleep");
  assert.equal(cut(doc, snap(doc, 4, 5, "sentence")), "I can't sleep.");
  assert.equal(cut(doc, snap(doc, 13, 17, "sentence")), doc.text);
  assert.equal(cut(doc, snap(doc, 9, 4, "off")), "n't s");
  assert.equal(snap(doc, 14, 15, "word"), null);
});

test("no edge cuts a family or an accent", () => {
  const doc = docOf(`We ${FAMILY} e\u0301t`);
  assert.equal(cut(doc, snap(doc, 4, 5, "off")), FAMILY);
  const accent = doc.text.indexOf("\u0301");
  assert.equal(cut(doc, snap(doc, accent, accent + 1, "off")), "e\u0301");
});

test("an edge moves by character, word and sentence and stops at the ends", () => {
  const doc = makeDoc("One two. Three 😞 four.", [[0, 8], [9, 22]]);
  const at = (place) => doc.text.slice(0, place);
  assert.equal(at(moveBy(doc, 0, "word", 1, "end")), "One");
  assert.equal(at(moveBy(doc, 0, "sentence", 1, "end")), "One two.");
  assert.equal(at(moveBy(doc, 9, "sentence", -1, "start")), "");
  assert.equal(moveBy(doc, doc.text.indexOf("😞"), "char", 1, "end"), doc.text.indexOf("😞") + 2);
  assert.equal(moveBy(doc, doc.text.length, "char", 1, "end"), doc.text.length);
  assert.equal(moveBy(doc, 0, "char", -1, "start"), 0);
});

test("the word and the sentence at a place", () => {
  const doc = makeDoc("self-harm, no. Yes.", [[0, 14], [15, 19]]);
  assert.equal(cut(doc, wordAt(doc, 6)), "self-harm");
  assert.equal(cut(doc, sentenceAt(doc, 16)), "Yes.");
  assert.equal(sentenceAt(doc, 14), null);
});
