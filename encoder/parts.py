"""Predictions for a folder of files of posts, one file at a time, on several processes or on a cluster that is there already.

Each file (a part) is predicted by itself, as `encoder.bulk` does it: the same bytes whichever engine ran it, wherever the folders
lie (`encoder.folders`) and however often it was stopped. A part that is done has a mark beside the outputs; running the same
command again goes on with the others. A part that cannot be read is reported and holds up nobody.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from encoder.bulk import Reading, predict_posts, read_posts
from encoder.errors import EncoderError
from encoder.folders import Folder, folder_at
from encoder.memory import keep_memory
from storage.files import replacing
from storage.records import Criterion, EvidenceError

if TYPE_CHECKING:
    from encoder.predict import Predictor

SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
DONE = ".done"
ANSWER_SECONDS = 5.0
"""So long a cluster may take to answer; Ray itself tries for minutes before it says a word."""


@dataclass(frozen=True, slots=True)
class PartsJob:
    """All that a worker needs, on whatever machine: the folders of the parts and of the outputs (absolute paths or addresses),
    what `Predictor.load` takes, and the criteria.
    """

    folder: str
    output: str
    model: str
    version: str
    criteria: tuple[Criterion, ...]
    device: str = "auto"
    dtype: str = "auto"
    threads: int | None = None
    scoring: str = "auto"
    batch_size: int = 16
    threshold: float | None = None

    def to_mark(self) -> dict[str, Any]:
        """What the output depends on."""
        return {
            "model": self.version,
            "criteria": [[c.id, c.text] for c in self.criteria],
            "threshold": self.threshold,
            "scoring": self.scoring,
        }


@dataclass(frozen=True, slots=True)
class PartResult:
    """One part. resumed: an earlier run had done it. rejected: rows that were left out. error: why it is missing, '' if it is not."""

    part: str
    posts: int = 0
    spans: int = 0
    rejected: int = 0
    resumed: bool = False
    error: str = ""


class PartPredictor:
    """What a worker holds: the model, loaded with the first part that needs it."""

    def __init__(self, job: PartsJob) -> None:
        self._job = job
        self._predictor: Predictor | None = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """As Ray Data calls it: a batch of rows with a column `part`, and rows of PartResult's fields back."""
        found = [asdict(self.predict(str(part))) for part in batch["part"]]
        return {name: [row[name] for row in found] for name in PartResult.__dataclass_fields__}

    def predict(self, part: str) -> PartResult:
        """Predict one file of the folder, unless that was done before. Never raises for what is wrong with the file."""
        try:
            return self._done_before_or_now(part)
        except EvidenceError as error:
            return PartResult(part, error=str(error))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return PartResult(part, error=f"{part} cannot be read: {reason}.")

    def _done_before_or_now(self, part: str) -> PartResult:
        folder, outputs = folder_at(self._job.folder), folder_at(self._job.output)
        state = {"size": folder.size(part), "job": self._job.to_mark()}
        known = _mark_of(outputs, part)
        if known is not None and known["state"] == state and outputs.size(output_of(part)) is not None:
            return PartResult(part, **known["found"], resumed=True)
        with folder.reading(part) as posts, outputs.writing(output_of(part)) as output:
            found = predict_posts(
                read_posts(posts),
                self._job.criteria,
                self._model(),
                output,
                reading=Reading(self._job.batch_size, self._job.threshold),
            )
        counts = {"posts": found.posts, "spans": found.spans, "rejected": len(found.rejected)}
        with outputs.writing(_mark(part)) as mark, replacing(mark) as temporary:
            temporary.write_text(json.dumps({"state": state, "found": counts}), "utf-8")
        return PartResult(part, found.posts, found.spans, len(found.rejected))

    def _model(self) -> Predictor:
        if self._predictor is None:
            from encoder.predict import Predictor

            keep_memory()
            job = self._job
            self._predictor = Predictor.load(
                job.model,
                version=job.version,
                device=job.device,
                dtype=job.dtype,
                threads=job.threads,
                scoring=job.scoring,
            )
        return self._predictor


def parts_of(folder: str) -> list[str]:
    """The names of the files of posts in a folder, in order. Raises EncoderError if there is none, or the address is no good."""
    place = folder_at(folder)
    parts = [name for name in place.names() if PurePath(name).suffix in SUFFIXES]
    if not parts:
        raise EncoderError(f"{place} holds no file of posts ({', '.join(SUFFIXES)}).")
    return parts


