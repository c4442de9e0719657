"""Datasets on the Hugging Face Hub: fetched by name for an import, and an export pushed. The only code here that goes online.

Data files only: no dataset's own code is downloaded, let alone run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from annotator.exchange_export import export_file
from storage.exports import ExportFilter
from storage.records import EvidenceError
from storage.store import Store

PREFIX = "hub:"
_DATA_FILES = ["*.parquet", "*.arrow", "*.jsonl", "*.csv", "*.tsv"]


class HubRefused(EvidenceError):
    """The Hub could not be reached, or has no such dataset, or does not let us in."""


@contextmanager
def fetched(name: str, folder: Path, *, revision: str | None = None, token: str | None = None) -> Iterator[Path]:
    """The dataset's data files in a temporary folder below `folder`. name: owner/dataset. Raises HubRefused."""
    from huggingface_hub import snapshot_download

    with tempfile.TemporaryDirectory(prefix=".hub-", dir=folder) as target:
        try:
            snapshot_download(
                name, repo_type="dataset", revision=revision, token=token, allow_patterns=_DATA_FILES, local_dir=target
            )
        except Exception as error:  # the library's errors have no common base
            raise HubRefused(_reason(name, error)) from error
        if not any(p.suffix for p in Path(target).rglob("*") if p.is_file() and ".cache" not in p.parts):
            raise HubRefused(
                f"{name} has no data files ({', '.join(_DATA_FILES)}). A dataset that needs its own code is not loaded."
            )
        yield Path(target)


def push_to_hub(
    store: Store,
    name: str,
    chosen: ExportFilter | None = None,
    *,
    private: bool = True,
    token: str | None = None,
    license_name: str = "unknown",
) -> dict[str, Any]:
    """Export as a dataset folder and upload it as the Hub dataset `name`; private unless said otherwise.

    Returns the manifest with `url`. Posts leave this machine: only ever called because a person asked for it by name.
    """
    from huggingface_hub import HfApi

    with tempfile.TemporaryDirectory(prefix=".push-", dir=store.path.parent) as folder:
        target = Path(folder) / name.rsplit("/", 1)[-1]
        manifest = export_file(store, "hf", target, chosen, license_name=license_name)
        try:
            api = HfApi(token=token)
            api.create_repo(name, repo_type="dataset", private=private, exist_ok=True)
            api.upload_folder(
                repo_id=name, repo_type="dataset", folder_path=target, commit_message="Corrected annotations"
            )
        except Exception as error:  # as above
            raise HubRefused(_reason(name, error)) from error
    return manifest | {"url": f"https://huggingface.co/datasets/{name}"}


def _reason(name: str, error: Exception) -> str:
    kind = type(error).__name__
    if "NotFound" in kind or "HFValidation" in kind:
        return f"There is no dataset {name!r} on the Hub, or it is private and no token was given."
    if "Gated" in kind:
        return f"{name} is gated: accept its terms on the Hub, then give a token."
    if "Offline" in kind or "Connection" in kind or "Timeout" in kind or "LocalEntry" in kind:
        return f"The Hub could not be reached for {name}. Download the dataset elsewhere and import its folder."
    return f"The Hub refused {name} ({kind})."
