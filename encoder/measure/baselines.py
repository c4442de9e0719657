"""Two models that every encoder must beat, shown beside it always: keywords, and TF-IDF with logistic regression. No torch.

Both answer sentence by sentence and return the same `Prediction` records as the encoder, so that one `evaluate` judges all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from encoder.errors import BadExamples
from encoder.examples import Example
from encoder.measure.calibrate import fit_thresholds
from encoder.measure.metrics import Bools, Floats, sentence_is_evidence
from encoder.text.sentences import sentences
from storage.records import Criterion, Post, Prediction, Span

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_WORD_OR_MARK = r"(?u)\b\w+(?:['’]\w+)?|[?!]"
_STOP_TEXT = """a about above after again against all almost also am an and any are as at be because been before being below
between both but by can cannot clearly could day days did do does doing down during each every far few for from further gone
had has have having he her here hers him his how i if in into is it its itself just less like made make me more most much my
nearly no nor not of off on once only or other our out over own part same she should so some such than that the their them
themself themselves then there these they this those through time to too under until up use used usual very was we were what
when where which while who whom why will with without would writer writer's you your"""
_STOP_WORDS = frozenset(_STOP_TEXT.split())
_ENDINGS = (
    "ations",
    "ation",
    "nesses",
    "ness",
    "ments",
    "ment",
    "ings",
    "ing",
    "ies",
    "edly",
    "ed",
    "ly",
    "es",
    "s",
    "e",
    "y",
)
_MIN_STEM = 4


class KeywordBaseline:
    """Highlights each sentence that holds a word of the criterion's name or text, or one of its given keywords.

    keywords: words or phrases by criterion id, in the place of those found in the wording; a word also matches longer forms
        of itself.
    """

    version = "keywords"

    def __init__(self, keywords: Mapping[str, Sequence[str]] | None = None) -> None:
        self._keywords = {key: list(words) for key, words in (keywords or {}).items()}
        self._patterns: dict[str, re.Pattern[str]] = {}

    def fit(self, examples: Sequence[Example], criteria: Sequence[Criterion]) -> KeywordBaseline:
        """Collect the keywords; the examples are not looked at."""
        del examples
        found = {c.id: _stems(f"{c.name} {c.text}") for c in criteria}
        shared = Counter(stem for stems in found.values() for stem in stems)
        for criterion in criteria:
            given = self._keywords.get(criterion.id)
            words = (
                given
                if given is not None
                else [s for s in found[criterion.id] if shared[s] <= max(1, len(criteria) // 3)]
            )
            if words:
                alternatives = "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True))
                self._patterns[criterion.id] = re.compile(rf"\b(?:{alternatives})\w*", re.IGNORECASE)
        return self

    def predict(self, posts: Sequence[Post], criteria: Sequence[Criterion]) -> list[Prediction]:
        """Posts x criteria, in this order; a score is 0.5 for one keyword, more for several."""

        def score(passages: Sequence[str], criterion: Criterion) -> Floats | None:
            pattern = self._patterns.get(criterion.id)
            if pattern is None:
                return None
            hits = np.asarray([len(pattern.findall(p)) for p in passages], dtype=np.float64)
            return hits / (hits + 1.0)

        return _predict(posts, criteria, self.version, score, dict.fromkeys(self._patterns, 0.5))


class TfidfBaseline:
    """TF-IDF of words (1 to 2) and characters (3 to 5), one logistic regression per criterion, sentence by sentence."""

    version = "tf-idf"

    def __init__(self, *, regularization: float = 10.0) -> None:
        self._c = regularization
        self._features: Any = None
        self._models: dict[str, Any] = {}
        self.thresholds: dict[str, float] = {}

    def fit(
        self, examples: Sequence[Example], criteria: Sequence[Criterion], *, dev: Sequence[Example] = ()
    ) -> TfidfBaseline:
        """Train on every reviewed sentence; thresholds come from `dev`, else they are 0.5. BadExamples without evidence."""
        from sklearn.linear_model import LogisticRegression

        texts, gold = _training_rows(examples, criteria)
        if not any(labels.any() for _, labels in gold.values()):
            raise BadExamples("The TF-IDF baseline needs at least one example with evidence to learn from.")
        self._features = _vectorizer()
        table = self._features.fit_transform(texts)
        self._models = {}
        for key, (rows, labels) in gold.items():
            if labels.any() and not labels.all():
                model = LogisticRegression(C=self._c, class_weight="balanced", solver="liblinear", random_state=0)
                self._models[key] = model.fit(table[rows], labels)
        self.thresholds = dict.fromkeys(self._models, 0.5)
        if dev:
            self._fit_thresholds(dev, criteria)
        return self

    def predict(
        self, posts: Sequence[Post], criteria: Sequence[Criterion], *, all_sentences: bool = False
    ) -> list[Prediction]:
        """Posts x criteria, in this order. all_sentences: every sentence with its score, not only those above the threshold."""
        if self._features is None:
            raise BadExamples("The TF-IDF baseline was not trained; call fit first.")
        thresholds = dict.fromkeys(self.thresholds, 0.0) if all_sentences else self.thresholds
        return _predict(posts, criteria, self.version, self._scores, thresholds)

    def _scores(self, passages: Sequence[str], criterion: Criterion) -> Floats | None:
        model = self._models.get(criterion.id)
        if model is None:
            return None
        return np.asarray(model.predict_proba(self._transformed(passages))[:, 1], dtype=np.float64)

    def _transformed(self, passages: Sequence[str]) -> Any:
        """The passages as features; those of the last call are kept, because each criterion asks for the same ones."""
        key = tuple(passages)
        if getattr(self, "_last_key", None) != key:
            self._last_key, self._last_features = key, self._features.transform(passages)
        return self._last_features

    def _fit_thresholds(self, dev: Sequence[Example], criteria: Sequence[Criterion]) -> None:
        texts, gold = _training_rows(dev, criteria)
        scores: dict[str, Floats] = {}
        labels: dict[str, Bools] = {}
        for criterion in criteria:
            if criterion.id in self._models and criterion.id in gold:
                rows, labels[criterion.id] = gold[criterion.id]
                found = self._scores(texts, criterion)
                scores[criterion.id] = found[rows] if found is not None else np.empty(0)
        if labels and any(found.any() for found in labels.values()):
            fitted, default = fit_thresholds(scores, labels)
            self.thresholds = {key: fitted.get(key, default) for key in self._models}


def _vectorizer() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import FeatureUnion

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, lowercase=True, token_pattern=_WORD_OR_MARK)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, lowercase=True)
    return FeatureUnion([("words", words), ("characters", characters)])


