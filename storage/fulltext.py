"""Searching the text of posts: what people type, as a question to SQLite's full-text index."""

from __future__ import annotations

from storage.records import InvalidRecord


def fts_query(words: str) -> str:
    """An FTS5 query that finds all the words, whatever signs they hold; a trailing * finds by prefix.

    Raises InvalidRecord when there is nothing to look for.
    """
    terms = []
    for word in words.replace("\x00", " ").split():  # a statement ends at one
        star = "*" if word.endswith("*") else ""
        if bare := word.rstrip("*").replace('"', '""'):
            terms.append(f'"{bare}"{star}')
    if not terms:
        raise InvalidRecord("Type at least one word to search for.")
    return " ".join(terms)
