"""Predictor: posts in, predictions out, with one loaded model. Streams posts of any number and any length.

Windows are sorted by length inside a bounded buffer, so that little is computed on padding and memory does not grow with the
corpus. Safe to call from several threads: they take turns, a few windows each, and whoever has less to read goes first.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from encoder.config import EncoderConfig
from encoder.errors import ModelUnusable
from encoder.likeness import Vectors
from encoder.measure.metrics import Floats
from encoder.network.checkpoints import LoadOptions, load_encoder
from encoder.network.decode import decode
from encoder.network.hub import BUNDLED, resolve
from encoder.network.views import Viewer
from encoder.simple.files import load_learner
from encoder.simple.learner import SimpleLearner
from encoder.text.windows import Merger, PostScores, ReadPost, windows
from encoder.turns import Turns
from storage.records import Criterion, Post, Prediction

if TYPE_CHECKING:
    from encoder.network.batching import Batcher, Row
    from encoder.network.gguf import OnProgress
    from encoder.network.inside import Inside
    from encoder.network.model import EvidenceEncoder

_BUFFERED_BATCHES = 8
_CACHED_CRITERIA = 1024
REMEMBERED_POSTS = 2000
OnFraction = Callable[[float], None]
TOKENS_PER_TURN = 512
"""Of a CPU, which gains nothing from larger batches: who asks for little waits for one such turn of another."""
MOST_GIVEN = 12.0
"""Logits beyond say no more than this one; a sentence without tokens has -inf."""


class Predictor:
    """A loaded, probed model. version: what predictions are marked with. known_criteria: None if it answers any.

    learner: the simple learner that came with the model; it answers the criteria that it has learned, together with the
    encoder where that knows them too.
    """

    def __init__(self, encoder: EvidenceEncoder, version: str, learner: SimpleLearner | None = None) -> None:
        self.encoder = encoder.eval()
        self.version = version
        self.learner = learner
        self._turns = Turns()
        self.viewer = Viewer(self.encoder, self._turns)
        self._vectors: OrderedDict[tuple[str, str], torch.Tensor] = OrderedDict()
        self._remembered: dict[tuple[str, ...], PostScores] | None = None

    @property
    def config(self) -> EncoderConfig:
        return self.encoder.config

    @property
    def known_criteria(self) -> frozenset[str] | None:
        known = self.config.known_criteria
        learned = self.learner.fits if self.learner is not None else ()
        return None if known is None else frozenset((*known, *learned))

    @classmethod
    def load(
        cls,
        model: str | Path,
        *,
        version: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        attention: str = "auto",
        threads: int | Sequence[int] | None = None,
        scoring: str = "auto",
        on_progress: OnProgress = lambda fraction, message: None,
    ) -> Self:
        """The predictor for `bundled`, a directory, a GGUF file or a Hub id.

        version: name of this model version, else what its config says, else the directory's name. threads: CPU threads of
        the whole process; of several numbers a large model takes the one that is fastest here, others the first.
        on_progress: told how far a base is that has to be converted first. scoring: `auto`, or `one-pass` / `per-criterion` to
        insist on the way the model was trained in.
        Raises ModelUnusable, or NotBidirectional when the probe fails.
        """
        choices = (threads,) if isinstance(threads, int) else tuple(threads or ())
        if choices:
            torch.set_num_threads(max(1, choices[0]))
        options = LoadOptions(device, dtype, attention, threads=choices, on_progress=on_progress)
        encoder = load_encoder(model, options)
        check_scoring(encoder.config, scoring, model)
        named = version or encoder.config.version or (BUNDLED if str(model) == BUNDLED else Path(model).name)
        return cls(encoder, named, load_learner(resolve(model)))

    def look_inside(self, text: str, *, layer: int | None = None, head: int = 0) -> Inside:
        """What the model looks at in a text, while nobody else computes with it; see `encoder.network.inside`."""
        from encoder.network.inside import look_inside

        with self._turns.turn(1):
            return look_inside(self.encoder, text, layer=layer, head=head)

    @property
    def reads_alone(self) -> bool:
        """Whether the encoder reads posts and criteria apart, so that their vectors can be compared."""
        return self.config.scoring == "post-once"

    def sentence_vectors(self, post: Post) -> Vectors:
        """What the backbone makes of each sentence, (sentences, hidden size), fp32; zeros for one without a token.

        The post is read without a prompt, sentences in the first window that holds them whole.
        """
        read = ReadPost.of(post, self.encoder.tokenizer)
        found = np.zeros((len(read.sentences), self.encoder.hidden_size), np.float32)
        size = self.encoder.prompts.window_tokens([])
        parts = list(windows(read, size=size, stride=0))
        for done, window in enumerate(parts):
            with self._turns.turn(len(parts) - done), torch.inference_mode():
                ids = torch.tensor([read.ids[window.token_start : window.token_end]], device=self.encoder.device)
                hidden = self.encoder.hidden_states(ids, torch.ones_like(ids))[0].cpu().numpy()
            for number in range(window.first_sentence, window.last_sentence):
                start, end = (t - window.token_start for t in read.sentence_tokens[number])
                if 0 <= start < end and not found[number].any():
                    found[number] = hidden[start:end].mean(0)
        return found

    def passage_vectors(self, passages: Sequence[str]) -> Vectors:
        """The same for passages, the mean of the sentences of each, (passages, hidden size)."""
        found = [self.sentence_vectors(Post("passage", text)).mean(0) for text in passages]
        return np.stack(found) if found else np.zeros((0, self.encoder.hidden_size), np.float32)

    def predict(
        self,
        posts: Sequence[Post],
        criteria: Sequence[Criterion],
        *,
        batch_size: int = 16,
        threshold: float | None = None,
        on_progress: OnFraction = lambda fraction: None,
    ) -> list[Prediction]:
        """Predictions for posts x criteria, in that order.

        A criterion that the model does not know gets `known=False`, no spans and a no_evidence_score of 0.5.
        threshold: overrides the model's own; 0 gives every sentence with its score. on_progress: told after every turn of the
        model how much of the posts at hand has been read, 0 to 1.
        """
        found = self.iter_predict(posts, criteria, batch_size=batch_size, threshold=threshold, on_progress=on_progress)
        return list(found)

    def iter_predict(
        self,
        posts: Iterable[Post],
        criteria: Sequence[Criterion],
        *,
        batch_size: int = 16,
        threshold: float | None = None,
        on_progress: OnFraction = lambda fraction: None,
    ) -> Iterator[Prediction]:
        """As `predict`, in constant memory: a bounded number of posts is read ahead."""
        asked = list(criteria)
        known = [c for c in asked if self.config.knows(c.id)]
        column = {c.id: k for k, c in enumerate(known)}
        learner = self.learner
        sees = learner is not None and any(learner.sees(c.id) for c in asked)
        for scores in self.iter_scores(posts, known, batch_size=batch_size, on_progress=on_progress):
            post, view = scores.read.post, None
            if learner is not None and sees:
                told = (lambda done: on_progress(1.0)) if known else on_progress  # scores were read before: never back
                view = self.viewer.view(post, learner.features(post), told)
            for criterion in asked:
                at = column.get(criterion.id)
                if learner is not None and learner.knows(criterion.id):
                    yield learner.predict_one(
                        post,
                        criterion,
                        given=None if at is None else self.given(scores, at),
                        view=view,
                        version=self.version,
                        threshold=threshold,
                    )
                else:
                    yield decode(scores, at or 0, criterion, self.config, self.version, threshold)

    def given(self, scores: PostScores, column: int) -> Floats | None:
        """The encoder's calibrated logits of a post's sentences, (sentences,), as the simple learner is given them; None of a
        model that scores spans instead.
        """
        if self.config.span_head == "softmax":
            return None
        logits = scores.sentences[:, column].astype(np.float64) / self.config.temperature
        return np.clip(logits, -MOST_GIVEN, MOST_GIVEN)

    def iter_scores(
        self,
        posts: Iterable[Post],
        criteria: Sequence[Criterion],
        *,
        batch_size: int = 16,
        on_progress: OnFraction = lambda fraction: None,
    ) -> Iterator[PostScores]:
        """Logits of every token, sentence and post, columns in the order of `criteria`: what calibration reads."""
        if not criteria:
            for post in posts:
                yield self._nothing_asked(post)
            return
        batcher = self.encoder.batcher(criteria)

        def compute(some: Iterable[Post]) -> Iterator[PostScores]:
            for group in _groups(some, batcher, batch_size * _BUFFERED_BATCHES):
                yield from self._score_group(group, batcher, batch_size, on_progress)

        if self._remembered is None:
            yield from compute(posts)
        else:
            yield from _recalled(self._remembered, list(posts), criteria, compute)

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Inside, the same question about the same post is computed once, for a bounded number of posts: for measuring a model
        whose weights stay as they are in several ways. Not for several threads.
        """
        self._remembered = {}
        try:
            with self.viewer.remembering():
                yield
        finally:
            self._remembered = None

    def _nothing_asked(self, post: Post) -> PostScores:
        return Merger(ReadPost.of(post, self.encoder.tokenizer), 0).result()

    @torch.inference_mode()
    def _score_group(
        self, group: list[list[Row]], batcher: Batcher, batch_size: int, on_progress: OnFraction
    ) -> list[PostScores]:
        """Score the rows of some posts, shortest first and a turn for each batch, and put each post's windows together."""
        mergers = [Merger(rows[0].read, len(batcher.criteria)) for rows in group]
        order = sorted(((len(row), n, row) for n, rows in enumerate(group) for row in rows), key=lambda item: item[:2])
        done = 0
        for chunk in _chunks(order, batch_size, self._most_tokens()):
            with self._turns.turn(len(order) - done):
                vectors = self._criterion_vectors(batcher)
                self._score_rows([row for _, _, row in chunk], [mergers[n] for _, n, _ in chunk], batcher, vectors)
            done += len(chunk)
            on_progress(done / len(order))
        return [merger.result() for merger in mergers]

    def _most_tokens(self) -> int | None:
        """How many tokens a turn takes on, beyond its first row; on a GPU, as many as there are."""
        return TOKENS_PER_TURN if self.encoder.device.type == "cpu" else None

    def _score_rows(
        self, rows: list[Row], mergers: list[Merger], batcher: Batcher, vectors: torch.Tensor | None
    ) -> None:
        batch = batcher.batch(rows)
        scores = self.encoder.score(batch.to(self.encoder.device), vectors)
        tokens = scores.tokens
        if self.config.span_head == "softmax":  # relative to the null token, so that windows compare
            tokens = tokens - tokens[:, :1]
        first = batcher.prefix_length
        arrays = [t.float().cpu().numpy() for t in (tokens, scores.sentences, scores.posts)]
        for r, (row, merger) in enumerate(zip(rows, mergers, strict=True)):
            columns = slice(None) if row.criterion is None else slice(row.criterion, row.criterion + 1)
            sentences = row.window.last_sentence - row.window.first_sentence
            merger.add(
                row.window,
                columns,
                tokens=arrays[0][r, first : first + len(row)],
                sentences=arrays[1][r, :sentences],
                posts=arrays[2][r],
            )

    def _criterion_vectors(self, batcher: Batcher) -> torch.Tensor | None:
        """The criteria's vectors, computed once per wording and kept; None where they depend on the post."""
        if self.config.scoring != "post-once":
            return None
        keys = [(c.id, c.text) for c in batcher.criteria]
        if any(key not in self._vectors for key in keys):
            ids, mask = batcher.criteria_batch()
            device = self.encoder.device
            index = torch.tensor(batcher.criterion_index)
            vectors = self.encoder.criterion_vectors(ids.to(device), mask.to(device), index.to(device))
            self._vectors.update(zip(keys, vectors, strict=True))
        found = torch.stack([self._vectors[key] for key in keys])
        while len(self._vectors) > _CACHED_CRITERIA:
            self._vectors.popitem(last=False)
        return found