def output_of(part: str) -> str:
    """The name of the file that the predictions of a part go to."""
    return f"{part}.predictions.jsonl"


def predict_parts(
    job: PartsJob, *, engine: str = "local", workers: int = 1, address: str | None = None
) -> Iterator[PartResult]:
    """Predict every part of the job's folder, yielding each as it ends.

    engine: local (processes of this machine) or ray (a cluster at `address`; if none or `auto`, at RAY_ADDRESS; else one on
    this machine; its workers reach both folders).
    Raises EncoderError if the folder holds no part, the output cannot be made, or the engine is not installed.
    """
    parts = parts_of(job.folder)
    folder_at(job.output).begin(DONE)
    if engine == "ray":
        yield from _on_ray(parts, job, workers, address)
    else:
        yield from _on_processes(parts, job, workers)


def _mark(part: str) -> str:
    return f"{DONE}/{part}.json"


def _mark_of(outputs: Folder, part: str) -> dict[str, Any] | None:
    """What an earlier run left about the part."""
    if outputs.size(_mark(part)) is None:
        return None
    with outputs.reading(_mark(part)) as mark:
        return json.loads(mark.read_text("utf-8"))


_worker: PartPredictor | None = None  # of a local process


def _begin(job: PartsJob) -> None:
    global _worker
    _worker = PartPredictor(job)


def _predict(part: str) -> PartResult:
    assert _worker is not None
    return _worker.predict(part)


def _on_processes(parts: Sequence[str], job: PartsJob, workers: int) -> Iterator[PartResult]:
    spawned = multiprocessing.get_context("spawn")  # a forked copy of PyTorch's threads hangs
    with ProcessPoolExecutor(workers, mp_context=spawned, initializer=_begin, initargs=(job,)) as pool:
        waiting = {pool.submit(_predict, part): part for part in parts}
        for ended in as_completed(waiting):
            try:
                yield ended.result()
            except BrokenProcessPool:
                yield PartResult(
                    waiting[ended], error="A process ended (killed, or out of memory). Run again to go on."
                )


def _on_ray(parts: Sequence[str], job: PartsJob, workers: int, address: str | None) -> Iterator[PartResult]:
    try:
        import ray
    except ImportError as error:
        raise EncoderError('The engine ray needs its package: pip install "evidence-annotator[ray]".') from error
    _check_reachable(address)
    try:
        ray.init(address=address, log_to_driver=False, include_dashboard=False if address is None else None)
    except Exception as error:  # Ray's own are of no other type, as when a part of it starts too slowly
        where = f"The Ray cluster {address} cannot be reached" if address else "Ray cannot be started on this machine"
        raise EncoderError(f"{where}: {error}") from error
    try:
        rows = ray.data.from_items([{"part": part} for part in parts], override_num_blocks=len(parts))
        found = rows.map_batches(PartPredictor, fn_constructor_args=(job,), concurrency=workers, batch_size=1)
        missing = set(parts)
        try:
            for row in found.iter_rows():
                missing.discard(row["part"])
                yield PartResult(**row)
        except (
            ray.exceptions.RayError
        ) as error:  # workers that ended are begun anew; this is one that ends again and again
            why = f"Ray gave up ({type(error).__name__}). Run again to go on."
            yield from (PartResult(name, error=why) for name in sorted(missing))
    finally:
        ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Raise EncoderError if nobody answers at host:port or ray://host:port; other addresses, such as `auto`, are left to Ray."""
    try:
        place = urlsplit(address if address and "://" in address else f"//{address or ''}")
        host, port = place.hostname, place.port
    except ValueError as error:
        raise EncoderError(
            f"{address} is no address of a Ray cluster ({error}); write host:port, an IPv6 host in brackets: [::1]:6379."
        ) from error
    if host is None or port is None:
        return
    try:
        socket.create_connection((host, port), timeout=ANSWER_SECONDS).close()
    except OSError as error:
        raise EncoderError(
            f"The Ray cluster {address} cannot be reached ({error}): see that it runs, that host and port (--address, else "
            "RAY_ADDRESS) are right (ray:// takes port 10001, else 6379, unless set otherwise) and that no firewall is between."
        ) from error
