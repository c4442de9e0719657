"""The methods report of a study: what a paper says of its corpus, people, rounds, agreement and gold. As Markdown and as HTML.

People stand under codes. Nothing of a post's text is in it. The figures are those of the lead's page, worked out anew.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from annotator.settings import software
from annotator.teams.document import Block, Document, Table
from annotator.teams.naming import codes_of, names_told
from annotator.teams.reports import work_out
from storage.records import Split, Verdict
from storage.store import Store
from storage.team_figures import Corpus
from storage.team_records import Adjudication, Outcome, Standing, label_question

Wire = dict[str, Any]
FIGURES = (
    ("percent", "equal verdicts"),
    ("cohen_kappa", "Cohen's kappa"),
    ("fleiss_kappa", "Fleiss' kappa"),
    ("gwet_ac1", "Gwet's AC1"),
    ("alpha", "Krippendorff's alpha"),
    ("sentence_alpha", "alpha, sentences"),
    ("unitizing_alpha", "unitizing alpha"),
    ("span_f1", "span F1"),
    ("span_f1_exact", "span F1, exact"),
)
MOST_CONFUSED = 15  # pairs of criteria that are listed, the most frequent first
_OF_LABEL = (Standing.AGREED, Standing.OPEN, Standing.ADJUDICATED, Standing.UNDECIDABLE)
_OF_PAIR = ("percent", "cohen_kappa", "span_f1", "span_f1_exact", "border_distance")


def methods_report(store: Store, *, today: dt.date | None = None, seed: int = 0) -> Document:
    """The report over the whole project. today: the date that it bears. Best made while nobody answers: the figures of agreement are
    worked out before the rest is read.
    """
    store.refresh_standing()
    report = work_out(store, seed=seed)
    with store.read():
        codes = codes_of(store)
        names = store.criterion_names()
        sha256, gold_rules = gold_as_it_is(store)
        blocks = [
            *_corpus(store.corpus(), (today or dt.datetime.now(dt.UTC).date()).isoformat(), sha256),
            *_people(store, report, codes),
            *_rounds(store, codes),
            *_guidelines(store, report),
            *_suggestions(store, report["arms"]),
            *_agreement(report["agreement"], codes, names),
            *_gold(store, gold_rules, codes),
        ]
    return Document("Methods of the annotation", tuple(blocks))


def gold_as_it_is(store: Store) -> tuple[str, Counter[str]]:
    """SHA-256 of the gold (posts' texts by their hash, verdicts, spans and the rule, in order; equal gold, equal hash), and how many of its
    answers came about by which rule."""
    digest, rules = hashlib.sha256(), Counter[str]()
    texts = store.hashes_of_texts()
    for gold in store.gold():
        spans = [(s.start, s.end) for s in gold.spans]
        line = (gold.post_id, texts[gold.post_id], gold.criterion_id, str(gold.verdict), spans, gold.rule)
        digest.update(repr(line).encode())
        rules[gold.rule] += 1
    return digest.hexdigest(), rules


def _corpus(corpus: Corpus, today: str, sha256: str) -> Iterable[Block]:
    yield (
        f"Made on {today} by {software()}. SHA-256 of the gold answers with the texts' hashes: {sha256}. People stand under codes that"
        " were drawn by lot and stay theirs."
    )
    yield "# Corpus"
    yield (
        f"{corpus.posts:,} posts by {corpus.authors:,} known authors ({corpus.without_author:,} posts without one), of"
        f" {corpus.characters:,} characters in the mean."
    )
    yield Table("Posts by source", ("source", "posts"), [(source or "none given", n) for source, n in corpus.sources])
    yield Table("Posts by split", ("split", "posts"), [(str(s), corpus.splits.get(str(s), 0)) for s in Split])
    if corpus.shared_authors:
        yield (
            f"The splits are NOT disjoint by author: {corpus.shared_authors:,} authors have posts in more than one of them, so figures on"
            " held-out posts may be too good."
        )
    elif corpus.authors:
        yield f"The splits are disjoint by author: none of the {corpus.authors:,} known authors has posts in two of them."
    else:
        yield "No author is known, so that nothing can be said about splits by author."


def _people(store: Store, report: Wire, codes: dict[str, str]) -> Iterable[Block]:
    roles = {r.name: str(r.role) for r in store.reviewers()}
    rows = [
        (
            codes[p["person"]],
            roles.get(p["person"], "gone"),
            p["assigned"],
            p["done"],
            p["decisions"],
            p["days"],
            _number(p["seconds"], 1),
            _number(p["hours"], 1),
            _percent(p["bulk_share"]),
            _percent(p["unsure_share"]),
        )
        for p in report["people"]
    ]
    yield "# People and time"
    yield (
        f"{len(rows)} people were given posts or decided something. Seconds are the median of the time for a decision, measured in the"
        " browser, where decisions were made one by one; longer than five minutes counts as five minutes."
    )
    heads = ("code", "role", "posts given", "done", "decisions", "days", "seconds", "hours", "in bulk", "unsure")
    yield Table("People", heads, sorted(rows))


def _rounds(store: Store, codes: dict[str, str]) -> Iterable[Block]:
    yield "# Rounds and sampling"
    rounds = store.rounds()
    if not rounds:
        yield "The posts were not given out in rounds."
        return
    rows = []
    readers: dict[int | None, set[str]] = {}  # who has left a round keeps what they had begun in it
    for given in store.given():
        readers.setdefault(given.round_id, set()).add(given.reviewer)
    for r in rounds:
        overlap = ", ".join(f"{share:.0%} by {n}" for n, share in sorted(r.overlap.items()))
        chosen = r.chosen
        posts = chosen["posts"] if "posts" in chosen else store.count_round_posts(r.id)
        strata = chosen.get("strata") or ()
        sampled = f"{posts:,} of {chosen.get('of', '?')}"
        sampled += f" by {strata if isinstance(strata, str) else ' and '.join(strata)}" if strata else ""
        who = ", ".join(sorted({codes.get(p, "gone") for p in (*r.people, *readers.get(r.id, ()))}))
        blind = "blind" if r.blind else "open"
        times = f"{(r.created_at or '')[:10]} to {r.closed_at[:10] if r.closed_at else 'now'}"
        rows.append((r.name, str(r.kind), who, overlap, sampled, blind, str(r.suggestions), r.seed, times))
    heads = ("round", "kind", "people", "read", "posts", "blind", "suggestions", "seed", "time")
    yield Table("Rounds", heads, rows)


def _guidelines(store: Store, report: Wire) -> Iterable[Block]:
    yield "# Criteria and guidelines"
    given = Counter((d.criterion_id, d.criterion_version, d.verdict) for d in store.latest_decisions())
    names = {c["criterion"]: c["name"] for c in report["criteria"]}
    rows = []
    used = {c.id for c in store.criteria()} | {criterion for criterion, _, _ in given}
    for w in (w for w in sorted(store.wordings()) if w.id in used):
        evidence, nothing, unsure = (
            given[w.id, w.version, str(v)] for v in (Verdict.EVIDENCE, Verdict.NO_EVIDENCE, Verdict.UNSURE)
        )
        prevalence = _percent(evidence / (evidence + nothing)) if evidence + nothing else ""
        rows.append((names[w.id], w.version, w.created_at[:10], evidence + nothing + unsure, prevalence))
    yield "Each decision is tied to the wording that was shown. Prevalence: evidence among what was decided under that wording."
    yield Table("Wordings", ("criterion", "wording", "from", "decisions under it", "prevalence"), rows)


def _suggestions(store: Store, arms: list[Wire]) -> Iterable[Block]:
    yield "# Suggestions"
    shown = store.decisions_by_model()
    total = sum(shown.values())
    without = shown.pop(None, 0)
    share = _percent(without / total if total else None)
    yield f"{without:,} of {total:,} latest decisions were made without a model's suggestions ({share})."
    if len(arms) > 1:
        rows = [
            (
                a["suggestions"],
                a["decisions"],
                *(_percent(a[key]) for key in ("prevalence", "unsure_share", "gold_same")),
            )
            for a in arms
        ]
        heads = ("suggestions", "decisions", "evidence", "unsure", "as gold")
        yield Table("Posts given with and without suggestions", heads, rows)
    models = {m.id: m for m in store.models()}
    rows = [
        (version, models[version].base if version in models else "not of this project", n)
        for version, n in sorted(shown.items())
    ]
    yield Table("Model versions whose suggestions were shown", ("version", "base", "decisions"), rows)


def _agreement(agreement: Wire, codes: dict[str, str], names: dict[str, str]) -> Iterable[Block]:
    reasons: set[str] = set()
    yield from _agreement_tables(agreement, codes, names, reasons)
    if reasons:
        yield f"Undefined is a figure where {'; or where '.join(sorted(reasons))}."


def _agreement_tables(
    agreement: Wire, codes: dict[str, str], names: dict[str, str], reasons: set[str]
) -> Iterable[Block]:
    """reasons: filled with why figures are undefined."""

    figure = functools.partial(_shown, reasons=reasons)

    yield "# Agreement"
    if not agreement["criteria"]:
        yield "No two people decided the same post and criterion: nothing can be said about agreement."
        return
    yield (
        f"Over what several people decided, with 95 % bootstrap intervals by post (1,000 resamples, seed {agreement['seed']}). Spans match"
        f" one to one from {agreement['rule']['iou']:.0%} of their words in common."
    )
    late = agreement["changed_late"]
    yield (
        f"Everybody's latest answers are compared. {late:,} of all latest answers were changed after the blind round was closed in which"
        " the post was read, or after they had been adjudicated, when others' answers could be seen."
    )
    heads = ("decided by several", *(words for _, words in FIGURES))
    rows = [
        (
            names.get(row["name"], "all criteria"),
            row["units"],
            *(figure(row["figures"].get(key)) for key, _ in FIGURES),
        )
        for row in agreement["criteria"]
    ]
    yield Table("Agreement by criterion", ("criterion", *heads), rows)
    rows = [
        (row["name"], row["units"], *(figure(row["figures"].get(key)) for key, _ in FIGURES))
        for row in agreement["rounds"]
    ]
    yield Table("Agreement by round", ("round", *heads), rows)
    pairs = [
        (
            *sorted((codes.get(p["one"], p["one"]), codes.get(p["other"], p["other"]))),
            p["units"],
            *(figure(p["figures"][key]) for key in _OF_PAIR),
        )
        for p in agreement["pairs"]
    ]
    if agreement.get("attributes"):
        said = [
            (f"{row['what']} {row['name']}", row["units"], _percent(row["percent"]["value"]), figure(row["alpha"]))
            for row in agreement["attributes"]
        ]
        yield (
            "What is said beside a verdict is compared where two people marked the same span, or labelled the same post; alpha is ordinal"
            " where levels have an order."
        )
        yield Table(
            "Agreement on levels, flags and labels", ("what", "spans or posts", "equal", "Krippendorff's alpha"), said
        )
    confused = [
        (names.get(one, one), names.get(other, other), n) for one, other, n in agreement["confusions"][:MOST_CONFUSED]
    ]
    yield Table(
        "Passages marked for one criterion by one person, and for another by another",
        ("one", "other", "times"),
        confused,
    )
    heads = ("one", "other", "decided by both", *(key.replace("_", " ") for key in _OF_PAIR))
    yield Table("Agreement by pair", heads, sorted(pairs))


def _gold(store: Store, gold_rules: Counter[str], codes: dict[str, str]) -> Iterable[Block]:
    yield "# Gold and adjudication"
    rule = store.gold_rule()
    yield (
        "Gold is the adjudication, if there is one; else, if one person decided, their answer; else, if all agree (equal verdicts, and"
        f" spans that match one to one), their answer with the spans by the rule: {rule.spans}; else nothing. Unsure is never gold."
    )
    used = sorted(gold_rules.items(), key=lambda row: (-row[1], row[0]))
    yield Table("Gold answers by the rule that made them", ("rule", "answers"), used)
    standing = store.count_gold_states()
    yield Table("How the answers stand", ("state", "pairs of post and criterion"), list(standing.items()))
    labels = store.standing_counts()
    rows: list[tuple[str | int, ...]] = [
        (scale.name, *(labels.get(label_question(scale.name), {}).get(state, 0) for state in _OF_LABEL))
        for scale in store.attributes().of_posts
    ]
    yield Table("How the labels of posts stand", ("label", *_OF_LABEL), rows)
    decisions = store.adjudications()
    latest: dict[tuple[str, str], Adjudication] = {(d.post_id, d.criterion_id): d for d in decisions}
    again = sum(d.outcome is Outcome.REOPENED for d in decisions)
    who = ", ".join(sorted({codes.get(d.adjudicator, "gone") for d in decisions})) or "nobody"
    yield (
        f"{len(decisions):,} decisions by {who} about {len(latest):,} pairs of post and criterion or label;"
        f" {again:,} of them opened one again."
        f" As the project is set now, the page of adjudication shows readers' {'names' if names_told(store) else 'codes'}."
    )
    outcomes = Counter("a level of a label" if d.level else str(d.outcome) for d in latest.values())
    kinds = Counter(d.error_kind or "none chosen" for d in latest.values())
    yield Table("Adjudications by outcome", ("outcome", "pairs"), sorted(outcomes.items()))
    yield Table("Adjudications by kind of error", ("kind", "pairs"), kinds.most_common())


def _shown(figure: Wire | None, reasons: set[str]) -> str:
    if figure is None:
        return "–"
    if figure["value"] is None:
        reasons.add(figure["reason"])
        return "undefined"
    interval = f" ({figure['low']:.2f} to {figure['high']:.2f})" if figure["low"] is not None else ""
    return f"{figure['value']:.2f}{interval}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def file_of(document: Document, name: str) -> str:
    """The document as the file `name` asks for: HTML for .html, else Markdown."""
    return document.html() if name.lower().endswith((".html", ".htm")) else document.markdown()
