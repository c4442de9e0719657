"""How counts are said: one post, two posts."""

from __future__ import annotations


def counted(number: int, word: str, several: str = "") -> str:
    """`1 post`, `2,000 posts`. several: the word for more than one, where it is not the word with an s."""
    return f"{number:,} {word if number == 1 else several or word + 's'}"
