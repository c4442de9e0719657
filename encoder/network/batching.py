"""Windows of posts as padded tensors, with labels when there are any. Rows are windows (x criteria, for per-criterion prompts).

Shapes: rows R, tokens T, sentences S, criteria C (1 for per-criterion prompts), texts of criteria K x L.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from encoder.config import EncoderConfig
from encoder.examples import Example, Label
from encoder.measure.metrics import sentence_is_evidence
from encoder.network.wide import HashedNgrams
from encoder.text.prompts import Prompts
from encoder.text.windows import ReadPost, Window, windows
from storage.records import Criterion, Post

IGNORED = -100


@dataclass(frozen=True)
class Batch:
    """The input of `EvidenceEncoder.forward`, as tensors only, so that it can be pinned, moved and sent as keywords.

    input_ids, attention_mask: (R, T). sentence_index: (R, T), the number of each token's sentence within its window, -1 where
    a token is not the post's or between sentences. post_mask: (R, T), 1 for tokens of the post.
    sentence_mask: (R, S), 1 for sentences that are there. row_post: (R,), number of the row's post in the batch.
    criterion_index: (R, C), place in known_criteria, -1 for a criterion without an id vector.
    criterion_ids, criterion_mask: (K, L), the criteria for one-pass scoring; None for per-criterion prompts.
    wide_ids, wide_offsets: n-grams of every sentence that is there, in the order of `sentence_mask`; None without a table.
    Labels are 1, 0 or -100 (not reviewed, padding): token_labels (R, T, C, 3) for inside, start, end;
    sentence_labels (R, S, C); post_labels (R, C). span_labels (R, C, 2): token of start and end for the softmax head, 0 for
    none, -100 for not reviewed.
    """

    input_ids: Tensor
    attention_mask: Tensor
    sentence_index: Tensor
    post_mask: Tensor
    sentence_mask: Tensor
    row_post: Tensor
    criterion_index: Tensor
    criterion_ids: Tensor | None = None
    criterion_mask: Tensor | None = None
    wide_ids: Tensor | None = None
    wide_offsets: Tensor | None = None
    token_labels: Tensor | None = None
    sentence_labels: Tensor | None = None
    post_labels: Tensor | None = None
    span_labels: Tensor | None = None

    def tensors(self) -> dict[str, Tensor]:
        """The fields that are set, by name: `model(**batch.tensors())`."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}

    def to(self, device: torch.device | str) -> Batch:
        return replace(self, **{name: tensor.to(device, non_blocking=True) for name, tensor in self.tensors().items()})


@dataclass(frozen=True)
class Row:
    """One row of a batch before padding. criterion: column of the criteria, None if the row is for all of them."""

    read: ReadPost
    window: Window
    post_number: int = 0
    criterion: int | None = None
    label: Mapping[str, Label] | None = None

    def __len__(self) -> int:
        return len(self.window)


