"""The SQL of discussions and of examples from posts: run once, by its migration."""

from __future__ import annotations

DISCUSSIONS = """
CREATE TABLE message (               -- append-only: what people say about a post or a criterion; plain text
    id INTEGER PRIMARY KEY,
    op_id TEXT UNIQUE,               -- idempotency key made in the browser
    post_id TEXT REFERENCES post(id),  -- NULL: the message is about a criterion, not about a post
    criterion_id TEXT,               -- of a message about a post: for which criterion; NULL for none
    author TEXT NOT NULL REFERENCES reviewer(name),
    what TEXT NOT NULL CHECK (what IN ('said', 'flagged', 'resolved', 'reopened')),
    text TEXT NOT NULL,
    at TEXT NOT NULL,
    CHECK (post_id IS NOT NULL OR criterion_id IS NOT NULL)
) STRICT;
CREATE INDEX message_of_post ON message(post_id, id) WHERE post_id IS NOT NULL;
CREATE INDEX message_of_criterion ON message(criterion_id, id) WHERE post_id IS NULL;
CREATE TRIGGER message_is_append_only BEFORE UPDATE ON message
BEGIN SELECT RAISE(ABORT, 'messages are append-only'); END;
CREATE TABLE mention (               -- who is spoken to in a message, as @name
    message_id INTEGER NOT NULL REFERENCES message(id) ON DELETE CASCADE,
    reviewer TEXT NOT NULL REFERENCES reviewer(name),
    seen INTEGER NOT NULL DEFAULT 0,  -- 1: they have read it
    PRIMARY KEY (message_id, reviewer)
) STRICT, WITHOUT ROWID;
CREATE INDEX mention_unseen ON mention(reviewer, message_id) WHERE seen = 0;
CREATE TABLE criterion_example (     -- passages of adjudicated posts that show what a criterion means; no part of its wording
    criterion_id TEXT NOT NULL,
    post_id TEXT NOT NULL REFERENCES post(id),
    start INTEGER NOT NULL,          -- code points of the post's text
    end INTEGER NOT NULL,            -- exclusive
    evidence INTEGER NOT NULL,       -- 1: is evidence; 0: resembles it and is none
    added_by TEXT NOT NULL REFERENCES reviewer(name),
    added_at TEXT NOT NULL,
    PRIMARY KEY (criterion_id, post_id, start, end)
) STRICT, WITHOUT ROWID;
CREATE INDEX criterion_example_of_post ON criterion_example(post_id);
"""
