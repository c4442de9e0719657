"""Which column of a table is what: guessed from the names and the first records, with what was chosen on top."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from storage.formats.answers import is_verdict, verdict_of
from storage.formats.argilla_columns import questions_of
from storage.formats.coded_segments import coded_segments, evidence_beside, label_beside, numbered_labels
from storage.formats.column_hints import NOBODY, hints_of, listed, no_text, not_read, said_of_people
from storage.formats.label_shapes import holds_labels
from storage.formats.people import PREDICTED
from storage.formats.raters import Rater, known_people, may_be_people, people_of_lists, raters_of
from storage.formats.rows import FormatError, LabelKind
from storage.formats.sentence_rows import are_sentences, number_column
from storage.formats.splits import SPLITS
from storage.formats.synonyms import FIELDS, SYNONYMS
from storage.formats.token_lists import bare_tokens, columns_of_tokens
from storage.formats.values import decoded, is_address, is_empty, is_listed, is_number, plain, values_of
from storage.formats.vocabulary import LISTS
from storage.formats.wide import wide_columns
from storage.records import Verdict

Record = Mapping[str, Any]
_LISTS = ("annotations", "history", "predictions", "adjudications", "meta")
_ID_NAME = re.compile(r"(?:^|[\s_.-])(?:id|nr|no|num|number|key|index)$|(?:Id|ID|Nr|_id)$", re.IGNORECASE)
_BARE_ID = re.compile(r"[a-z]*(?:id|nr)$")
# beside a criterion, columns of these names that hold verdicts alone are its verdict
_VERDICTS = ("label", "labels", "class", "value", "gold", "goldlabel", "target", "annotation", "response", "code")


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Column name by field. A field that is missing has no column.

    lists: columns that hold lists of labels, with the kind of their labels. wide: the columns (verdict, evidence) of a criterion that has
    columns of its own; either may be None. tokens: the columns of words and of their tags. squad: the columns are a question's.
    hints: what is to be said of a column that is kept in meta. joined: columns that are the text together (`title+body`).
    questions: the columns of each of Argilla's questions. sentences: each row is a sentence of its post;
    sentence_number: the column of its number or id, if there is one. raters: people with columns of their own;
    people: whose the columns of lists are that several people have. said: what is to be told of these. numbered: the columns by field of
    each of several labels of a row (`symptom1`, `evidence1`).
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, LabelKind] = field(default_factory=dict)
    wide: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    tokens: tuple[str, str] | None = None
    squad: bool = False
    hints: Mapping[str, str] = field(default_factory=dict)
    joined: tuple[str, ...] = ()
    questions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sentences: bool = False
    sentence_number: str | None = None
    raters: Mapping[str, Rater] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    numbered: tuple[Mapping[str, str], ...] = ()


def guess_mapping(
    columns: Sequence[str],
    sample: Sequence[Record] = (),
    *,
    of_one: bool = False,
    chosen: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Column by field, from the names and the values; the text is, if no name says so, the column with the most words.

    of_one: all labels are of one criterion, which no column names. chosen: the text and the id, where they are known.
    """
    if not {n for n, c in (chosen or {}).items() if c and n in ("text", "criterion", "evidence")}:
        coded = coded_segments(columns, sample)
        if coded:
            return coded
    known = {n: c for n, c in (chosen or {}).items() if n in ("text", "post_id") and c in columns}
    others = [c for c in columns if c not in known.values()]
    found = {name: column for name, column in _by_name(others, sample).items() if _fits(name, column, sample)} | known
    if "text" not in found:
        words = {c: _prose(c, sample) for c in columns if c not in found.values()}
        longest = max(words, key=lambda c: words[c], default=None)
        if longest is not None and words[longest] >= 3 * max(1, len(sample)):
            found["text"] = longest
        elif (prose := found.get("source")) is not None and _prose(prose, sample) >= 3 * max(1, len(sample)):
            found["text"] = found.pop("source")  # as some tools call it
    if "post_id" not in found:
        free = (c for c in columns if c not in found.values() and _is_id_name(c))
        named = [c for c in free if _is_unique(c, sample) or _tells_texts_apart(c, found, sample)]
        if named:
            found["post_id"] = named[0]
    elif _is_shared(found, sample) and not are_sentences(found, columns, sample):
        # the id of something that holds several posts, a thread's for one
        free = (c for c in columns if c not in found.values() and _is_id_name(c) and _is_unique(c, sample))
        free = (c for c in free if c != number_column(columns))  # of a sentence, not of a post
        found["post_id"] = next((c for c in free if _tells_texts_apart(c, found, sample)), found["post_id"])
    found |= _beside(columns, found, sample)
    if ("criterion" in found or of_one) and "verdict" not in found:
        names = {plain(c): c for c in reversed(columns) if c not in found.values()}
        beside = (names[n] for n in _VERDICTS if n in names)
        said = next((c for c in beside if (values := values_of(c, sample)) and all(map(is_verdict, values))), None)
        if said is not None:
            found["verdict"] = said
    return found if of_one or are_sentences(found, columns, sample) else _without_labels_of_posts(found)


