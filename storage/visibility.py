"""The rules of who sees whose answer and message, as SQL: in one place, so that no way around them can be forgotten."""

from __future__ import annotations

OPEN_BLIND = "round.blind AND round.closed_at IS NULL"
SEALED = (
    f"EXISTS (SELECT 1 FROM round_post sealed CROSS JOIN round ON round.id = sealed.round_id AND {OPEN_BLIND}"
    " WHERE sealed.post_id = {h}.post_id)"
)
READ_FOR_GOLD = SEALED.removesuffix(")") + " AND NOT sealed.gold)"
"""SQL: whether an open blind round asks its readers what the gold of a post is: till it is closed, its gold tells their answers."""
_BLIND_READER = (
    f"EXISTS (SELECT 1 FROM assignment own CROSS JOIN round ON round.id = own.round_id AND {OPEN_BLIND}"
    " WHERE own.post_id = {h}.post_id AND own.reviewer = {who})"
)
READS_BLIND = _BLIND_READER.format(h="{h}", who=":me")
_LABELLED_MYSELF = (
    "(SELECT a.labels FROM main.annotation a WHERE a.id = mine.annotation_id) IS NOT NULL AND NOT EXISTS (SELECT 1 FROM main.setting"
    " project CROSS JOIN json_each(project.value, '$.labels') scale WHERE project.key = 'attributes'"
    " AND json_array_length(scale.value, '$.levels') > 0 AND NOT EXISTS (SELECT 1 FROM main.annotation a CROSS JOIN json_each(a.labels)"
    " given WHERE a.id = mine.annotation_id AND given.key = json_extract(scale.value, '$.name')))"
)
"""All labels of a post are one answer: who gave one of them and not the others has yet to decide those."""
_DECIDED_MYSELF = (
    "EXISTS (SELECT 1 FROM main.annotation_head mine WHERE mine.post_id = {h}.post_id AND mine.criterion_id = {h}.criterion_id"
    f" AND mine.reviewer = :me AND (mine.verdict IS NOT NULL OR (mine.criterion_id = '@post' AND {_LABELLED_MYSELF})))"
)
_SEES_ALL = "EXISTS (SELECT 1 FROM main.reviewer me WHERE me.name = :me AND me.role <> 'reviewer')"
VISIBLE_HEAD = (
    f"({{h}}.reviewer = :me OR CASE WHEN {_SEES_ALL} THEN {_DECIDED_MYSELF} OR NOT {READS_BLIND}"
    f" ELSE {_DECIDED_MYSELF} AND NOT {SEALED} END)"
)
"""SQL: the one rule of who sees another's answer, and what was decided about answers or made an example (their reviewer is '').
`{h}` stands for a row with post_id, criterion_id and reviewer; bind `me`.

Reviewers see it after their own decision about the same criterion of the post (of labels of the post: about all that are in use), and
in a blind round not before the round is closed.
Adjudicators and admins see everything, but not what they have to read blind themselves and have not decided yet.
"""
_DONE_MYSELF = (
    "ifnull((SELECT r.decided FROM post_review r WHERE r.reviewer = :me AND r.post_id = {h}.post_id), 0) >= (SELECT count(*)"
    " FROM criterion c WHERE c.active AND c.version = (SELECT max(version) FROM criterion d WHERE d.id = c.id))"
)
_GIVEN_UNREAD = (
    "(EXISTS (SELECT 1 FROM assignment own CROSS JOIN round ON round.id = own.round_id AND round.closed_at IS NULL{since}"
    f" WHERE own.post_id = {{m}}.post_id AND own.reviewer = :me) AND NOT {_DONE_MYSELF.format(h='{m}')})"
)
VISIBLE_MESSAGE = (
    "({m}.author = :me OR {m}.post_id IS NULL OR (EXISTS (SELECT 1 FROM main.reviewer lead WHERE lead.name = {m}.author"
    " AND lead.role <> 'reviewer') AND NOT "
    + _BLIND_READER.format(h="{m}", who="{m}.author")
    + f" AND NOT {_GIVEN_UNREAD.format(m='{m}', since=' AND round.created_at > {m}.at')}"
    f") OR CASE WHEN {_SEES_ALL} THEN {_DONE_MYSELF.format(h='{m}')} OR NOT {READS_BLIND.format(h='{m}')}"
    f" ELSE NOT {SEALED.format(h='{m}')} AND NOT {_GIVEN_UNREAD.format(m='{m}', since='')} END)"
)
"""SQL: who sees what is said about a post. `{m}` stands for a message with post_id and author; bind `me`.

What another reader says of a post would give their answer away: while a blind round with it is open, readers see what they wrote and
what those say who lead and do not read it blind themselves, unless it was said before the round was made: by then the post may have been
settled. What other readers say is also kept from whom an open round has given the post and who has not finished it. Adjudicators and
admins see all, but for posts that they read blind and have not finished.
"""
HIDES_NAMES = (
    "EXISTS (SELECT 1 FROM main.reviewer me WHERE me.name = :me AND (me.role = 'adjudicator' OR (me.role = 'admin'"
    " AND EXISTS (SELECT 1 FROM adjudication d WHERE d.adjudicator = :me) AND (EXISTS (SELECT 1 FROM identity)"
    " OR EXISTS (SELECT 1 FROM main.reviewer r WHERE r.password_hash IS NOT NULL))))"
    " AND NOT ifnull((SELECT json_extract(value, '$.names') FROM main.setting WHERE key = 'adjudication'), 0))"
)
"""SQL: the one rule of who is told nobody's name but their own: who adjudicates, in a project that tells them no names. Bind `me`.

An admin adjudicates from their first decision on; where nobody has an account, the one who is there leads all the same. A name beside
a count or an assignment would give the answers away as well, so it holds for everything that a person is sent, but for the accounts that
admins manage.
"""
IS_MEASURED = (
    "EXISTS (SELECT 1 FROM round_post q INDEXED BY round_post_gold CROSS JOIN assignment m ON m.post_id = q.post_id"
    " AND m.round_id = q.round_id AND m.reviewer = {h}.reviewer WHERE q.post_id = {h}.post_id AND q.gold)"
)
"""SQL: whether an answer was given to a post that is there to train or to check its reader: it is measured by gold, and no part of it."""
AWAITED_BLIND = (
    f"EXISTS (SELECT 1 FROM assignment a CROSS JOIN round ON round.id = a.round_id AND {OPEN_BLIND}"
    " WHERE a.post_id = {h}.post_id AND NOT EXISTS (SELECT 1 FROM annotation_head mine WHERE mine.post_id = {h}.post_id"
    " AND mine.reviewer = a.reviewer AND mine.criterion_id = {h}.criterion_id AND mine.verdict IS NOT NULL))"
)
"""SQL: whether a reader of an open blind round is yet to be asked for what an answer answers, see `RoundStore.awaited_blind`."""
OF_ROUND = (
    "EXISTS (SELECT 1 FROM round_post its CROSS JOIN round ON round.id = its.round_id WHERE its.round_id = {round}"
    " AND its.post_id = h.post_id AND (its.gold OR h.reviewer IN (SELECT value FROM json_each(round.people)) OR EXISTS (SELECT 1"
    " FROM assignment given WHERE given.round_id = its.round_id AND given.post_id = its.post_id AND given.reviewer = h.reviewer)))"
)
"""SQL: whether an answer `h` is one of a round's figures: of somebody who reads in it or was given the post in it. What other rounds and
imports say of the same posts is not; to a post that measures its readers by gold belongs whoever has answered it.
"""
