"""A token server on loopback, as GHCR and Docker Hub have one: bearer tokens for a login, or for anybody.

It signs what https://distribution.github.io/distribution/spec/auth/token/ defines; the registry verifies it.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Collection
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from tests.downloads.serving import Login, ThreadedServer, Tls

SERVICE = "registry.acme.example"
ISSUER = "tokens.acme.example"
_KEY_ID = "acme-1"


class TokenServer(ThreadedServer):
    """Give tokens: to `login` for everything, to anybody for pulling from the `public` repositories.

    `asked` has one (user, scopes) for each request; the user is empty without a login. Tokens are good for
    `lifetime_seconds`, and a minute more, which the registry allows for clocks.
    """

    def __init__(
        self,
        login: Login,
        *,
        public: Collection[str] = (),
        tls: Tls | None = None,
        lifetime_seconds: int = 300,
    ) -> None:
        super().__init__(tls=tls)
        self.login = login
        self.public = set(public)
        self.lifetime_seconds = lifetime_seconds
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def realm(self) -> str:
        """The URL that gives tokens."""
        return f"{self.origin}/token"

    def jwks(self) -> str:
        """Return the public key as the registry reads it."""
        point = self._key.public_key().public_numbers()
        key = {"kty": "EC", "crv": "P-256", "kid": _KEY_ID, "use": "sig", "alg": "ES256"}
        key |= {"x": _base64(point.x.to_bytes(32)), "y": _base64(point.y.to_bytes(32))}
        return json.dumps({"keys": [key]})

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer `GET /token?service=…&scope=…`."""
        if (request.method, request.path) != ("GET", "/token"):
            return web.Response(status=404)
        header = request.headers.get("Authorization", "")
        known = self.login.allows(header)
        scopes = tuple(scope for each in request.query.getall("scope", []) for scope in each.split())
        self.asked.append((self.login.username if known else "", scopes))
        if header and not known:
            return web.json_response({"details": "incorrect username or password"}, status=401)
        if request.query.get("service") != SERVICE:
            return web.json_response({"details": "unknown service"}, status=400)
        token = self.token(scopes, known=known)
        answered = {"token": token, "access_token": token, "expires_in": self.lifetime_seconds}
        return web.json_response(answered)

    def token(self, scopes: Collection[str], *, known: bool) -> str:
        """Sign a token for those of the scopes, like `repository:team/app:pull,push`, that are granted."""
        now = int(time.time())
        claims = {
            "iss": ISSUER, "aud": SERVICE, "sub": self.login.username if known else "",
            "jti": str(uuid.uuid4()), "iat": now, "nbf": now, "exp": now + self.lifetime_seconds,
            "access": [self._granted(scope, known=known) for scope in scopes],
        }  # fmt: skip
        head = {"typ": "JWT", "alg": "ES256", "kid": _KEY_ID}
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_base64(r.to_bytes(32) + s.to_bytes(32))}"

    def _granted(self, scope: str, *, known: bool) -> dict[str, Any]:
        kind, _, rest = scope.partition(":")
        name, _, wanted = rest.rpartition(":")
        allowed = {"pull"} if name in self.public else set()
        actions = [action for action in wanted.split(",") if known or action in allowed]
        return {"type": kind, "name": name, "actions": actions}


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
