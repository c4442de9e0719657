"""Answers of several people, written down by hand as the statistics read them."""

from __future__ import annotations

import numpy as np

from annotator.teams.agreement.answers import CATEGORIES, Answers
from annotator.teams.agreement.continua import Marks

Given = tuple[str, str, str, str, list[tuple[int, int]]]  # post, criterion, person, verdict, spans


def answers_of(texts: dict[str, str], given: list[Given], *, at: list[str] | None = None) -> Answers:
    posts, criteria, people = (sorted({row[i] for row in given}) for i in range(3))
    marks = [(n, start, end) for n, row in enumerate(given) for start, end in sorted(row[4])]
    return Answers(
        posts=posts,
        criteria=criteria,
        people=people,
        post=np.array([posts.index(row[0]) for row in given], dtype=np.int64),
        criterion=np.array([criteria.index(row[1]) for row in given], dtype=np.int64),
        person=np.array([people.index(row[2]) for row in given], dtype=np.int64),
        verdict=np.array([[str(c) for c in CATEGORIES].index(row[3]) for row in given], dtype=np.int64),
        marks=Marks(*np.array(marks, dtype=np.int64).reshape(-1, 3).T),
        texts=lambda numbers: [texts[posts[number]] for number in numbers],
        at=np.array(at or ["2026-11-02T10:00:00Z"] * len(given)),
    )
