"""The schema of the queue's indexes and counts; each part is run once, by its migration. Released: the next one adds to it.

Counts are kept by triggers, so that nothing that writes answers or scores can forget them. A trigger does not see a row that
`INSERT OR REPLACE` takes away: heads and scores are written with `ON CONFLICT DO UPDATE`.
"""

from __future__ import annotations

_IN_USE = "(SELECT active FROM criterion WHERE id = {head}.criterion_id ORDER BY version DESC LIMIT 1)"
_TAKE_FROM_COUNT = """
    UPDATE verdict_count SET answers = answers - 1, accepted = accepted - old.accepted, adjusted = adjusted - old.adjusted,
        added = added - old.added, rejected = rejected - old.rejected
    WHERE criterion_id = old.criterion_id AND verdict = old.verdict AND reviewer = old.reviewer
        AND import_id = ifnull(old.import_id, 0);
"""
_ADD_TO_COUNT = """
    INSERT INTO verdict_count (criterion_id, verdict, reviewer, import_id, answers, accepted, adjusted, added, rejected)
    SELECT new.criterion_id, new.verdict, new.reviewer, ifnull(new.import_id, 0), 1, new.accepted, new.adjusted, new.added,
        new.rejected WHERE new.verdict IS NOT NULL
    ON CONFLICT DO UPDATE SET answers = answers + 1, accepted = accepted + excluded.accepted,
        adjusted = adjusted + excluded.adjusted, added = added + excluded.added, rejected = rejected + excluded.rejected;
"""
_ONE_MORE_DECIDED = f"""
    INSERT INTO post_review (reviewer, post_id, decided) SELECT new.reviewer, new.post_id, 1
    WHERE new.verdict IS NOT NULL AND {_IN_USE.format(head="new")}
    ON CONFLICT DO UPDATE SET decided = decided + 1;
"""
_ONE_LESS_DECIDED = f"""
    UPDATE post_review SET decided = decided - 1 WHERE reviewer = old.reviewer AND post_id = old.post_id
        AND {_IN_USE.format(head="old")};
    DELETE FROM post_review WHERE reviewer = old.reviewer AND post_id = old.post_id AND decided = 0;
    {{reopened}}
"""


def changed(subject: str) -> str:
    """The statement of a trigger that says that posts of the kind may have come into a queue, or changed their place in it."""
    return (
        f"INSERT INTO queue_change (subject, number) SELECT {subject}, 1 WHERE true"
        " ON CONFLICT DO UPDATE SET number = number + 1;"
    )


