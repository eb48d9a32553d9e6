"""Key services of clouds on loopback, as their references describe them: real keys and real signatures.

Nobody publishes one that could run here. The clients of `sops` itself accept what these answer.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import jwt
from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.downloads.serving import ThreadedServer, Tls

_RESOURCE = re.compile(
    r"/v1/(projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/:]+):(encrypt|decrypt)"
)
_NONCE = 12
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
_VERSIONS = ("7.4", "7.6", "2025-07-01")
_AUDIENCE = "https://cloudkms.googleapis.com/"


def new_rsa() -> rsa.RSAPrivateKey:
    """Return a new private key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class CloudKms(ThreadedServer):
    """A Google Cloud KMS; it checks who asks."""

    def __init__(self, tls: Tls | None) -> None:
        super().__init__(tls=tls)
        self.decryptions: list[str] = []
        """Who had something decrypted."""
        self._keys: dict[str, AESGCM] = {}
        self._accounts: dict[str, rsa.RSAPublicKey] = {}
        self._tokens: dict[str, str] = {}
        self._allowed: set[tuple[str, str]] = set()

    def create_key(self) -> str:
        """Create a key and return its resource."""
        name = f"projects/acme-keys/locations/eu/keyRings/shop/cryptoKeys/key-{secrets.token_hex(4)}"
        self._keys[name] = AESGCM(AESGCM.generate_key(256))
        return name

    def encrypt(self, resource: str, data_key: bytes) -> str:
        """Return a data key as a SOPS file has it."""
        nonce = secrets.token_bytes(_NONCE)
        return base64.b64encode(nonce + self._keys[resource].encrypt(nonce, data_key, None)).decode()

    def account(self, email: str, *resources: str, **more: str) -> str:
        """Create a service account that may decrypt with keys; return its file of credentials."""
        private = new_rsa()
        self._accounts[email] = private.public_key()
        self._allow(email, resources)
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        found = {
            "type": "service_account",
            "project_id": "acme-keys",
            "private_key_id": secrets.token_hex(20),
            "private_key": pem.decode(),
            "client_email": email,
            "client_id": "111122223333",
            "token_uri": "https://oauth2.googleapis.com/token",
            "universe_domain": "googleapis.com",
            **more,
        }
        return json.dumps(found)

    def token(self, name: str, *resources: str) -> str:
        """Return a token of somebody who may decrypt with keys."""
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self._tokens[token] = name
        self._allow(name, resources)
        return token

    def _allow(self, who: str, resources: tuple[str, ...]) -> None:
        self._allowed |= {(who, resource) for resource in resources}

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as the service does."""
        found = _RESOURCE.fullmatch(request.path)
        if request.method != "POST" or found is None:
            return _error(404, "NOT_FOUND")
        who = self._who(request.headers.get("Authorization", ""))
        if who is None:
            return _error(401, "UNAUTHENTICATED")
        if (who, found[1]) not in self._allowed:
            return _error(403, "PERMISSION_DENIED")
        asked = json.loads(await request.read())
        if found[2] == "encrypt":
            return web.json_response(
                {
                    "name": f"{found[1]}/cryptoKeyVersions/1",
                    "ciphertext": self.encrypt(found[1], base64.b64decode(asked["plaintext"])),
                }
            )
        sealed = base64.b64decode(asked["ciphertext"])
        try:
            plain = self._keys[found[1]].decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
        except (InvalidTag, ValueError):
            return _error(400, "INVALID_ARGUMENT")
        self.decryptions.append(who)
        return web.json_response({"plaintext": base64.b64encode(plain).decode(), "usedPrimary": True})

    def _who(self, header: str) -> str | None:
        token = header.removeprefix("Bearer ")
        if token in self._tokens:
            return self._tokens[token]
        try:
            said = jwt.decode(token, options={"verify_signature": False})
            email = str(said["iss"])
            claims = jwt.decode(
                token,
                self._accounts[email],
                algorithms=["RS256"],
                audience=None if "scope" in said else _AUDIENCE,
                options={"require": ["sub", "iat", "exp", "scope" if "scope" in said else "aud"]},
            )
        except (jwt.InvalidTokenError, KeyError):
            return None
        lives = claims["exp"] - time.time()
        return email if claims["sub"] == email and lives <= 3600 else None


def _error(status: int, name: str) -> web.Response:
    answer: dict[str, Any] = {"error": {"code": status, "message": "internal page", "status": name}}
    return web.json_response(answer, status=status)


class Metadata(ThreadedServer):
    """The metadata server of a node, which gives a Pod its token."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token
        self.asked: list[str] = []

    @property
    def host(self) -> str:
        """What `GCE_METADATA_HOST` names."""
        return f"127.0.0.1:{self.port}"

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as it does."""
        self.asked.append(f"{request.method} {request.path}")
        if request.headers.get("Metadata-Flavor") != "Google":
            return web.Response(status=403)
        if request.path != "/computeMetadata/v1/instance/service-accounts/default/token":
            return web.Response(status=404)
        found = {"access_token": self.token, "expires_in": 3599, "token_type": "Bearer"}
        return web.json_response(found, headers={"Metadata-Flavor": "Google"})


class AzureCloud(ThreadedServer):
    """A vault of Azure, and the Microsoft Entra where its clients log in; both check who asks."""

    TENANT = "0a1b2c3d-0000-4000-8000-000000000001"

    def __init__(self, tls: Tls) -> None:
        super().__init__(tls=tls)
        self.logins: list[tuple[str, str]] = []
        """Who logged in, and for which scope."""
        self.decryptions: list[str] = []
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self._proofs: dict[str, str] = {}
        self._tokens: dict[str, tuple[str, str]] = {}
        self._allowed: set[tuple[str, str]] = set()

    def create_key(self) -> str:
        """Create a key and return NAME/VERSION."""
        name = f"key-{secrets.token_hex(4)}/{secrets.token_hex(16)}"
        self._keys[name] = new_rsa()
        return name

    def encrypt(self, key: str, data_key: bytes) -> str:
        """Return a data key as a SOPS file has it."""
        return _for_urls(self._keys[key].public_key().encrypt(data_key, _OAEP))

    def client(self, client: str, *keys: str, proof: str = "") -> str:
        """Create a client that may decrypt with keys; return its secret, unless a token proves it."""
        self._proofs[client] = proof or f"8Q~{secrets.token_urlsafe(24)}"
        self._allowed |= {(client, key) for key in keys}
        return self._proofs[client]

    def revoke(self) -> None:
        """Forget all tokens."""
        self._tokens.clear()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as both do."""
        if request.path == f"/{self.TENANT}/oauth2/v2.0/token":
            return self._log_in(dict(parse_qsl(await request.text())))
        found = re.fullmatch(r"/keys/([^/]+/[^/]+)/(encrypt|decrypt)", request.path)
        if request.method != "POST" or found is None or request.query.get("api-version") not in _VERSIONS:
            return _azure_error(404, "NotFound")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        who, scope = self._tokens.get(token, ("", ""))
        if scope != "https://vault.azure.net/.default":
            challenge = (
                f'Bearer authorization="{self.origin}/{self.TENANT}", resource="https://vault.azure.net"'
            )
            return _azure_error(401, "Unauthorized", headers={"WWW-Authenticate": challenge})
        if (who, found[1]) not in self._allowed:
            return _azure_error(403, "Forbidden", inner="ForbiddenByRbac")
        asked = json.loads(await request.read())
        if asked["alg"] != "RSA-OAEP-256":
            return _azure_error(400, "BadParameter")
        value = base64.urlsafe_b64decode(asked["value"] + "=" * (-len(asked["value"]) % 4))
        if found[2] == "encrypt":
            return self._result(found[1], self._keys[found[1]].public_key().encrypt(value, _OAEP))
        try:
            plain = self._keys[found[1]].decrypt(value, _OAEP)
        except ValueError:
            return _azure_error(400, "BadParameter")
        self.decryptions.append(who)
        return self._result(found[1], plain)

    def _result(self, key: str, value: bytes) -> web.Response:
        return web.json_response({"kid": f"{self.origin}/keys/{key}", "value": _for_urls(value)})

    def _log_in(self, fields: dict[str, str]) -> web.Response:
        client, proof = fields.get("client_id", ""), fields.get("client_secret")
        if fields.get("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            proof = fields.get("client_assertion")
        if fields.get("grant_type") != "client_credentials" or proof != self._proofs.get(client, ""):
            said = {"error": "invalid_client", "error_description": "internal page"}
            return web.json_response(said, status=401)
        scope, token = fields["scope"], f"eyJ.{secrets.token_urlsafe(24)}"
        self.logins.append((client, scope))
        self._tokens[token] = (client, scope)
        return web.json_response({"token_type": "Bearer", "expires_in": 3599, "access_token": token})


def _for_urls(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _azure_error(
    status: int, code: str, *, inner: str = "", headers: dict[str, str] | None = None
) -> web.Response:
    error: dict[str, Any] = {"code": code, "message": "internal page"}
    if inner:
        error["innererror"] = {"code": inner}
    return web.json_response({"error": error}, status=status, headers=headers)


ANSWER = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA{number}</AccessKeyId>
<SecretAccessKey>given</SecretAccessKey><SessionToken>session</SessionToken>
<Expiration>2026-11-01T01:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


class Sts(ThreadedServer):
    """Gives a login for the token "token of the pod", each with another name."""

    def __init__(self, tls: Tls) -> None:
        super().__init__(tls=tls)
        self.asked: list[dict[str, str]] = []

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as STS does."""
        fields = dict(parse_qsl(await request.text()))
        self.asked.append(fields)
        if fields["Action"] == "AssumeRole":
            assert "Credential=AKIASHOP/" in request.headers["Authorization"]
            return web.Response(text=ANSWER.format(number=len(self.asked)))
        if fields.get("WebIdentityToken") != "token of the pod":
            refusal = "<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>"
            return web.Response(status=400, text=refusal)
        assert "Authorization" not in request.headers
        return web.Response(text=ANSWER.format(number=len(self.asked)))


class Agent(ThreadedServer):
    """The agent of EKS Pod KeyIdentity, on this host; each login has another name, and ends in an hour."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, str]] = []

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as the agent does."""
        self.asked.append((request.method, request.path, request.headers.get("Authorization", "")))
        if self.asked[-1][2] != "token of the pod":
            return web.Response(status=400, text="(AccessDeniedException): unauthorized")
        ends = datetime.now(UTC) + timedelta(hours=1)
        login = {
            "AccessKeyId": f"ASIAPOD{len(self.asked)}",
            "SecretAccessKey": "given",
            "Token": "session",
            "AccountId": "111122223333",
            "Expiration": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
        }
        return web.json_response(login)


class Dripping(ThreadedServer):
    """Gives one answer to everything, slowly if it is asked to."""

    def __init__(self, tls: Tls, answer: web.Response | None) -> None:
        super().__init__(tls=tls)
        self.seen: list[str] = []
        self._answer = answer

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer, or drip for ever."""
        self.seen.append(request.path)
        if self._answer is not None:
            return web.Response(
                status=self._answer.status, body=self._answer.body, headers=self._answer.headers
            )
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)
