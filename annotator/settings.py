"""Settings: the only reader of the environment. Every setting has a variable EVIDENCE_NAME and most a flag `--name`.

Precedence: command line, then environment, then the default. On a Hugging Face Space (SPACE_ID is set) some defaults differ:
it listens on all addresses, as a public demo, inside the frame of huggingface.co.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from annotator.quick_start import leave_gradio_as_it_is
from storage.records import EvidenceError

PREFIX = "EVIDENCE_"
SNAPSHOT_KEY = "EVIDENCE_SNAPSHOT_KEY"
SECRETS = {SNAPSHOT_KEY: "Passphrase that snapshots are encrypted with (16 characters or more); unset: not encrypted"}
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1", "[::1]")


class SettingsInvalid(EvidenceError, ValueError):
    """A setting that cannot be understood; the text names its variable and what it may be."""


def _setting(default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the program was told. Fields are documented by their `help`; see `table()`."""

    data_dir: Path = _setting(Path("data"), "The project: database, models, backups, uploads. On a local disk")  # noqa: RUF009 - a field
    host: str = _setting("127.0.0.1", "Address to listen on; any other than loopback needs accounts")
    port: int = _setting(7860, "Port to listen on")
    local_reviewer: str = _setting("local", "Name of the one reviewer while there are no accounts")
    model: str = _setting(
        "active",
        "Model to serve: active (as chosen in Retrain), bundled, gemma-3-270m-evidence, a directory, a GGUF file or a Hub id",
    )
    device: str = _setting("auto", "Where the model runs: auto, cpu, cuda, cuda:1, mps")
    dtype: str = _setting("auto", "Number type of the model: auto (measured on a CPU), float32, bfloat16, int8")
    attention: str = _setting("auto", "Attention kernel: auto, sdpa, eager, flash_attention_2")
    threads: int | None = _setting(None, "CPU threads of the served model; unset: chosen from the machine")
    serving_while_training: str = _setting(
        "auto", "Served model during a training here: auto (off a GPU, onto the CPU), keep, cpu, pause"
    )
    predict_ahead: int = _setting(500, "How many posts are predicted ahead of the reviewers in the background")
    worker: bool = _setting(True, "Start the background worker (training, bulk prediction) together with the app")
    empty: bool = _setting(False, "A new project begins without the demo posts")
    criteria: Path | None = _setting(None, "Criteria file of a new project; unset: the nine default ones")  # noqa: RUF009
    first_model: str = _setting(
        "auto",
        "Model that a new project begins with: auto (Gemma 3 270M where it is installed, else the small one) or bundled (the small one)",
    )
    allow_remote_without_accounts: bool = _setting(
        False, "Listen on other addresses although nobody has to sign in: everyone who reaches it is admin"
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (), "Further host names under which the app is reached, comma-separated (behind a proxy)"
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (), "Addresses or networks of the proxies whose X-Forwarded-... headers are believed, comma-separated"
    )
    root_path: str = _setting("", "Path under which a proxy serves the app, as in https://host/annotate: /annotate")
    connections_per_address: int = _setting(200, "How many connections one address may hold; trusted proxies: no limit")
    secure_cookies: bool = _setting(False, "Cookies over HTTPS only; set it behind a proxy that ends TLS")
    frame_ancestors: tuple[str, ...] = _setting(
        (), "Origins that may show the app in a frame, comma-separated; empty: none"
    )
    session_hours: float = _setting(12.0, "Hours until a person has to sign in again")
    api_per_minute: int = _setting(240, "Requests per minute that the API answers to one person")
    mcp: bool = _setting(False, "Offer the API's reading endpoints as MCP tools; needs the extra mcp")
    max_upload_mb: int = _setting(200, "Largest file that may be uploaded, in megabytes")
    upload_quota_mb: int = _setting(1000, "How much of uploaded files is kept for one person, in megabytes")
    backup_hours: float = _setting(
        6.0, "Hours between scheduled backups into backups/, while there are changes; 0: none"
    )
    backup_keep: int = _setting(7, "How many scheduled backups are kept")
    snapshot_to: str = _setting(
        "", "Where snapshots of the whole project go: a directory, or hf://datasets/owner/name; empty: nowhere"
    )
    snapshot_minutes: float = _setting(10.0, "A decision is in a snapshot after so many minutes")
    snapshot_keep: int = _setting(10, "How many snapshots are kept there")
    stop_seconds: float = _setting(25.0, "Seconds that a stop may take: requests, last snapshot, worker's checkpoint")
    jobs_repo: str = _setting(
        "", "Private dataset repository (owner/name) for trainings as Hugging Face Jobs; empty: none"
    )
    jobs_flavor: str = _setting("t4-small", "Machine of these jobs, as the Hub names it")
    jobs_hours: float = _setting(4.0, "Hours after which such a job is ended")
    oauth_users: tuple[str, ...] = _setting((), "Hugging Face users who may sign in, comma-separated")
    oauth_orgs: tuple[str, ...] = _setting((), "Hugging Face organizations whose members may sign in")
    oauth_admins: tuple[str, ...] = _setting((), "Hugging Face users who sign in as admin")
    oauth_adjudicators: tuple[str, ...] = _setting((), "Hugging Face users who sign in as adjudicator")
    demo: bool = _setting(
        False, "Public demo: Try it first, each visitor reviews for themselves, no import, no training"
    )
    demo_hours: float = _setting(
        2.0, "Hours after which a visitor of the demo is forgotten, from when they were last seen"
    )
    demo_visitors: int = _setting(
        200, "How many visitors of the demo are remembered at once; each may take 8 MB of memory"
    )
    crisis_text: str = _setting("", "Sentence shown in the footer; empty: the one that the criteria set brings, if any")
    crisis_url: str = _setting("", "Link behind that sentence")
    log_level: str = _setting("warning", "Least severe log lines to show: debug, info, warning, error")

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK_HOSTS or self.host.startswith("127.")

    @property
    def models_dir(self) -> Path:
        return self.data_dir / "models"

    @property
    def backups_dir(self) -> Path:
        return self.data_dir / "backups"

    @property
    def uploads_dir(self) -> Path:
        return self.data_dir / "uploads"

    @property
    def oauth(self) -> bool:
        """Whether people sign in with Hugging Face."""
        return bool(self.oauth_users or self.oauth_orgs or self.oauth_admins or self.oauth_adjudicators)

    def as_environment(self) -> dict[str, str]:
        """The settings as EVIDENCE_ variables: what a child process needs to see the same ones."""
        return {variable(f.name): unparse(getattr(self, f.name)) for f in dataclasses.fields(self)}


