"""Datasets on the Hugging Face Hub: fetched by name for an import, and an export pushed because somebody asked for it.

Data files only: no dataset's own code is downloaded, let alone run.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotator.exchange.exporting import ExportRefused, export_file
from annotator.hub.client import Hub, HubRefused
from encoder.network.hub_errors import page_of
from storage.exports import ExportFilter
from storage.formats.archive import pack, unpacked
from storage.store import Store

__all__ = ["PREFIX", "HubRefused", "fetched", "fetched_archive", "leaving", "push_folder", "push_to_hub", "push_zip"]

PREFIX = "hub:"
_DATA_FILES = ["*.parquet", "*.arrow", "*.jsonl", "*.csv", "*.tsv"]
_CODE = (".py", ".pyc", ".pkl")


@contextmanager
def fetched(
    name: str, folder: Path, *, revision: str | None = None, token: str | None = None, hub: Hub | None = None
) -> Iterator[Path]:
    """The dataset's data files in a temporary folder below `folder`, or the only one by itself. name: owner/dataset.

    Raises HubRefused.
    """
    hub = hub or Hub(token=token)
    with tempfile.TemporaryDirectory(prefix=".hub-", dir=folder) as place:
        target = Path(place) / name.rsplit("/", 1)[-1]
        hub.fetch(name, "dataset", target, patterns=_DATA_FILES, revision=revision)
        files = [p for p in target.rglob("*") if p.is_file()]
        if not files:
            raise HubRefused(_without_data(name, hub, revision))
        yield files[0] if len(files) == 1 else target


def fetched_archive(name: str, folder: Path, *, hub: Hub | None = None) -> Path:
    """The dataset's data files as a new zip file in `folder`, for the page to look at like an uploaded one."""
    packed = folder / f"{name.rsplit('/', 1)[-1]}-{secrets.token_hex(8)}.zip"
    with fetched(name, folder, hub=hub) as data:
        pack(data if data.is_dir() else data.parent, packed)
    return packed


def _without_data(name: str, hub: Hub, revision: str | None) -> str:
    """Why the dataset cannot be taken."""
    files = hub.call(lambda: hub.api.list_repo_files(name, repo_type="dataset", revision=revision), name, "dataset")
    code = sorted(f for f in files if f.endswith(_CODE))
    if code:
        return (
            f"{name} needs its own code to be loaded ({code[0]}), which is never run here. Look for a version with data"
            f" files, or convert it elsewhere and import the result."
        )
    return f"{name} has no data files ({', '.join(_DATA_FILES)})."


@dataclass(frozen=True)
class Destination:
    """A dataset of the Hub by name, and who will see it.

    agreed: asked with the manifest once it is known what would leave; where it says no, nothing does.
    """

    name: str
    private: bool = True
    agreed: Callable[[Mapping[str, Any]], bool] = lambda _: True


def push_to_hub(
    store: Store,
    to: Destination,
    chosen: ExportFilter | None = None,
    *,
    license_name: str = "unknown",
    hub: Hub | None = None,
) -> dict[str, Any]:
    """Export as a dataset folder and upload it; private unless said otherwise.

    Returns the manifest with `url`, `commit` and `changed`. Raises HubRefused, and ExportRefused where it was not agreed to.
    """
    hub = hub or Hub()
    hub.require_login()
    with tempfile.TemporaryDirectory(prefix=".push-", dir=store.path.parent) as folder:
        target = Path(folder) / to.name.rsplit("/", 1)[-1]
        manifest = export_file(store, "hf", target, chosen, license_name=license_name)
        manifest.pop("output")
        if not to.agreed(manifest):
            raise ExportRefused("Nothing was sent.")
        return manifest | push_folder(target, to.name, private=to.private, hub=hub)


def push_zip(packed: Path, name: str, *, private: bool = True, hub: Hub | None = None) -> dict[str, Any]:
    """Upload a dataset folder that was prepared as a zip file; as `push_folder`. Raises ExportRefused if it is gone."""
    if not packed.is_file():
        raise ExportRefused("The prepared dataset is gone; prepare it again. Nothing was sent.")
    with (
        tempfile.TemporaryDirectory(prefix=".push-", dir=packed.parent) as folder,
        unpacked(packed, Path(folder)) as data,
    ):
        return push_folder(data, name, private=private, hub=hub or Hub())


def push_folder(folder: Path, name: str, *, private: bool, hub: Hub) -> dict[str, Any]:
    """Upload the folder's files; data files of an earlier push that are not among them go. Returns {"url", "commit", ...}."""
    hub.require_login()
    files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    created = hub.make(name, "dataset", private=private)
    commit, changed = hub.upload(
        name, "dataset", files, message="Corrected annotations", delete=lambda path: path.startswith("data/")
    )
    return {"url": page_of(name, "dataset"), "commit": commit, "created": created, "changed": changed}


def leaving(manifest: Mapping[str, Any], name: str, *, private: bool) -> str:
    """What would leave this machine and where it would go, in words, to be agreed to."""
    who = "private: only you, and whom you let in there" if private else "PUBLIC: everybody can read it"
    return (
        f"To {page_of(name, 'dataset')} ({who}): the full text of {manifest['posts']:,} posts,"
        f" {manifest['annotations']:,} answers with {manifest['spans']:,} marked passages, the reviewers' names and the"
        " criteria. What has left cannot be called back from here."
    )
