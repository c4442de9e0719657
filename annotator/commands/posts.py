"""`evidence posts`: taking posts out for good."""

from __future__ import annotations

import argparse
from pathlib import Path

from annotator.commands.common import Subparsers, UsageError, add_data_dir, agree, project_of, report, say
from annotator.words import counted


def add(commands: Subparsers) -> None:
    posts = commands.add_parser("posts", help="posts: withdraw, as when somebody takes back their consent")
    actions = posts.add_subparsers(dest="action", required=True, metavar="ACTION")
    withdraw = actions.add_parser(
        "withdraw", help="remove posts for good, with all that people and models said of them"
    )
    withdraw.add_argument("ids", nargs="*", metavar="ID", help="ids of posts")
    withdraw.add_argument("--file", type=Path, metavar="FILE", help="ids of posts, one a line")
    withdraw.add_argument("--author", metavar="NAME", help="all posts of this author")
    withdraw.add_argument("--yes", action="store_true", help="do not ask")
    add_data_dir(withdraw)
    withdraw.set_defaults(run=run_withdraw)


def run_withdraw(arguments: argparse.Namespace) -> None:
    from annotator.review.post_list import STILL_ELSEWHERE

    project = project_of(arguments)
    store = project.store
    ids = list(dict.fromkeys([*arguments.ids, *_listed(arguments.file)]))
    if arguments.author is not None:
        written = store.posts_of_author(arguments.author)
        if not written:
            raise UsageError(f"There is no post of the author {arguments.author!r}.")
        ids = list(dict.fromkeys([*ids, *written]))
    if not ids:
        raise UsageError("Say which posts: their ids, --file with one a line, or --author.")
    there = store.on_posts(ids)
    said = [
        counted(there.posts, "post"),
        counted(there.answers, "answer") + f" of {counted(there.people, 'person', 'people')}",
    ]
    said += [counted(there.adjudications, "decision") + " of who adjudicated", counted(there.predictions, "prediction")]
    if not agree(f"To be removed for good: {', '.join(said)}.", yes=arguments.yes, to="Remove", done="removed"):
        return
    removed = store.withdraw_posts(ids, by=project.settings.local_reviewer)
    report({"posts": removed.posts, "annotations": removed.answers, "predictions": removed.predictions})
    say(f"Removed {counted(removed.posts, 'post')}. {STILL_ELSEWHERE}")


def _listed(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text in UTF-8: ids of posts are wanted, one a line.") from error
    except OSError as error:
        raise UsageError(f"{path} could not be read: {error.strerror}.") from error
    return [line.strip() for line in lines if line.strip()]
