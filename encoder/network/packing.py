"""Who sees whom in a packed input: the post, then the criteria, each of which sees the post and itself.

The masks are explicit, because position ids that begin anew do not separate anything in bidirectional mode.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Packed(NamedTuple):
    """One packed input: ids and positions (R, T + M), which criterion a token belongs to (T + M,), -1 for the post."""

    input_ids: Tensor
    position_ids: Tensor
    owner: Tensor
    real: Tensor


def pack(input_ids: Tensor, attention_mask: Tensor, criterion_ids: Tensor, criterion_mask: Tensor) -> Packed:
    """Append the criteria (K, L) to every post (R, T), without their padding. Each criterion's positions go on where the
    row's post ends, so that neither its neighbors nor the row's padding moves it."""
    rows, length = input_ids.shape
    kept = criterion_mask.bool()
    flat = criterion_ids[kept]
    owner = torch.arange(len(criterion_ids), device=flat.device)[:, None].expand_as(criterion_ids)[kept]
    place = (criterion_mask.cumsum(-1) - 1)[kept]
    post_length = attention_mask.sum(-1, keepdim=True)
    positions = torch.arange(length, device=flat.device).expand(rows, length)
    return Packed(
        torch.cat([input_ids, flat.expand(rows, -1)], 1),
        torch.cat([positions, post_length + place], 1),
        torch.cat([owner.new_full((length,), -1), owner]),
        torch.cat([attention_mask.bool(), attention_mask.new_ones(rows, len(flat)).bool()], 1),
    )


def packed_mask(packed: Packed, *, reach: int | None = None) -> Tensor:
    """True where a query (rows) may look at a key (columns), (R, 1, T + M, T + M).

    reach: the farthest distance in positions that a sliding-window layer sees, None for full attention.
    """
    owner = packed.owner
    by_owner = (owner[None, :] == -1) | (owner[:, None] == owner[None, :])
    allowed = by_owner[None] & packed.real[:, None, :]
    if reach is not None:
        near = (packed.position_ids[:, :, None] - packed.position_ids[:, None, :]).abs() <= reach
        itself = torch.eye(len(owner), dtype=torch.bool, device=owner.device)
        # a padded query far from every real key would have nothing to look at, and its softmax would be NaN
        allowed = (allowed & near) | itself[None]
    return allowed.unsqueeze(1)


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """The boolean mask in the form that eager attention adds to its scores: 0 where allowed, the least number elsewhere; same shape."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, torch.finfo(dtype).min)
