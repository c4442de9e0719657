"""Sign-in with Hugging Face: OpenID Connect's authorization code flow with state, nonce and PKCE. No routes, no pages.

The provider says who somebody is; who may come in, and in which role, is said by the settings; sessions are our own
(`annotator.people.accounts`). What a sign-in under way needs is kept in memory for ten minutes, under a random name that only the
browser that began it has, and serves once: a second use of the same answer, or one in another browser, finds nothing.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from annotator.people.accounts import AccountError, Accounts
from annotator.settings import OAuthClient, Settings
from storage.account_records import Identity
from storage.records import InvalidRecord, Role
from storage.store import Store

FLOW_SECONDS = 600.0
MOST_FLOWS = 1000
TIMEOUT_SECONDS = 10.0
CLOCKS_MAY_DIFFER_SECONDS = 60
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"]
DISCOVERY = "/.well-known/openid-configuration"


class OAuthRefused(AccountError):
    """Base of the errors below: nobody was signed in.

    OAuthRefused
    ├── FlowUnknown          begun in another browser, too long ago, or used already: begin again
    ├── PersonNotAllowed     known to the provider, but not named in the settings, or they did not agree
    └── ProviderFailed       the provider did not answer, or not as it should
    """


class FlowUnknown(OAuthRefused):
    """The answer does not belong to a sign-in that is under way."""


class PersonNotAllowed(OAuthRefused):
    """The person may not come in."""


class ProviderFailed(OAuthRefused):
    """The provider could not be asked, or its answer cannot be trusted."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in under way. began: monotonic seconds."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    began: float


