"""`evidence study` and `evidence agreement`: rounds of readers, and how far they agree."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from annotator.commands.common import Subparsers, UsageError, add_data_dir, project_of, report, whole_file


def add(commands: Subparsers) -> None:
    study = commands.add_parser(
        "study", help="rounds of readers: add, list, show, people, move, fill, deadline, close, reopen, report"
    )
    actions = study.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("add", help="choose posts and give them out, balanced over people and pairs")
    new.add_argument("name", metavar="NAME")
    new.add_argument("--people", required=True, metavar="A,B", help="who reads")
    new.add_argument(
        "--overlap",
        default="1:1",
        metavar="N:SHARE",
        help="readers:share of the posts, as 1:.7,2:.3 (default: 1:1)",
    )
    new.add_argument(
        "--kind", default="main", choices=("training", "calibration", "main", "gold_check"), help="default: main"
    )
    new.add_argument("--open", action="store_true", help="not blind: readers see others' answers after their own")
    new.add_argument(
        "--suggestions",
        default="shown",
        choices=("shown", "hidden", "random"),
        help="whether readers see the model's marks; random: in half of their posts (default: shown)",
    )
    new.add_argument("--posts", type=int, metavar="N", help="how many posts (default: all that fit)")
    new.add_argument("--source", metavar="NAME", help="only posts of this source")
    new.add_argument("--also-read", action="store_true", help="also posts that somebody has read")
    new.add_argument("--split", choices=("train", "dev", "test"), help="only posts of this split")
    new.add_argument("--query", default="", metavar="WORDS", help="only posts with these words")
    new.add_argument(
        "--expects",
        choices=("likely", "unlikely", "unread"),
        help="only posts with evidence expected, with none, or not read by the model",
    )
    new.add_argument(
        "--strata",
        default="source,expectation",
        metavar="A,B",
        help="a sample keeps the shares of these (default: source,expectation; empty: none)",
    )
    new.add_argument(
        "--order",
        default="lot",
        choices=("lot", "uncertain", "evidence", "came"),
        help="order of reading; lot: random, came: as imported (default: lot)",
    )
    new.add_argument(
        "--gold-posts", type=int, default=0, metavar="N", help="posts with gold that are mixed into a gold check"
    )
    new.add_argument("--deadline", metavar="DATE", help="the last day, as 2026-12-31; reading goes on after it")
    new.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random draw (default: 0)")
    new.add_argument("--dry-run", action="store_true", help="show who would get what, and store nothing")
    _finish(new, run_add)
    _finish(actions.add_parser("list", help="every round and how far its people are"), run_list)
    _add_changes(actions)
    methods = actions.add_parser("report", help="the methods section of a paper, as Markdown or HTML")
    methods.add_argument("--output", required=True, type=Path, metavar="FILE", help="ends with .md or .html")
    methods.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the intervals (default: 0)")
    _finish(methods, run_report)
    agreement = commands.add_parser(
        "agreement", help="how far people agree: percent, kappas, alphas, span F1, with intervals"
    )
    agreement.add_argument("--round", type=int, metavar="ROUND", help="only the posts of this round")
    agreement.add_argument(
        "--with-model", action="append", default=[], metavar="VERSION", help="a model version as one more person"
    )
    agreement.add_argument("--gamma", metavar="CRITERION", help="only gamma of this criterion; takes a while")
    agreement.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the intervals and of gamma (default: 0)"
    )
    _finish(agreement, run_agreement)


def _add_changes(actions: Any) -> None:
    show = _of_a_round(actions, "show", "one round: its people, what needs a hand, what was done with it")
    _finish(show, run_show)
    people = _of_a_round(actions, "people", "others read on: what is not begun is given out anew")
    people.add_argument("people", metavar="A,B")
    _finish(people, run_people)
    moved = _of_a_round(actions, "move", "posts that are not begun go from one person to another")
    moved.add_argument("person", metavar="FROM")
    moved.add_argument("--to", metavar="NAME", help="without it they wait for a reader")
    moved.add_argument("--posts", type=int, metavar="N", help="how many (default: all)")
    _finish(moved, run_move)
    _finish(_of_a_round(actions, "fill", "give posts the readers that they lack"), run_fill)
    deadline = _of_a_round(actions, "deadline", "set the last day; reading goes on after it")
    deadline.add_argument("deadline", nargs="?", default="", metavar="DATE", help="as 2026-12-31; without it: none")
    _finish(deadline, run_deadline)
    for action, words in (
        ("close", "end a round: its readers see one another's answers"),
        ("reopen", "open a closed round again"),
    ):
        _finish(_of_a_round(actions, action, words), run_close)


def _of_a_round(actions: Any, action: str, words: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(action, help=words)
    parser.add_argument("round", type=int, metavar="ROUND")
    return parser


def _finish(parser: argparse.ArgumentParser, run: Any) -> None:
    add_data_dir(parser)
    parser.set_defaults(run=run)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def overlap_of(text: str) -> dict[int, float]:
    """Shares by number of readers, of `1:.7,2:.3`. Raises UsageError."""
    try:
        return {int(n): float(share) for n, share in (part.split(":") for part in text.split(","))}
    except ValueError as error:
        raise UsageError(f"{text!r} is no overlap; write it as 1:.7,2:.3.") from error


def run_add(arguments: argparse.Namespace) -> None:
    from annotator.teams.plan_wire import read_plan
    from annotator.teams.rounds import preview, progress, set_up

    project = project_of(arguments)
    active = project.store.active_model()
    names = ("name", "kind", "suggestions", "posts", "source", "split", "query", "expects", "order", "gold_posts")
    plan = read_plan(
        {name: getattr(arguments, name) for name in (*names, "deadline", "seed")}
        | {
            "people": _names(arguments.people),
            "blind": not arguments.open,
            "overlap": overlap_of(arguments.overlap),
            "unread": not arguments.also_read,
            "strata": _names(arguments.strata),
        }
    )
    asked: dict[str, Any] = {"model_version": active.id if active else None, "by": _lead()}
    if arguments.dry_run:
        report(preview(project.store, plan, **asked))
        return
    made = set_up(project.store, plan, **asked)
    report({**made.to_dict(), "progress": progress(project.store, made.id)})


def run_list(arguments: argparse.Namespace) -> None:
    from annotator.teams.rounds import progress

    store = project_of(arguments).store
    report([{**r.to_dict(), "progress": progress(store, r.id)} for r in store.rounds()])


def run_show(arguments: argparse.Namespace) -> None:
    from annotator.teams.watching import one_round

    report(one_round(project_of(arguments).store, _lead(), arguments.round))


def run_move(arguments: argparse.Namespace) -> None:
    from annotator.teams.moves import Move, move

    store, wanted = project_of(arguments).store, Move(arguments.person, arguments.to, arguments.posts)
    revision = store.round(arguments.round).revision
    report(move(store, arguments.round, wanted, expected_revision=revision, by=_lead()))


def run_fill(arguments: argparse.Namespace) -> None:
    from annotator.teams.moves import fill

    store = project_of(arguments).store
    report(fill(store, arguments.round, expected_revision=store.round(arguments.round).revision, by=_lead()))


def run_deadline(arguments: argparse.Namespace) -> None:
    from annotator.teams.moves import set_deadline

    store = project_of(arguments).store
    revision = store.round(arguments.round).revision
    report(set_deadline(store, arguments.round, arguments.deadline, expected_revision=revision, by=_lead()).to_dict())


def run_people(arguments: argparse.Namespace) -> None:
    from annotator.teams.rounds import change_people, progress

    store = project_of(arguments).store
    known = store.round(arguments.round)
    changed = change_people(store, known.id, _names(arguments.people), expected_revision=known.revision, by=_lead())
    report({**changed.to_dict(), "progress": progress(store, changed.id)})


def run_close(arguments: argparse.Namespace) -> None:
    from annotator.teams.rounds import close

    store = project_of(arguments).store
    known = store.round(arguments.round)
    closed = close(store, known.id, expected_revision=known.revision, by=_lead(), closed=arguments.action == "close")
    report(closed.to_dict())


def run_report(arguments: argparse.Namespace) -> None:
    from annotator.teams.methods import file_of, methods_report

    text = file_of(methods_report(project_of(arguments).store, seed=arguments.seed), arguments.output.name)
    with whole_file(arguments.output) as out:
        out.write(text)
    report({"output": str(arguments.output), "characters": len(text)})


def run_agreement(arguments: argparse.Namespace) -> None:
    from annotator.teams import measuring

    store = project_of(arguments).store
    if arguments.gamma:
        report(measuring.gamma_of(store, arguments.gamma, round_id=arguments.round, seed=arguments.seed))
    else:
        report(measuring.report(store, round_id=arguments.round, models=arguments.with_model, seed=arguments.seed))


def _lead() -> Any:
    """Who has the data directory may do everything in it."""
    from storage.records import Reviewer, Role

    return Reviewer("command line", Role.ADMIN)
