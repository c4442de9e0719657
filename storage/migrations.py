"""The schema, as append-only migrations: never edit one that has been released, add the next.

Times are UTC ISO 8601 text. JSON columns hold UTF-8 JSON. Offsets inside JSON are Unicode code points of post.text.
"""

from __future__ import annotations

import sqlite3

from storage.discussion_schema import DISCUSSIONS
from storage.doubt_schema import DOUBTS
from storage.gold_schema import GOLD_PAIRS
from storage.people_schema import IDENTITIES, INVITATIONS, READER_CODES, SIGN_IN_ATTEMPTS
from storage.post_schema import AUTHORS_IN_ORDER, LABELS_OF_POSTS, POSTS_OF_AUTHORS
from storage.queue_schema import FLAT_QUEUE, POSTS_COUNTED
from storage.sqlite import Database, Migrations
from storage.team_schema import LABELS_DECIDED, REPORTS, ROUNDS_ON_THE_PAGE, TEAMS

migrations = Migrations("evidence")

_TABLES = """
CREATE TABLE post (
    number INTEGER PRIMARY KEY,      -- ties the row to the full-text index, whatever VACUUM does
    id TEXT NOT NULL UNIQUE,         -- the corpus' own id
    text TEXT NOT NULL,              -- verbatim, never normalised
    text_sha256 TEXT NOT NULL,       -- of the UTF-8 bytes; finds duplicates
    split TEXT NOT NULL CHECK (split IN ('train', 'dev', 'test')),
    author TEXT,                     -- NULL when not known; keeps one author's posts in one split
    source TEXT,                     -- e.g. the subreddit or the file; NULL when not known
    posted_at TEXT,                  -- as given by the corpus; NULL when not known
    import_id INTEGER REFERENCES import(id),  -- NULL for a post that was pasted in
    imported_at TEXT NOT NULL,
    shuffle INTEGER NOT NULL,        -- 0 .. 2^31-1, hash of the id: a stable random order
    meta TEXT NOT NULL DEFAULT '{}', -- JSON object of further columns, carried to exports
    indexed INTEGER NOT NULL DEFAULT 1  -- 0 until an imported post is in the full-text index, which takes longer than storing it
) STRICT;
CREATE INDEX post_text_sha256 ON post(text_sha256);
CREATE INDEX post_imported ON post(imported_at DESC, id);
CREATE INDEX post_shuffle ON post(shuffle);
CREATE INDEX post_import ON post(import_id);
CREATE INDEX post_not_indexed ON post(number) WHERE indexed = 0;
CREATE TRIGGER post_text_is_verbatim BEFORE UPDATE OF text ON post
BEGIN SELECT RAISE(ABORT, 'the text of a post never changes'); END;

CREATE TABLE import (
    id INTEGER PRIMARY KEY,
    file_name TEXT NOT NULL,         -- without its folder
    format TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT,
    report TEXT NOT NULL DEFAULT '{}',  -- JSON: imported, duplicates, rejected rows with reasons, aligned, unaligned
    undone_at TEXT                   -- NULL while the import stands; set just before its rows are removed
) STRICT;

CREATE TABLE import_issue (          -- what an import did not take as it stood, and why: its downloadable report
    id INTEGER PRIMARY KEY,
    import_id INTEGER NOT NULL REFERENCES import(id),
    row INTEGER,                     -- 1-based row, line or item of the file; NULL where no row is to be named
    post_id TEXT,                    -- as in the file; NULL when not known
    kind TEXT NOT NULL,              -- rejected, duplicate, label, unaligned, uncertain, repaired, renamed
    reason TEXT NOT NULL,
    evidence TEXT                    -- the words that were looked for; NULL for other kinds
) STRICT;
CREATE INDEX import_issue_of_import ON import_issue(import_id, id);

CREATE TABLE alignment (             -- evidence given as words whose place in the post a person has to confirm
    id INTEGER PRIMARY KEY,
    import_id INTEGER NOT NULL REFERENCES import(id),
    post_id TEXT NOT NULL REFERENCES post(id),
    criterion_id TEXT NOT NULL,
    reviewer TEXT NOT NULL REFERENCES reviewer(name),  -- whose evidence it is
    evidence TEXT NOT NULL,          -- the words as given
    candidates TEXT NOT NULL,        -- JSON list of [start, end, score], best first
    decided_at TEXT,                 -- NULL while it waits
    decided_by TEXT,
    chosen TEXT                      -- JSON [start, end]; NULL while it waits, and when none was right
) STRICT;
CREATE INDEX alignment_waiting ON alignment(id) WHERE decided_at IS NULL;
CREATE INDEX alignment_of_post ON alignment(post_id);

CREATE TABLE criterion (
    id TEXT NOT NULL,
    version INTEGER NOT NULL,        -- 1, 2, ...; the highest is the current wording
    name TEXT NOT NULL,
    text TEXT NOT NULL,              -- what the model reads
    guideline TEXT NOT NULL,         -- what the reviewer reads
    position INTEGER NOT NULL,       -- order on the page
    active INTEGER NOT NULL,         -- 0 after it was taken out of use
    created_at TEXT NOT NULL,
    created_by TEXT,                 -- NULL for the default set
    PRIMARY KEY (id, version)
) STRICT;

CREATE TABLE reviewer (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('reviewer', 'adjudicator', 'admin')),
    password_hash TEXT,              -- argon2id; NULL for a person who cannot sign in (local use, imported annotator)
    created_at TEXT NOT NULL,
    disabled_at TEXT                 -- NULL while the account may be used
) STRICT;

CREATE TABLE session (
    token_sha256 TEXT PRIMARY KEY,   -- the token itself is only in the browser's cookie
    reviewer TEXT NOT NULL REFERENCES reviewer(name),
    created_at TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;

CREATE TABLE prediction (
    post_id TEXT NOT NULL REFERENCES post(id),
    criterion_id TEXT NOT NULL,
    model_version TEXT NOT NULL,
    spans TEXT NOT NULL,             -- JSON list of [start, end, score, core_start, core_end]
    no_evidence_score REAL NOT NULL, -- 0 .. 1
    max_score REAL NOT NULL,         -- of the spans, 0 when there is none
    known INTEGER NOT NULL,          -- 0: the model was never trained on this criterion
    created_at TEXT NOT NULL,
    PRIMARY KEY (post_id, criterion_id, model_version)
) STRICT, WITHOUT ROWID;
CREATE INDEX prediction_of_model ON prediction(model_version, criterion_id, max_score);

CREATE TABLE post_score (            -- one row per (post, model): what the queue is ordered by; derived from prediction
    post_id TEXT NOT NULL REFERENCES post(id),
    model_version TEXT NOT NULL,
    uncertainty REAL NOT NULL,       -- 0 .. 1, highest over the criteria
    evidence REAL NOT NULL,          -- 0 .. 1, highest span score over the criteria
    disagreement REAL,               -- 0 .. 1 against the baseline; NULL where no baseline was run
    PRIMARY KEY (post_id, model_version)
) STRICT, WITHOUT ROWID;
CREATE INDEX post_score_uncertainty ON post_score(model_version, uncertainty DESC);
CREATE INDEX post_score_evidence ON post_score(model_version, evidence DESC);
CREATE INDEX post_score_disagreement ON post_score(model_version, disagreement DESC);

CREATE TABLE annotation (            -- append-only: one row per save
    id INTEGER PRIMARY KEY,
    op_id TEXT UNIQUE,               -- idempotency key made in the browser; NULL for imported rows
    post_id TEXT NOT NULL REFERENCES post(id),
    criterion_id TEXT NOT NULL,
    criterion_version INTEGER NOT NULL,  -- the wording that was shown
    reviewer TEXT NOT NULL REFERENCES reviewer(name),
    revision INTEGER NOT NULL,       -- 1, 2, ... per (post, criterion, reviewer)
    verdict TEXT CHECK (verdict IN ('evidence', 'no_evidence', 'unsure')),  -- NULL: not decided yet, or taken back
    spans TEXT NOT NULL,             -- JSON list of [start, end, origin, predicted span or null]
    rejected TEXT NOT NULL,          -- JSON list of predicted spans judged not to be evidence
    undecided TEXT NOT NULL,         -- JSON list of predicted spans without a decision so far
    note TEXT NOT NULL,
    seconds REAL,                    -- time spent on this decision; NULL when not measured
    model_version TEXT,              -- whose predictions were shown; NULL when none were
    restored_from INTEGER,           -- id of the row whose answer this one brings back; NULL otherwise
    undoes INTEGER,                  -- id of the row that this one takes back (undo, redo); NULL otherwise
    import_id INTEGER REFERENCES import(id),  -- NULL unless it came with an import
    created_at TEXT NOT NULL,
    UNIQUE (post_id, criterion_id, reviewer, revision)
) STRICT;
CREATE INDEX annotation_reviewer ON annotation(reviewer, id);
CREATE INDEX annotation_created ON annotation(created_at);
CREATE TRIGGER annotation_is_append_only BEFORE UPDATE ON annotation
BEGIN SELECT RAISE(ABORT, 'annotations are append-only'); END;
CREATE TRIGGER annotation_is_kept BEFORE DELETE ON annotation
WHEN NOT EXISTS (SELECT 1 FROM import WHERE undone_at IS NOT NULL AND id IN
    (OLD.import_id, (SELECT import_id FROM post WHERE post.id = OLD.post_id)))
BEGIN SELECT RAISE(ABORT, 'annotations go only when their import is undone'); END;

CREATE TABLE annotation_head (       -- the latest revision of each (post, criterion, reviewer); derived
    post_id TEXT NOT NULL,
    criterion_id TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    annotation_id INTEGER NOT NULL REFERENCES annotation(id) ON DELETE CASCADE,
    verdict TEXT,                    -- copied from it, to count without a join
    PRIMARY KEY (post_id, criterion_id, reviewer)
) STRICT, WITHOUT ROWID;
CREATE INDEX annotation_head_reviewer ON annotation_head(reviewer, post_id, verdict);

CREATE TABLE post_visit (            -- where each reviewer is, and what they skipped
    reviewer TEXT NOT NULL REFERENCES reviewer(name),
    post_id TEXT NOT NULL REFERENCES post(id),
    opened_at TEXT NOT NULL,
    skipped_at TEXT,                 -- NULL unless the reviewer put the post off
    PRIMARY KEY (reviewer, post_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE assignment (            -- a post that a reviewer has been given, or took
    post_id TEXT NOT NULL REFERENCES post(id),
    reviewer TEXT NOT NULL REFERENCES reviewer(name),
    assigned_by TEXT,
    assigned_at TEXT NOT NULL,
    PRIMARY KEY (post_id, reviewer)
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('train', 'predict', 'evaluate', 'import')),
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    payload TEXT NOT NULL,           -- JSON: everything the job needs
    progress REAL NOT NULL DEFAULT 0,
    stage TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    result TEXT,                     -- JSON; NULL until done
    error TEXT,                      -- NULL unless failed: the reason, for a person
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0,
    worker TEXT,                     -- host:pid:random of the process that claimed it
    created_by TEXT,
    created_at TEXT NOT NULL,
    claimed_at TEXT,
    heartbeat_at REAL,               -- Unix seconds; NULL until claimed
    finished_at TEXT
) STRICT;
CREATE UNIQUE INDEX one_training_at_a_time ON job((1)) WHERE status = 'running' AND kind = 'train';
CREATE INDEX job_waiting ON job(status, id);
CREATE TABLE job_metric (            -- what the live curves draw
    job_id INTEGER NOT NULL REFERENCES job(id),
    step INTEGER NOT NULL,
    name TEXT NOT NULL,              -- loss, learning_rate, dev_f1, memory_mb, ...
    value REAL NOT NULL,
    PRIMARY KEY (job_id, name, step)
) STRICT, WITHOUT ROWID;
CREATE TABLE job_log (
    id INTEGER PRIMARY KEY,
    job_id INTEGER NOT NULL REFERENCES job(id),
    at TEXT NOT NULL,
    line TEXT NOT NULL               -- never holds post text
) STRICT;
CREATE INDEX job_log_of_job ON job_log(job_id, id);

CREATE TABLE model_version (
    id TEXT PRIMARY KEY,
    path TEXT NOT NULL,              -- relative to models/, or 'bundled'
    status TEXT NOT NULL CHECK (status IN ('ready', 'aside', 'deleted')),
    parent TEXT,                     -- the version it was fine-tuned from; NULL for a start
    base TEXT,                       -- the pretrained checkpoint at the root of the line
    metrics TEXT NOT NULL,           -- JSON
    config TEXT NOT NULL,            -- JSON: TrainConfig with its seed
    data_sha256 TEXT,                -- hash of the gold rows it was trained on; NULL for the bundled one
    examples INTEGER,                -- number of gold rows
    size_bytes INTEGER,
    job_id INTEGER REFERENCES job(id),
    note TEXT NOT NULL,
    created_by TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE TABLE model_activation (      -- append-only; the last row is the model in service
    id INTEGER PRIMARY KEY,
    model_version TEXT NOT NULL REFERENCES model_version(id),
    activated_by TEXT,               -- NULL when the promotion rule did it
    activated_at TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT;

CREATE TABLE setting (               -- what is set in the page rather than in the environment
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL              -- JSON
) STRICT, WITHOUT ROWID;
"""

