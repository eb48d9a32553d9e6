"""Logins at key services that a tenant has in the Secret of spec.decryption, under Flux's names. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from nopea.core.decryption.azure import AzureLogin, login_of
from nopea.core.decryption.gcp import GcpAccount, account_of, read_credentials
from nopea.core.decryption.sigv4 import AwsLogin
from nopea.core.problem import Code, Problem
from nopea.core.secret import Secret

VAULT_TOKEN = "sops.vault-token"
AWS_KMS = "sops.aws-kms"
GCP_KMS = "sops.gcp-kms"
AZURE_KV = "sops.azure-kv"
LOGINS = (VAULT_TOKEN, AWS_KMS, GCP_KMS, AZURE_KV)
"""What a Secret may have instead of private keys."""
CA_CRT = "ca.crt"
_NO_SECRET = Secret(b"")
_FIELDS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
# A mapping of YAML, or a line of an INI file.
_LINE = re.compile(r"""^\s*(aws_[a-z_]+)\s*[:=]\s*(["']?)([!-~]*?)\2\s*(?:#.*)?$""", re.MULTILINE)
_PRINTED = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLogins:
    """What a tenant may use; nothing in it prints."""

    vault_token: Secret = _NO_SECRET
    aws: AwsLogin | None = field(default=None, repr=False)
    gcp: GcpAccount | None = field(default=None, repr=False)
    azure: AzureLogin | None = field(default=None, repr=False)
    ca_crt: str = field(default="", repr=False)
    """PEM certificates of authorities that are trusted beside those of the system."""

    def digest(self) -> bytes:
        """Return what tells logins apart, and does not tell them."""
        parts: list[Any] = [self.vault_token.reveal(), self.ca_crt]
        if (aws := self.aws) is not None:
            parts += ["aws", aws.access_key, aws.secret_key.reveal(), aws.session_token.reveal()]
        if (gcp := self.gcp) is not None:
            parts += ["gcp", gcp.email, gcp.key_id, gcp.private_key.reveal()]
        if (azure := self.azure) is not None:
            parts += ["azure", azure.tenant, azure.client, azure.secret.reveal(), azure.authority]
        return hashlib.sha256(msgspec.msgpack.encode(parts)).digest()


NO_KEY_LOGINS = KeyLogins()


def parse_key_logins(data: Mapping[str, bytes], *, name: str) -> KeyLogins | Problem:
    """Read the decoded data of the Secret called `name`."""
    token = data.get(VAULT_TOKEN, b"").strip()
    if token and not _PRINTED.fullmatch(token.decode("latin-1")):
        return _invalid(name, VAULT_TOKEN, "is not a token")
    aws = _aws(data[AWS_KMS]) if AWS_KMS in data else None
    if isinstance(aws, str):
        return _invalid(name, AWS_KMS, aws)
    gcp = _gcp(data[GCP_KMS]) if GCP_KMS in data else None
    if isinstance(gcp, str):
        return _invalid(name, GCP_KMS, gcp)
    azure = _azure(data[AZURE_KV]) if AZURE_KV in data else None
    if isinstance(azure, str):
        return _invalid(name, AZURE_KV, azure)
    ca_crt = data.get(CA_CRT, b"").decode(errors="replace")
    return KeyLogins(vault_token=Secret(token), aws=aws, gcp=gcp, azure=azure, ca_crt=ca_crt)


def _aws(text: bytes) -> AwsLogin | str:
    found = _lines(text)
    access_key, secret_key, session_token = (found.get(each, "") for each in _FIELDS)
    if not access_key or not secret_key:
        return "has no aws_access_key_id and aws_secret_access_key"
    return AwsLogin(access_key=access_key, secret_key=Secret(secret_key), session_token=Secret(session_token))


def _gcp(text: bytes) -> GcpAccount | str:
    found = read_credentials(text)
    return found if isinstance(found, str) else account_of(found)


def _azure(text: bytes) -> AzureLogin | str:
    try:
        fields = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return login_of(_lines(text))
    return login_of({name: value for name, value in fields.items() if isinstance(value, str)})


def _lines(text: bytes) -> dict[str, str]:
    """Return the values of a flat mapping in YAML, or of an INI file; none that cannot be one of a login."""
    found = {}
    for line in text.decode(errors="replace").splitlines():
        name, separator, value = line.partition(":" if ":" in line.partition("=")[0] else "=")
        value = value.partition(" #")[0].strip()
        if value[:1] in ("'", '"') and value[-1:] == value[:1]:
            value = value[1:-1]
        if separator and _PRINTED.fullmatch(value):
            found[name.strip()] = value
    return found


def _invalid(name: str, key: str, why: str) -> Problem:
    return Problem(
        code=Code.DECRYPTION_LOGIN,
        message=f"Secret {name}: the value of {key} {why}.",
        hint="Correct the Secret that spec.decryption names.",
    )
