"""What is asked of Google Cloud KMS, and as whom. Servers: tests/keys/test_gcp.py."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from nopea.core.decryption import gcp
from nopea.core.decryption.gcp import GcpAccount
from nopea.core.decryption.keys import GcpKey
from nopea.core.decryption.wire import Declined
from nopea.core.secret import Secret

RESOURCE = "projects/acme-keys/locations/europe-west1/keyRings/shop/cryptoKeys/a"
KEY = GcpKey(id="1", resource=RESOURCE, ciphertext="CiQAx")
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def _pem(key: Any) -> str:
    return str(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
    )


PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FILE = {
    "type": "service_account",
    "private_key_id": "0a1b",
    "private_key": _pem(PRIVATE),
    "client_email": "shop@acme-keys.iam.gserviceaccount.com",
    "token_uri": "https://evil.example/token",
}
CREDENTIALS = json.dumps(FILE)
ACCOUNT = GcpAccount(
    email="shop@acme-keys.iam.gserviceaccount.com",
    key_id="0a1b",
    private_key=Secret(_pem(PRIVATE)),
)


@pytest.mark.parametrize(
    "resource",
    [RESOURCE, "projects/acme.example:keys/locations/global/keyRings/a_B-1/cryptoKeys/c"],
)
def test_keys(resource: str) -> None:
    """A project may belong to a domain."""
    assert gcp.is_written_well(replace(KEY, resource=resource))


@pytest.mark.parametrize(
    "resource",
    [
        "",
        f"{RESOURCE}\n",
        f"/{RESOURCE}",
        f"{RESOURCE}/cryptoKeyVersions/1",
        f"{RESOURCE}:destroy",
        f"{RESOURCE}?x",
        f"{RESOURCE}#x",
        RESOURCE.replace("shop", ".."),
        RESOURCE.replace("acme-keys", ".."),
        RESOURCE.replace("acme-keys", "a..b:c"),
        RESOURCE.replace("shop", "a%2fb"),
    ],
)
def test_what_is_no_key(resource: str) -> None:
    """It would be a part of a URL."""
    assert not gcp.is_written_well(replace(KEY, resource=resource))


def test_a_request() -> None:
    """Neither the token nor what is opened prints."""
    call = gcp.decrypt(KEY, gcp.PUBLIC_URL, Secret("ya29.x"))

    assert call.url == f"https://cloudkms.googleapis.com/v1/{RESOURCE}:decrypt"
    assert call.headers["Authorization"] == "Bearer ya29.x"
    assert json.loads(call.body) == {"ciphertext": "CiQAx"}
    assert "ya29" not in repr(call)


def test_a_service_account_signs_a_token_for_this_service() -> None:
    """For ten minutes. The address in its file gets nothing, and is in nothing."""
    found = gcp.read_credentials(CREDENTIALS.encode())
    assert not isinstance(found, str)
    assert gcp.account_of(found) == ACCOUNT
    assert "PRIVATE" not in repr(ACCOUNT)

    token = gcp.signed_token(ACCOUNT, NOW).reveal().decode()

    claims = jwt.decode(
        token,
        PRIVATE.public_key(),
        algorithms=["RS256"],
        audience="https://cloudkms.googleapis.com/",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert (claims["iss"], claims["sub"]) == (ACCOUNT.email, ACCOUNT.email)
    assert (claims["iat"], claims["exp"]) == (NOW.timestamp(), NOW.timestamp() + 600)
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": "0a1b"}
    assert "evil" not in str(claims)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"type": "authorized_user"}, "of the type authorized_user"),
        ({"type": "Evil\n"}, "not a file of credentials"),
        ({"universe_domain": "other.example"}, "another universe"),
        ({"client_email": "a\nb@c"}, "no client_email"),
        ({"private_key_id": None}, "no private_key_id"),
        ({"private_key": None}, "no private_key of RSA"),
    ],
    ids=str,
)
def test_other_files_are_refused(more: dict[str, Any], why: str) -> None:
    """By their type, and without what is in them."""
    found = gcp.read_credentials(json.dumps({**FILE, **more}).encode())
    if not isinstance(found, str):
        said = gcp.account_of(found)
        assert isinstance(said, str)
        found = said
    assert why in found
    assert "MI" not in found


@pytest.mark.parametrize("sort", ["elliptic", "short", "long", "damaged"])
def test_other_private_keys_are_refused(sort: str) -> None:
    """Google gives RSA keys of 2048 bits; those of 4096 can be uploaded."""
    key = {
        "elliptic": lambda: _pem(ec.generate_private_key(ec.SECP256R1())),
        "short": lambda: _pem(rsa.generate_private_key(65537, 1024)),
        "long": lambda: _pem(PRIVATE) * 10,
        "damaged": lambda: _pem(PRIVATE).replace("MII", "MIX", 1),
    }[sort]()

    assert gcp.account_of({**FILE, "private_key": key}) == (
        "has no private_key of RSA with 2048 to 4096 bits"
    )


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"1", b'"type"', b"\xff"])
def test_what_is_no_file_of_credentials(text: bytes) -> None:
    """Nothing of it is told."""
    assert gcp.read_credentials(text) == "is not a file of credentials in JSON"


def test_numbers_that_are_no_key_sign_nothing_that_is_good() -> None:
    """Whoever gives them gets an error or a wrong signature, and costs nobody anything."""
    one, other = (rsa.generate_private_key(65537, 2048).private_numbers() for _ in range(2))
    mixed = rsa.RSAPrivateNumbers(
        p=one.p,
        q=one.q,
        d=other.d,
        dmp1=other.dmp1,
        dmq1=other.dmq1,
        iqmp=other.iqmp,
        public_numbers=one.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True)
    account = replace(ACCOUNT, private_key=Secret(_pem(mixed)))
    try:
        token = gcp.signed_token(account, NOW).reveal().decode()
    except ValueError:
        return
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(
            token, one.public_numbers.public_key(), algorithms=["RS256"], options={"verify_aud": False}
        )


@pytest.mark.parametrize(
    ("status", "text", "why", "is_busy"),
    [
        (403, '{"error": {"status": "PERMISSION_DENIED", "message": "x"}}', "403, PERMISSION_DENIED", False),
        (429, '{"error": {"status": "RESOURCE_EXHAUSTED"}}', "429, RESOURCE_EXHAUSTED", True),
        (400, '{"error": {"status": "a page"}}', "HTTP 400", False),
        (400, '{"error": "FAILED"}', "HTTP 400", False),
        (503, "", "HTTP 503", True),
        (200, '{"plaintext": "!"}', "without a data key", False),
        (200, '{"plaintext": ""}', "without a data key", False),
        (200, "[]", "without a data key", False),
    ],
)
def test_answers_that_are_no_key(status: int, text: str, why: str, is_busy: bool) -> None:
    """Only names of errors are quoted."""
    found = gcp.decrypted(status, text.encode())

    assert isinstance(found, Declined)
    assert found.is_busy is is_busy
    assert found.why.endswith(why)


def test_the_token_of_a_pod_is_asked_of_the_nodes_server() -> None:
    """With the header that no browser sends."""
    call = gcp.ask_metadata(gcp.METADATA_HOST)

    assert call.method == "GET"
    assert call.headers == {"Metadata-Flavor": "Google"}
    assert call.url == (
        "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
    )
