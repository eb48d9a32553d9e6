"""From a Kubernetes Secret to Git credentials. Pure; error messages name keys, never values."""

from __future__ import annotations

import base64
import binascii
import ssl
from collections.abc import Mapping
from typing import Any

from nopea.core.git.private_key import is_encrypted, tidy, why_unreadable
from nopea.core.git.source import Credentials, is_ssh
from nopea.core.problem import Code, Problem
from nopea.core.secret import Secret

_TYPES = frozenset(("Opaque", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth"))
_KEYS = "username and password, token, identity with known_hosts, ca.crt"


def parse_credentials(secret: Mapping[str, Any], *, name: str, url: str) -> Credentials | Problem:
    """Read the keys that Nopea knows; a Secret that cannot serve the URL is a Problem naming the key."""

    def problem(message: str, hint: str) -> Problem:
        return Problem(code=Code.GIT_SECRET_INVALID, message=f"Secret {name}: {message}", hint=hint)

    type_ = secret.get("type") or "Opaque"
    if type_ not in _TYPES:
        return problem(
            f"its type is {type_}, so it was not made for Git, and nothing of it is sent.",
            f"Create a Secret of the type Opaque with these keys: {_KEYS}.",
        )
    data = secret.get("data") or {}
    try:
        values = {
            key: base64.b64decode(value, validate=True) for key, value in data.items() if value is not None
        }
        texts = {
            key: values.get(key, b"").decode()
            for key in ("username", "known_hosts", "ca.crt")
            if key in values
        }
    except (binascii.Error, UnicodeDecodeError, ValueError, TypeError):
        return problem(
            "a value is not valid base64 or not UTF-8.", "Create the Secret again from the right files."
        )
    ssh = is_ssh(url)
    if ssh and "identity" not in values:
        return problem(
            "an SSH URL needs the key identity (a private key).",
            "Add identity and known_hosts to the Secret.",
        )
    if ssh and not texts.get("known_hosts", "").strip():
        return problem(
            "an SSH URL needs the key known_hosts, because unknown host keys are refused.",
            "Add the output of `ssh-keyscan HOST` as known_hosts, after you have checked its fingerprint.",
        )
    identity = tidy(values.get("identity", b""))
    passphrase = _secret(values, "identity_password") or _secret(values, "password")
    if ssh and (reason := why_unreadable(identity)):
        return problem(f"the value of identity {reason}.", "Set identity to a private key that has access.")
    if ssh and is_encrypted(identity) and not passphrase:
        return problem(
            "the private key in identity is encrypted, and there is no passphrase for it.",
            "Add the key identity_password, or use a key without a passphrase.",
        )
    if not ssh and "tls.key" in values and not values.keys() & {"password", "token"}:
        return problem(
            "client certificates (tls.crt, tls.key) are not supported, and it holds no other login.",
            "Use username and password, a token, or an SSH URL with identity and known_hosts.",
        )
    if not ssh and not values.keys() & {"username", "password", "token", "ca.crt"}:
        return problem("none of its keys is for an HTTP URL.", f"Nopea reads these keys: {_KEYS}.")
    if url.startswith("https:") and texts.get("ca.crt") and not _holds_certificates(texts["ca.crt"]):
        return problem(
            "the value of ca.crt holds no PEM certificates.",
            "Set it to the certificate of the authority, from BEGIN CERTIFICATE to END CERTIFICATE.",
        )
    if (
        ("username" in values) != ("password" in values)
        and "token" not in values
        and "identity" not in values
    ):
        return problem("username and password must be set together.", "Add the missing key, or use token.")
    return Credentials(
        username=texts.get("username", "").strip(),
        password=_secret(values, "password"),
        token=_secret(values, "token"),
        identity=Secret(identity),
        identity_password=passphrase,
        known_hosts=texts.get("known_hosts", ""),
        ca_crt=texts.get("ca.crt", ""),
    )


def missing_secret(name: str, namespace: str) -> Problem:
    """Return the problem of a Secret that does not exist."""
    return Problem(
        code=Code.GIT_SECRET_MISSING,
        message=f"Secret {name} does not exist in namespace {namespace}.",
        hint="Create it, or correct spec.secretRef.name. Nopea looks for it again at every attempt.",
        object=f"Secret {namespace}/{name}",
    )


def _holds_certificates(text: str) -> bool:
    """Whether TLS libraries can read the text: one that they cannot would cost a Git child its start."""
    pem = text.encode("ascii", errors="replace").decode()  # comments in bundles have names in any language
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _secret(values: Mapping[str, bytes], key: str) -> Secret:
    """Values are stripped: a trailing newline in a password file is the commonest mistake there is."""
    return Secret(values.get(key, b"").strip())
