"""From a model's name to a directory with its files: the bundled model, a directory, or a repository on the Hugging Face Hub."""

from __future__ import annotations

import re
from pathlib import Path

from encoder.errors import ModelUnusable

BUNDLED = "demo"
BUNDLED_DIRECTORY = Path(__file__).parent / "demo" / "model"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_FILES = ["*.json", "*.safetensors", "tokenizer.model", "*.jinja"]


def resolve(model: str | Path) -> Path:
    """The local directory of a model; a repository is downloaded (weights in safetensors only) or found in the cache.

    Raises ModelUnusable with one line that says what to do: no such directory, no network, gated, not found.
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
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    page = f"https://huggingface.co/{repository}"
    try:
        return Path(snapshot_download(repository, allow_patterns=_FILES))
    except GatedRepoError:
        raise ModelUnusable(
            f"{repository} is gated: accept its license at {page}, then log in with `hf auth login`."
        ) from None
    except RepositoryNotFoundError:
        raise ModelUnusable(
            f"There is no directory {repository!r}, and no repository at {page} that you can see; "
            f"for a private one log in with `hf auth login`."
        ) from None
    except LocalEntryNotFoundError:
        raise ModelUnusable(
            f"{repository} is not on this machine and the Hub cannot be reached. Connect to the network once, "
            f"or download it elsewhere and give its directory."
        ) from None
    except (HfHubHTTPError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelUnusable(f"{repository} could not be downloaded: {reason}") from error
