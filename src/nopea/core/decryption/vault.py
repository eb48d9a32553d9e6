"""What is asked of Vault's transit engine, and what its answers mean. Pure."""

from __future__ import annotations

import re

import orjson

from nopea.core.decryption.keys import VaultKey
from nopea.core.decryption.wire import OK, Call, Declined, Lent, data_key, declined
from nopea.core.secret import Secret

_ADDRESS = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?")
_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+"
_MOUNT = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_NAME = re.compile(_SEGMENT)
_KUBERNETES = "kubernetes"
_MAX_SECONDS = 3600.0
_REASONS = ("permission denied", "encryption key not found", "invalid ciphertext", "no handler for route")


def is_written_well(key: VaultKey) -> bool:
    """Return whether a key is written as one of Vault: nothing else gets into a URL."""
    return bool(_ADDRESS.fullmatch(key.address) and _MOUNT.fullmatch(key.mount) and _NAME.fullmatch(key.name))


def decrypt(key: VaultKey, token: Secret) -> Call:
    """Ask for a data key."""
    return Call(
        url=f"{key.address}/v1/{key.mount}/decrypt/{key.name}",
        headers={
            "Content-Type": "application/json",
            "X-Vault-Request": "true",
            "X-Vault-Token": token.reveal().decode("latin-1"),
        },
        body=orjson.dumps({"ciphertext": key.ciphertext}),
    )


def decrypted(status: int, body: bytes) -> Secret | Declined:
    """Read the data key from an answer."""
    return data_key(body, "data", "plaintext") if status == OK else _declined(status, body)


def log_in(address: str, role: str, token: Secret) -> Call:
    """Ask for a token, for that of a service account; `role` is `ROLE` or `MOUNT/ROLE` of the method."""
    mount, _, name = role.rpartition("/")
    return Call(
        url=f"{address}/v1/auth/{mount or _KUBERNETES}/login",
        headers={"Content-Type": "application/json", "X-Vault-Request": "true"},
        body=orjson.dumps({"role": name, "jwt": token.reveal().decode("latin-1")}),
    )


def logged_in(status: int, body: bytes) -> Lent[Secret] | Declined:
    """Read the token from an answer."""
    if status != OK:
        return _declined(status, body)
    try:
        auth = orjson.loads(body)["auth"]
        return Lent(Secret(str(auth["client_token"])), min(float(auth["lease_duration"]), _MAX_SECONDS))
    except (ValueError, KeyError, TypeError):
        return Declined("the service answered without a token")


def is_role(text: str) -> bool:
    """Return whether a text is a role, perhaps with the mount of its method."""
    return bool(_MOUNT.fullmatch(text))


def _declined(status: int, body: bytes) -> Declined:
    text = body.decode(errors="replace")
    return declined(status, next((reason for reason in _REASONS if reason in text), ""))