class OAuth:
    """Sign-in for one project. `clock` gives seconds that only grow."""

    def __init__(
        self,
        settings: Settings,
        client: OAuthClient,
        store: Store,
        accounts: Accounts,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._client, self._store, self._accounts = settings, client, store, accounts
        self._clock, self._lock = clock, threading.Lock()
        self._flows: dict[str, Flow] = {}

    async def begin(self, redirect_uri: str) -> tuple[str, str]:
        """Returns (address at the provider to send the browser to, name of the flow for a cookie). Raises ProviderFailed."""
        flow = Flow(_random(), _random(), secrets.token_urlsafe(48), redirect_uri, self._clock())
        async with self._session(redirect_uri) as session:
            endpoint = (await self._metadata(session))["authorization_endpoint"]
            url, _ = session.create_authorization_url(
                endpoint, state=flow.state, nonce=flow.nonce, code_verifier=flow.verifier
            )
        name = _random()
        with self._lock:
            fresh = {n: f for n, f in self._flows.items() if self._clock() - f.began < FLOW_SECONDS}
            self._flows = dict(list(fresh.items())[-MOST_FLOWS + 1 :]) | {name: flow}
        return str(url), name

    async def finish(self, name: str | None, answer: Mapping[str, str]) -> str:
        """What the browser brought back becomes a session. Returns its token for the cookie. Raises OAuthRefused, SignInRefused."""
        flow = self._taken(name, answer.get("state", ""))
        if "error" in answer:
            raise PersonNotAllowed(_agreement(answer["error"]))
        async with self._session(flow.redirect_uri) as session:
            metadata = await self._metadata(session)
            token = await self._exchanged(session, metadata, answer.get("code", ""), flow)
            claims = await self._claims(session, metadata, token, flow)
            info = await self._fetched(session, metadata["userinfo_endpoint"], with_token=True)
        if info.get("sub") != claims["sub"]:
            raise ProviderFailed("The provider's two answers are about different people.")
        return self._signed_in(str(claims["sub"]), info)

    def _taken(self, name: str | None, state: str) -> Flow:
        """The flow of that name, which then no longer exists."""
        with self._lock:
            flow = self._flows.pop(name or "", None)
        if flow is None or self._clock() - flow.began > FLOW_SECONDS:
            raise FlowUnknown(
                "This sign-in was used already, took too long, or was begun in another browser. Try again."
            )
        if not secrets.compare_digest(flow.state.encode(), state.encode()):
            raise FlowUnknown("This answer does not belong to the sign-in that was begun here. Try again.")
        return flow

    def _session(self, redirect_uri: str) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            self._client.id,
            self._client.secret,
            scope=self._client.scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT_SECONDS,
        )

    async def _metadata(self, session: AsyncOAuth2Client) -> dict[str, Any]:
        metadata = await self._fetched(session, self._client.provider + DISCOVERY)
        wanted = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
        if str(metadata.get("issuer", "")).rstrip("/") != self._client.provider or not all(map(metadata.get, wanted)):
            raise ProviderFailed(f"{self._client.provider} does not describe itself as an OpenID provider should.")
        return metadata

    async def _fetched(self, session: AsyncOAuth2Client, url: str, *, with_token: bool = False) -> dict[str, Any]:
        try:
            answer = await session.request("GET", url, withhold_token=not with_token)
            answer.raise_for_status()
            value = answer.json()
        except Exception as error:  # the client's HTTP errors have no base that it names
            raise ProviderFailed(self._unreachable(error)) from error
        if not isinstance(value, dict):
            raise ProviderFailed(f"{self._client.provider} gave an answer that is none.")
        return value

    async def _exchanged(
        self, session: AsyncOAuth2Client, metadata: dict[str, Any], code: str, flow: Flow
    ) -> Mapping[str, Any]:
        try:
            token: Mapping[str, Any] = await session.fetch_token(
                metadata["token_endpoint"], code=code, code_verifier=flow.verifier, grant_type="authorization_code"
            )
        except OAuthError as error:
            if error.error == "invalid_grant":
                raise FlowUnknown("The sign-in has expired. Try again.") from error
            raise ProviderFailed(f"{self._client.provider} refused the sign-in ({error.error}).") from error
        except Exception as error:  # as above
            raise ProviderFailed(self._unreachable(error)) from error
        if not token.get("id_token"):
            raise ProviderFailed(f"{self._client.provider} did not say who signed in. The scope openid is needed.")
        return token

    async def _claims(
        self, session: AsyncOAuth2Client, metadata: dict[str, Any], token: Mapping[str, Any], flow: Flow
    ) -> dict[str, Any]:
        """What the ID token says, once its signature, issuer, audience, time and nonce are checked."""
        keys = await self._fetched(session, metadata["jwks_uri"])
        rules = jwt.JWTClaimsRegistry(
            leeway=CLOCKS_MAY_DIFFER_SECONDS,
            iss={"essential": True, "value": metadata["issuer"]},
            aud={"essential": True, "value": self._client.id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": flow.nonce},
        )
        try:
            decoded = jwt.decode(token["id_token"], KeySet.import_key_set(keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]
            rules.validate(decoded.claims)
        except (JoseError, ValueError, KeyError) as error:
            raise ProviderFailed("The provider's statement about who signed in is not valid.") from error
        return decoded.claims

    def _signed_in(self, subject: str, info: Mapping[str, Any]) -> str:
        login = str(info.get("preferred_username") or "").strip()
        role = role_of(self._settings, login, organizations_of(info)) if login else None
        if role is None:
            for identity in self._store.identities():
                if (identity.issuer, identity.subject) == (self._client.provider, subject):
                    _shut_out(self._store, identity)
            raise PersonNotAllowed(
                f"{login or 'This account'} may not use this project. Ask an admin to name you; if it is open to an"
                " organization of yours, allow access to that organization when you sign in."
            )
        try:
            reviewer = self._store.see_identity(
                self._client.provider, subject, login, role, not_to_take=self._settings.local_reviewer
            )
        except InvalidRecord as error:
            raise PersonNotAllowed(str(error)) from error
        return self._accounts.open_session(reviewer)

    def _unreachable(self, error: Exception) -> str:
        return f"{self._client.provider} could not be asked who you are ({type(error).__name__}). Try again later."


def role_of(settings: Settings, login: str, organizations: frozenset[str] = frozenset()) -> Role | None:
    """The role in which the person comes in, None if they may not. Names are compared without regard to case."""
    name = login.casefold()
    if name in _folded(settings.oauth_admins):
        return Role.ADMIN
    if name in _folded(settings.oauth_adjudicators):
        return Role.ADJUDICATOR
    named = name in _folded(settings.oauth_users) or bool(organizations & _folded(settings.oauth_orgs))
    return Role.REVIEWER if named else None


def organizations_of(info: Mapping[str, Any]) -> frozenset[str]:
    """The names of the organizations that the person belongs to, as the provider tells them; a pending request is none."""
    listed = info.get("orgs")
    rows = [o for o in listed if isinstance(o, dict)] if isinstance(listed, list) else []
    return frozenset(str(o.get("preferred_username") or "").casefold() for o in rows if not o.get("pending")) - {""}


def follow_settings(store: Store, settings: Settings) -> list[str]:
    """Hold known people to the settings of this start: sessions and tokens of those who are no longer named end, roles change.

    Members of an organization are looked at again when they sign in; whoever was given a password too keeps coming in with
    it. Returns the names of those who lost access.
    """
    out = []
    for identity in store.identities():
        role = role_of(settings, identity.login)
        if role is None and settings.oauth_orgs:
            role = Role.REVIEWER
        if role is None and _shut_out(store, identity):
            out.append(identity.reviewer)
        elif role is not None and store.reviewer(identity.reviewer).role is not role:
            store.update_reviewer(identity.reviewer, role=role)
    return out


def _shut_out(store: Store, identity: Identity) -> bool:
    """End sessions and access tokens of a person who may not come in any more; False for one who also has a password."""
    if store.password_hash(identity.reviewer) is not None:
        return False
    store.end_sessions_of(identity.reviewer)
    store.revoke_tokens_of(identity.reviewer)
    return True


def _agreement(error: str) -> str:
    if error == "access_denied":
        return "You did not agree to sign in with Hugging Face, so nothing was done."
    return "Hugging Face did not let you sign in. Try again later."


def _folded(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def _random() -> str:
    return secrets.token_urlsafe(32)
