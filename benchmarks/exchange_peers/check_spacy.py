"""Prodigy's JSON Lines through spaCy: the tokens make the text, every span is a `char_span`, and a DocBin gives them back.

Run with spaCy's own Python: python check_spacy.py FOLDER (made by `benchmarks.exchange_peers.make`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import spacy
from spacy.tokens import Doc, DocBin


def main(folder: Path) -> None:
    nlp = spacy.blank("en")
    truth = {
        (post, label, start, end): quote
        for post, label, start, end, quote in json.loads((folder / "truth.json").read_text("utf-8"))
    }
    bin_, wanted = DocBin(store_user_data=True), []
    strict_with_own_tokens = 0
    for line in (folder / "prodigy.jsonl").read_text("utf-8").split("\n"):
        if not line:
            continue
        example = json.loads(line)
        tokens = example["tokens"]
        doc = Doc(nlp.vocab, words=[t["text"] for t in tokens], spaces=[t["ws"] for t in tokens])
        assert doc.text == example["text"], "the tokens do not spell the text"
        spans = []
        for given in example["spans"]:
            span = doc.char_span(given["start"], given["end"], label=given["label"], alignment_mode="strict")
            assert span is not None, "a span does not fit the tokens"
            assert (span.start, span.end - 1) == (given["token_start"], given["token_end"])
            assert span.text == truth.pop((example["meta"]["post_id"], given["label"], given["start"], given["end"]))
            own = nlp(example["text"]).char_span(given["start"], given["end"], alignment_mode="strict")
            strict_with_own_tokens += own is not None
            spans.append(span)
        doc.spans["evidence"] = spans
        wanted.append([(s.start_char, s.end_char, s.label_) for s in spans])
        bin_.add(doc)
    assert not truth, "spans are missing"
    back = DocBin().from_bytes(bin_.to_bytes()).get_docs(nlp.vocab)
    assert [[(s.start_char, s.end_char, s.label_) for s in d.spans["evidence"]] for d in back] == wanted
    count = sum(map(len, wanted))
    print(
        json.dumps(
            {"spacy": spacy.__version__, "spans": count, "strict_with_spacys_own_tokens": strict_with_own_tokens}
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
