"""`evidence users`: accounts. The first one turns sign-in on."""

from __future__ import annotations

import argparse
from typing import Any

from annotator.commands import people_tokens
from annotator.commands.common import Subparsers, add_data_dir, project_of, read_secret, report, say

ROLES = ("reviewer", "adjudicator", "admin")


def add(commands: Subparsers) -> None:
    users = commands.add_parser("users", help="accounts: add, list, disable, enable, unlock, role, passwd, token")
    actions = users.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("add", help="make an account; the first one turns sign-in on")
    new.add_argument("name", metavar="NAME")
    new.add_argument("--role", default="reviewer", choices=ROLES, help="default: reviewer")
    _add_password(new)
    _finish(new, run_add)
    _finish(actions.add_parser("list", help="everybody, with their roles"), run_list)
    for action, run, words in (
        ("disable", run_disable, "end a person's sessions and access tokens, and refuse further sign-in"),
        ("enable", run_enable, "let a disabled person sign in again"),
        ("unlock", run_unlock, "forget the failed attempts to sign in under a name, so that nobody has to wait"),
    ):
        parser = actions.add_parser(action, help=words)
        parser.add_argument("name", metavar="NAME")
        _finish(parser, run)
    role = actions.add_parser("role", help="change a person's role")
    role.add_argument("name", metavar="NAME")
    role.add_argument("role", choices=ROLES)
    _finish(role, run_role)
    password = actions.add_parser("passwd", help="set a new password; the person's sessions and access tokens end")
    password.add_argument("name", metavar="NAME")
    _add_password(password)
    _finish(password, run_passwd)
    people_tokens.add(actions)


def _add_password(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")


def password_of(arguments: argparse.Namespace, prompt: str) -> str:
    return read_secret(prompt, from_stdin=arguments.password_stdin, flag="--password-stdin")


def _finish(parser: argparse.ArgumentParser, run: Any) -> None:
    add_data_dir(parser)
    parser.set_defaults(run=run)


def run_add(arguments: argparse.Namespace) -> None:
    from annotator.commands.common import settings_of
    from annotator.people.accounts import Accounts
    from annotator.project import open_project
    from storage.records import Role

    project = open_project(settings_of(arguments))
    password = password_of(arguments, f"Password for {arguments.name}")
    person = Accounts(project.store).add(arguments.name, Role(arguments.role), password)
    report({"name": person.name, "role": person.role})
    if not any(r.role is Role.ADMIN and project.store.password_hash(r.name) for r in project.store.reviewers()):
        say("Nobody who can sign in is admin yet: add one to import, train and manage models in the page.")


def run_list(arguments: argparse.Namespace) -> None:
    store = project_of(arguments).store
    report(
        [
            {
                "name": r.name,
                "role": r.role,
                "can_sign_in": store.password_hash(r.name) is not None,
                "disabled_at": r.disabled_at,
                "created_at": r.created_at,
            }
            for r in store.reviewers()
        ]
    )


def run_disable(arguments: argparse.Namespace) -> None:
    project_of(arguments).store.update_reviewer(arguments.name, disabled=True)
    report({"name": arguments.name, "disabled": True})


def run_enable(arguments: argparse.Namespace) -> None:
    project_of(arguments).store.update_reviewer(arguments.name, disabled=False)
    report({"name": arguments.name, "disabled": False})


def run_unlock(arguments: argparse.Namespace) -> None:
    from annotator.people.throttle import Throttle

    store = project_of(arguments).store
    store.reviewer(arguments.name)
    forgotten = Throttle(store).unlock(arguments.name)
    report({"name": arguments.name, "forgotten": forgotten})
    say("Nobody has to wait under this name any more." if forgotten else "Nobody had to wait under this name.")


def run_role(arguments: argparse.Namespace) -> None:
    from storage.records import Role

    project_of(arguments).store.update_reviewer(arguments.name, role=Role(arguments.role))
    report({"name": arguments.name, "role": arguments.role})


def run_passwd(arguments: argparse.Namespace) -> None:
    from annotator.people.accounts import Accounts

    store = project_of(arguments).store
    store.reviewer(arguments.name)
    Accounts(store).set_password(arguments.name, password_of(arguments, f"New password for {arguments.name}"))
    report({"name": arguments.name, "password": "changed"})