def _beside(columns: Sequence[str], found: Mapping[str, str], sample: Sequence[Record]) -> dict[str, str]:
    """The column of labels where evidence stands beside, and the one of evidence where a label does, by other names than the usual ones."""
    made = dict(found)
    if plain(made.get("text", "")) in ("sentence", "sent") or {"start", "annotations", "history"} & made.keys():
        return made
    if any(plain(c) in ("tokens", "words") and any(map(is_listed, values_of(c, sample))) for c in columns):
        return made
    evidence = values_of(made.get("evidence", ""), sample)
    if any(isinstance(decoded(v), Mapping) or holds_labels(v) for v in evidence):  # it names its labels itself
        return made
    if "criterion" not in made:
        label = label_beside(columns, made, sample)
        if label is None:
            return made
        made["criterion"] = label
    if "evidence" not in made and (column := evidence_beside(columns, made, sample)) is not None:
        made["evidence"] = column
    if "evidence" not in made and "criterion" not in found:
        del made["criterion"]
    return made


def _is_shared(found: Mapping[str, str], sample: Sequence[Record]) -> bool:
    """Whether most ids are those of texts that differ."""
    texts: dict[str, set[str]] = {}
    for record in sample:
        name, text = record.get(found["post_id"]), record.get(found.get("text", ""))
        if isinstance(text, str) and not is_empty(name):
            texts.setdefault(str(name), set()).add(text)
    return sum(len(of_id) > 1 for of_id in texts.values()) * 2 > len(texts)


def _tells_texts_apart(column: str, found: Mapping[str, str], sample: Sequence[Record]) -> bool:
    """Whether the same value always stands beside the same text, and another beside another; without a text, whether it always stands."""
    if len(values_of(column, sample)) < len(sample) or not sample:
        return False
    text = found.get("text")
    if text is None:
        return "criterion" in found and not any(map(is_listed, values_of(column, sample)))
    pairs = {(str(r[column]), r.get(text)) for r in sample if isinstance(r.get(text), str | None)}
    return len(pairs) == len({i for i, _ in pairs}) == len({t for _, t in pairs})


def _by_name(columns: Sequence[str], sample: Sequence[Record]) -> dict[str, str]:
    names = {plain(c): c for c in reversed(columns) if plain(c)}
    found: dict[str, str] = {}
    for name, synonyms in SYNONYMS.items():
        fitting = (names[s] for s in synonyms if s in names and names[s] not in found.values())
        column = next((c for c in fitting if _fits(name, c, sample)), None)
        if column is not None:
            found[name] = column
    return found


def _is_id_name(column: str) -> bool:
    return bool(_ID_NAME.search(column.strip()) or _BARE_ID.fullmatch(plain(column)))


def _fits(name: str, column: str, sample: Sequence[Record]) -> bool:
    """Whether the values can be what the name says."""
    values = values_of(column, sample)
    if not values:
        return True
    if name == "text":
        return any(
            not isinstance(v, list | tuple | Mapping) and not holds_labels(v) and not _is_no_words(v) for v in values
        )
    if name == "verdict":  # one known word is enough: a row with another one is reported, never read as if it had none
        said = [verdict_of(v) for v in values if is_verdict(v)]
        of_work = plain(column) in ("status", "answer") and Verdict.NO_EVIDENCE not in said  # unclear, done, open
        return len(said) * 2 > len(values) if of_work else bool(said)
    if name in ("start", "end"):
        return any(map(is_number, values))
    if name == "criterion":
        return any(isinstance(v, str) and not is_listed(v) and not is_verdict(v) for v in values)
    if name == "post_id":
        bare = plain(column) in ("name", "index", "nr", "no", "key")
        return not any(map(is_listed, values)) and (not bare or _is_unique(column, sample))
    if name == "split":
        named = plain(column) not in ("set", "datasplit", "datasetsplit")
        return all(isinstance(v, str) and len(v) < 20 and (named or v.strip().lower() in SPLITS) for v in values)
    if name == "evidence" or name in _LISTS:
        return True
    return not any(map(is_listed, values))


