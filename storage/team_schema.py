"""The SQL of working in a team: adjudications, how answers stand, rounds, and whose posts are whose. Each run once, by its migration."""

from storage.queue_schema import changed

TEAMS = """
CREATE TABLE adjudication (          -- append-only: decisions about the answers of others; the latest per (post, criterion) holds
    id INTEGER PRIMARY KEY,
    op_id TEXT UNIQUE,               -- idempotency key made in the browser; NULL for imported rows
    post_id TEXT NOT NULL REFERENCES post(id),
    criterion_id TEXT NOT NULL,
    criterion_version INTEGER NOT NULL,
    adjudicator TEXT NOT NULL REFERENCES reviewer(name),
    revision INTEGER NOT NULL,       -- 1, 2, ... per (post, criterion)
    outcome TEXT NOT NULL CHECK (outcome IN ('evidence', 'no_evidence', 'undecidable', 'reopened')),
    spans TEXT NOT NULL,             -- JSON list of [start, end]
    reason TEXT NOT NULL,
    error_kind TEXT,                 -- what went wrong in the answers, of the project's list; NULL when none was chosen
    answers TEXT NOT NULL,           -- JSON list of the annotation ids that were decided about
    seconds REAL,                    -- NULL when not measured
    created_at TEXT NOT NULL,
    UNIQUE (post_id, criterion_id, revision)
) STRICT;
CREATE TRIGGER adjudication_is_append_only BEFORE UPDATE ON adjudication
BEGIN SELECT RAISE(ABORT, 'adjudications are append-only'); END;

CREATE TABLE standing (              -- how several answers to one (post, criterion) stand; derived, brought up to date when asked for
    post_id TEXT NOT NULL,
    criterion_id TEXT NOT NULL,
    readers INTEGER NOT NULL,        -- people with a verdict
    newest INTEGER NOT NULL,         -- id of the newest annotation it was worked out from
    adjudication_id INTEGER NOT NULL,  -- 0: none
    rule TEXT NOT NULL,              -- JSON: the gold rule it was worked out with
    state TEXT NOT NULL CHECK (state IN ('agreed', 'open', 'adjudicated', 'undecidable')),
    score REAL NOT NULL,             -- 0 .. 1, how alike the answers are
    PRIMARY KEY (post_id, criterion_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX standing_worst ON standing(state, score, post_id, criterion_id);

CREATE TABLE round (                 -- posts that are given to people together
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('training', 'calibration', 'main', 'gold_check')),
    blind INTEGER NOT NULL,          -- 1: until it is closed, nobody but lead and adjudicator sees another's answers
    suggestions TEXT NOT NULL CHECK (suggestions IN ('shown', 'hidden', 'random')),
    people TEXT NOT NULL,            -- JSON list of reviewer names
    overlap TEXT NOT NULL,           -- JSON object: number of readers -> share of the posts
    seed INTEGER NOT NULL,
    chosen TEXT NOT NULL,            -- JSON: how the posts were chosen
    deadline TEXT,                   -- a date; NULL for none
    revision INTEGER NOT NULL,       -- grows with each change, so that two leads do not change it past each other
    created_by TEXT,
    created_at TEXT NOT NULL,
    closed_at TEXT                   -- NULL while it is open
) STRICT;
CREATE TABLE round_post (            -- the posts of a round, in its order
    round_id INTEGER NOT NULL REFERENCES round(id),
    post_id TEXT NOT NULL REFERENCES post(id),
    readers INTEGER NOT NULL,        -- how many people are to read it
    position INTEGER NOT NULL,       -- 0, 1, ...: its place in the round
    gold INTEGER NOT NULL,           -- 1: a post with gold, to check the readers by
    PRIMARY KEY (round_id, post_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX round_post_of_post ON round_post(post_id);
ALTER TABLE assignment ADD COLUMN round_id INTEGER;      -- NULL: given or taken outside of any round
ALTER TABLE assignment ADD COLUMN hide_suggestions INTEGER NOT NULL DEFAULT 0;  -- 1: this person does not see what the model marked in it

CREATE INDEX assignment_round ON assignment(round_id) WHERE round_id IS NOT NULL;

INSERT INTO adjudication (post_id, criterion_id, criterion_version, adjudicator, revision, outcome, spans, reason, answers,
    seconds, created_at)
SELECT a.post_id, a.criterion_id, a.criterion_version, a.reviewer, 1, a.verdict,
    (SELECT coalesce(json_group_array(json_array(json_extract(s.value, '$[0]'), json_extract(s.value, '$[1]'))), '[]')
     FROM json_each(a.spans) s),
    'carried over: an adjudicator''s answer settled this before adjudications had rows of their own',
    (SELECT json_group_array(o.annotation_id) FROM annotation_head o WHERE o.post_id = a.post_id
     AND o.criterion_id = a.criterion_id AND o.verdict IS NOT NULL AND o.reviewer <> a.reviewer), a.seconds, a.created_at
FROM annotation_head h JOIN annotation a ON a.id = h.annotation_id JOIN reviewer r ON r.name = h.reviewer
WHERE r.role = 'adjudicator' AND a.verdict IN ('evidence', 'no_evidence')
AND EXISTS (SELECT 1 FROM annotation_head o WHERE o.post_id = h.post_id AND o.criterion_id = h.criterion_id
    AND o.reviewer <> h.reviewer AND o.verdict IS NOT NULL)
AND a.id = (SELECT max(m.annotation_id) FROM annotation_head m JOIN reviewer q ON q.name = m.reviewer
    WHERE m.post_id = h.post_id AND m.criterion_id = h.criterion_id AND q.role = 'adjudicator'
    AND m.verdict IN ('evidence', 'no_evidence'));
"""

