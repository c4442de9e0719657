"""What a model has seen: the bundled one the corpus, a trained one its base's posts and its own."""

from __future__ import annotations

from pathlib import Path

from encoder.bundled import corpus
from encoder.network.hub import BUNDLED_DIRECTORY
from encoder.seen import SEEN_FILE, seen_by, seen_with
from storage.records import Split


def test_the_bundled_model_has_seen_the_corpus_but_not_its_held_out_posts() -> None:
    seen = seen_by(BUNDLED_DIRECTORY)
    learned = [i.text for i in corpus.read_items() if i.split is Split.TRAIN]
    assert seen.count(learned) == {"train": len(learned), "dev": 0}
    assert seen.count(e.post.text for e in corpus.read_test_posts()) == {"train": 0, "dev": 0}


def test_what_the_base_has_seen_stays_with_the_model_and_no_text_is_kept(tmp_path: Path) -> None:
    first = seen_with(None, ["I cannot sleep."], ["The dog is well."])
    (tmp_path / SEEN_FILE).write_text(first.to_json())
    assert "sleep" not in first.to_json()
    further = seen_with(tmp_path, ["Grey again."], [])
    assert further.count(["I cannot sleep.", "Grey again.", "The dog is well.", "Unread."]) == {"train": 2, "dev": 1}
    assert seen_by(tmp_path / "elsewhere").count(["I cannot sleep."]) == {"train": 0, "dev": 0}