def _is_no_words(value: Any) -> bool:
    return isinstance(value, str) and is_address(value)


def _is_unique(column: str, sample: Sequence[Record]) -> bool:
    values = [str(v) for v in values_of(column, sample) if not is_listed(v)]
    return len(values) == len(sample) and len(set(values)) == len(values)


def _prose(column: str, sample: Sequence[Record]) -> int:
    """Words in the column; an address or a list is none."""
    texts = [v for v in values_of(column, sample) if isinstance(v, str) and not is_listed(v)]
    return sum(len(t.split()) for t in texts if not t.startswith(("http://", "https://")))


def _without_labels_of_posts(found: dict[str, str]) -> dict[str, str]:
    """Without a criterion that has neither verdict nor passage beside it, and without what belongs to a criterion that is not there."""
    said = "verdict" in found or "evidence" in found or {"start", "end"} <= found.keys()
    if "criterion" in found and not said:
        del found["criterion"]
    if "criterion" not in found:
        for name in ("verdict", "start", "end", "evidence", "note", "created_at"):
            found.pop(name, None)
    return found


# --- the mapping to read with


def checked_mapping(
    columns: Sequence[str],
    chosen: Mapping[str, str] | None,
    sample: Sequence[Record],
    *,
    criteria: Sequence[str] = (),
    of_one: bool = False,
    reviewers: Collection[str] = (),
) -> ColumnMapping:
    """The mapping to read with: the guess, with what was chosen on top ('' takes a field away). criteria: names of columns of a wide table;
    of_one: all labels are of one criterion, which no column names. reviewers: whose names columns may have.

    Raises FormatError if a chosen column is not there, or if nothing could be the text or labels of known posts.
    """
    questions = questions_of(columns, sample)
    known = known_people(columns, sample, reviewers)
    unasked = [c for c in columns if not any(c in names for names in questions.values())]
    raters, guess = _raters_and_guess(unasked, chosen or {}, sample, criteria, known, of_one=of_one)
    mapping, joined = _with_chosen(guess, chosen or {}, columns)
    theirs = {c for rater in raters.values() for c in rater.all()}
    free = [c for c in unasked if c not in theirs and c not in mapping.values() and c not in joined]
    tokens = columns_of_tokens(free, sample)
    if tokens is None and "text" not in mapping:
        tokens = bare_tokens(free, sample)
    numbered = () if "criterion" in mapping else numbered_labels(free, sample)
    theirs = {c for columns_of in numbered for c in columns_of.values()}
    free = [c for c in free if c not in theirs]
    squad = _is_squad(columns) and "text" not in (chosen or {})
    lists = (
        {}
        if squad
        else {c: kind_of_column(c) for c in free if any(_holds_labels(c, v, criteria) for v in values_of(c, sample))}
    )
    if tokens is not None:
        lists.pop(tokens[1], None)
        lists.pop(tokens[0], None)
    wide = wide_columns(free, criteria, sample)
    has_labels = (
        {"criterion", "annotations"} & mapping.keys()
        or (of_one and {"verdict", "evidence"} & mapping.keys())
        or lists
        or wide
        or questions
        or raters
        or numbered
    )
    if "text" not in mapping and tokens is None and not ("post_id" in mapping and has_labels):
        raise FormatError(no_text(columns, sample))
    sentences = not (squad or joined or tokens) and are_sentences(mapping, columns, sample)
    hints = hints_of([c for c in free if not any(c in pair for pair in wide.values())], lists, sample)
    hints |= not_read(
        free,
        criteria,
        [c for pair in wide.values() for c in pair if c],
        sample,
        bare=tokens is not None and not tokens[1],
    )
    if "post_id" not in (chosen or {}):
        hints |= _shared_ids(mapping, free, sample)
    people = people_of_lists(list(lists), criteria, known)
    unsure = may_be_people([c for c in free if c not in people], criteria)
    if of_one or "criterion" in mapping:
        hints |= {c: NOBODY.format(name=n) for c, n in unsure.items() if c not in lists and values_of(c, sample)}
    return ColumnMapping(
        mapping,
        lists,
        wide,
        tokens,
        squad,
        hints,
        joined,
        questions,
        sentences,
        number_column(columns),
        raters,
        people,
        said_of_people(raters, people, {c: n for c, n in unsure.items() if lists.get(c) is LabelKind.ANSWER}),
        numbered,
    )


