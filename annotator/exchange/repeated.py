"""What several rows of a file, or a file and the project, say of one question: united, as the labels of one row are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from storage.formats.rows import ImportRow
from storage.records import OF_POST, Annotation, InvalidRecord, Prediction, Verdict
from storage.staging import Issue, Staging
from storage.store import Store

_STRENGTH = (Verdict.EVIDENCE, Verdict.UNSURE, Verdict.NO_EVIDENCE, None)


def stronger(one: Verdict | None, other: Verdict | None) -> Verdict | None:
    """Evidence before unsure before no evidence: a positive is never made a negative."""
    return min(one, other, key=_STRENGTH.index)


def same_sheet(one: Annotation, other: Annotation) -> bool:
    """Whether two answers of one person belong together: answers of different times follow each other."""
    return one.created_at is None or other.created_at is None or one.created_at == other.created_at


def united_answers(one: Annotation, other: Annotation) -> tuple[Annotation, str]:
    """The two as one answer, and how they contradict each other, in words ('' if they do not)."""
    verdict = stronger(one.verdict, other.verdict)
    given = (*other.spans, *one.spans)
    said_of = {(s.start, s.end): s.attributes for s in given if s.attributes}
    spans = {(s.start, s.end): replace(s, attributes=said_of.get((s.start, s.end), s.attributes)) for s in given}
    rejected = {(s.start, s.end): s for s in (*other.rejected, *one.rejected) if (s.start, s.end) not in spans}
    undecided = {(s.start, s.end): s for s in (*other.undecided, *one.undecided)}
    united = replace(
        one,
        verdict=verdict,
        spans=tuple(spans[key] for key in sorted(spans)),
        rejected=tuple(rejected[key] for key in sorted(rejected)),
        undecided=tuple(undecided[key] for key in sorted(undecided)),
        note="\n".join(dict.fromkeys(n for n in (one.note, other.note) if n)),
        labels=tuple(sorted({**dict(other.labels), **dict(one.labels)}.items())),
        created_at=max(filter(None, (one.created_at, other.created_at)), default=None),
    )
    said = {v for v in (one.verdict, other.verdict) if v is not None}
    if len(said) < 2 or (Verdict.NO_EVIDENCE in said and (one.rejected or other.rejected)):
        return united, ""
    words = " and ".join(sorted(map(str, said)))
    return united, f"{one.criterion_id}: contradictory: rows of the file say {words}; kept as {verdict}"


def united_predictions(one: Prediction, other: Prediction) -> Prediction:
    spans = {(s.start, s.end): s for s in (*other.spans, *one.spans)}
    return replace(
        one,
        spans=tuple(spans[key] for key in sorted(spans)),
        no_evidence_score=min(one.no_evidence_score, other.no_evidence_score),
        known=one.known or other.known,
    )


def already_there(known: Iterable[Annotation], new: Annotation) -> bool:
    """True if one of the stored revisions says the same, by the same person and (where the file tells) at the same time."""
    return any(
        (k.criterion_id, k.reviewer, k.verdict) == (new.criterion_id, new.reviewer, new.verdict)
        and {(s.start, s.end) for s in k.spans} == {(s.start, s.end) for s in new.spans}
        and _says_no_more(k, new)
        and set(k.rejected) == set(new.rejected)
        and new.created_at in (None, k.created_at)
        for k in known
    )


def _says_no_more(known: Annotation, new: Annotation) -> bool:
    """Whether all that the file says of spans and of the post is known. A file that says nothing of them takes nothing back."""
    of_spans = {(s.start, s.end): s.attributes for s in known.spans}
    said = all(not s.attributes or of_spans.get((s.start, s.end)) == s.attributes for s in new.spans)
    return said and (new.labels == known.labels or (new.criterion_id != OF_POST and not new.labels))


class Uniting:
    """Stages what a further row says of a post beside what was said before. known: the post's revisions in the store."""

    def __init__(self, staging: Staging, known: Sequence[Annotation]) -> None:
        self._staging, self._known = staging, known

    def add_answer(self, annotation: Annotation) -> int:
        """Stage it; the number of staged answers that turn out to be in the store already, and are taken out again."""
        found = self._staging.answer_before(annotation)
        if found is None or not same_sheet(found[1], annotation):
            self._staging.add_annotation(annotation)
            return 0
        place, before = found
        united, contradiction = united_answers(before, annotation)
        if contradiction:
            self._staging.add_issue(Issue(None, annotation.post_id, "contradiction", contradiction))
        if already_there(self._known, united):
            self._staging.drop_annotation(place)
            return 1
        self._staging.add_annotation(united, in_place_of=place)
        return 0

    def add_prediction(self, prediction: Prediction, model_version: str | None) -> None:
        before = self._staging.take_prediction(prediction, model_version=model_version)
        united = prediction if before is None else united_predictions(before, prediction)
        self._staging.add_prediction(united, model_version=model_version)


class Homes:
    """The posts to which labels that stand apart from their text belong.

    aliases: the post that stands for a skipped one of the same text, by its id. in_part: ids as the file says them, by those in their part.
    """

    def __init__(self, staging: Staging, store: Store) -> None:
        self._staging, self._store = staging, store
        self.aliases: dict[str, str] = {}
        self.in_part: dict[str, str] = {}

    def put(self, row: ImportRow, post_id: str) -> None:
        """Note where the post of a row went; '' where it was refused."""
        if row.part is not None and row.post_id is not None:
            self._staging.add_home(row.post_id, row.part, post_id)

    def post_of(self, name: str) -> str:
        """The post that labels of the name belong to: the one of their part, where ids begin anew in each, else the one of their id.

        Raises InvalidRecord where the file does not say which of several posts, or where that post was refused.
        """
        plain = self.in_part.get(name, name)
        if name != plain and (homes := self._staging.homes(plain)):
            return _home(plain, name.removesuffix(f"/{plain}"), homes)
        if name != plain and (self._staging.text_sha256(name) is not None or self._store.text_hashes({name})):
            return name
        known = self._staging.text_sha256(plain) is not None
        return plain if known else self.aliases.get(name) or self.aliases.get(plain, plain)


def _home(name: str, part: str, homes: Sequence[tuple[str, str]]) -> str:
    """The post called so in the part; else the only one in a part around it or within it; else the only one at all."""
    near = [(p, i) for p, i in homes if p.startswith(f"{part}/") or part.startswith(f"{p}/")]
    posts = {i for p, i in homes if p == part} or {i for _, i in near} or {i for _, i in homes}
    if len(posts) > 1:
        raise InvalidRecord(f"several posts are called {name}")
    if posts == {""}:
        raise InvalidRecord(f"the row of the post {name} was refused")
    return posts.pop()