# the index follows `indexed`, not the row: an import stores its posts at once and indexes them in small steps afterwards
_FULL_TEXT_TRIGGERS = """
CREATE TRIGGER post_added AFTER INSERT ON post WHEN new.indexed
BEGIN INSERT INTO post_fts (rowid, text) VALUES (new.number, new.text); END;
CREATE TRIGGER post_indexed AFTER UPDATE OF indexed ON post WHEN new.indexed AND NOT old.indexed
BEGIN INSERT INTO post_fts (rowid, text) VALUES (new.number, new.text); END;
CREATE TRIGGER post_unindexed AFTER UPDATE OF indexed ON post WHEN old.indexed AND NOT new.indexed
BEGIN INSERT INTO post_fts (post_fts, rowid, text) VALUES ('delete', old.number, old.text); END;
CREATE TRIGGER post_removed AFTER DELETE ON post WHEN old.indexed
BEGIN INSERT INTO post_fts (post_fts, rowid, text) VALUES ('delete', old.number, old.text); END;
"""


@migrations()
def m001_first_release(db: Database) -> None:
    _run_statements(db, _TABLES)
    db.table("post").enable_fts(["text"], tokenize="porter unicode61")
    _run_statements(db, _FULL_TEXT_TRIGGERS)


_ACCESS_TOKENS = """
CREATE TABLE access_token (          -- what a program shows instead of a session: personal, and ended by hand or by time
    id INTEGER PRIMARY KEY,
    token_sha256 TEXT NOT NULL UNIQUE,  -- the token itself is shown once and kept nowhere
    reviewer TEXT NOT NULL REFERENCES reviewer(name),
    name TEXT NOT NULL,              -- what it is for, in the person's words
    created_at TEXT NOT NULL,
    expires_at TEXT,                 -- NULL: until it is revoked
    used_at TEXT,                    -- to the minute; NULL until it was used
    revoked_at TEXT                  -- NULL while it may be used
) STRICT;
CREATE INDEX access_token_reviewer ON access_token(reviewer, id);
"""


