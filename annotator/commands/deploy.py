"""`evidence deploy-space`: this checkout as a Hugging Face Space."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.commands.common import Subparsers, UsageError, pair, read_secret, report, say

if TYPE_CHECKING:
    from annotator.hub.deploy import Bucket


def add(commands: Subparsers) -> None:
    parser = commands.add_parser("deploy-space", help="make or update a Hugging Face Space from this checkout")
    parser.add_argument("name", metavar="NAME", help="owner/name, or a name under your own account")
    parser.add_argument("--public", action="store_true", help="everybody may see it (default: private)")
    parser.add_argument(
        "--variable", action="append", default=[], metavar="NAME=VALUE", help="a setting of the Space; repeatable"
    )
    parser.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="a secret of the Space, asked for unseen where no value is given; repeatable",
    )
    parser.add_argument("--secrets-file", type=Path, metavar="FILE", help="secrets as lines NAME=VALUE")
    parser.add_argument("--hardware", metavar="NAME", help="e.g. cpu-basic, zero-a10g, t4-small (default: as it is)")
    parser.add_argument("--sleep-seconds", type=int, metavar="S", help="fall asleep after so long without a visit")
    parser.add_argument(
        "--bucket", metavar="OWNER/NAME[:FOLDER]", help="storage bucket to mount, made private (folder: /data)"
    )
    parser.add_argument("--checkout", type=Path, metavar="DIR", help="the checkout (default: where this program is)")
    parser.add_argument("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from annotator.hub.client import Hub
    from annotator.hub.deploy import CHECKOUT, SpaceOptions, deploy, plan_space
    from encoder.network.hub_errors import LOG_IN, has_token

    options = SpaceOptions(
        name=arguments.name,
        private=not arguments.public,
        variables=dict(pair(text, "--variable") for text in arguments.variable),
        secrets=_secrets(arguments),
        hardware=arguments.hardware,
        sleep_seconds=arguments.sleep_seconds,
        bucket=_bucket(arguments.bucket),
    )
    plan = plan_space(options, arguments.checkout or CHECKOUT)
    for warning in plan.warnings:
        say(f"Note: {warning}")
    if arguments.dry_run or not has_token():
        report({"dry_run": True, **plan.to_dict()})
        for file in plan.files:
            say(f"{file.bytes:>12,}  {file.path}")
        for number, step in enumerate(plan.steps(), start=1):
            say(f"{number}. {step}")
        say("Nothing was sent." if arguments.dry_run else f"Nothing was sent: nobody is logged in ({LOG_IN}).")
        return 0 if arguments.dry_run else 1
    say(f"Deploying {len(plan.files)} files ({plan.bytes:,} bytes) ...")
    done = deploy(plan, Hub())
    report({"dry_run": False, **done})
    say(f"{'Made' if done['created'] else 'Updated' if done['changed'] else 'Nothing new for'} {done['url']}")
    return 0


def _secrets(arguments: argparse.Namespace) -> dict[str, str]:
    found: dict[str, str] = {}
    if arguments.secrets_file is not None:
        try:
            lines = arguments.secrets_file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{arguments.secrets_file} cannot be read: {error}") from error
        for number, line in enumerate(lines, start=1):
            if line.strip() and not line.startswith("#"):
                if "=" not in line:  # it may be the rest of a value: no message repeats it
                    raise UsageError(f"Line {number} of {arguments.secrets_file} is not of the form NAME=VALUE.")
                found.update([pair(line, "--secrets-file")])
    for text in arguments.secret:
        if "=" in text:
            found.update([pair(text, "--secret")])
        else:  # what is not sent need not be typed
            found[text] = "" if arguments.dry_run else read_secret(f"Value of the secret {text}", from_stdin=False)
    return found


def _bucket(text: str | None) -> Bucket | None:
    from annotator.hub.deploy import Bucket

    if text is None:
        return None
    source, _, folder = text.partition(":")
    return Bucket(source, folder) if folder else Bucket(source)
