"""The baselines: what they find, what they must not claim."""

from __future__ import annotations

import pytest

from encoder.errors import BadExamples
from encoder.examples import Example, Label
from encoder.measure.baselines import KeywordBaseline, TfidfBaseline
from encoder.measure.evaluate import evaluate
from storage.records import Criterion, Post, Span, Verdict
from tests.builders import MOOD, SLEEP, a_post

NIGHTS = ["awake until dawn", "tossing all night", "no sleep again", "nights are long", "eyes open at four"]
DAYS = ["the dog is well", "work was fine", "we had soup", "my car broke", "it rained today"]


def posts_of(kind: str, count: int = 12) -> list[Example]:
    """Posts of two sentences, the second of which is about the night in every other post."""
    found = []
    for i in range(count):
        first, second = DAYS[i % 5], NIGHTS[(i * 3) % 5] if i % 2 else DAYS[(i + 2) % 5]
        text = f"{first} {i}. {second} {i}."
        start = text.index(". ") + 2
        label = Label(Verdict.EVIDENCE, (Span(start, len(text)),)) if i % 2 else Label(Verdict.NO_EVIDENCE)
        found.append(Example(Post(f"{kind}{i}", text), {SLEEP.id: label}))
    return found


def test_keywords_come_from_the_criterions_own_wording() -> None:
    post = a_post("I have slept badly. Sleeping pills. The dog is sleepy! Unrelated words.")

    (prediction,) = KeywordBaseline().fit([], [SLEEP]).predict([post], [SLEEP])

    assert [s.quote(post.text) for s in prediction.spans] == ["Sleeping pills.", "The dog is sleepy!"]
    assert prediction.no_evidence_score == 0.5


def test_given_keywords_take_the_place_of_the_wording() -> None:
    post = a_post("I sleep. I lie awake, wide awake.")

    (prediction,) = KeywordBaseline({SLEEP.id: ["awake"]}).fit([], [SLEEP]).predict([post], [SLEEP])

    assert [(s.quote(post.text), s.score) for s in prediction.spans] == [
        ("I lie awake, wide awake.", pytest.approx(2 / 3))
    ]


def test_a_criterion_without_a_keyword_is_not_known() -> None:
    only_stop_words = Criterion("X", "The", "The writer is on it.")

    (prediction,) = KeywordBaseline().fit([], [only_stop_words]).predict([a_post()], [only_stop_words])

    assert (prediction.known, prediction.spans) == (False, ())


def test_tfidf_learns_the_evidence_and_returns_posts_times_criteria() -> None:
    model = TfidfBaseline().fit(posts_of("train", 40), [SLEEP], dev=posts_of("dev"))
    test = posts_of("test")

    predictions = model.predict([e.post for e in test], [SLEEP, MOOD])

    assert [(p.post_id, p.criterion_id, p.known) for p in predictions[:2]] == [
        ("test0", SLEEP.id, True),
        ("test0", MOOD.id, False),
    ]
    assert evaluate(predictions, test, [SLEEP], bootstrap=0).macro_f1 > 0.9


def test_tfidf_gives_every_sentence_a_score_when_asked() -> None:
    model = TfidfBaseline().fit(posts_of("train"), [SLEEP])

    (prediction,) = model.predict([posts_of("test")[0].post], [SLEEP], all_sentences=True)

    assert len(prediction.spans) == 2
    assert prediction.no_evidence_score == pytest.approx(1 - prediction.max_score)


def test_tfidf_without_evidence_or_without_training_says_so() -> None:
    nothing = [Example(a_post(), {SLEEP.id: Label(Verdict.NO_EVIDENCE)})]

    with pytest.raises(BadExamples, match="at least one example with evidence"):
        TfidfBaseline().fit(nothing, [SLEEP])
    with pytest.raises(BadExamples, match="call fit first"):
        TfidfBaseline().predict([a_post()], [SLEEP])


def test_an_unreviewed_criterion_is_no_negative_for_tfidf() -> None:
    reviewed = posts_of("train", 20)
    unread = [Example(Post(f"u{i}", f"{NIGHTS[i % 5]} {i}."), {}) for i in range(60)]
    night = Post("t", "no sleep again.")

    with_unread, without = (
        TfidfBaseline().fit(rows, [SLEEP]).predict([night], [SLEEP], all_sentences=True)[0]
        for rows in (reviewed + unread, reviewed)
    )

    assert with_unread.max_score > 0.5
    assert without.max_score > 0.5