REPORTS = """
CREATE TABLE team_report (           -- the lead's figures as they were worked out last; derived, may be emptied at any time
    name TEXT PRIMARY KEY,           -- of which posts and with which model versions
    basis TEXT NOT NULL,             -- JSON: what it rests on; where it is no longer that, the report is out of date
    value TEXT NOT NULL,             -- JSON
    made_at TEXT NOT NULL,
    seconds REAL NOT NULL            -- how long it took
) STRICT, WITHOUT ROWID;
"""

ROUNDS_ON_THE_PAGE = f"""
ALTER TABLE assignment ADD COLUMN place INTEGER NOT NULL DEFAULT 0;  -- where it stands in the person's queue: round_id * 2^32 + position
UPDATE assignment SET place = (round_id << 32) + ifnull((SELECT position FROM round_post p
    WHERE p.round_id = assignment.round_id AND p.post_id = assignment.post_id), 0) WHERE round_id IS NOT NULL;
CREATE INDEX assignment_place ON assignment(reviewer, place, post_id);
CREATE INDEX round_post_gold ON round_post(post_id) WHERE gold;
CREATE TABLE round_event (           -- append-only: what was done with a round, by whom
    id INTEGER PRIMARY KEY,
    round_id INTEGER NOT NULL REFERENCES round(id),
    what TEXT NOT NULL,              -- made, people, deadline, moved, taken, given, closed, reopened
    detail TEXT NOT NULL,            -- JSON object: people, numbers of posts, dates
    at TEXT NOT NULL,
    by TEXT                          -- NULL when not known
) STRICT;
CREATE INDEX round_event_of_round ON round_event(round_id, id);
CREATE TRIGGER round_changed AFTER UPDATE ON round BEGIN {changed("'assignment'")} END;
"""

LABELS_DECIDED = """
DROP TRIGGER adjudication_is_append_only;
ALTER TABLE adjudication RENAME TO adjudication_before;
CREATE TABLE adjudication (          -- append-only: decisions about the answers of others; the latest per (post, criterion) holds
    id INTEGER PRIMARY KEY,
    op_id TEXT UNIQUE,               -- idempotency key made in the browser; NULL for imported rows
    post_id TEXT NOT NULL REFERENCES post(id),
    criterion_id TEXT NOT NULL,      -- or '@post:NAME', of a label of the whole post
    criterion_version INTEGER NOT NULL,
    adjudicator TEXT NOT NULL REFERENCES reviewer(name),
    revision INTEGER NOT NULL,       -- 1, 2, ... per (post, criterion)
    outcome TEXT NOT NULL CHECK (outcome IN ('evidence', 'no_evidence', 'label', 'undecidable', 'reopened')),
    spans TEXT NOT NULL,             -- JSON list of [start, end]
    reason TEXT NOT NULL,
    error_kind TEXT,                 -- what went wrong in the answers, of the project's list; NULL when none was chosen
    answers TEXT NOT NULL,           -- JSON list of the annotation ids that were decided about
    seconds REAL,                    -- NULL when not measured
    created_at TEXT NOT NULL,
    level TEXT,                      -- with the outcome label: the level that the label has; NULL of any other
    UNIQUE (post_id, criterion_id, revision)
) STRICT;
INSERT INTO adjudication SELECT *, NULL FROM adjudication_before;
DROP TABLE adjudication_before;
CREATE TRIGGER adjudication_is_append_only BEFORE UPDATE ON adjudication
BEGIN SELECT RAISE(ABORT, 'adjudications are append-only'); END;
CREATE INDEX standing_of_criterion ON standing(criterion_id, state);
CREATE INDEX adjudication_of_criterion ON adjudication(criterion_id, post_id);
"""
