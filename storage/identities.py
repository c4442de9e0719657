"""People as an OpenID provider knows them, in the store. Who may come in is decided in `annotator.people.oauth`."""

from __future__ import annotations

from storage.account_records import Identity
from storage.connection import Connections
from storage.records import InvalidRecord, Role, utc_now
from storage.sqlite import Database


class IdentityStore(Connections):
    """Questions and events about identities and their sessions."""

    def identities(self) -> list[Identity]:
        with self.read() as db:
            rows = db.query("SELECT issuer, subject, reviewer, login FROM identity ORDER BY reviewer")
            return [Identity(**row) for row in rows]

    def see_identity(self, issuer: str, subject: str, login: str, role: Role, *, not_to_take: str) -> str:
        """Note that the person has signed in with this role. Returns the reviewer's name, which is `login` at the first time.

        A reviewer of that name who cannot sign in (an imported annotator) becomes that person. Raises InvalidRecord if the
        name belongs to somebody who can, or is `not_to_take`.
        """
        with self.write() as db:
            known = list(db.query("SELECT reviewer FROM identity WHERE issuer = ? AND subject = ?", [issuer, subject]))
            name = known[0]["reviewer"] if known else self._name_for(db, login, not_to_take)
            db.conn.execute(
                "INSERT INTO main.reviewer (name, role, created_at) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET role = excluded.role, import_id = NULL",
                [name, str(role), utc_now()],
            )
            db.conn.execute(
                "INSERT INTO identity (issuer, subject, reviewer, login, created_at, seen_at) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (issuer, subject) DO UPDATE SET login = excluded.login, seen_at = excluded.seen_at",
                [issuer, subject, name, login, utc_now(), utc_now()],
            )
        return str(name)

    @staticmethod
    def _name_for(db: Database, login: str, not_to_take: str) -> str:
        rows = db.query(
            "SELECT 1 FROM reviewer r WHERE r.name = ? AND (r.password_hash IS NOT NULL OR EXISTS"
            " (SELECT 1 FROM identity i WHERE i.reviewer = r.name))",
            [login],
        )
        if login == not_to_take or any(rows):
            raise InvalidRecord(f"The name {login} belongs to somebody else in this project already.")
        return login