FLAT_QUEUE = f"""
ALTER TABLE annotation_head ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;  -- spans of the answer by their origin, to count
ALTER TABLE annotation_head ADD COLUMN adjusted INTEGER NOT NULL DEFAULT 0;  -- without reading the answers' JSON
ALTER TABLE annotation_head ADD COLUMN added INTEGER NOT NULL DEFAULT 0;
ALTER TABLE annotation_head ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0;  -- predicted spans that the answer rejects
UPDATE annotation_head SET (accepted, adjusted, added, rejected) = (
    SELECT total(json_extract(j.value, '$[2]') = 'accepted'), total(json_extract(j.value, '$[2]') = 'adjusted'),
        total(json_extract(j.value, '$[2]') = 'added'), json_array_length(a.rejected)
    FROM annotation a LEFT JOIN json_each(a.spans) j WHERE a.id = annotation_id);

CREATE TABLE post_review (           -- how far a reviewer is with a post; kept by triggers on annotation_head
    reviewer TEXT NOT NULL,
    post_id TEXT NOT NULL,
    decided INTEGER NOT NULL,        -- criteria in use that have a verdict; no row where there is none
    PRIMARY KEY (reviewer, post_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE verdict_count (         -- latest answers by what they say; kept by triggers on annotation_head
    criterion_id TEXT NOT NULL,
    verdict TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    import_id INTEGER NOT NULL,      -- the import that they came with, 0 for none
    answers INTEGER NOT NULL,
    accepted INTEGER NOT NULL,       -- spans by their origin, in all
    adjusted INTEGER NOT NULL,
    added INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    PRIMARY KEY (criterion_id, verdict, reviewer, import_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE predicted_posts (       -- how many posts a model has read; kept by triggers on post_score
    model_version TEXT NOT NULL,
    import_id INTEGER NOT NULL,      -- the import that the posts came with, 0 for none
    posts INTEGER NOT NULL,
    PRIMARY KEY (model_version, import_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE queue_change (          -- counts what may bring posts into a queue, or move them in it: what was looked up before is then
    subject TEXT PRIMARY KEY,        -- looked up anew. posts, predictions, forgotten, criteria, assignment, 'reopened ' || reviewer
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO post_review (reviewer, post_id, decided)
SELECT reviewer, post_id, count(*) FROM annotation_head WHERE verdict IS NOT NULL AND {_IN_USE.format(head="annotation_head")}
GROUP BY reviewer, post_id;
INSERT INTO verdict_count (criterion_id, verdict, reviewer, import_id, answers, accepted, adjusted, added, rejected)
SELECT criterion_id, verdict, reviewer, ifnull(import_id, 0), count(*), sum(accepted), sum(adjusted), sum(added), sum(rejected)
FROM annotation_head WHERE verdict IS NOT NULL GROUP BY 1, 2, 3, 4;
INSERT INTO predicted_posts (model_version, import_id, posts)
SELECT s.model_version, ifnull(p.import_id, 0), count(*) FROM post_score s JOIN post p ON p.id = s.post_id GROUP BY 1, 2;

CREATE INDEX post_review_decided ON post_review(reviewer, decided);
CREATE INDEX annotation_head_verdict ON annotation_head(verdict, criterion_id, post_id);
CREATE INDEX assignment_of_reviewer ON assignment(reviewer, post_id);
CREATE INDEX post_visit_opened ON post_visit(reviewer, opened_at DESC);
CREATE INDEX post_visit_skipped ON post_visit(reviewer, post_id) WHERE skipped_at IS NOT NULL;
CREATE INDEX post_source ON post(source) WHERE source IS NOT NULL;
DROP INDEX post_imported;
CREATE INDEX post_newest ON post(imported_at DESC, number DESC);
DROP INDEX post_score_uncertainty;
DROP INDEX post_score_evidence;
DROP INDEX post_score_disagreement;
ALTER TABLE post_score DROP COLUMN disagreement;  -- it never held anything: no baseline reads the posts of a project
CREATE INDEX post_score_uncertainty ON post_score(model_version, uncertainty DESC, post_id DESC);
CREATE INDEX post_score_evidence ON post_score(model_version, evidence DESC, post_id DESC);

CREATE TRIGGER head_added AFTER INSERT ON annotation_head WHEN new.verdict IS NOT NULL
BEGIN {_ADD_TO_COUNT} {_ONE_MORE_DECIDED} END;
CREATE TRIGGER head_removed AFTER DELETE ON annotation_head WHEN old.verdict IS NOT NULL
BEGIN {_TAKE_FROM_COUNT} {_ONE_LESS_DECIDED.format(reopened=changed("'reopened ' || old.reviewer"))} END;
CREATE TRIGGER head_replaced AFTER UPDATE ON annotation_head
BEGIN {_TAKE_FROM_COUNT} {_ADD_TO_COUNT} END;
CREATE TRIGGER head_decided AFTER UPDATE ON annotation_head WHEN old.verdict IS NULL AND new.verdict IS NOT NULL
BEGIN {_ONE_MORE_DECIDED} END;
CREATE TRIGGER head_reopened AFTER UPDATE ON annotation_head WHEN old.verdict IS NOT NULL AND new.verdict IS NULL
BEGIN {_ONE_LESS_DECIDED.format(reopened=changed("'reopened ' || old.reviewer"))} END;
CREATE TRIGGER visit_reopened AFTER UPDATE ON post_visit WHEN old.skipped_at IS NOT NULL AND new.skipped_at IS NULL
BEGIN {changed("'reopened ' || new.reviewer")} END;

CREATE TRIGGER post_read AFTER INSERT ON post_score
BEGIN
    INSERT INTO predicted_posts (model_version, import_id, posts)
    SELECT new.model_version, ifnull((SELECT import_id FROM post WHERE id = new.post_id), 0), 1 WHERE true
    ON CONFLICT DO UPDATE SET posts = posts + 1;
    {changed("'predictions'")}
END;
CREATE TRIGGER post_read_again AFTER UPDATE ON post_score BEGIN {changed("'predictions'")} END;
CREATE TRIGGER post_unread AFTER DELETE ON post_score
BEGIN
    UPDATE predicted_posts SET posts = posts - 1 WHERE model_version = old.model_version
        AND import_id = ifnull((SELECT import_id FROM post WHERE id = old.post_id), 0);
    {changed("'forgotten'")}
END;
CREATE TRIGGER post_is_new AFTER INSERT ON post
WHEN NOT EXISTS (SELECT 1 FROM import WHERE id = new.import_id AND pending IS NOT NULL)
BEGIN {changed("'posts'")} END;
CREATE TRIGGER post_moved AFTER UPDATE OF split, source, indexed ON post BEGIN {changed("'posts'")} END;
CREATE TRIGGER import_seen AFTER UPDATE OF pending ON import BEGIN {changed("'posts'")} END;
CREATE TRIGGER criterion_added AFTER INSERT ON criterion BEGIN {changed("'criteria'")} END;
CREATE TRIGGER criterion_changed AFTER UPDATE ON criterion BEGIN {changed("'criteria'")} END;
CREATE TRIGGER post_assigned AFTER INSERT ON assignment BEGIN {changed("'assignment'")} END;
CREATE TRIGGER post_unassigned AFTER DELETE ON assignment BEGIN {changed("'assignment'")} END;
"""

POSTS_COUNTED = """
CREATE TABLE post_count (            -- how many posts there are; kept by triggers on post
    import_id INTEGER PRIMARY KEY,   -- the import that they came with, 0 for none
    posts INTEGER NOT NULL
) STRICT;
INSERT INTO post_count (import_id, posts) SELECT ifnull(import_id, 0), count(*) FROM post GROUP BY 1;
CREATE TRIGGER post_counted AFTER INSERT ON post
BEGIN
    INSERT INTO post_count (import_id, posts) SELECT ifnull(new.import_id, 0), 1 WHERE true
    ON CONFLICT DO UPDATE SET posts = posts + 1;
END;
CREATE TRIGGER post_counted_no_more AFTER DELETE ON post
BEGIN
    UPDATE post_count SET posts = posts - 1 WHERE import_id = ifnull(old.import_id, 0);
END;
"""
