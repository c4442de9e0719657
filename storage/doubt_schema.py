"""The SQL of doubted answers. Run once, by its migration.

`post_doubt` is what the queue is ordered by; triggers keep it, so that an answer that is changed or looked at again leaves the
queue with whatever wrote it.
"""

from __future__ import annotations

_DOUBTED_NO_MORE = """
    DELETE FROM doubt WHERE post_id = new.post_id AND criterion_id = new.criterion_id;
"""

DOUBTS = f"""
CREATE TABLE doubt (                 -- passages whose answer the model would have given otherwise; worked out anew now and then
    post_id TEXT NOT NULL,
    criterion_id TEXT NOT NULL,
    annotation_id INTEGER NOT NULL,  -- the answer that is doubted; of several readers the one that gold rests on
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    is_evidence INTEGER NOT NULL,    -- 1: the answer says that the passage is evidence
    doubt REAL NOT NULL,             -- 0 .. 1, chance of the other answer
    PRIMARY KEY (post_id, criterion_id, start)
) STRICT, WITHOUT ROWID;
CREATE INDEX doubt_of_criterion ON doubt(criterion_id);
CREATE INDEX doubt_of_answer ON doubt(annotation_id);
CREATE TABLE post_doubt (            -- the worst of a post; kept by triggers on doubt
    post_id TEXT PRIMARY KEY,
    doubt REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX post_doubt_worst ON post_doubt(doubt DESC, post_id DESC);
CREATE TABLE second_look (           -- answers that somebody looked at again because they were doubted
    annotation_id INTEGER PRIMARY KEY,
    look TEXT NOT NULL CHECK (look IN ('kept', 'handed_over')),
    reviewer TEXT NOT NULL,          -- who looked
    looked_at TEXT NOT NULL
) STRICT;
CREATE TRIGGER doubt_added AFTER INSERT ON doubt
BEGIN
    INSERT INTO post_doubt (post_id, doubt) VALUES (new.post_id, new.doubt)
    ON CONFLICT DO UPDATE SET doubt = max(doubt, excluded.doubt);
END;
CREATE TRIGGER doubt_removed AFTER DELETE ON doubt
BEGIN
    DELETE FROM post_doubt WHERE post_id = old.post_id;
    INSERT INTO post_doubt (post_id, doubt) SELECT post_id, max(doubt) FROM doubt WHERE post_id = old.post_id GROUP BY post_id;
END;
CREATE TRIGGER doubted_answer_changed AFTER UPDATE OF annotation_id ON annotation_head
BEGIN {_DOUBTED_NO_MORE} END;
CREATE TRIGGER doubted_answer_gone AFTER DELETE ON annotation_head
BEGIN {_DOUBTED_NO_MORE.replace("new.", "old.")} END;
"""
