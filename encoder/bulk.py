"""Predictions for a file of posts of any size: in constant memory, resumable after a kill, over several processes or machines.

The posts are cut into parts of fixed size. Each part is predicted by itself and written in one step to a file of its own beside
the output; when all are there, they are joined. So the output does not depend on how many processes took part or how often
the run was stopped.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from encoder.errors import EncoderError
from storage.files import replacing
from storage.records import Criterion, InvalidRecord, Post, Prediction

if TYPE_CHECKING:
    from encoder.predict import Predictor

PART_POSTS = 128
_JOB_FILE = "job.json"


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row of the input that is no post."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class BulkResult:
    """posts: all in the output; resumed: those of them that an earlier run had done; rejected: rows left out."""

    posts: int
    resumed: int
    spans: int
    rejected: tuple[RejectedRow, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Share:
    """Which process of how many this is, and how to wait for the others."""

    process: int = 0
    processes: int = 1
    wait: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is read. batch_size: posts at a time. threshold: least score of a span, the model's own if None.

    part_posts: posts of a part. on_part: told how many posts this process has behind it after each part.
    """

    batch_size: int = 16
    threshold: float | None = None
    part_posts: int = PART_POSTS
    on_part: Callable[[int], None] = lambda posts: None


def predict_posts(
    posts: Iterable[Post | RejectedRow],
    criteria: Sequence[Criterion],
    predictor: Predictor,
    output: Path,
    *,
    reading: Reading = Reading(),
    share: Share = Share(),
) -> BulkResult:
    """Write one line per post and criterion to `output`; every process reads all `posts` and predicts its own share.

    A run that was stopped is gone on with when model, criteria and threshold are the same.
    Raises EncoderError if the output cannot be written, or an earlier run beside it was another one.
    """
    started = time.monotonic()
    parts = _Parts(output, _job(criteria, predictor, reading))
    rejected: list[RejectedRow] = []
    resumed = done = number = 0
    for number, part in enumerate(_cut(posts, rejected, reading.part_posts), start=1):
        if (number - 1) % share.processes != share.process:
            continue
        if parts.has(number, part):
            resumed += len(part)
        else:
            found = predictor.predict(part, criteria, batch_size=reading.batch_size, threshold=reading.threshold)
            parts.write(number, part, found)
        done += len(part)
        reading.on_part(done)
    share.wait()
    count, spans = parts.join(number) if share.process == 0 else (done, 0)
    share.wait()
    return BulkResult(count, resumed, spans, tuple(rejected), time.monotonic() - started)


def prediction_line(prediction: Prediction, text: str) -> str:
    """One line of the output; offsets count Unicode code points, ends are exclusive."""
    row = {
        "post_id": prediction.post_id,
        "criterion": prediction.criterion_id,
        "spans": [
            {
                "start": s.start,
                "end": s.end,
                "text": s.quote(text),
                "score": None if s.score is None else round(s.score, 6),
            }
            for s in prediction.spans
        ],
        "no_evidence_score": round(prediction.no_evidence_score, 6),
    }
    return json.dumps(row, ensure_ascii=False) + "\n"


def read_posts(path: Path) -> Iterator[Post | RejectedRow]:
    """The posts of a file of any readable format, one at a time; a row that is none, or an id seen before, is rejected."""
    from storage.formats.detection import detect
    from storage.formats.rows import RowError, Source

    found = detect(path)
    seen: set[bytes] = set()
    for row in found.format.read(Source(path, found.encoding.name)):
        if isinstance(row, RowError):
            yield RejectedRow(row.row, row.reason)
            continue
        try:
            post = Post(id=(row.post_id or f"row-{row.number}").strip(), text=row.text or "")
        except InvalidRecord as error:
            yield RejectedRow(row.number, str(error))
            continue
        # eight bytes per post instead of its id: a corpus of millions fits
        mark = hashlib.blake2b(post.id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if mark in seen:
            yield RejectedRow(row.number, f"The id {post.id!r} was there before.")
            continue
        seen.add(mark)
        yield post


class _Parts:
    """The finished parts of a run, in a folder beside its output."""

    def __init__(self, output: Path, job: Mapping[str, Any]) -> None:
        self._output, self._folder = output, output.with_name(f".{output.name}.parts")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            stored = self._folder / _JOB_FILE
            if not stored.exists():
                self._replace(stored, json.dumps(job))
            elif json.loads(stored.read_text("utf-8")) != job:
                raise EncoderError(
                    f"{self._folder} holds parts of a run with another model, other criteria or another threshold. "
                    f"Give another output, or delete that folder to start anew."
                )
        except (OSError, ValueError) as error:
            raise EncoderError(f"Predictions cannot be written beside {output}: {error}.") from error

    def has(self, number: int, posts: Sequence[Post]) -> bool:
        """Whether a part is done, for exactly these posts."""
        try:
            with self._path(number).open(encoding="utf-8") as file:
                return file.readline().strip() == _mark(posts)
        except OSError:
            return False

    def write(self, number: int, posts: Sequence[Post], predictions: Iterable[Prediction]) -> None:
        texts = {post.id: post.text for post in posts}
        lines = "".join(prediction_line(p, texts[p.post_id]) for p in predictions)
        try:
            self._replace(self._path(number), f"{_mark(posts)}\n{lines}")
        except OSError as error:
            raise EncoderError(f"Predictions cannot be written beside {self._output}: {error.strerror}.") from error

    def join(self, count: int) -> tuple[int, int]:
        """Put parts 1 to `count` together as the output, then forget them; how many posts and spans they hold."""
        posts = spans = 0
        try:
            with (
                replacing(self._output) as temporary,
                temporary.open("w", encoding="utf-8", newline="\n") as out,
            ):
                for number in range(1, count + 1):
                    with self._path(number).open(encoding="utf-8", newline="\n") as part:
                        posts += int(part.readline().split()[0])
                        for line in part:
                            spans += len(json.loads(line)["spans"])
                            out.write(line)
        except OSError as error:
            raise EncoderError(f"{self._output} cannot be written: {error.strerror}. Run again to go on.") from error
        shutil.rmtree(self._folder, ignore_errors=True)
        return posts, spans

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.jsonl"

    def _replace(self, path: Path, text: str) -> None:
        with replacing(path) as temporary:
            temporary.write_text(text, "utf-8", newline="\n")


def _cut(posts: Iterable[Post | RejectedRow], rejected: list[RejectedRow], size: int) -> Iterator[list[Post]]:
    def kept() -> Iterator[Post]:
        for post in posts:
            if isinstance(post, RejectedRow):
                rejected.append(post)
            else:
                yield post

    stream = kept()
    while part := list(islice(stream, size)):
        yield part


def _mark(posts: Sequence[Post]) -> str:
    digest = hashlib.sha256()
    for post in posts:
        digest.update(f"{post.id}\x00{post.text_sha256}\x00".encode("utf-8", "surrogatepass"))
    return f"{len(posts)} {digest.hexdigest()}"


def _job(criteria: Sequence[Criterion], predictor: Predictor, reading: Reading) -> dict[str, Any]:
    return {
        "model": predictor.version,
        "encoder": predictor.config.to_dict(),
        "criteria": [[c.id, c.text] for c in criteria],
        "threshold": reading.threshold,
        "part_posts": reading.part_posts,
    }