@migrations()
def m002_access_tokens(db: Database) -> None:
    _run_statements(db, _ACCESS_TOKENS)


_IMPORTS_IN_STEPS = """
ALTER TABLE import ADD COLUMN pending TEXT;              -- NULL once it is seen; else 'storing <folder>' or 'removing': see storage.imports
ALTER TABLE annotation_head ADD COLUMN import_id INTEGER;  -- of the annotation; NULL unless it came with an import
ALTER TABLE reviewer ADD COLUMN import_id INTEGER;       -- the import that brought the name, until it is seen; NULL otherwise
CREATE INDEX import_pending ON import(id) WHERE pending IS NOT NULL;
CREATE INDEX annotation_import ON annotation(import_id) WHERE import_id IS NOT NULL;
CREATE INDEX alignment_import ON alignment(import_id);
CREATE INDEX annotation_head_of ON annotation_head(annotation_id);
CREATE INDEX post_visit_of_post ON post_visit(post_id);
DROP INDEX annotation_head_reviewer;
CREATE INDEX annotation_head_reviewer ON annotation_head(reviewer, post_id, verdict, import_id);
DROP TRIGGER annotation_is_kept;
CREATE TRIGGER annotation_is_kept BEFORE DELETE ON annotation
WHEN NOT EXISTS (SELECT 1 FROM import WHERE (undone_at IS NOT NULL OR pending IS NOT NULL) AND id IN
    (OLD.import_id, (SELECT import_id FROM post WHERE post.id = OLD.post_id)))
BEGIN SELECT RAISE(ABORT, 'annotations go only when their import is undone'); END;
"""


