"""What went wrong on the Hugging Face Hub, in one line that says what to do. No torch; imports huggingface_hub when asked.

The client raises its own errors, those of its HTTP library, and wraps either in others; here they are one kind of thing.
"""

from __future__ import annotations

from typing import Any

_NO_WAY = ("ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol")
LOG_IN = "log in with `hf auth login` or set HF_TOKEN"


def is_hub_error(error: BaseException) -> bool:
    """Whether the error, or what it was raised from, came from the Hub or on the way to it."""
    return cause_of(error) is not None


def is_passing(error: BaseException) -> bool:
    """Whether trying again may help: too many requests, trouble at the Hub, a connection that was cut."""
    cause = cause_of(error)
    if cause is None:
        return False
    status = status_of(cause)
    return status == 429 or status >= 500 if status else _is_cut(cause)


def seconds_asked(error: BaseException) -> float | None:
    """How long the Hub asks to wait before the next try, None if it does not say."""
    response = getattr(cause_of(error), "response", None)
    value = response.headers.get("retry-after", "") if response is not None else ""
    return float(value) if value.isdigit() else None


def status_of(error: BaseException) -> int:
    """HTTP status of the Hub's answer, 0 if there was none."""
    response = getattr(error, "response", None)
    return 0 if response is None else int(response.status_code)


def cause_of(error: BaseException) -> BaseException | None:
    """The error that says most: the Hub's answer or the broken connection behind what was raised. None for other errors."""
    from huggingface_hub.errors import (
        HFValidationError,
        LocalEntryNotFoundError,
        LocalTokenNotFoundError,
        OfflineModeIsEnabled,
    )

    own = (OfflineModeIsEnabled, LocalTokenNotFoundError, HFValidationError)
    found: BaseException | None = None
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, (_http_error(), *own)):
            return current
        if isinstance(current, LocalEntryNotFoundError):
            found = found or current
        current = current.__cause__
    return found


def in_words(
    error: BaseException, repository: str, *, kind: str = "model", license_page: str = "", offline: str = ""
) -> str:
    """One line for people: what happened to the repository, and what to do.

    kind: model, dataset or space. license_page: where the terms of a gated one can be read, if known. offline: what to do
    instead where the Hub cannot be reached.
    """
    cause = cause_of(error)
    name = type(cause).__name__
    if name == "HFValidationError":
        return f"{repository!r} is no name of a repository; it is written owner/name."
    if name == "LocalTokenNotFoundError":
        return f"Nobody is logged in to the Hub: {LOG_IN}."
    if name == "OfflineModeIsEnabled":
        return (
            f"{repository} is not on this machine, and HF_HUB_OFFLINE forbids to ask the Hub for it. {offline}".strip()
        )
    if cause is None or name in ("LocalEntryNotFoundError", "IncompleteSnapshotError") or name in _NO_WAY:
        return f"The Hub cannot be reached for {repository}. {offline or 'Look at the network, then try again.'}"
    if not status_of(cause):
        return f"The connection to the Hub broke off ({name}) in the middle of {repository}. Try again."
    return _answer_in_words(cause, repository, kind, license_page)


def page_of(repository: str, kind: str = "model") -> str:
    """The repository's page, on the Hub that this process uses."""
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{'' if kind == 'model' else kind + 's/'}{repository}"


def has_token() -> bool:
    """Whether somebody is logged in to the Hub on this machine, rightly or not."""
    from huggingface_hub import get_token

    return get_token() is not None


def _answer_in_words(cause: BaseException, repository: str, kind: str, license_page: str) -> str:
    status, page = status_of(cause), page_of(repository, kind)
    message = getattr(cause, "server_message", None) or ""
    if type(cause).__name__ == "GatedRepoError":
        return _gated_in_words(repository, page, license_page)
    if status == 401 and "Invalid credentials" in str(cause) + message:
        return f"The Hub does not accept the token that is set here: {LOG_IN} anew."
    if type(cause).__name__ == "RevisionNotFoundError":
        return f"{page} has no such revision."
    if type(cause).__name__ in ("RemoteEntryNotFoundError", "EntryNotFoundError"):
        return f"{page} lacks a file that was listed there; it has changed meanwhile. Try again."
    if status in (401, 404) and not has_token():
        return f"There is no {kind} at {page} that everybody may see. If it is private, {LOG_IN}."
    if status in (401, 404):
        return (
            f"There is no {kind} at {page} that your account may see. Look at the name, and at the token's permissions."
        )
    texts = {
        402: f"The Hub asks for a paid plan or a payment method for this: {message}",
        403: f"The Hub does not allow this for {repository}: {message or 'no permission'}. The token needs write permission there.",
        409: f"{repository} is being changed by somebody else at this moment, or the name is taken. Try again.",
        412: f"{repository} was changed by somebody else meanwhile. Try again.",
        429: f"The Hub asks to slow down (429){_wait_in_words(cause)}. Try again later.",
    }
    if status >= 500:
        return (
            f"The Hub has trouble at this moment ({status}). Try again later; https://status.huggingface.co says more."
        )
    return texts.get(status) or f"The Hub refused {repository} ({status}): {message or type(cause).__name__}"


def _gated_in_words(repository: str, page: str, license_page: str) -> str:
    read = f"read its license ({license_page}), " if license_page else ""
    if has_token():
        return (
            f"{repository} is gated and your account has no access yet: {read}accept it at {page}, wait until access is"
            " given, and use a token that may read gated repositories."
        )
    return f"{repository} is gated: {read}accept it at {page}, then {LOG_IN}."


def _wait_in_words(cause: BaseException) -> str:
    seconds = seconds_asked(cause)
    return "" if seconds is None else f", for {seconds:.0f} s"


def _http_error() -> Any:
    """The base of every error of the HTTP library that this version of huggingface_hub uses (httpx or httpx2)."""
    from huggingface_hub.errors import HfHubHTTPError

    return next(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")


def _is_cut(cause: BaseException) -> bool:
    return isinstance(cause, _http_error())
