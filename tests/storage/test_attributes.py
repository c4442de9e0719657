"""What can be said of spans and posts: as a criteria file defines it, as answers hold it, and after it has changed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from storage.attributes import Attributes, Scale, attributes_from, attributes_wire, joined, replaced
from storage.criteria_file import CriteriaInvalid, read_criteria_set, write_criteria
from storage.gold import gold_of
from storage.records import OF_POST, AnnotatedSpan, Annotation, InvalidRecord, Span, SpanAttributes, Verdict
from storage.store import Store
from storage.team_records import Adjudication, GoldRule, Outcome, SpanRule
from tests.builders import SLEEP, a_post, a_span, an_annotation

SAID = SpanAttributes("<b>why</b> 'not'", "severe", ("past", "negated"))
ALL = Attributes(
    rationale="Why is this evidence?",
    severity=Scale("Severity", ("mild", "severe")),
    flags=("past", "negated"),
    labels=(Scale("Risk", ("none", "low", "high")), Scale("Kind", ("question", "report"), ordered=False)),
)
YAML = """
attributes:
  rationale: true
  severity: [mild, severe]
  flags: [past, negated]
  labels:
    - {name: Risk, levels: [none, low, high]}
    - {name: Kind, levels: [question, report], ordered: false}
criteria:
  - {id: HOPE, text: The writer hopes.}
"""


def test_a_criteria_file_defines_them_and_is_written_back_equal(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(YAML, "utf-8")
    given = read_criteria_set(path)
    assert given.attributes == ALL
    path.write_text(write_criteria(given.criteria, given.about, given.attributes), "utf-8")
    assert read_criteria_set(path) == given


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ("[past]", "attributes holds rationale, severity, flags, labels; found list"),
        ("{mood: 1}", "found mood"),
        ("{severity: [mild]}", "needs at least two levels"),
        ("{severity: [no, yes]}", "in quotes"),
        ("{severity: [a, b, a]}", "same level twice"),
        ("{flags: ['a|b']}", "part names from each other"),
        ("{flags: ['']}", "is no name"),
        ("{labels: [{levels: [a, b]}]}", "a label of posts needs a name"),
        ("{rationale: 7}", "rationale is true, or the question"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, attributes: str, words: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"attributes: {attributes}\ncriteria:\n  - {{id: HOPE, text: The writer hopes.}}\n", "utf-8")
    with pytest.raises(CriteriaInvalid, match=words) as refused:
        read_criteria_set(path)
    assert "c.yaml" in str(refused.value)


def test_what_is_taken_out_of_use_stays_known_and_can_come_back() -> None:
    less = replaced(ALL, Attributes(severity=Scale("Severity", ("mild", "grave")), flags=("past",)))
    assert (less.severity, less.flags, less.retired_flags) == (
        Scale("Severity", ("mild", "grave"), retired=("severe",)),
        ("past",),
        ("negated",),
    )
    assert (less.of_posts, [s.retired for s in less.labels]) == ((), [("none", "low", "high"), ("question", "report")])
    less.check(SAID, where="here")  # an answer from before stays as it is
    with pytest.raises(InvalidRecord, match="'worse' is no level of Severity; it has mild, grave"):
        less.check(SpanAttributes(severity="worse"), where="here")
    assert attributes_from(attributes_wire(less), "store") == less
    assert replaced(less, ALL) == dataclasses.replace(
        ALL, severity=Scale("Severity", ("mild", "severe"), retired=("grave",))
    )
    assert not replaced(ALL, Attributes()).of_spans
    once = replaced(Attributes("Why?"), Attributes())
    assert (once.rationale, once.retired_rationale, attributes_from(attributes_wire(once), "store")) == (
        "",
        "Why?",
        once,
    )
    names = [tuple(Scale(f"{n}{i}", ("a", "b")) for i in range(6)) for n in "xy"]
    renamed = replaced(Attributes(labels=names[0]), Attributes(labels=names[1]))  # six retired, six in use
    assert renamed.of_posts == names[1]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (SpanAttributes(severity="terrible"), "'terrible' is no level of Severity"),
        (SpanAttributes(flags=("past", "odd")), "'odd' is no flag of this project; it has past, negated"),
        (SpanAttributes("x" * 1001), "has 1001 characters; write at most 1000"),
        (SpanAttributes("half \ud83d"), "cannot be stored"),
    ],
)
def test_what_the_project_does_not_define_is_refused(said: SpanAttributes, words: str) -> None:
    with pytest.raises(InvalidRecord, match=words):
        ALL.check(said, where="Span 1:2")


def test_answers_predictions_and_adjudications_keep_what_is_said_of_their_spans(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    found = a_span(post, "cannot sleep", score=0.5)
    predicted = dataclasses.replace(found, attributes=SpanAttributes(severity="mild"))
    own = AnnotatedSpan(found.start, found.end, attributes=SAID)
    answer = dataclasses.replace(an_annotation(post, "cannot sleep"), spans=(own,), rejected=(predicted,))
    stored = store.add_annotation(answer, expected_revision=0)
    assert (stored.spans, stored.rejected) == ((own,), (predicted,))
    assert store.annotations_of(post.id, "ana")[SLEEP.id] == stored
    decided = Span(found.start, found.end, attributes=SAID)
    decision = Adjudication(post.id, SLEEP.id, "ana", Outcome.EVIDENCE, spans=(decided,))
    store.add_adjudication(decision, expected_revision=0)
    assert store.adjudications(post.id)[0].spans == (decided,)
    (gold,) = store.gold()
    assert gold.annotation.spans == (own,)


def test_labels_of_the_whole_post_are_revisions_of_their_own_and_count_as_no_decision(store: Store) -> None:
    post = a_post()
    store.add_posts([post])
    labels = (("Kind", "report"), ("Risk", "low"))
    given = store.add_annotation(Annotation(post.id, OF_POST, "ana", None, labels=labels), expected_revision=0)
    assert store.annotations_of(post.id, "ana")[OF_POST] == given
    changed = dataclasses.replace(given, labels=(("Risk", "high"),), id=None, created_at=None)
    assert store.add_annotation(changed, expected_revision=1).revision == 2
    assert [a.labels for a in store.history(post.id)] == [(("Risk", "high"),), labels]
    assert store.progress_counts(me="ana")["decisions"] == 0
    assert (store.gold(), store.verdict_counts()) == ([], {})
    with pytest.raises(InvalidRecord, match="neither a verdict nor spans"):
        Annotation(post.id, OF_POST, "ana", Verdict.UNSURE)


def test_gold_says_of_a_span_what_all_say_who_agree_on_it() -> None:
    post = a_post()
    one, two = (
        dataclasses.replace(
            an_annotation(post, "cannot sleep", reviewer=name),
            spans=(AnnotatedSpan(2, 14, attributes=said),),
            created_at=at,
        )
        for name, said, at in (
            ("ana", SpanAttributes("first", "mild", ("past",)), "2026-01-01"),
            ("ben", SpanAttributes("", "severe", ("negated", "past")), "2026-01-02"),
        )
    )
    for rule in SpanRule:
        gold = gold_of([one, two], rule=GoldRule(spans=rule), text=lambda: post.text)
        assert gold is not None
        assert gold.annotation.spans == (AnnotatedSpan(2, 14, attributes=SpanAttributes("first", "", ("past",))),)
    assert joined([]) == SpanAttributes()
