"""What programs can ask: one use case per endpoint, the same for plain HTTP, gradio_client and MCP. No gradio, no torch.

The rules are those of the pages: who may, what is shown of others' answers, expected revisions. Everything that comes in or
goes out is JSON; offsets are Unicode code points, end exclusive. The adapters are `api.routes` and `ui.api_endpoints`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from annotator.exchange.downloads import KEEP_SECONDS, prepare_export
from annotator.exchange.use_cases import export_filter
from annotator.models.serving import ModelService
from annotator.people.accounts import CURATORS, NotAllowed, allow
from annotator.problems import AnswerConflict
from annotator.project import Project
from annotator.review import decisions, post_list
from annotator.review.queue_filter import read_filter
from annotator.teams.naming import called_before
from annotator.teams.reports import Reports, report_before
from annotator.web.api import wire
from annotator.web.api.arguments import check_page, describe, one_of, parameters_of, read_arguments
from annotator.web.api.limits import RateLimit, Slots
from storage.records import (
    OF_POST,
    Criterion,
    InvalidRecord,
    JobKind,
    JobStatus,
    NotFound,
    Post,
    Reviewer,
    Role,
    Verdict,
)

Wire = dict[str, Any]
MAX_CHARACTERS = 20_000
MAX_SPANS = 500
MODEL_PATIENCE_SECONDS = 30.0
BUSY_PATIENCE_SECONDS = 30.0
PREDICTIONS_AT_ONCE = 4
EXPORTS_AT_ONCE = 2
VISITORS_SHARE = 2  # the public demo allows a visitor's address half of what a signed-in person may


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint; `Api` has a method of its name. roles: who may call it (empty: everybody who may review).

    method: of plain HTTP. reads: changes nothing and hands out no file, so that it may be a tool of MCP.
    """

    name: str
    method: str
    roles: tuple[Role, ...] = ()
    reads: bool = True
    in_demo: bool = False


ENDPOINTS = (
    Endpoint("predict", "POST", in_demo=True),
    Endpoint("posts", "GET"),
    Endpoint("next", "GET"),
    Endpoint("annotate", "POST", reads=False),
    Endpoint("export", "GET", roles=CURATORS, reads=False),
    Endpoint("jobs", "GET", roles=CURATORS),
    Endpoint("models", "GET"),
    Endpoint("team", "GET", roles=CURATORS),
)


