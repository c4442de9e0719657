"""Model versions to and from the Hugging Face Hub: only because somebody asked, private unless said otherwise.

What comes in is treated like any other model from elsewhere: safetensors only, none of its code, loaded and probed before it
becomes a version, and never put in service by itself.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from annotator.hub.client import Hub, HubRefused, Uploaded
from annotator.models.archives import SUFFIXES, VERSION_FILE, import_version, row_to_json
from annotator.models.loading import load_predictor
from annotator.models.quality import dev_learned_by, figures, quality_of
from annotator.models.registry import MADE_BY, check_directory, directory_of
from annotator.settings import Settings
from encoder.network.bases import NOTICE_FILE
from encoder.network.hub_errors import page_of
from storage.records import ModelVersion, Reviewer
from storage.store import Store

CARD = "README.md"
_PATTERNS = [f"*{suffix}" for suffix in sorted(SUFFIXES)]
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".pickle")


def push_version(
    store: Store, settings: Settings, model_id: str, repository: str, *, private: bool = True, hub: Hub | None = None
) -> Uploaded:
    """Upload the version's weights, configuration, figures and card. Raises NotPossible, DirectoryBroken, HubRefused."""
    model = store.model(model_id)
    directory = directory_of(settings, model)
    check_directory(directory)
    with tempfile.TemporaryDirectory(prefix=".push-", dir=settings.models_dir) as made:
        files = _files_of(directory)
        row, card = Path(made) / VERSION_FILE, Path(made) / CARD
        row.write_text(row_to_json(model), "utf-8")
        files[VERSION_FILE] = row
        if CARD not in files:
            notice = files.get(NOTICE_FILE)
            card.write_text(card_of(model, store, terms=notice.read_text("utf-8") if notice else ""), "utf-8")
            files[CARD] = card
        message = f"Model version {model.id}"
        return (hub or Hub()).push(repository, "model", files, message=message, private=private)


def pull_version(
    store: Store,
    settings: Settings,
    repository: str,
    *,
    by: Reviewer,
    revision: str | None = None,
    hub: Hub | None = None,
) -> ModelVersion:
    """Take the repository in as a new version, not in service; it has been loaded and probed before.

    Raises HubRefused, ArchiveInvalid, DirectoryBroken, ModelUnusable or NotBidirectional; nothing is kept then.
    """
    hub = hub or Hub()
    _check_listed(repository, hub, revision, room=shutil.disk_usage(_made(settings.models_dir)).free)
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=settings.models_dir) as folder:
        target = Path(folder) / repository.rsplit("/", 1)[-1]
        hub.fetch(repository, "model", target, patterns=_PATTERNS, revision=revision)
        check_directory(target)
        _load_once(target, settings)
        return import_version(store, settings, target, by=by, origin=page_of(repository))


def leaving(store: Store, settings: Settings, model_id: str, repository: str, *, private: bool = True) -> str:
    """What would leave this machine and where it would go, in words, to be agreed to. Raises NotPossible."""
    model = store.model(model_id)
    files = _files_of(directory_of(settings, model))
    megabytes = sum(p.stat().st_size for p in files.values()) / 1e6
    who = "private: only you, and whom you let in there" if private else "PUBLIC: everybody can read it"
    return (
        f"Model {model.id} to {page_of(repository)} ({who}): {len(files)} files, {megabytes:,.1f} MB of weights and settings,"
        " its measured figures, its note and the ids of the posts that it was trained on. No text of any post is among"
        " them, but a model can remember passages that it was trained on: let in only who may read those."
        " What has left cannot be called back from here."
    )


def card_of(model: ModelVersion, store: Store, *, terms: str = "") -> str:
    """The model card: what it is, how good it was measured to be, and what it is not for. terms: of what it derives from."""
    base = model.base if model.base and "/" in model.base and not Path(model.base).is_absolute() else None
    head = ["---", "library_name: evidence-annotator", "tags: [evidence-extraction, token-classification, gemma]"]
    head += [f"base_model: {base}"] if base else []
    head += ["license: gemma"] if terms else []
    head += ["pipeline_tag: token-classification", "---", ""]
    lines = [*head, f"# Evidence model {model.id}", ""]
    lines += ["A bidirectional encoder that marks the passages of a post that are evidence for a criterion.", ""]
    criteria = ", ".join(c.id for c in store.criteria())
    lines += [f"- made: {model.created_at or 'unknown'}", f"- criteria: {criteria}"]
    lines += [f"- trained on: {_posts_in_words(model)}", ""]
    quality = quality_of(model)
    if quality is not None:
        rows = [f"| {name} | {value:.3f} |" for name, value in figures(quality.own).items() if isinstance(value, float)]
        lines += ["## Measured on posts that it had not learned from", "", "| figure | value |", "|---|---|", *rows, ""]
    lines += ["## Terms", "", terms.strip(), ""] if terms else []
    lines += [
        "## Limits",
        "",
        "Not a medical device: a highlight is no diagnosis, and no highlight never means no risk. A model can remember",
        "passages that it was trained on: treat it as confidential as its training data.",
        "",
        "## Use",
        "",
        "`evidence models pull OWNER/NAME` in a project, then `evidence models use VERSION`. It needs no code of this repository.",
        "",
    ]
    return "\n".join(lines)


def _posts_in_words(model: ModelVersion) -> str:
    """How many posts it was trained on; those of the dev split that were learned after the measurement are told apart."""
    if not model.examples:
        return "see version.json"
    dev = dev_learned_by(model)
    held_out = f", and on {dev} dev posts once it had been measured on them" if dev else ""
    return f"{model.examples} posts{held_out}"


def _files_of(directory: Path) -> dict[str, Path]:
    """Name -> file of everything that belongs to the model; weights as safetensors, and nothing else that lies about."""
    return {
        p.name: p for p in sorted(directory.iterdir()) if p.is_file() and p.suffix in SUFFIXES and p.name != MADE_BY
    }


def _check_listed(repository: str, hub: Hub, revision: str | None, *, room: int) -> None:
    """Refuse before the download what would be refused after it."""

    def listed() -> list[Any]:
        found = hub.api.list_repo_tree(repository, repo_type="model", revision=revision, recursive=True)
        return [f for f in found if hasattr(f, "size")]

    hub.check_reachable(repository, "model", revision)
    files = hub.call(listed, repository, "model")
    names = [f.path for f in files]
    if not any(n.endswith(".safetensors") for n in names):
        pickled = next((n for n in names if n.endswith(_PICKLES)), None)
        kind = f"only pickled ones ({pickled}), which may run code when they are loaded" if pickled else "none at all"
        raise HubRefused(f"{page_of(repository)} has no safetensors weights, {kind}. Convert them first.")
    needed = 2 * sum(f.size for f in files if Path(f.path).suffix in SUFFIXES)
    if needed > room:
        raise HubRefused(
            f"{repository} needs {needed / 1e9:.1f} GB while it is taken in; the disk has {room / 1e9:.1f} GB."
        )


def _load_once(directory: Path, settings: Settings) -> None:
    """Load and probe, as `evidence models add` does. Raises ModelUnusable, NotBidirectional."""
    load_predictor(settings, ModelVersion("pulled", str(directory)))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