@migrations()
def m003_imports_in_steps(db: Database) -> None:
    _run_statements(db, _IMPORTS_IN_STEPS)


@migrations()
def m004_identities(db: Database) -> None:
    _run_statements(db, IDENTITIES)


@migrations()
def m005_flat_queue(db: Database) -> None:
    _run_statements(db, FLAT_QUEUE)


@migrations()
def m006_sign_in_attempts(db: Database) -> None:
    _run_statements(db, SIGN_IN_ATTEMPTS)


_BULK_DECISIONS = """
ALTER TABLE annotation ADD COLUMN bulk INTEGER NOT NULL DEFAULT 0;  -- 1: one of several that one gesture confirmed as shown
"""


@migrations()
def m006_bulk_decisions(db: Database) -> None:
    _run_statements(db, _BULK_DECISIONS)


@migrations()
def m007_teams(db: Database) -> None:
    _run_statements(db, TEAMS)


_EXAMPLES = """
ALTER TABLE criterion ADD COLUMN examples TEXT NOT NULL DEFAULT '[]';         -- JSON list of passages that are evidence
ALTER TABLE criterion ADD COLUMN counterexamples TEXT NOT NULL DEFAULT '[]';  -- JSON list of passages that resemble it and are none
"""


@migrations()
def m008_examples_of_criteria(db: Database) -> None:
    _run_statements(db, _EXAMPLES)


