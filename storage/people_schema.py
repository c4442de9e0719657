"""The SQL of who people are: identities elsewhere, failed sign-ins, invitations, codes. Each is run once, by its migration."""

from __future__ import annotations

IDENTITIES = """
CREATE TABLE identity (              -- a person as an OpenID provider knows them; they sign in there and have no password here
    issuer TEXT NOT NULL,            -- the provider's address
    subject TEXT NOT NULL,           -- the provider's id of the person, which outlives a change of name
    reviewer TEXT NOT NULL UNIQUE REFERENCES reviewer(name),
    login TEXT NOT NULL,             -- the person's name there at the last sign-in
    created_at TEXT NOT NULL,
    seen_at TEXT NOT NULL,           -- the last sign-in
    PRIMARY KEY (issuer, subject)
) STRICT;
"""

SIGN_IN_ATTEMPTS = """
CREATE TABLE sign_in_attempt (       -- what failed, so that a restart forgives nobody; rows go a day after their last failure
    name_key TEXT NOT NULL,          -- keyed hash of the name as it was typed, which may be a mistyped password; '' counts an address
    place TEXT NOT NULL,             -- network address, or a browser that signed in before; '' counts a name, wherever from
    failed REAL NOT NULL,            -- how many; those of an address or a name alone fade with time
    last_at REAL NOT NULL,           -- Unix seconds of the last failure
    PRIMARY KEY (name_key, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_attempt_last ON sign_in_attempt(last_at);
"""

INVITATIONS = """
CREATE TABLE invitation (            -- a link with which somebody sets their password, once: to come in, or instead of a lost one
    id INTEGER PRIMARY KEY,
    token_sha256 TEXT NOT NULL UNIQUE,  -- the link's secret itself is shown once and kept nowhere
    reviewer TEXT NOT NULL,          -- whose it is; for a new person the name that they will have
    role TEXT CHECK (role IN ('reviewer', 'adjudicator', 'admin')),  -- of a new person; NULL: a new password only
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at TEXT,                    -- NULL until it was used
    withdrawn_at TEXT                -- NULL unless an admin, or a later link for the same person, ended it
) STRICT;
CREATE INDEX invitation_reviewer ON invitation(reviewer, id);
"""

_DRAWN = [f"printf('R%0{digits}d', (random() & 0x7fffffffffff) % {10**digits})" for digits in (3, 3, 3, 5, 5, 12)]
"""A code by lot. The short ones are tried first; in a project of hundreds of people some of them are taken."""
_GIVE = (
    "INSERT INTO reader_code (name, code) SELECT r.name, {code} FROM reviewer r WHERE {whose}"
    " NOT EXISTS (SELECT 1 FROM reader_code c WHERE c.name = r.name) ON CONFLICT DO NOTHING;\n"
)
_TO_THE_NEW = "".join(_GIVE.format(code=code, whose="r.name = NEW.name AND") for code in _DRAWN)
READER_CODES = f"""
CREATE TABLE reader_code (           -- what a person is called where names are not told: given once, kept when they are gone
    name TEXT PRIMARY KEY,
    code TEXT NOT NULL UNIQUE        -- by lot, so that neither names nor the order in which people came can be read off it
) STRICT, WITHOUT ROWID;
{"".join(_GIVE.format(code=code, whose="") for code in _DRAWN)}
CREATE TRIGGER reviewer_has_a_code AFTER INSERT ON reviewer BEGIN
{_TO_THE_NEW}END;
"""