def from_environment(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings from EVIDENCE_ variables, with `overrides` (from the command line; None values do not count) on top.

    Raises SettingsInvalid for a value of the wrong kind, and for an EVIDENCE_ variable that is no setting (a typing error).
    """
    fields = {f.name: f for f in dataclasses.fields(Settings)}
    known = {*map(variable, fields), *SECRETS}
    unknown = sorted(n for n in os.environ if n.startswith(PREFIX) and n not in known)
    if unknown:
        raise SettingsInvalid(f"{unknown[0]} is not a setting. `evidence settings` lists them.")
    values: dict[str, Any] = dict(_space_defaults())
    for name, spec in fields.items():
        given = os.environ.get(variable(name))
        if given is not None:
            values[name] = _parse(name, str(spec.type), given)
    values.update({k: v for k, v in (overrides or {}).items() if v is not None})
    settings = Settings(**values)
    if settings.oauth and variable("demo") not in os.environ and not (overrides or {}).get("demo"):
        settings = dataclasses.replace(settings, demo=False)  # a Space where people are named is a private one
    return checked(settings)


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """How this app is known to the OpenID provider."""

    provider: str
    id: str
    secret: str = field(repr=False)
    scopes: str = "openid profile"


def oauth_client() -> OAuthClient | None:
    """What a Space with `hf_oauth: true` finds in its environment, or None."""
    given = [os.environ.get(n, "") for n in ("OPENID_PROVIDER_URL", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET")]
    if not all(given):
        return None
    provider, client_id, secret = given
    scopes = os.environ.get("OAUTH_SCOPES") or "openid profile"
    return OAuthClient(provider.rstrip("/"), client_id, secret, scopes)


def snapshot_key() -> str | None:
    """The passphrase of encrypted snapshots. Raises SettingsInvalid if it is too short to keep anybody out."""
    key = os.environ.get(SNAPSHOT_KEY, "").strip()
    if key and len(key) < 16:
        raise SettingsInvalid(f"{SNAPSHOT_KEY} is too short: it needs at least 16 characters.")
    return key or None


def checked(settings: Settings) -> Settings:
    """The settings with an absolute data directory. Raises SettingsInvalid where a value makes no sense."""
    if not 0 <= settings.port <= 65535:
        raise SettingsInvalid(f"Port {settings.port} is not between 0 and 65535.")
    if settings.session_hours <= 0 or settings.max_upload_mb <= 0:
        raise SettingsInvalid("session_hours and max_upload_mb must be above 0.")
    if settings.upload_quota_mb < settings.max_upload_mb:
        raise SettingsInvalid("upload_quota_mb must be at least max_upload_mb, or the largest file could not be sent.")
    if settings.connections_per_address < 10:
        raise SettingsInvalid("connections_per_address must be 10 or more: one browser opens several.")
    _check_proxies(settings)
    if settings.api_per_minute < 1:
        raise SettingsInvalid(f"api_per_minute is {settings.api_per_minute}; it must be 1 or more.")
    if settings.threads is not None and settings.threads < 1:
        raise SettingsInvalid(f"threads is {settings.threads}; it must be 1 or more.")
    if (
        settings.snapshot_minutes <= 0
        or min(settings.snapshot_keep, settings.backup_keep) < 1
        or settings.backup_hours < 0
    ):
        raise SettingsInvalid("snapshot_minutes must be above 0, snapshot_keep and backup_keep 1 or more.")
    if settings.first_model not in ("auto", "bundled"):
        raise SettingsInvalid(f"first_model is {settings.first_model!r}; it may be auto or bundled.")
    if settings.serving_while_training not in ("auto", "keep", "cpu", "pause"):
        raise SettingsInvalid(
            f"serving_while_training is {settings.serving_while_training!r}; it may be auto, keep, cpu or pause."
        )
    if settings.demo_hours <= 0 or settings.demo_visitors < 1:
        raise SettingsInvalid("demo_hours must be above 0, demo_visitors 1 or more.")
    if settings.stop_seconds <= 0:
        raise SettingsInvalid("stop_seconds must be above 0.")
    if not settings.local_reviewer.strip():
        raise SettingsInvalid("local_reviewer must be a name.")
    if settings.log_level.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise SettingsInvalid(f"log_level is {settings.log_level!r}; it may be debug, info, warning or error.")
    return dataclasses.replace(settings, data_dir=settings.data_dir.expanduser().absolute())


def _check_proxies(settings: Settings) -> None:
    for each in settings.trusted_proxies:
        try:
            ipaddress.ip_network(each, strict=False)
        except ValueError as error:
            raise SettingsInvalid(
                f"trusted_proxies: {each!r} is no address or network, such as 127.0.0.1 or 10.0.0.0/8."
            ) from error
    root = settings.root_path
    if root and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", root):
        raise SettingsInvalid(
            f"root_path is {root!r}; it must be a path such as /annotate, without a slash at the end."
        )


def prepare_process(settings: Settings) -> None:
    """Tell the libraries what they read from the environment. Call before gradio or transformers are imported.

    Nothing is reported to anybody, and uploads stay inside the data directory.
    """
    leave_gradio_as_it_is()
    os.environ.update(
        {
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_TEMP_DIR": str(settings.uploads_dir),
            "GRADIO_SSR_MODE": "False",
            "FORWARDED_ALLOW_IPS": "",  # uvicorn would believe whoever comes from this machine; see annotator.web.proxies
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "DISABLE_TELEMETRY": "1",
            "DO_NOT_TRACK": "1",
        }
    )
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # httpx, with which Gradio asks itself whether it is up, must not go through a proxy to this machine
    for name in ("NO_PROXY", "no_proxy"):
        known = [host for host in os.environ.get(name, "").split(",") if host]
        os.environ[name] = ",".join(dict.fromkeys([*known, "127.0.0.1", "localhost"]))


def parser_of(kind: str) -> Callable[[str], Any]:
    """What reads a text as a field of that type; raises ValueError."""
    return _PARSERS[kind]


def variable(name: str) -> str:
    return PREFIX + name.upper()


def table() -> list[dict[str, str]]:
    """Every setting as {"variable", "flag", "default", "help"}, in order: what the README shows. Secrets have no flag."""
    rows = [
        {
            "variable": variable(f.name),
            "flag": "--" + f.name.replace("_", "-"),
            "default": unparse(f.default),
            "help": str(f.metadata["help"]),
        }
        for f in dataclasses.fields(Settings)
    ]
    return rows + [{"variable": name, "flag": "", "default": "", "help": text} for name, text in SECRETS.items()]


def _space_defaults() -> dict[str, Any]:
    if not os.environ.get("SPACE_ID"):
        return {}
    return {
        "data_dir": _space_data_dir(),
        "host": "0.0.0.0",  # noqa: S104 - the Space's proxy is the only way in
        "port": int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        "demo": True,
        "secure_cookies": True,
        "trusted_proxies": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # where a Space's proxy comes from
        "frame_ancestors": ("https://huggingface.co",),
        "allowed_hosts": _parse_list(os.environ.get("SPACE_HOST", "")),
    }


def _space_data_dir() -> Path:
    """`data` as everywhere, if the checkout may be written; else a folder in the home directory, else a temporary one."""
    here = Path("data")
    if os.access(here if here.exists() else ".", os.W_OK):
        return here
    home = Path(os.environ.get("HOME") or "/")
    return (home if os.access(home, os.W_OK) else Path(tempfile.gettempdir())) / "evidence-data"


def _parse(name: str, kind: str, given: str) -> Any:
    try:
        return _PARSERS[kind](given.strip())
    except ValueError as error:
        raise SettingsInvalid(f"{variable(name)}={given!r} cannot be read: it must be {_KINDS[kind]}.") from error


def _parse_bool(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off", ""):
        return False
    raise ValueError(text)


def _parse_list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_PARSERS: dict[str, Callable[[str], Any]] = {
    "Path": Path,
    "Path | None": lambda text: Path(text) if text else None,
    "str": str,
    "int": int,
    "int | None": lambda text: int(text) if text else None,
    "float": float,
    "bool": _parse_bool,
    "tuple[str, ...]": _parse_list,
}
_KINDS = {
    "Path": "a path",
    "Path | None": "a path, or empty",
    "str": "a text",
    "int": "a whole number",
    "int | None": "a whole number, or empty",
    "float": "a number",
    "bool": "1 or 0",
    "tuple[str, ...]": "a comma-separated list",
}


def unparse(value: Any) -> str:
    """The value as its variable would hold it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def software() -> str:
    """Name and version of this program."""
    try:
        return f"evidence-annotator {metadata.version('evidence-annotator')}"
    except metadata.PackageNotFoundError:
        return "evidence-annotator (not installed)"
