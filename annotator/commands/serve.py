"""`evidence serve`: the app with its pages, until it is stopped. Every setting is a flag here."""

from __future__ import annotations

import argparse
import dataclasses

from annotator.commands.common import Subparsers, say, settings_of
from annotator.settings import Settings, parser_of, unparse


def add(commands: Subparsers) -> None:
    parser = commands.add_parser("serve", help="start the app in the browser (what python app.py does)")
    for field in dataclasses.fields(Settings):
        add_flag(parser, field)
    parser.set_defaults(run=run)


def add_flag(parser: argparse.ArgumentParser, field: dataclasses.Field[object]) -> None:
    """The flag of one setting; a flag that is not given leaves the environment's value."""
    flag = "--" + field.name.replace("_", "-")
    words = f"{field.metadata['help']} (default: {unparse(field.default) or 'unset'})".replace("%", "%%")
    if field.type == "bool":
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=words)
    else:
        parser.add_argument(flag, type=parser_of(str(field.type)), default=None, metavar="VALUE", help=words)


def run(arguments: argparse.Namespace) -> None:
    settings = settings_of(arguments)
    say(f"Starting on {settings.data_dir} ...")
    from annotator.server import serve

    serve(settings, announce=lambda url: say(f"Open {url} in a browser. Stop with Ctrl+C."))
