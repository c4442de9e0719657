"""Personal access tokens in the store: only their hashes. Rules are in `annotator.people.tokens`."""

from __future__ import annotations

from storage.account_records import AccessToken
from storage.connection import Connections
from storage.records import NotFound, Reviewer, utc_now
from storage.rows import reviewer_from_row, token_from_row


class TokenStore(Connections):
    """Questions and events about access tokens."""

    def add_token(self, token_sha256: str, reviewer: str, name: str, *, expires_at: str | None) -> AccessToken:
        with self.write() as db:
            cursor = db.conn.execute(
                "INSERT INTO access_token (token_sha256, reviewer, name, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
                [token_sha256, reviewer, name, utc_now(), expires_at],
            )
            return self.token(int(cursor.lastrowid or 0))

    def token(self, token_id: int) -> AccessToken:
        with self.read() as db:
            for row in db.query("SELECT * FROM access_token WHERE id = ?", [token_id]):
                return token_from_row(row)
        raise NotFound(f"There is no access token {token_id}.")

    def tokens(self, *, reviewer: str | None = None, with_ended: bool = True) -> list[AccessToken]:
        """Tokens of the person (of everybody without one), newest first; ended ones were revoked or have expired."""
        with self.read() as db:
            rows = db.query(
                "SELECT * FROM access_token WHERE (:reviewer IS NULL OR reviewer = :reviewer) AND (:with_ended OR"
                " (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now))) ORDER BY id DESC",
                {"reviewer": reviewer, "with_ended": with_ended, "now": utc_now()},
            )
            return [token_from_row(row) for row in rows]

    def token_reviewer(self, token_sha256: str) -> tuple[AccessToken, Reviewer] | None:
        """The token and whose it is, if it was not revoked, has not expired and the person is not disabled."""
        with self.read() as db:
            rows = db.query(
                "SELECT t.id AS token_id, r.* FROM access_token t JOIN reviewer r ON r.name = t.reviewer"
                " WHERE t.token_sha256 = ? AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > ?)"
                " AND r.disabled_at IS NULL",
                [token_sha256, utc_now()],
            )
            return next(((self.token(row["token_id"]), reviewer_from_row(row)) for row in rows), None)

    def touch_token(self, token_id: int) -> None:
        """Remember that the token was used now."""
        with self.write() as db:
            db.conn.execute("UPDATE access_token SET used_at = ? WHERE id = ?", [utc_now(), token_id])

    def revoke_token(self, token_id: int) -> None:
        """End the token for good; ending it twice changes nothing. Raises NotFound."""
        self.token(token_id)
        with self.write() as db:
            db.conn.execute(
                "UPDATE access_token SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", [utc_now(), token_id]
            )

    def revoke_tokens_of(self, reviewer: str) -> int:
        """End every token of the person. Returns how many there were."""
        with self.write() as db:
            return db.conn.execute(
                "UPDATE access_token SET revoked_at = ? WHERE reviewer = ? AND revoked_at IS NULL",
                [utc_now(), reviewer],
            ).rowcount
