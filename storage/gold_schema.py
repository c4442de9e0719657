"""The SQL of what gold there is, as it is counted. Run once, by its migration."""

from __future__ import annotations

GOLD_PAIRS = """
CREATE TABLE gold_pair (             -- the (post, criterion) pairs that have gold; derived, brought up to date when asked for
    post_id TEXT NOT NULL,
    criterion_id TEXT NOT NULL,
    answer INTEGER NOT NULL,         -- id of the newest annotation that the gold rests on, 0 for none
    verdict TEXT NOT NULL CHECK (verdict IN ('evidence', 'no_evidence')),
    rejected INTEGER NOT NULL,       -- predicted spans that are no evidence
    agreed INTEGER,                  -- 1: the model's marks were left as they were, 0: changed; NULL where the two cannot be compared
    marked INTEGER NOT NULL,         -- 1: the model had marked something
    PRIMARY KEY (post_id, criterion_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX gold_pair_alike ON gold_pair(criterion_id, verdict, agreed, marked, answer, rejected);  -- counted in its order
"""