def _raters_and_guess(
    columns: Sequence[str],
    chosen: Mapping[str, str],
    sample: Sequence[Record],
    criteria: Sequence[str],
    known: Collection[str],
    *,
    of_one: bool,
) -> tuple[dict[str, Rater], dict[str, str]]:
    """The people with columns of their own, and the guess from the other columns."""

    def others() -> list[str]:
        theirs = {c for rater in raters.values() for c in rater.all()}
        return [c for c in columns if c not in theirs]

    raters = raters_of([c for c in columns if c not in chosen.values()], sample, criteria, known)
    mapping = guess_mapping(others(), sample, of_one=of_one or bool(raters), chosen=chosen)
    if raters and not of_one and not {**mapping, **chosen}.get("criterion"):  # verdicts of what?
        raters = {p: Rater(wide=rater.wide) for p, rater in raters.items() if rater.wide}
        mapping = guess_mapping(others(), sample, chosen=chosen)
    return raters, mapping


def _with_chosen(
    mapping: dict[str, str], chosen: Mapping[str, str], columns: Sequence[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The mapping with what was chosen on top, and the columns that are the text together. Raises FormatError."""
    joined: tuple[str, ...] = ()
    for name, column in chosen.items():
        if name not in SYNONYMS:
            raise FormatError(f"There is no field {name!r} to map. Fields: {', '.join(FIELDS)}.")
        if name == "text" and column not in columns and set(_parts(column)) <= set(columns):
            joined = _parts(column)
            mapping = {k: v for k, v in mapping.items() if v not in joined} | {"text": joined[0]}
            continue
        if column and column not in columns:
            raise FormatError(f"There is no column {column!r}. The file has: {listed(columns)}.")
        mapping = {k: v for k, v in mapping.items() if v != column and k != name}
        if column:
            mapping[name] = column
    return mapping, joined


def _shared_ids(mapping: Mapping[str, str], free: Sequence[str], sample: Sequence[Record]) -> dict[str, str]:
    """What is to be said of a column that would be the posts' id if texts that differ did not share it."""
    names = SYNONYMS["post_id"]
    own = mapping.get("post_id", "")
    rank = names.index(plain(own)) if plain(own) in names else len(names)
    shared = [c for c in free if plain(c) in names[:rank] and own and _is_shared({**mapping, "post_id": c}, sample)]
    return {c: f"several texts share it: the id is {own}; --column post_id={c} takes it as the id" for c in shared}


def _parts(column: str) -> tuple[str, ...]:
    """The columns of `title+body`."""
    return tuple(p.strip() for p in column.split("+")) if "+" in column else (column,)


def kind_of_column(column: str) -> LabelKind:
    """Whose labels a column of this name holds: a model's where it says so, else people's."""
    return LabelKind.PREDICTION if PREDICTED.search(column) else LabelKind.ANSWER


def _is_squad(columns: Sequence[str]) -> bool:
    return {"context", "question", "answers"} <= set(columns)


def _holds_labels(column: str, value: Any, criteria: Sequence[str]) -> bool:
    """Whether the value holds labels with their passages; words by criterion do under a name for passages (`evidence`)."""
    if holds_labels(value):
        return True
    value = decoded(value) if plain(column) in LISTS else None
    if not isinstance(value, Mapping) or not {plain(str(k)) for k in value} & set(map(plain, criteria)):
        return False
    return all(isinstance(w, str) for v in value.values() for w in (v if isinstance(v, list | tuple) else [v]))
