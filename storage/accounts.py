"""Reviewers and sign-in sessions in the store. Hashing and rules are in `annotator.people.accounts`."""

from __future__ import annotations

from storage.records import InvalidRecord, NotFound, Reviewer, Role, utc_now
from storage.rows import reviewer_from_row
from storage.tokens import TokenStore
from storage.visibility import HIDES_NAMES


class AccountStore(TokenStore):
    """Questions and events about people and sessions."""

    _had_accounts = False

    def add_reviewer(self, name: str, role: Role, *, password_hash: str | None = None) -> Reviewer:
        """Add a person. Raises InvalidRecord if the name is empty or taken."""
        if not name.strip() or name != name.strip():
            raise InvalidRecord(f"Reviewer name {name!r} is empty or has spaces around it.")
        with self.write() as db:
            if any(db.query("SELECT 1 FROM main.reviewer WHERE name = ?", [name])):
                raise InvalidRecord(f"There is a reviewer {name!r} already.")
            db.conn.execute(
                "INSERT INTO main.reviewer (name, role, password_hash, created_at) VALUES (?, ?, ?, ?)",
                [name, str(role), password_hash, utc_now()],
            )
        return self.reviewer(name)

    def ensure_reviewer(self, name: str, role: Role = Role.REVIEWER) -> Reviewer:
        """The reviewer of that name, added without a password if there is none."""
        with self.write() as db:
            db.conn.execute(
                "INSERT INTO main.reviewer (name, role, created_at) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET import_id = NULL WHERE import_id IS NOT NULL",
                [name, str(role), utc_now()],
            )
        return self.reviewer(name)

    def reviewer(self, name: str) -> Reviewer:
        with self.read() as db:
            for row in db.query("SELECT * FROM reviewer WHERE name = ?", [name]):
                return reviewer_from_row(row)
        raise NotFound(f"There is no reviewer {name!r}.")

    def reviewers(self) -> list[Reviewer]:
        with self.read() as db:
            return [reviewer_from_row(row) for row in db.query("SELECT * FROM reviewer ORDER BY name")]

    def reader_codes(self) -> dict[str, str]:
        """What everybody is called where names are not told, by name, also of people who are gone."""
        with self.read() as db:
            return {row["name"]: row["code"] for row in db.query("SELECT name, code FROM reader_code ORDER BY name")}

    def hides_names(self, me: str) -> bool:
        """Whether `me` is told others' codes in place of their names: see `storage.visibility.HIDES_NAMES`."""
        with self.read() as db:
            return bool(db.execute(f"SELECT {HIDES_NAMES}", {"me": me}).fetchone()[0])

    def update_reviewer(
        self, name: str, *, role: Role | None = None, password_hash: str | None = None, disabled: bool | None = None
    ) -> None:
        """Change what is given; a disabled person's sessions and access tokens end at once. Raises NotFound."""
        reviewer = self.reviewer(name)
        disabled_at = reviewer.disabled_at if disabled is None else (utc_now() if disabled else None)
        with self.write() as db:
            db.conn.execute(
                "UPDATE main.reviewer SET role = coalesce(?, role), password_hash = coalesce(?, password_hash),"
                " disabled_at = ? WHERE name = ?",
                [role and str(role), password_hash, disabled_at, name],
            )
            if disabled_at or password_hash:
                db.conn.execute("DELETE FROM session WHERE reviewer = ?", [name])
            if disabled_at:
                self.revoke_tokens_of(name)

    def password_hash(self, name: str) -> str | None:
        """The stored hash of an enabled person; None if there is no such person or they cannot sign in."""
        with self.read() as db:
            rows = db.query("SELECT password_hash FROM reviewer WHERE name = ? AND disabled_at IS NULL", [name])
            return next((row["password_hash"] for row in rows), None)

    def has_accounts(self) -> bool:
        """True once there is a password: from then on sign-in is required, also when everybody is disabled. No password is ever taken away,
        so that this is asked of the file until it is so.
        """
        if not self._had_accounts:
            found = self.look_up("SELECT 1 FROM main.reviewer WHERE password_hash IS NOT NULL LIMIT 1", [])
            self._had_accounts = found is not None
        return self._had_accounts

    def add_session(self, token_sha256: str, reviewer: str, *, expires_at: str) -> None:
        with self.write() as db:
            db.conn.execute("DELETE FROM session WHERE expires_at < ?", [utc_now()])
            db.conn.execute(
                "INSERT INTO session (token_sha256, reviewer, created_at, seen_at, expires_at) VALUES (?, ?, ?, ?, ?)",
                [token_sha256, reviewer, utc_now(), utc_now(), expires_at],
            )

    def session_reviewer(self, token_sha256: str) -> Reviewer | None:
        """Whose session it is, if it has not expired and the person is not disabled."""
        row = self.look_up(
            "SELECT r.* FROM session s JOIN main.reviewer r ON r.name = s.reviewer"
            " WHERE s.token_sha256 = ? AND s.expires_at > ? AND r.disabled_at IS NULL",
            [token_sha256, utc_now()],
        )
        return None if row is None else reviewer_from_row(row)

    def end_session(self, token_sha256: str) -> None:
        with self.write() as db:
            db.conn.execute("DELETE FROM session WHERE token_sha256 = ?", [token_sha256])

    def end_sessions_of(self, reviewer: str) -> int:
        """Sign the person out everywhere. Returns how many sessions ended."""
        with self.write() as db:
            return db.conn.execute("DELETE FROM session WHERE reviewer = ?", [reviewer]).rowcount

    def sessions_by_person(self) -> dict[str, tuple[int, str]]:
        """By name: how many sessions are open, and when the last one began."""
        with self.read() as db:
            rows = db.execute(
                "SELECT reviewer, count(*), max(created_at) FROM session WHERE expires_at > ? GROUP BY reviewer",
                [utc_now()],
            )
            return {row[0]: (row[1], row[2]) for row in rows}
