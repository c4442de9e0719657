"""One device for serving and training: what becomes of the served model while a training runs, and how the two agree on it.

The app says in the store which GPU its model is on; the worker waits, before it takes memory there, until it is gone.
"""

from __future__ import annotations

import os
import time
from enum import StrEnum
from typing import TYPE_CHECKING

from annotator.settings import Settings
from storage.jobs import Jobs
from storage.records import JobKind, JobStatus
from storage.store import Store

if TYPE_CHECKING:
    from annotator.job_context import JobContext

SERVED_ON = "served_on"
PAUSED = "Suggestions pause while a model is being trained. Reviewing goes on; they come back when it is done."
WAIT_SECONDS = 60.0
POLL_SECONDS = 0.2


class WhileTraining(StrEnum):
    """keep: the served model stays where it is. cpu: it answers from there. pause: it answers nothing. auto: a model on a GPU
    goes to the CPU."""

    AUTO = "auto"
    KEEP = "keep"
    CPU = "cpu"
    PAUSE = "pause"


def place_while_training(choice: WhileTraining, device: str) -> str | None:
    """The device for a model that is served on `device` otherwise, None if it pauses."""
    if choice is WhileTraining.KEEP or (device == "cpu" and choice is WhileTraining.AUTO):
        return device
    return None if choice is WhileTraining.PAUSE else "cpu"


def place_now(store: Store, settings: Settings) -> str | None:
    """The device that the served model is to be on at this moment; None while it pauses for a training."""
    choice = WhileTraining(settings.serving_while_training)
    if choice is WhileTraining.KEEP or not training_runs(store):
        return settings.device
    from encoder.network.families import choose_device

    here = choose_device(settings.device)
    place = place_while_training(choice, here)
    return settings.device if place == here else place


def training_runs(store: Store) -> bool:
    """Whether a training runs here; one that runs as a Hugging Face Job needs nothing of this machine."""
    running = Jobs(store).jobs(kind=JobKind.TRAIN, statuses=[JobStatus.RUNNING], limit=1)
    return any(not job.payload.get("hub_job") for job in running)


def say_where(store: Store, device: str | None) -> None:
    """Note the device of this process' served model, None for no model. A CPU that nobody has to leave is not noted."""
    shared = None if device in (None, "cpu") else {"device": device, "pid": os.getpid()}
    if store.setting(SERVED_ON, None) != shared:
        store.set_setting(SERVED_ON, shared)


def await_room(context: JobContext, *, wait_seconds: float = WAIT_SECONDS) -> None:
    """Wait until the served model has left the GPU, as the setting says that it will; then, or in time, go on."""
    if WhileTraining(context.settings.serving_while_training) is WhileTraining.KEEP:
        return
    deadline = time.monotonic() + wait_seconds
    while (served := _served_on(context.store)) is not None:
        if time.monotonic() > deadline:
            context.monitor.log(f"The served model is still on {served}; the training starts beside it.")
            return
        context.monitor.progress(0.02, "train", f"Waiting until the served model has left {served}")
        time.sleep(POLL_SECONDS)


def _served_on(store: Store) -> str | None:
    """The GPU that a living app serves on."""
    noted = store.setting(SERVED_ON, None)
    if noted is None or noted["pid"] == os.getpid():
        return None
    try:
        os.kill(noted["pid"], 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return str(noted["device"])
