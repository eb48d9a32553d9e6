"""What is asked of Google Cloud KMS, as whom, and what its answers mean. Pure.

A service account is proven by a token that its key signs for this one service (AIP-4111), as Google's own
clients do it. So no address in a login is ever used.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from nopea.core.decryption import oauth
from nopea.core.decryption.keys import GcpKey
from nopea.core.decryption.wire import OK, Call, Declined, data_key, declined
from nopea.core.secret import Secret

PUBLIC_URL = "https://cloudkms.googleapis.com"
METADATA_HOST = "metadata.google.internal"
UNIVERSE = "googleapis.com"
_NAME = "[A-Za-z0-9_-]{1,63}"
_RESOURCE = re.compile(
    rf"projects/(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+:)?[a-z0-9-]{{1,63}}/locations/[a-z0-9-]{{1,63}}"
    rf"/keyRings/{_NAME}/cryptoKeys/{_NAME}"
)
_TOKEN_PATH = "computeMetadata/v1/instance/service-accounts/default/token"
_SECONDS = 600
_BITS = range(2048, 4097)
_MAX_KEY = 8192
_EMAIL = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+")
_REASON = re.compile(r"[A-Z_]{1,64}")
_TYPE = re.compile(r"[a-z_]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GcpAccount:
    """A service account with a private key, in PEM."""

    email: str
    key_id: str
    private_key: Secret


def is_written_well(key: GcpKey) -> bool:
    """Return whether a key is written as one of Google Cloud KMS: nothing else gets into a URL."""
    return bool(_RESOURCE.fullmatch(key.resource))


def read_credentials(text: bytes) -> Mapping[str, Any] | str:
    """Return a file of credentials in JSON, or what is wrong with it, as the end of a sentence about it."""
    try:
        found = orjson.loads(text)
        type_ = str(found["type"])
    except (ValueError, KeyError, TypeError):
        return "is not a file of credentials in JSON"
    if not isinstance(found, dict):
        return "is not a file of credentials in JSON"
    if found.get("universe_domain", UNIVERSE) != UNIVERSE:
        return f"is for another universe than {UNIVERSE}"
    if not _TYPE.fullmatch(type_):
        return "is not a file of credentials in JSON"
    return found


def account_of(found: Mapping[str, Any]) -> GcpAccount | str:
    """Return the service account of a file of credentials, or what is wrong with it."""
    if found["type"] != "service_account":
        return f"has credentials of the type {found['type']}; only those of a service_account are used"
    email, key_id, pem = (found.get(each) for each in ("client_email", "private_key_id", "private_key"))
    if not isinstance(email, str) or not _EMAIL.fullmatch(email) or not isinstance(key_id, str):
        return "has no client_email or no private_key_id"
    account = GcpAccount(email=email, key_id=key_id, private_key=Secret(str(pem)))
    try:
        _load(account)
    except ValueError:
        return "has no private_key of RSA with 2048 to 4096 bits"
    return account


def signed_token(account: GcpAccount, now: datetime) -> Secret:
    """Return a token for the service, good for ten minutes. Raises ValueError if the key is not one.

    It takes some milliseconds.
    """
    from cryptography.exceptions import InternalError
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    at = int(now.timestamp())
    claims = {
        "iss": account.email,
        "sub": account.email,
        "aud": f"{PUBLIC_URL}/",
        "iat": at,
        "exp": at + _SECONDS,
    }
    header = {"alg": "RS256", "typ": "JWT", "kid": account.key_id}
    content = b".".join(_encoded(orjson.dumps(part)) for part in (header, claims))
    try:
        signature = _load(account).sign(content, PKCS1v15(), SHA256())
    except InternalError as error:
        raise ValueError("the key cannot sign") from error
    return Secret(content + b"." + _encoded(signature))


def ask_metadata(host: str) -> Call:
    """Ask the metadata server of a node, or what GKE puts in front of it, for a token of the Pod."""
    return Call(method="GET", url=f"http://{host}/{_TOKEN_PATH}", headers={"Metadata-Flavor": "Google"})


def decrypt(key: GcpKey, url: str, token: Secret) -> Call:
    """Ask for a data key."""
    return Call(
        url=f"{url}/v1/{key.resource}:decrypt",
        headers={"Content-Type": "application/json", "Authorization": oauth.bearer(token)},
        body=orjson.dumps({"ciphertext": key.ciphertext}),
    )


def decrypted(status: int, body: bytes) -> Secret | Declined:
    """Read the data key from an answer."""
    if status == OK:
        return data_key(body, "plaintext")
    reason = ""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        reason = str(orjson.loads(body)["error"]["status"])
    return declined(status, reason if _REASON.fullmatch(reason) else "")


def _load(account: GcpAccount) -> Any:
    """Return the private key. Raises ValueError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = account.private_key.reveal()
    if len(pem) > _MAX_KEY:
        raise ValueError("the key is too long")
    try:
        # Whether the numbers are a key costs a hundred times more than to sign with them, and who has given
        # wrong ones gets a wrong signature.
        key = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("the key cannot be read") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size not in _BITS:
        raise ValueError("the key is of another type or size")
    return key


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")