class Batcher:
    """Makes rows of posts, and batches of rows, for one encoder and one list of criteria."""

    def __init__(
        self, prompts: Prompts, criteria: Sequence[Criterion], *, token_masking: float = 0.0, seed: int = 0
    ) -> None:
        self.prompts = prompts
        self.config: EncoderConfig = prompts.config
        self.criteria = list(criteria)
        self._prefix, self._suffix = prompts.post_prefix(), prompts.post_suffix()
        self._criterion_ids = [prompts.criterion(c) for c in self.criteria]
        self._size = prompts.window_tokens(self.criteria)
        known = self.config.known_criteria or ()
        self.criterion_index = [known.index(c.id) if c.id in known else -1 for c in self.criteria]
        self._pad = prompts.tokenizer.special("pad") or 0
        self._hidden = prompts.tokenizer.special("mask") or prompts.tokenizer.special("unk") or self._pad
        self._masking, self._random = token_masking, np.random.default_rng(seed)

    @property
    def prefix_length(self) -> int:
        """Tokens in front of the post in every row."""
        return len(self._prefix)

    def read(self, post: Post) -> ReadPost:
        return ReadPost.of(post, self.prompts.tokenizer)

    def rows(self, read: ReadPost, number: int = 0, labels: Mapping[str, Label] | None = None) -> list[Row]:
        """Rows of one post. With labels, per-criterion prompts are made for reviewed criteria only."""
        cut = windows(read, size=self._size, stride=min(self.config.stride_tokens, self._size // 2))
        if self.config.one_pass:
            return [Row(read, w, number, None, labels) for w in cut]
        asked = [k for k, c in enumerate(self.criteria) if labels is None or c.id in labels]
        return [Row(read, w, number, k, labels) for w in cut for k in asked]

    def examples(self, examples: Iterable[Example]) -> Batch | None:
        """The labeled batch of some examples, or None if nothing in them was reviewed."""
        rows = [
            row
            for number, example in enumerate(examples)
            if any(c.id in example.labels for c in self.criteria)
            for row in self.rows(self.read(example.post), number, example.labels)
        ]
        return self.batch(rows) if rows else None

    def batch(self, rows: Sequence[Row]) -> Batch:
        """Pad the rows to the longest of them; labels are there if the rows have any."""
        ids = [self._row_ids(row) for row in rows]
        length = max(len(i) for i in ids)
        count = max(1, *(r.window.last_sentence - r.window.first_sentence for r in rows))
        shape = (len(rows), length)
        input_ids = np.full(shape, self._pad, np.int64)
        attention, post_mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        sentence_index, sentence_mask = np.full(shape, -1, np.int64), np.zeros((len(rows), count), np.int64)
        first = len(self._prefix)
        for r, row in enumerate(rows):
            input_ids[r, : len(ids[r])] = ids[r]
            attention[r, : len(ids[r])] = 1
            post_mask[r, first : first + len(row)] = 1
            sentence_mask[r, : row.window.last_sentence - row.window.first_sentence] = 1
            for s, (token_start, token_end) in enumerate(sentence_ranges(row)):
                sentence_index[r, first + token_start : first + token_end] = s
        batch = Batch(
            input_ids=torch.from_numpy(input_ids),
            attention_mask=torch.from_numpy(attention),
            sentence_index=torch.from_numpy(sentence_index),
            post_mask=torch.from_numpy(post_mask),
            sentence_mask=torch.from_numpy(sentence_mask),
            row_post=torch.tensor([row.post_number for row in rows]),
            criterion_index=torch.tensor([self._columns(row) for row in rows]),
        )
        batch = replace(batch, **self._criteria_tensors, **self._wide_tensors(rows))
        return replace(batch, **self._labels(rows, batch)) if rows[0].label is not None else batch

    def criteria_batch(self) -> tuple[Tensor, Tensor]:
        """Token ids and 0/1 mask of K criteria padded to the longest, int64 (K, L) each, in the order asked."""
        length = max(len(ids) for ids in self._criterion_ids)
        ids = torch.full((len(self._criterion_ids), length), self._pad)
        mask = torch.zeros_like(ids)
        for k, one in enumerate(self._criterion_ids):
            ids[k, : len(one)] = torch.tensor(one)
            mask[k, : len(one)] = 1
        return ids, mask

    def _row_ids(self, row: Row) -> list[int]:
        text = row.read.ids[row.window.token_start : row.window.token_end]
        if self._masking:
            text = [
                self._hidden if hide else i
                for i, hide in zip(text, self._random.random(len(text)) < self._masking, strict=True)
            ]
        tail = [] if row.criterion is None else self._criterion_ids[row.criterion]
        return [*self._prefix, *text, *self._suffix, *tail]

    def _columns(self, row: Row) -> list[int]:
        return self.criterion_index if row.criterion is None else [self.criterion_index[row.criterion]]

    @cached_property
    def _criteria_tensors(self) -> dict[str, Tensor]:
        if not self.config.one_pass:
            return {}
        ids, mask = self.criteria_batch()
        return {"criterion_ids": ids, "criterion_mask": mask}

    def _wide_tensors(self, rows: Sequence[Row]) -> dict[str, Tensor]:
        if not self.config.wide_buckets:
            return {}
        texts = [
            s.quote(row.read.post.text)
            for row in rows
            for s in row.read.sentences[row.window.first_sentence : row.window.last_sentence]
        ]
        ids, offsets = HashedNgrams.features(texts, self.config.wide_buckets)
        return {"wide_ids": ids, "wide_offsets": offsets}

    def _labels(self, rows: Sequence[Row], batch: Batch) -> dict[str, Tensor]:
        shape, count = batch.input_ids.shape, batch.sentence_mask.shape[1]
        columns = batch.criterion_index.shape[1]
        tokens = np.full((*shape, columns, 3), IGNORED, np.float32)
        sentences = np.full((shape[0], count, columns), IGNORED, np.float32)
        posts = np.full((shape[0], columns), IGNORED, np.float32)
        spans = np.full((shape[0], columns, 2), IGNORED, np.int64)
        for r, row in enumerate(rows):
            for column in range(columns):
                criterion = self.criteria[column if row.criterion is None else row.criterion]
                label = (row.label or {}).get(criterion.id)
                if label is None:
                    continue
                target = targets(row, label)
                tokens[r, len(self._prefix) : len(self._prefix) + len(row), column] = target.tokens
                sentences[r, : len(target.sentences), column] = target.sentences
                posts[r, column] = target.post
                spans[r, column] = [at + len(self._prefix) for at in target.span] if target.span else [0, 0]
        return {
            "token_labels": torch.from_numpy(tokens),
            "sentence_labels": torch.from_numpy(sentences),
            "post_labels": torch.from_numpy(posts),
            "span_labels": torch.from_numpy(spans),
        }


@dataclass(frozen=True, slots=True)
class Target:
    """What one window should answer for one criterion; tokens (T, 3) and sentences (S,) of the window only."""

    tokens: np.ndarray
    sentences: np.ndarray
    post: float
    span: tuple[int, int] | None


def sentence_ranges(row: Row) -> list[tuple[int, int]]:
    """Token ranges of the row's sentences within its window."""
    w = row.window
    ranges = row.read.sentence_tokens[w.first_sentence : w.last_sentence]
    return [
        (max(0, token_start - w.token_start), max(0, min(token_end, w.token_end) - w.token_start))
        for token_start, token_end in ranges
    ]


def targets(row: Row, label: Label) -> Target:
    """Labels of one window; a start or end that another window holds is not marked here."""
    w, read = row.window, row.read
    tokens = np.zeros((len(row), 3), np.float32)
    first_span: tuple[int, int] | None = None
    for span in label.spans:
        token_start, token_end = read.map.tokens(span.start, span.end)
        low, high = max(token_start, w.token_start) - w.token_start, min(token_end, w.token_end) - w.token_start
        if low >= high:
            continue
        tokens[low:high, 0] = 1
        if token_start >= w.token_start:
            tokens[low, 1] = 1
        if token_end <= w.token_end:
            tokens[high - 1, 2] = 1
        first_span = first_span or (low, high - 1)
    of_window = read.sentences[w.first_sentence : w.last_sentence]
    sentences = np.array([float(sentence_is_evidence(s, label.spans)) for s in of_window], np.float32)
    return Target(tokens, sentences, float(first_span is not None), first_span)
