"""`evidence users token`: personal access tokens, with which programs use the API."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from annotator.commands.common import Subparsers, add_data_dir, project_of, report, say


def add(actions: Subparsers) -> None:
    token = actions.add_parser("token", help="access tokens for programs: add, list, revoke")
    tokens = token.add_subparsers(dest="token_action", required=True, metavar="ACTION")
    new = tokens.add_parser("add", help="make an access token for a person; it is shown this once")
    new.add_argument("name", metavar="NAME")
    new.add_argument(
        "--purpose", default="command line", metavar="WORDS", help="what it is for (default: command line)"
    )
    new.add_argument("--days", type=int, metavar="N", help="days until it expires (default: never)")
    listed = tokens.add_parser("list", help="what is known of the tokens; never the tokens themselves")
    listed.add_argument("name", metavar="NAME", nargs="?", help="of this person only")
    ended = tokens.add_parser("revoke", help="end an access token for good")
    ended.add_argument("id", type=int, metavar="ID", help="its number in the list")
    for parser, run in ((new, run_add), (listed, run_list), (ended, run_revoke)):
        add_data_dir(parser)
        parser.set_defaults(run=run)


def run_add(arguments: argparse.Namespace) -> None:
    from annotator.people.tokens import create_token
    from annotator.web.gate import sign_in_is_needed

    project = project_of(arguments)
    token, known = create_token(project.store, arguments.name, arguments.purpose, days=arguments.days)
    report({**_shown(known), "token": token})
    say("Keep the token now: it is stored nowhere and cannot be shown again.")
    if not sign_in_is_needed(project.store, project.settings):
        say("Nobody has to sign in to this project yet: until there are accounts, programs need no token.")


def run_list(arguments: argparse.Namespace) -> None:
    store = project_of(arguments).store
    if arguments.name is not None:
        store.reviewer(arguments.name)
    report([_shown(known) for known in store.tokens(reviewer=arguments.name)])


def run_revoke(arguments: argparse.Namespace) -> None:
    project_of(arguments).store.revoke_token(arguments.id)
    report({"id": arguments.id, "revoked": True})


def _shown(known: Any) -> dict[str, Any]:
    from annotator.people.tokens import state_of

    return {**dataclasses.asdict(known), "state": state_of(known)}
