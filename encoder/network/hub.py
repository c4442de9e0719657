"""From a model's name to a directory with its files: the bundled model, a directory, a GGUF file, or a repository on the Hub.

A base that can be installed as a package is looked for in the Hub's cache, then on the Hub where somebody is logged in (it is
gated), then in the package. An adapter takes the very weights it was trained on, wherever they are, before any others.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from encoder.errors import ModelUnusable

if TYPE_CHECKING:
    from encoder.config import EncoderConfig
    from encoder.network.gguf import OnProgress

BUNDLED = "bundled"
GEMMA = "gemma-3-270m-evidence"
BUNDLED_DIRECTORY = Path(__file__).parents[1] / "bundled" / "model"
GEMMA_DIRECTORY = BUNDLED_DIRECTORY.with_name("gemma")
OWN_MODELS = (BUNDLED_DIRECTORY, GEMMA_DIRECTORY)
"""Of the models that come with the program: all made from the bundled corpus."""
# "demo" is what the small model was called at first: saved models and trainings name it so as their base
_PROGRAMS_OWN = {BUNDLED: BUNDLED_DIRECTORY, "demo": BUNDLED_DIRECTORY, GEMMA: GEMMA_DIRECTORY}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_OFFLINE = "Connect to the network once, or download it elsewhere and give its directory."
_FILES = ["*.json", "*.safetensors", "tokenizer.model", "*.jinja"]


def _silent(fraction: float, message: str) -> None:
    """Nobody listens."""


def resolve(model: str | Path, on_progress: OnProgress = _silent) -> Path:
    """The local directory of a model; a repository is downloaded (weights in safetensors only) or found in the cache, and a
    GGUF file is converted once. on_progress: told how far that is.

    Raises ModelUnusable with one line that says what to do: no such directory, no network, gated (with the page of the
    license), not found, refused, cut off, no room.
    """
    if str(model) in _PROGRAMS_OWN:
        return _PROGRAMS_OWN[str(model)]
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if path.suffix.lower() == ".gguf":
        from encoder.network.bases import from_gguf

        return from_gguf(path, on_progress)
    if path.exists():
        raise ModelUnusable(f"{path} is a file; give the directory that holds config.json, or a GGUF file.")
    if not _HUB_ID.fullmatch(str(model)):
        raise ModelUnusable(
            f"There is no model directory {str(model)!r}, and it is no Hub id (owner/name) and not {BUNDLED!r}."
        )
    return _named(str(model), on_progress)


def resolve_base(config: EncoderConfig, on_progress: OnProgress = _silent) -> Path:
    """The directory of an adapter's base: the weights that it was trained on if they are here, else those of that name.

    Raises ModelUnusable.
    """
    from encoder.network.bases import PACKAGED, converted, from_package

    sha256 = config.base_weights.get("sha256", "")
    if sha256 and (found := converted(sha256)) is not None:
        return found
    packaged = PACKAGED.get(config.base or "")
    if packaged is not None and packaged.sha256 == sha256 and packaged.installed:
        return from_package(packaged, on_progress)
    return resolve(config.base or "", on_progress)


def weights_of(directory: Path) -> Path | None:
    """Where the backbone's weights of a model directory lie: itself, or an adapter's base; None if that is not ready here."""
    from encoder.config import CONFIG_FILE, EncoderConfig
    from encoder.network.bases import converted

    if (directory / "config.json").exists() or not (directory / CONFIG_FILE).exists():
        return directory
    config = EncoderConfig.load(directory)
    found = converted(config.base_weights.get("sha256", ""))
    if found is not None:
        return found
    local = Path(config.base or "").expanduser()
    return local if config.base and local.is_dir() else _in_cache(config.base or "")


def base_is_here(name: str) -> bool:
    """Whether a base can be had without asking the network: converted before, installed as a package, or in the Hub's cache."""
    import importlib.util

    from encoder.network.bases import PACKAGED, converted

    packaged = PACKAGED.get(name)
    if packaged is not None:
        if converted(packaged.sha256) is not None:
            return True
        if packaged.installed and importlib.util.find_spec("gguf") is not None:
            return True
    return _in_cache(name) is not None


def _named(repository: str, on_progress: OnProgress) -> Path:
    from encoder.network.bases import INSTALL, PACKAGED, from_package
    from encoder.network.hub_errors import has_token

    packaged = PACKAGED.get(repository)
    if packaged is None:
        return _download(repository)
    cached = _in_cache(repository)
    if cached is not None:
        return cached
    if packaged.installed and not has_token():  # without a token the Hub would refuse it
        return from_package(packaged, on_progress)
    try:
        return _download(repository)
    except ModelUnusable as error:
        if packaged.installed:
            return from_package(packaged, on_progress)
        raise ModelUnusable(f"{error} Or install it ({packaged.megabytes} MB): {INSTALL}") from error


def _in_cache(repository: str) -> Path | None:
    """The repository as an earlier download left it, None if there was none or it was cut off."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    if not _HUB_ID.fullmatch(repository):
        return None
    try:
        found = Path(snapshot_download(repository, allow_patterns=_FILES, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return found if (found / "config.json").exists() and any(found.glob("*.safetensors")) else None


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