def _training_rows(
    examples: Sequence[Example], criteria: Sequence[Criterion]
) -> tuple[list[str], dict[str, tuple[Any, Bools]]]:
    """All sentences, and per criterion the indices of the reviewed ones with their labels."""
    texts: list[str] = []
    rows: dict[str, list[int]] = {c.id: [] for c in criteria}
    gold: dict[str, list[bool]] = {c.id: [] for c in criteria}
    for example in examples:
        passages = sentences(example.post.text)
        for key in rows:
            label = example.labels.get(key)
            if label is not None:
                rows[key].extend(range(len(texts), len(texts) + len(passages)))
                gold[key].extend(sentence_is_evidence(p, label.spans) for p in passages)
        texts.extend(p.quote(example.post.text) for p in passages)
    return texts, {
        key: (np.asarray(rows[key], dtype=np.int64), np.asarray(gold[key], dtype=np.bool_)) for key in rows if rows[key]
    }


def _predict(
    posts: Sequence[Post],
    criteria: Sequence[Criterion],
    version: str,
    score: Callable[[Sequence[str], Criterion], Floats | None],
    thresholds: Mapping[str, float],
) -> list[Prediction]:
    """Predictions from a sentence scorer; a criterion it answers with None is not known to it."""
    passages = [sentences(post.text) for post in posts]
    quotes = [p.quote(post.text) for post, found in zip(posts, passages, strict=True) for p in found]
    scores = {c.id: score(quotes, c) for c in criteria} if quotes else {}
    predictions: list[Prediction] = []
    offset = 0
    for post, found in zip(posts, passages, strict=True):
        for criterion in criteria:
            all_scores = scores.get(criterion.id)
            if all_scores is None:
                predictions.append(Prediction(post.id, criterion.id, version, (), 1.0, known=False))
                continue
            own = all_scores[offset : offset + len(found)]
            threshold = thresholds.get(criterion.id, 0.5)
            spans = tuple(Span(p.start, p.end, float(s)) for p, s in zip(found, own, strict=True) if s >= threshold)
            best = float(own.max()) if len(own) else 0.0
            predictions.append(Prediction(post.id, criterion.id, version, spans, 1.0 - best))
        offset += len(found)
    return predictions


def _stems(text: str) -> list[str]:
    """The content words of `text` without their endings, in order, each once."""
    words = (w.lower().replace("’", "'") for w in _WORD.findall(text))
    return list(dict.fromkeys(_stem(w) for w in words if w not in _STOP_WORDS and len(w) > 2))


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _MIN_STEM:
            return word[: -len(ending)]
    return word
