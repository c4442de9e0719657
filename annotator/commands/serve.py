"""`evidence serve`: the app with its pages, until it is stopped."""

from __future__ import annotations

import argparse
from pathlib import Path

from annotator.commands.common import Subparsers, say, settings_of


def add(commands: Subparsers) -> None:
    parser = commands.add_parser("serve", help="start the app in the browser (what python app.py does)")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="the project's directory (default: data)")
    parser.add_argument("--host", metavar="ADDRESS", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, metavar="N", help="port to listen on (default: 7860; 0: any free one)")
    parser.add_argument("--model", metavar="MODEL", help="active, demo, a directory or a Hub id (default: active)")
    parser.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads of the served model")
    parser.add_argument("--empty", action="store_true", default=None, help="first start without demo posts and default criteria")
    parser.add_argument("--demo", action="store_true", default=None, help="public demo: Try it first, no import, no training")
    parser.add_argument("--no-worker", dest="worker", action="store_false", default=None, help="start no background worker")
    parser.add_argument(
        "--allow-remote-without-accounts",
        action="store_true",
        default=None,
        help="listen on other addresses although nobody has to sign in",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    settings = settings_of(arguments)
    say(f"Starting on {settings.data_dir} ...")
    from annotator.server import serve

    serve(settings, announce=lambda url: say(f"Open {url} in a browser. Stop with Ctrl+C."))