class Api:
    """The endpoints of one project. suggestions: what a post is shown with, as on the pages. Safe to share between threads."""

    def __init__(
        self,
        project: Project,
        models: ModelService,
        suggestions: decisions.Model | None = None,
        *,
        limit: RateLimit | None = None,
    ) -> None:
        self.project = project
        self._store = project.store
        self._models = models
        self._suggestions = suggestions or models
        self._limit = limit or RateLimit(project.settings.api_per_minute)
        self._visitor_limit = RateLimit(max(1, project.settings.api_per_minute // VISITORS_SHARE))
        self.reports = Reports(project.store)
        self.predicting = Slots(PREDICTIONS_AT_ONCE, patience=BUSY_PATIENCE_SECONDS)
        self._exporting = Slots(EXPORTS_AT_ONCE, patience=BUSY_PATIENCE_SECONDS)
        self.endpoints = tuple(e for e in ENDPOINTS if e.in_demo or not project.settings.demo)

    def endpoint(self, name: str) -> Endpoint:
        """Raises NotFound for a name that is no endpoint here."""
        for endpoint in self.endpoints:
            if endpoint.name == name:
                return endpoint
        raise NotFound(f"There is no endpoint {name[:80]!r}. There are {', '.join(e.name for e in self.endpoints)}.")

    def call(self, name: str, person: Reviewer | None, given: Mapping[str, Any], *, address: str = "") -> Wire:
        """The answer of an endpoint. Raises NotAllowed, NotFound, InvalidRecord, Conflict, TooManyRequests, ModelUnusable.

        address: where the request came from, by which visitors of the public demo are counted.
        """
        endpoint = self.endpoint(name)
        asking = allow(person, *endpoint.roles)
        self._refuse_disabled(asking)
        if self.project.settings.demo:
            self._visitor_limit.take(address)
        else:
            self._limit.take(asking.name)
        use_case = getattr(self, name)
        return use_case(asking, **read_arguments(parameters_of(use_case), given))

    def describe(self) -> Wire:
        """Names, arguments and explanations of the endpoints."""
        return {
            "endpoints": [
                {
                    "name": e.name,
                    "method": e.method,
                    "path": f"/api/v1/{e.name}",
                    "roles": [str(role) for role in e.roles or Role],
                    **describe(getattr(self, e.name)),
                }
                for e in self.endpoints
            ]
        }

    def _refuse_disabled(self, person: Reviewer) -> None:
        """The gate has looked already; between it and here a request may have waited in a queue."""
        if any(r.name == person.name and r.disabled_at is not None for r in self._store.reviewers()):
            raise NotAllowed(f"The account {person.name} is disabled.")

    # --- the endpoints: their names, arguments and first lines are what programs see

    def predict(
        self, person: Reviewer, *, text: str, criteria: list[str] | None = None, threshold: float | None = None
    ) -> Wire:
        """Mark the evidence in a text with the model in service. Nothing is stored.

        Args:
            text: The text, up to 20,000 characters.
            criteria: Ids of the criteria to look for; all of the project if none are given.
            threshold: Least score of a span, 0 to 1; the model's own if none is given.
        """
        post = _pasted(text)
        chosen = self._criteria(criteria)
        if threshold is not None and not 0.0 <= threshold <= 1.0:
            raise InvalidRecord(f"threshold is {threshold}; it must be between 0 and 1.")
        with self.predicting.one():
            self._models.wait_until_settled(MODEL_PATIENCE_SECONDS)
            version = self._models.predictor().version
            found = self._models.predict([post], chosen, threshold=threshold)
        return {"model": version, "criteria": [wire.prediction(p, text) for p in found]}

    def posts(
        self,
        person: Reviewer,
        *,
        state: str = "any",
        order: str = "newest",
        query: str = "",
        criterion: str | None = None,
        verdict: str | None = None,
        split: str | None = None,
        source: str | None = None,
        reviewer: str | None = None,
        assigned_to: str | None = None,
        min_score: float | None = None,
        max_score: float | None = None,
        limit: int = 50,
        offset: int = 0,
        after: str = "",
    ) -> Wire:
        """List posts with how far their review is; `next` gives a post with its whole text.

        Args:
            state: any, todo, skipped, reviewed or outdated (decided under an older wording), as seen by the person who asks.
            order: newest, uncertain, evidence, random or doubts.
            query: Words that the text must hold.
            criterion: Only posts with evidence for this criterion, or with `verdict` for it.
            verdict: Only posts on which somebody decided evidence, no_evidence or unsure.
            split: train, dev or test.
            source: Where the post came from.
            reviewer: Only posts on which this reviewer decided something; who is told codes in place of names gives a code.
            assigned_to: Only posts that this reviewer was given, by name or code as `reviewer`; `me` for one's own.
            min_score: Least score that the model gave the best span.
            max_score: Highest score that the model gave the best span.
            limit: How many to list, up to 100.
            offset: How many to leave out before them.
            after: Instead, `place` of the last post of the page before: as quick on the last page as on the first.
        """
        check_page(limit, offset)
        wanted = read_filter(
            self._store,
            {
                "state": state, "order": order, "query": query, "criterion": criterion, "verdict": verdict, "split": split,
                "source": source, "reviewer": reviewer, "assigned_to": assigned_to, "min_score": min_score, "max_score": max_score,
            },
            person,
        )  # fmt: skip
        found = post_list.find_posts(
            self._store, self._models, person, wanted, post_list.Portion(limit=limit, offset=offset, after=after)
        )
        return {**found, "limit": limit, "offset": offset}

    def next(
        self,
        person: Reviewer,
        *,
        post_id: str | None = None,
        order: str = "random",
        query: str = "",
        criterion: str | None = None,
        split: str | None = None,
        source: str | None = None,
        exclude: list[str] | None = None,
    ) -> Wire:
        """The next post to review, or the one named: text, criteria, what the model proposes, and one's answers so far.

        Args:
            post_id: This post instead of the next one.
            order: uncertain, evidence, newest, random or doubts (answers that the model doubts; the page looks for them).
            query: Words that the text must hold.
            criterion: Only posts with evidence for this criterion.
            split: train, dev or test.
            source: Where the post came from.
            exclude: Ids of posts to pass over.
        """
        wanted = read_filter(
            self._store,
            {"order": order, "query": query, "criterion": criterion, "split": split, "source": source},
            person,
        )
        chosen = post_id or decisions.next_post(self._store, self._models, person, wanted, exclude or ())
        progress = decisions.progress(self._store, self._models, person, wanted)
        if chosen is None:
            return {"item": None, "progress": progress}
        item = decisions.load_item(self._store, self._suggestions, chosen, person)
        return {"item": wire.item(item), "progress": progress}

    def annotate(
        self,
        person: Reviewer,
        *,
        post_id: str,
        criterion: str,
        verdict: str,
        expected_revision: int,
        spans: list[Any] | None = None,
        labels: list[str] | None = None,
        note: str = "",
        criterion_version: int | None = None,
        op_id: str | None = None,
    ) -> Wire:
        """Save a decision as one's own next revision. A span equal to a proposed one counts as accepted, one that overlaps it
        as adjusted, any other as added; proposed spans that are left over count as rejected.

        Args:
            post_id: The post.
            criterion: Id of the criterion.
            verdict: evidence, no_evidence or unsure.
            expected_revision: The `revision` of the answer as `next` gave it, 0 for a first one; refused if another came between.
            spans: The evidence, as objects with start and end: code points of the text, end exclusive; where the project defines them,
                with "attributes": {"rationale", "severity", "flags": [...]}, or these beside start and end as exports have them.
                A `text` beside them must be the words that stand there.
            labels: Labels of the whole post as name=level, with the criterion "@post" and an empty verdict.
            note: A note for other people.
            criterion_version: The `version` of the wording that was read; the current one if none is given.
            op_id: A key of your own for this decision: repeating a call with it stores nothing twice.
        """
        post = self._store.post(post_id)
        chosen = wire.read_spans(spans or [], most=MAX_SPANS)
        mine = self._store.annotations_of(post_id, person.name).get(criterion)
        hidden = self._store.hides_suggestions(post_id, person.name)
        shown = decisions.answer_wire(mine, None if hidden else self._suggestions.predictions(post).get(criterion))
        if criterion == OF_POST:
            if verdict or spans:
                raise InvalidRecord("An answer about the whole post has labels, and neither a verdict nor spans.")
            version, answer = 1, wire.of_post(labels or [])
        else:
            if labels:
                raise InvalidRecord('labels: they are about the whole post; send them with the criterion "@post".')
            version = self._criteria([criterion])[0].version
            said = wire.read_said(spans or [])
            wire.check_words(post.text, spans or [])
            answer = wire.placed(chosen, shown, Verdict(one_of(verdict, Verdict, "verdict")), said) | {
                "verdict": verdict
            }
        result = decisions.save(
            self._store,
            person,
            {
                "post_id": post_id,
                "criterion_id": criterion,
                "criterion_version": version if criterion_version is None else criterion_version,
                **answer,
                "model_version": shown["model_version"],
                "note": note,
                "expected_revision": expected_revision,
                "op_id": wire.op_id_of(person, post_id, criterion, op_id),
            },
        )
        if "conflict" in result:
            current = result["conflict"]
            raise AnswerConflict(
                current["message"],
                current_revision=current["revision"],
                current=wire.answer(current, post.text),
            )
        if not result["ok"]:
            raise InvalidRecord(result["error"])
        return {k: result[k] for k in ("revision", "saved_at")} | {"post_id": post_id, "criterion": criterion}

    def export(
        self,
        person: Reviewer,
        *,
        format: str = "jsonl",
        answers: str = "gold",
        reviewer: str | None = None,
        criteria: list[str] | None = None,
        verdicts: list[str] | None = None,
        splits: list[str] | None = None,
        since: str | None = None,
        until: str | None = None,
        model_version: str | None = None,
        unreviewed: bool = False,
        license: str = "unknown",
    ) -> Wire:
        """Export the corrected dataset: plain HTTP answers with the file, other callers are told where it can be fetched.

        Args:
            format: jsonl (complete), gold, csv and the other formats of the Data page.
            answers: gold (the settled answer) or latest (each reviewer's).
            reviewer: Only this reviewer's answers.
            criteria: Only these criteria.
            verdicts: Only these verdicts.
            splits: Only these splits.
            since: Only what was decided from this time on: UTC, a date or an ISO 8601 time.
            until: Only what was decided until then.
            model_version: Only answers given on this model version's proposals.
            unreviewed: Also posts without such an answer.
            license: For the dataset card.
        """
        whom = reviewer and called_before(self._store, person).person(reviewer)
        chosen = export_filter(
            {
                "answers": answers, "reviewer": whom, "criteria": criteria, "verdicts": verdicts, "splits": splits,
                "since": since, "until": until, "model_version": model_version, "unreviewed": unreviewed,
            }
        )  # fmt: skip
        with self._exporting.one():
            export_id, manifest = prepare_export(
                self.project.settings, self._store, format, replace(chosen, reader=person.name), license_name=license
            )
        manifest.pop("output", None)  # where it lies on this machine is nobody's business
        kept = {"url": f"api/v1/exports/{export_id}", "kept_seconds": KEEP_SECONDS}
        return {"export_id": export_id, **kept, "manifest": manifest}

    def jobs(
        self,
        person: Reviewer,
        *,
        job_id: int | None = None,
        kind: str | None = None,
        status: str | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> Wire:
        """List background jobs (training, predicting, evaluating, importing), newest first; one by its id with its result.

        Args:
            job_id: This job only, with its result.
            kind: train, predict, evaluate or import.
            status: queued, running, done, failed or cancelled.
            limit: How many to list, up to 100.
            offset: How many to leave out before them.
        """
        check_page(limit, offset)
        called = called_before(self._store, person)
        if job_id is not None:
            job = self.project.jobs.get(job_id)
            return {"jobs": [{**wire.job(job, called), "result": job.result}], "limit": 1, "offset": 0}
        found = self.project.jobs.jobs(
            kind=None if kind is None else JobKind(one_of(kind, JobKind, "kind")),
            statuses=() if status is None else (JobStatus(one_of(status, JobStatus, "status")),),
            limit=limit,
            offset=offset,
        )
        return {"jobs": [wire.job(job, called) for job in found], "limit": limit, "offset": offset}

    def models(self, person: Reviewer, *, limit: int = 20, offset: int = 0) -> Wire:
        """The model in service, and the model versions with what was measured, newest first (reviewers: the one in service).

        Args:
            limit: How many to list, up to 100.
            offset: How many to leave out before them.
        """
        check_page(limit, offset)
        serving = self._models.info()
        version = self._models.version
        called = called_before(self._store, person)
        may_see_all = person.role in CURATORS
        found = [m for m in self._store.models() if may_see_all or m.id == version]
        return {
            "in_service": {"version": serving.version, "state": str(serving.state), "reason": serving.reason},
            "models": [wire.model(m, called) for m in found[offset : offset + limit]],
            "total": len(found),
            "limit": limit,
            "offset": offset,
        }

    def team(self, person: Reviewer, *, round_id: int | None = None, models: list[str] | None = None) -> Wire:
        """The lead's figures and all coefficients of agreement, with the time at which they were worked out (`made_at`) and whether
        nothing has changed since (`current`); only `working` while the first ones are worked out.

        Args:
            round_id: Only posts of this round.
            models: Model versions whose predictions are compared as one more person's.
        """
        return report_before(self._store, person, self.reports.report(round_id=round_id, models=models or ()))

    def _criteria(self, ids: Sequence[str] | None) -> list[Criterion]:
        """The criteria in use with these ids, all without any. Raises NotFound, InvalidRecord where there are none."""
        in_use = {c.id: c for c in self._store.criteria()}
        if not in_use:
            raise InvalidRecord(
                "This project has no criteria yet. An admin adds them on the Guidelines or the Data page."
            )
        if unknown := [name for name in ids or () if name not in in_use]:
            raise NotFound(f"There is no criterion {unknown[0][:80]!r} in use. There are {', '.join(in_use)}.")
        return [in_use[name] for name in dict.fromkeys(ids or in_use)]


def _pasted(text: str) -> Post:
    if not text.strip():
        raise InvalidRecord("text is empty.")
    if len(text) > MAX_CHARACTERS:
        raise InvalidRecord(f"text has {len(text):,} characters; up to {MAX_CHARACTERS:,} can be sent at once.")
    return Post(id="pasted", text=text)
