"""Invitations in the store: only the hashes of their links. Rules are in `annotator.people.invitations`."""

from __future__ import annotations

from storage.account_records import Invitation
from storage.connection import Connections
from storage.records import NotFound, Role, utc_now
from storage.rows import Row, stored

_UNUSED = "used_at IS NULL AND withdrawn_at IS NULL AND expires_at > :now"
_OPEN = (
    f"{_UNUSED} AND EXISTS (SELECT 1 FROM main.reviewer maker"
    " WHERE maker.name = invitation.created_by AND maker.role = 'admin' AND maker.disabled_at IS NULL)"
)
"""SQL: a link can be used while it is neither used nor withdrawn nor old, and who made it could make it now."""


class InvitationStore(Connections):
    """Questions and events about links with which people set their password."""

    def add_invitation(
        self, token_sha256: str, reviewer: str, role: Role | None, *, by: str, expires_at: str
    ) -> Invitation:
        """Store a link; those before it for the same person end."""
        with self.write() as db:
            db.conn.execute(
                f"UPDATE invitation SET withdrawn_at = :now WHERE reviewer = :reviewer AND {_UNUSED}",
                {"now": utc_now(), "reviewer": reviewer},
            )
            cursor = db.conn.execute(
                "INSERT INTO invitation (token_sha256, reviewer, role, created_by, created_at, expires_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [token_sha256, reviewer, role and str(role), by, utc_now(), expires_at],
            )
            return self.invitation(int(cursor.lastrowid or 0))

    def invitation(self, invitation_id: int) -> Invitation:
        with self.read() as db:
            for row in db.query("SELECT * FROM invitation WHERE id = ?", [invitation_id]):
                return _from_row(row)
        raise NotFound(f"There is no invitation {invitation_id}.")

    def open_invitation(self, token_sha256: str) -> Invitation | None:
        """The invitation of a link, if it can still be used."""
        with self.read() as db:
            rows = db.query(
                f"SELECT * FROM invitation WHERE token_sha256 = :token AND {_OPEN}",
                {"token": token_sha256, "now": utc_now()},
            )
            return next((_from_row(row) for row in rows), None)

    def open_invitations(self) -> list[Invitation]:
        """Those that can still be used, newest first."""
        with self.read() as db:
            rows = db.query(f"SELECT * FROM invitation WHERE {_OPEN} ORDER BY id DESC", {"now": utc_now()})
            return [_from_row(row) for row in rows]

    def use_invitation(self, invitation_id: int) -> bool:
        """Mark it as used; False if it could not be used any more."""
        with self.write() as db:
            cursor = db.conn.execute(
                f"UPDATE invitation SET used_at = :now WHERE id = :id AND {_OPEN}",
                {"id": invitation_id, "now": utc_now()},
            )
            return cursor.rowcount == 1

    def withdraw_invitations_of(self, reviewer: str) -> int:
        """End every open link of the person. Returns how many there were."""
        with self.write() as db:
            cursor = db.conn.execute(
                f"UPDATE invitation SET withdrawn_at = :now WHERE reviewer = :reviewer AND {_UNUSED}",
                {"reviewer": reviewer, "now": utc_now()},
            )
            return cursor.rowcount


@stored
def _from_row(row: Row) -> Invitation:
    return Invitation(
        id=row["id"],
        reviewer=row["reviewer"],
        role=None if row["role"] is None else Role(row["role"]),
        created_by=row["created_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        used_at=row["used_at"],
        withdrawn_at=row["withdrawn_at"],
    )
