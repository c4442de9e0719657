"""A stand-in OpenID provider over real HTTP, which checks what Hugging Face checks: client, redirect address, PKCE, single use.

Whoever is sent to it agrees at once, as `person` (or refuses, where `agrees` is False).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.hub.web import Request, Response, WebServer, answer

CLIENT_ID, CLIENT_SECRET = "the-app", "its secret"


@dataclass
class Person:
    """sub: the provider's id. orgs: names of organizations; `pending` ones have not let the person in yet."""

    login: str
    sub: str = ""
    orgs: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()

    def info(self) -> dict[str, Any]:
        orgs = [
            {"sub": f"o-{o}", "preferred_username": o, "pending": o in self.pending}
            for o in (*self.orgs, *self.pending)
        ]
        return {"sub": self.sub or f"id-{self.login}", "preferred_username": self.login, "name": "X", "orgs": orgs}


@dataclass
class Grant:
    person: Person
    nonce: str
    challenge: str
    redirect_uri: str


@dataclass
class OpenIdProvider(WebServer):
    """changed_claims: put into the next ID tokens in place of the right ones. signs_with: another key than the published one."""

    person: Person = field(default_factory=lambda: Person("ana"))
    agrees: bool = True
    expires_codes: bool = False
    changed_claims: dict[str, Any] = field(default_factory=dict)
    signs_with: RSAKey | None = None

    def __post_init__(self) -> None:
        WebServer.__init__(self)
        self._key = RSAKey.generate_key(2048, {"kid": "k1"}, private=True)
        self._grants: dict[str, Grant] = {}
        self._tokens: dict[str, Person] = {}
        self.route("GET", "/.well-known/openid-configuration", self._configuration)
        self.route("GET", "/oauth/authorize", self._authorize)
        self.route("POST", "/oauth/token", self._token)
        self.route("GET", "/oauth/userinfo", self._userinfo)
        self.route("GET", "/oauth/jwks", lambda _: answer({"keys": [self._key.as_dict(private=False)]}))

    def _configuration(self, _: Request) -> Response:
        names = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
        endpoints = {f"{name}_endpoint": f"{self.endpoint}/oauth/{path}" for name, path in names.items()}
        return answer({"issuer": self.endpoint, **endpoints, "jwks_uri": f"{self.endpoint}/oauth/jwks"})

    def _authorize(self, request: Request) -> Response:
        given = request.query
        assert given["client_id"] == CLIENT_ID
        assert given["response_type"] == "code"
        assert given["code_challenge_method"] == "S256"
        assert "openid" in given["scope"].split()
        if not self.agrees:
            back = {"error": "access_denied", "state": given["state"]}
        else:
            code = secrets.token_urlsafe(16)
            self._grants[code] = Grant(self.person, given["nonce"], given["code_challenge"], given["redirect_uri"])
            back = {"code": code, "state": given["state"]}
        return Response(status=302, headers={"Location": f"{given['redirect_uri']}?{urlencode(back)}"})

    def _token(self, request: Request) -> Response:
        form = request.form()
        known = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET.replace(' ', '+')}".encode()).decode()
        plain = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("authorization") not in (f"Basic {known}", f"Basic {plain}"):
            return answer({"error": "invalid_client"}, 401)
        grant = self._grants.pop(form["code"], None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        fits = grant and grant.challenge == challenge and grant.redirect_uri == form["redirect_uri"]
        if grant is None or not fits or self.expires_codes:
            return answer({"error": "invalid_grant"}, 400)
        access = secrets.token_urlsafe(16)
        self._tokens[access] = grant.person
        return answer({"access_token": access, "token_type": "Bearer", "expires_in": 600, "id_token": self._id(grant)})

    def _id(self, grant: Grant) -> str:
        now = int(time.time())
        claims = {"iss": self.endpoint, "aud": CLIENT_ID, "sub": grant.person.info()["sub"], "nonce": grant.nonce}
        claims |= {"iat": now, "exp": now + 600, **self.changed_claims}
        return str(jwt.encode({"alg": "RS256", "kid": "k1"}, claims, self.signs_with or self._key))

    def _userinfo(self, request: Request) -> Response:
        person = self._tokens.get(request.token or "")
        return answer({"error": "invalid_token"}, 401) if person is None else answer(person.info())
