"""From a model's name to a directory with its files: the bundled model, a directory, or a repository on the Hugging Face Hub."""

from __future__ import annotations

import re
from pathlib import Path

from encoder.errors import ModelUnusable

BUNDLED = "demo"
BUNDLED_DIRECTORY = Path(__file__).parents[1] / "bundled" / "model"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_OFFLINE = "Connect to the network once, or download it elsewhere and give its directory."
_FILES = ["*.json", "*.safetensors", "tokenizer.model", "*.jinja"]


def resolve(model: str | Path) -> Path:
    """The local directory of a model; a repository is downloaded (weights in safetensors only) or found in the cache.

    Raises ModelUnusable with one line that says what to do: no such directory, no network, gated (with the page of the
    license), not found, refused, cut off, no room.
    """
    if str(model) == BUNDLED:
        return BUNDLED_DIRECTORY
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise ModelUnusable(f"{path} is a file; give the directory that holds config.json.")
    if not _HUB_ID.fullmatch(str(model)):
        raise ModelUnusable(
            f"There is no model directory {str(model)!r}, and it is no Hub id (owner/name) and not {BUNDLED!r}."
        )
    return _download(str(model))


def _download(repository: str) -> Path:
    from huggingface_hub import snapshot_download

    from encoder.network.families import license_page_of
    from encoder.network.hub_errors import in_words, is_hub_error

    try:
        return Path(snapshot_download(repository, allow_patterns=_FILES))
    except Exception as error:  # the client's errors have no common base
        if is_hub_error(error):
            page = license_page_of(repository)
            raise ModelUnusable(in_words(error, repository, license_page=page, offline=_OFFLINE)) from error
        if isinstance(error, OSError):
            raise ModelUnusable(f"{repository} could not be stored here: {error.strerror or error}") from error
        raise
