"""What is known of how people come in: identities of a provider, access tokens, invitations."""

from __future__ import annotations

from dataclasses import dataclass

from storage.records import Role, utc_now


@dataclass(frozen=True, slots=True)
class Identity:
    """A reviewer as an OpenID provider knows them: `subject` is its id of the person, `login` their name there."""

    issuer: str
    subject: str
    reviewer: str
    login: str


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What is known of a personal access token; the token itself is kept nowhere. `used_at` is exact to the minute."""

    id: int
    reviewer: str
    name: str
    created_at: str
    expires_at: str | None = None
    used_at: str | None = None
    revoked_at: str | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """What is known of a link with which somebody sets their password; its secret is kept nowhere. role: None for a new password only."""

    id: int
    reviewer: str
    role: Role | None
    created_by: str
    created_at: str
    expires_at: str
    used_at: str | None = None
    withdrawn_at: str | None = None

    def is_open(self) -> bool:
        return self.used_at is None and self.withdrawn_at is None and self.expires_at > utc_now()
