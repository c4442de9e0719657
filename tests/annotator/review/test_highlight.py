from __future__ import annotations

from annotator.review.highlight import highlighted, pieces
from storage.records import Prediction, Span
from tests.builders import MOOD, SLEEP, a_post, a_prediction


def test_the_pieces_put_together_are_the_text_with_emoji_and_line_breaks() -> None:
    text = "I can't sleep 😞👩‍👩‍👧.\r\n\tשלום <b>${x}</b> {{y}}"
    prediction = Prediction("p1", "SLEEP_ISSUES", "m1", (Span(2, 15, 0.9), Span(8, 25, 0.5)), 0.1)
    cut = pieces(text, [prediction])
    assert "".join(piece for piece, _ in cut) == text
    assert cut[2] == [text[8:15], [[0, 0], [0, 1]]]


def test_overlapping_criteria_are_named_on_the_shared_piece() -> None:
    post = a_post("I lie awake and feel empty.")
    sleep = a_prediction(post, "lie awake and feel")
    mood = a_prediction(post, "feel empty", criterion=MOOD)
    assert pieces(post.text, [sleep, mood]) == [
        ["I ", []],
        ["lie awake and ", [[0, 0]]],
        ["feel", [[0, 0], [1, 0]]],
        [" empty", [[1, 0]]],
        [".", []],
    ]


def test_the_page_gets_criteria_in_their_order_with_scores_and_quotes() -> None:
    post = a_post()
    found = [a_prediction(post, criterion=MOOD), a_prediction(post, "cannot sleep")]
    drawn = highlighted(post.text, [SLEEP, MOOD], found, {"SLEEP_ISSUES": 0.6})
    assert drawn["criteria"] == [
        {
            "id": "SLEEP_ISSUES",
            "name": "Sleep problems",
            "known": True,
            "score": 0.8,
            "threshold": 0.6,
            "spans": [{"score": 0.8, "quote": "cannot sleep"}],
        },
        {"id": "DEPRESSED_MOOD", "name": "Depressed mood", "known": True, "score": 0.1, "threshold": 0.0, "spans": []},
    ]
