"""The SQL of imports: from the staged file (`staged`, attached) into the database's own tables (`main`), and out again.

`:after` and `:upto` bound the staged rows of one step, `:before` is the newest annotation before it. Unqualified names are what
everybody sees (`storage.connection`).
"""

from __future__ import annotations

from storage.connection import PENDING
from storage.heads import replace_heads

_VISIBLE = f"ifnull({{row}}.import_id, 0) NOT IN ({PENDING})"
_POSTS = """
INSERT INTO main.post (id, text, text_sha256, split, author, source, posted_at, import_id, imported_at, shuffle, meta, indexed)
SELECT id, text, text_sha256, split, author, source, posted_at, :import_id, :now, shuffle, meta, 0
FROM staged.post WHERE seq > :after AND seq <= :upto ORDER BY seq
"""
REVIEWERS = """
INSERT INTO main.reviewer (name, role, created_at, import_id) SELECT name, role, :now, :import_id FROM staged.reviewer
WHERE true ON CONFLICT (name) DO NOTHING
"""
_ANNOTATIONS = """
INSERT INTO main.annotation (post_id, criterion_id, criterion_version, reviewer, revision, verdict, spans, rejected, undecided,
    note, seconds, model_version, labels, bulk, import_id, created_at)
SELECT post_id, criterion_id, criterion_version, reviewer,
    row_number() OVER (PARTITION BY post_id, criterion_id, reviewer ORDER BY seq) + coalesce((SELECT max(a.revision)
        FROM main.annotation a WHERE a.post_id = s.post_id AND a.criterion_id = s.criterion_id AND a.reviewer = s.reviewer), 0),
    verdict, spans, rejected, undecided, note, seconds, model_version, labels, bulk, :import_id, coalesce(created_at, :now)
FROM staged.annotation s WHERE seq > :after AND seq <= :upto ORDER BY seq
"""
_HEADS_OF_NEW_POSTS = replace_heads(
    "main.annotation a WHERE a.import_id = :import_id AND a.id > :before AND a.post_id IN (SELECT id FROM staged.post)"
    " ORDER BY a.id",
    import_id=":import_id",
)
# the older posts' heads are those that everybody sees: they change when the import is shown
HEADS_OF_OLDER_POSTS = replace_heads(
    "staged.known_post k CROSS JOIN main.annotation a ON a.post_id = k.id AND a.import_id = :import_id"
    " WHERE a.revision = (SELECT max(revision) FROM main.annotation b WHERE b.post_id = a.post_id"
    f" AND b.criterion_id = a.criterion_id AND b.reviewer = a.reviewer AND {_VISIBLE.format(row='b')})",
    import_id=":import_id",
)
# predictions of posts that were here before go under the import's name (and their model's), so that undoing the import can find them
_PREDICTIONS = """
INSERT OR REPLACE INTO main.prediction (post_id, criterion_id, model_version, spans, no_evidence_score, max_score, known, created_at)
SELECT post_id, criterion_id,
    CASE WHEN post_id IN (SELECT id FROM staged.post) THEN coalesce(model_version, :model)
    ELSE :model || coalesce('/' || model_version, '') END, spans, no_evidence_score, max_score, known, coalesce(created_at, :now)
FROM staged.prediction WHERE rowid > :after AND rowid <= :upto
"""
_SCORES = """
INSERT INTO post_score (post_id, model_version, uncertainty, evidence)
SELECT p.post_id, p.model_version, max(CASE WHEN p.known THEN 1 - abs(2 * p.no_evidence_score - 1) ELSE 0 END), max(p.max_score)
FROM (SELECT DISTINCT post_id, CASE WHEN post_id IN (SELECT id FROM staged.post) THEN coalesce(model_version, :model)
    ELSE :model || coalesce('/' || model_version, '') END AS model FROM staged.prediction WHERE rowid > :after AND rowid <= :upto) s
CROSS JOIN main.prediction p ON p.post_id = s.post_id AND p.model_version = s.model
WHERE true GROUP BY p.post_id, p.model_version
ON CONFLICT (post_id, model_version) DO UPDATE SET uncertainty = excluded.uncertainty, evidence = excluded.evidence
"""
_ALIGNMENTS = """
INSERT INTO main.alignment (import_id, post_id, criterion_id, reviewer, evidence, candidates)
SELECT :import_id, post_id, criterion_id, reviewer, evidence, candidates FROM staged.alignment
WHERE seq > :after AND seq <= :upto ORDER BY seq
"""
_ADJUDICATIONS = """
INSERT INTO adjudication (post_id, criterion_id, criterion_version, adjudicator, revision, outcome, spans, reason, error_kind, answers,
    seconds, created_at, level)
SELECT post_id, criterion_id, criterion_version, adjudicator,
    row_number() OVER (PARTITION BY post_id, criterion_id ORDER BY seq) + coalesce((SELECT max(a.revision) FROM adjudication a
        WHERE a.post_id = s.post_id AND a.criterion_id = s.criterion_id), 0),
    outcome, spans, reason, error_kind, '[]', seconds, coalesce(created_at, :now), level
FROM staged.adjudication s WHERE seq > :after AND seq <= :upto ORDER BY seq
"""
_ISSUES = """
INSERT INTO import_issue (import_id, row, post_id, kind, reason, evidence)
SELECT :import_id, row, post_id, kind, reason, evidence FROM staged.issue WHERE seq > :after AND seq <= :upto ORDER BY seq
"""
COPIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("post", (_POSTS,)),
    ("annotation", (_ANNOTATIONS, _HEADS_OF_NEW_POSTS)),
    ("prediction", (_PREDICTIONS, _SCORES)),
    ("alignment", (_ALIGNMENTS,)),
    ("adjudication", (_ADJUDICATIONS,)),
    ("issue", (_ISSUES,)),
)
CLASH = """
SELECT s.id FROM staged.post s JOIN main.post USING (id) WHERE :with_new UNION ALL
SELECT k.id FROM staged.known_post k LEFT JOIN post p ON p.id = k.id AND p.text_sha256 = k.text_sha256 WHERE p.id IS NULL LIMIT 1
"""
LATEST_HEAD = replace_heads(
    f"main.annotation a WHERE a.post_id = ? AND a.criterion_id = ? AND a.reviewer = ? AND {_VISIBLE.format(row='a')}"
    " ORDER BY a.revision DESC LIMIT 1"
)
OF_IMPORT = (
    "DELETE FROM main.annotation WHERE id IN (SELECT id FROM main.annotation WHERE import_id = :import_id LIMIT :rows)",
    "DELETE FROM main.alignment WHERE id IN (SELECT id FROM main.alignment WHERE import_id = :import_id LIMIT :rows)",
    "DELETE FROM import_issue WHERE id IN (SELECT id FROM import_issue WHERE import_id = :import_id LIMIT :rows)",
    "DELETE FROM main.prediction WHERE (post_id, criterion_id, model_version) IN (SELECT post_id, criterion_id, model_version"
    " FROM main.prediction WHERE model_version = :model OR (model_version >= :model || '/' AND model_version < :model || '0') LIMIT :rows)",
    "DELETE FROM post_score WHERE (post_id, model_version) IN (SELECT post_id, model_version FROM post_score"
    " WHERE model_version = :model OR (model_version >= :model || '/' AND model_version < :model || '0') LIMIT :rows)",
)
ON_POSTS = (
    "adjudication",
    "standing",
    "gold_pair",
    "round_post",
    "main.annotation",
    "main.alignment",
    "main.prediction",
    "post_score",
    "post_visit",
    "assignment",
    "message",
    "criterion_example",
)