@migrations()
def m009_team_reports(db: Database) -> None:
    _run_statements(db, REPORTS)


@migrations()
def m010_doubts(db: Database) -> None:
    _run_statements(db, DOUBTS)


_SUGGESTED = """
ALTER TABLE annotation ADD COLUMN suggested INTEGER;  -- 1: the model's marks were shown, 0: hidden; NULL when that is not known
CREATE INDEX annotation_unsuggested ON annotation(id) WHERE suggested = 0;
"""


@migrations()
def m011_suggested(db: Database) -> None:
    _run_statements(db, _SUGGESTED)


@migrations()
def m012_rounds_on_the_page(db: Database) -> None:
    _run_statements(db, ROUNDS_ON_THE_PAGE)


@migrations()
def m013_invitations(db: Database) -> None:
    _run_statements(db, INVITATIONS)


@migrations()
def m014_labels_of_posts(db: Database) -> None:
    _run_statements(db, LABELS_OF_POSTS)


@migrations()
def m015_posts_of_authors(db: Database) -> None:
    _run_statements(db, POSTS_OF_AUTHORS)


@migrations()
def m016_labels_decided(db: Database) -> None:
    _run_statements(db, LABELS_DECIDED)


@migrations()
def m017_discussions(db: Database) -> None:
    _run_statements(db, DISCUSSIONS)


@migrations()
def m018_authors_in_order(db: Database) -> None:
    _run_statements(db, AUTHORS_IN_ORDER)


@migrations()
def m019_reader_codes(db: Database) -> None:
    _run_statements(db, READER_CODES)


@migrations()
def m020_who_adjudicates(db: Database) -> None:
    _run_statements(db, "CREATE INDEX adjudication_adjudicator ON adjudication(adjudicator);\n")


@migrations()
def m021_gold_pairs(db: Database) -> None:
    _run_statements(db, GOLD_PAIRS)


@migrations()
def m022_posts_counted(db: Database) -> None:
    _run_statements(db, POSTS_COUNTED)


def _run_statements(db: Database, script: str) -> None:
    """Statement by statement: executescript() would commit the migration's own transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.conn.execute(statement)
            statement = ""
