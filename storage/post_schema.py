"""The SQL of what posts got after the first release: labels, and finding an author's other posts. Each run once, by its migration."""

from __future__ import annotations

LABELS_OF_POSTS = """
ALTER TABLE annotation ADD COLUMN labels TEXT;  -- JSON object, level by scale, of an answer about the whole post; NULL of any other
"""

POSTS_OF_AUTHORS = """
CREATE INDEX post_author ON post(author) WHERE author IS NOT NULL;
"""

AUTHORS_IN_ORDER = """
DROP INDEX post_author;
CREATE INDEX post_author ON post(author, posted_at) WHERE author IS NOT NULL;
"""