def check_scoring(config: EncoderConfig, scoring: str, model: str | Path) -> None:
    """Raise ModelUnusable if a way of scoring is asked for that the model was not trained in."""
    asked = {"auto": config.scoring, "one-pass": config.scoring if config.one_pass else ""}.get(scoring, scoring)
    if asked != config.scoring:
        raise ModelUnusable(f"{model} was trained for {config.scoring} scoring and cannot score {scoring}; use auto.")


def _chunks(
    order: Sequence[tuple[int, int, Row]], rows_at_most: int, tokens_at_most: int | None
) -> Iterator[list[tuple[int, int, Row]]]:
    """Rows in their order, in batches; the first entry of each is its number of tokens."""
    chunk: list[tuple[int, int, Row]] = []
    tokens = 0
    for item in order:
        if chunk and (len(chunk) == rows_at_most or (tokens_at_most and tokens + item[0] > tokens_at_most)):
            yield chunk
            chunk, tokens = [], 0
        chunk.append(item)
        tokens += item[0]
    if chunk:
        yield chunk


def _groups(posts: Iterable[Post], batcher: Batcher, rows_at_most: int) -> Iterator[list[list[Row]]]:
    """Posts as rows, in groups of about `rows_at_most` rows; a post is never divided."""
    group: list[list[Row]] = []
    count = 0
    for post in posts:
        rows = batcher.rows(batcher.read(post))
        group.append(rows)
        count += len(rows)
        if count >= rows_at_most:
            yield group
            group, count = [], 0
    if group:
        yield group


def _recalled(
    remembered: dict[tuple[str, ...], PostScores],
    posts: Sequence[Post],
    criteria: Sequence[Criterion],
    compute: Callable[[Iterable[Post]], Iterator[PostScores]],
) -> Iterator[PostScores]:
    """The scores of posts in their order: those that are remembered, the others computed and remembered while there is room."""
    asked = tuple(text for c in criteria for text in (c.id, c.text))
    wanted = {(post.id, post.text, *asked): post for post in posts}
    fresh = [key for key in wanted if key not in remembered]
    computed = zip(fresh, compute(wanted[key] for key in fresh), strict=True)
    beyond: dict[tuple[str, ...], PostScores] = {}  # for which there is no room: kept until the post's last place
    left = Counter((post.id, post.text, *asked) for post in posts)
    for post in posts:
        key = (post.id, post.text, *asked)
        while key not in beyond and key not in remembered:
            name, scores = next(computed)
            (remembered if len(remembered) < REMEMBERED_POSTS else beyond)[name] = scores
        left[key] -= 1
        if key in remembered:
            yield remembered[key]
        else:
            yield beyond[key] if left[key] else beyond.pop(key)
