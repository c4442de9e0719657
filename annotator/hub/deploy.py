"""A Hugging Face Space from the checkout: planned in full before anything is sent, then made or brought up to date.

Doing it again changes only what differs. The Space is private unless it was said otherwise. Settings go before files, so that
the program never starts there without them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotator.hub.client import Hub, HubRefused
from annotator.hub.space_files import SpaceFile, front_matter, is_ours, product_files, with_sign_in
from annotator.settings import PREFIX, table
from storage.records import EvidenceError

CHECKOUT = Path(__file__).resolve().parents[2]
ZERO_GPU = "zero-a10g"
_NAME = re.compile(r"[\w][\w.-]{0,95}(/[\w][\w.-]{0,95})?")
_VARIABLE = re.compile(r"[A-Za-z_]\w*")
_SIGN_IN = ("EVIDENCE_OAUTH_USERS", "EVIDENCE_OAUTH_ORGS", "EVIDENCE_OAUTH_ADMINS", "EVIDENCE_OAUTH_ADJUDICATORS")
_SECRET_NAME = re.compile(r"(TOKEN|KEY|SECRET|PASSWORD)$", re.IGNORECASE)


class CannotDeploy(EvidenceError):
    """What was asked for does not make sense; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A storage bucket of the Hub, mounted in the Space."""

    source: str
    mount_path: str = "/data"


@dataclass(frozen=True, slots=True)
class SpaceOptions:
    """What a person asked for. name: owner/name, or a name of their own. hardware None: left as it is."""

    name: str
    private: bool = True
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    hardware: str | None = None
    sleep_seconds: int | None = None
    bucket: Bucket | None = None

    @property
    def signs_in(self) -> bool:
        """Whether people are named here who sign in with Hugging Face there."""
        return any(name in self.variables or name in self.secrets for name in _SIGN_IN)


@dataclass(frozen=True, slots=True)
class SpacePlan:
    """Everything that a deployment would send. `options.name` lacks its owner while nobody is logged in."""

    options: SpaceOptions
    files: tuple[SpaceFile, ...]
    configuration: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(f.bytes for f in self.files)

    def steps(self) -> Iterator[str]:
        """The calls in order, without the values of secrets."""
        options = self.options
        seen = "private" if options.private else "PUBLIC"
        yield f"create the {seen} Space {options.name} (sdk {self.configuration['sdk']}), unless it is there"
        if options.bucket is not None:
            yield f"create the private bucket {options.bucket.source}, unless it is there"
            yield f"mount {options.bucket.source} at {options.bucket.mount_path}"
        for name in sorted(options.secrets):
            yield f"set the secret {name} (its value is not shown)"
        for name, value in sorted(options.variables.items()):
            yield f"set the variable {name}={value} (whoever sees the Space can read it)"
        if options.hardware is not None:
            sleep = f", asleep after {options.sleep_seconds} s without a visit" if options.sleep_seconds else ""
            yield f"request the hardware {options.hardware}{sleep} (it may cost money)"
        if options.signs_in:
            yield "turn on sign-in with Hugging Face (hf_oauth in the Space's README)"
        yield f"upload {len(self.files)} files ({self.bytes:,} bytes) in one commit, and remove files of ours that are gone"

    def to_dict(self) -> dict[str, Any]:
        options = self.options
        return {
            "space": options.name,
            "private": options.private,
            "variables": dict(options.variables),
            "secrets": sorted(options.secrets),
            "hardware": options.hardware,
            "sleep_seconds": options.sleep_seconds,
            "bucket": None if options.bucket is None else dataclasses.asdict(options.bucket),
            "files": [{"path": f.path, "bytes": f.bytes} for f in self.files],
            "bytes": self.bytes,
            "steps": list(self.steps()),
            "warnings": list(self.warnings),
        }


def plan_space(options: SpaceOptions, checkout: Path = CHECKOUT) -> SpacePlan:
    """What a deployment would do; sends nothing. Raises CannotDeploy, CheckoutInvalid."""
    _check(options)
    files, warnings = product_files(checkout)
    configuration = front_matter(checkout / "README.md")
    if options.hardware == ZERO_GPU and "EVIDENCE_MODEL" not in options.variables:
        warnings.append("On ZeroGPU the bundled model runs; name a Gemma checkpoint with --variable EVIDENCE_MODEL=...")
    if not options.private:
        warnings.append("The Space will be public: everybody can open it and read its files.")
    return SpacePlan(options, tuple(files), configuration, tuple(warnings))


def deploy(plan: SpacePlan, hub: Hub) -> dict[str, Any]:
    """Make the Space or bring it up to date. Returns {"space", "url", "created", "changed", "commit", "set"}.

    Raises HubRefused with what to do; done again, it goes on where it was stopped.
    """
    user = hub.require_login()
    options = plan.options
    space = options.name if "/" in options.name else f"{user}/{options.name}"
    created = hub.make(space, "space", private=options.private, space_sdk=str(plan.configuration["sdk"]))
    settings = _SpaceSettings(hub, space)
    done = settings.apply(options)
    files: dict[str, Path | bytes] = {f.path: f.source for f in plan.files}
    if options.signs_in or settings.signs_in():  # named earlier: without it the program would not start there
        readme = next(f.source for f in plan.files if f.path == "README.md")
        files["README.md"] = with_sign_in(readme)
    commit, changed = hub.upload(space, "space", files, message=_message(plan), delete=is_ours)
    url = f"{hub.api.endpoint}/spaces/{space}"
    return {"space": space, "url": url, "created": created, "changed": changed, "commit": commit, "set": done}


def _message(plan: SpacePlan) -> str:
    from annotator.settings import software

    return f"{software()}: {len(plan.files)} files"


class _SpaceSettings:
    """Secrets, variables, hardware and storage of one Space; only what differs is set, since most of it restarts the Space."""

    def __init__(self, hub: Hub, space: str) -> None:
        self.hub, self.api, self.space = hub, hub.api, space

    def apply(self, options: SpaceOptions) -> list[str]:
        """Returns what was set, in words."""
        return [
            *self._storage(options.bucket),
            *self._secrets(options.secrets),
            *self._variables(options.variables),
            *self._hardware(options.hardware, options.sleep_seconds),
        ]

    def signs_in(self) -> bool:
        """Whether people are named in the Space's variables, by this deployment or an earlier one."""
        there = self._call(lambda: self.api.get_space_variables(self.space))
        return any(name in there for name in _SIGN_IN)

    def _call(self, action: Any) -> Any:
        return self.hub.call(action, self.space, "space")

    def _secrets(self, secrets: Mapping[str, str]) -> Iterator[str]:
        for name, value in sorted(secrets.items()):  # write-only on the Hub: whether one differs cannot be seen
            self._call(lambda name=name, value=value: self.api.add_space_secret(self.space, name, value))
            yield f"secret {name}"

    def _variables(self, variables: Mapping[str, str]) -> Iterator[str]:
        there = self._call(lambda: self.api.get_space_variables(self.space)) if variables else {}
        for name, value in sorted(variables.items()):
            if name not in there or there[name].value != value:
                self._call(lambda name=name, value=value: self.api.add_space_variable(self.space, name, value))
                yield f"variable {name}"

    def _hardware(self, hardware: str | None, sleep_seconds: int | None) -> Iterator[str]:
        if hardware is None:
            return
        runtime = self._call(lambda: self.api.get_space_runtime(self.space))
        now = runtime.requested_hardware or runtime.hardware
        if now != hardware or (sleep_seconds is not None and runtime.sleep_time != sleep_seconds):
            request: Any = self.api.request_space_hardware  # any name: the Hub knows newer ones than the client
            self._call(lambda: request(self.space, hardware, sleep_time=sleep_seconds))
            yield f"hardware {hardware}"

    def _storage(self, bucket: Bucket | None) -> Iterator[str]:
        if bucket is None:
            return
        import huggingface_hub

        if not hasattr(huggingface_hub, "Volume"):
            raise HubRefused("This version of huggingface_hub knows no storage buckets; upgrade it to 2 or later.")
        wanted = huggingface_hub.Volume(type="bucket", source=bucket.source, mount_path=bucket.mount_path)
        runtime = self._call(lambda: self.api.get_space_runtime(self.space))
        others = [v for v in runtime.volumes or [] if v.mount_path != bucket.mount_path]
        if any(v.source == wanted.source and v.mount_path == wanted.mount_path for v in runtime.volumes or []):
            return
        create, mount = self.api.create_bucket, self.api.set_space_volumes
        self.hub.call(lambda: create(bucket.source, private=True, exist_ok=True), bucket.source, "dataset")
        self._call(lambda: mount(self.space, volumes=[*others, wanted]))
        yield f"bucket {bucket.source} at {bucket.mount_path}"


def _check(options: SpaceOptions) -> None:
    """Raise CannotDeploy for what the Space could not start with."""
    if not _NAME.fullmatch(options.name):
        raise CannotDeploy(f"{options.name!r} is no name of a Space; it is written name or owner/name.")
    known = {row["variable"] for row in table()}
    for name in (*options.variables, *options.secrets):
        if not _VARIABLE.fullmatch(name):
            raise CannotDeploy(f"{name!r} is no name of a variable.")
        if name.startswith(PREFIX) and name not in known:
            raise CannotDeploy(
                f"{name} is not a setting, and the program would not start. `evidence settings` lists them."
            )
    both = sorted(set(options.variables) & set(options.secrets))
    if both:
        raise CannotDeploy(f"{both[0]} is given as a variable and as a secret; the Hub takes a name once.")
    if exposed := sorted(filter(_SECRET_NAME.search, options.variables)):
        raise CannotDeploy(
            f"{exposed[0]} must be a secret: whoever sees the Space can read its variables. Use --secret."
        )
    bucket = options.bucket
    if bucket is not None and not (bucket.source.count("/") == 1 and bucket.mount_path.startswith("/")):
        raise CannotDeploy("A bucket is written owner/name or owner/name:/folder.")
