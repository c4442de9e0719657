"""`evidence predict`: evidence for every post of a file, one line per post and criterion, in constant memory."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator.commands.common import (
    Subparsers,
    add_model,
    criteria_of,
    model_of,
    report,
    say,
    settings_of,
    whole_file,
)

if TYPE_CHECKING:
    from storage.records import Post, Prediction


def add(commands: Subparsers) -> None:
    parser = commands.add_parser("predict", help="mark evidence in every post of a file")
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="posts: JSON Lines, CSV, Parquet, ... with post_id and text"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="OUT.jsonl", help="where the predictions go")
    parser.add_argument(
        "--mode",
        default="auto",
        choices=["auto", "one-pass", "per-criterion"],
        help="way of scoring (default: the model's)",
    )
    parser.add_argument(
        "--threshold", type=float, metavar="SCORE", help="least score of a span (default: the model's own)"
    )
    parser.add_argument("--batch-size", type=int, default=16, metavar="N", help="inputs at once (default: 16)")
    add_model(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    posts = PostFile(arguments.file)
    criteria = criteria_of(arguments)
    source, version = model_of(arguments)
    settings = settings_of(arguments)
    from encoder.predict import Predictor

    predictor = Predictor.load(
        source,
        version=version,
        device=settings.device,
        dtype=settings.dtype,
        threads=arguments.threads,
        scoring=arguments.mode,
    )
    count = spans = 0
    with whole_file(arguments.output) as out:
        texts = posts.remembered()
        found = predictor.iter_predict(texts, criteria, batch_size=arguments.batch_size, threshold=arguments.threshold)
        for number, prediction in enumerate(tqdm(found, desc="predict", unit=" answers", disable=None, leave=False)):
            text = posts.text_of(prediction.post_id)
            out.write(json.dumps(prediction_line(prediction, text), ensure_ascii=False) + "\n")
            spans += len(prediction.spans)
            if (number + 1) % len(criteria) == 0:
                posts.forget(prediction.post_id)
                count += 1
    unknown = [c.id for c in criteria if predictor.known_criteria is not None and c.id not in predictor.known_criteria]
    result = {"posts": count, "spans": spans, "criteria": len(criteria), "model": version, "rejected": posts.rejected}
    report({**result, "unknown_criteria": unknown, "output": str(arguments.output)})
    if unknown:
        say(f"The model {version} was not trained on {', '.join(unknown)}: no spans there.")
    if posts.rejected:
        say(f"{len(posts.rejected)} rows could not be read; they are listed in the result.")


def prediction_line(prediction: Prediction, text: str) -> dict[str, Any]:
    """One output line; offsets count Unicode code points, end exclusive."""
    spans = [
        {"start": s.start, "end": s.end, "text": s.quote(text), "score": None if s.score is None else round(s.score, 6)}
        for s in prediction.spans
    ]
    return {
        "post_id": prediction.post_id,
        "criterion": prediction.criterion_id,
        "spans": spans,
        "no_evidence_score": round(prediction.no_evidence_score, 6),
    }


class PostFile:
    """The posts of a file of any readable format, one at a time; rows that are no posts are listed in `rejected`."""

    def __init__(self, path: Path) -> None:
        from storage.formats.registry import detect

        self._path = path
        self._found = detect(path)
        self._texts: dict[str, str] = {}
        self.rejected: list[dict[str, Any]] = []

    def remembered(self) -> Iterator[Post]:
        """The posts; the text of each is kept until `forget`, for the quotes of the output."""
        from storage.formats.rows import RowError
        from storage.records import InvalidRecord, Post

        seen: set[str] = set()
        for row in self._found.format.read(self._path, encoding=self._found.encoding.name):
            if isinstance(row, RowError):
                self.rejected.append({"row": row.row, "reason": row.reason})
                continue
            try:
                post = Post(id=(row.post_id or f"row-{row.number}").strip(), text=row.text or "")
            except InvalidRecord as error:
                self.rejected.append({"row": row.number, "reason": str(error)})
                continue
            if post.id in seen:
                self.rejected.append({"row": row.number, "reason": f"The id {post.id!r} was there before."})
                continue
            seen.add(post.id)
            self._texts[post.id] = post.text
            yield post

    def text_of(self, post_id: str) -> str:
        return self._texts[post_id]

    def forget(self, post_id: str) -> None:
        del self._texts[post_id]
