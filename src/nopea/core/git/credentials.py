"""From Kubernetes Secrets to Git credentials and a proxy. Pure; error messages name keys, never values."""

from __future__ import annotations

import base64
import binascii
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from nopea.core.git.private_key import is_encrypted, tidy, why_unreadable
from nopea.core.git.source import Credentials, Proxy, host_of, is_ssh
from nopea.core.problem import Code, Problem
from nopea.core.secret import Secret

_TYPES = frozenset(("Opaque", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth"))
_KEYS = "username and password, token, identity with known_hosts, ca.crt"

_BROKEN = ("a value is not valid base64 or not UTF-8.", "Create the Secret again from the right files.")


def parse_credentials(secret: Mapping[str, Any], *, name: str, url: str) -> Credentials | Problem:
    """Read the keys that Nopea knows; a Secret that cannot serve the URL is a Problem naming the key."""

    def problem(message: str, hint: str) -> Problem:
        return _problem(name, message, hint)

    type_ = secret.get("type") or "Opaque"
    if type_ not in _TYPES:
        return problem(
            f"its type is {type_}, so it was not made for Git, and nothing of it is sent.",
            f"Create a Secret of the type Opaque with these keys: {_KEYS}.",
        )
    try:
        values = values_of(secret)
        texts = {
            key: values.get(key, b"").decode()
            for key in ("username", "known_hosts", "ca.crt")
            if key in values
        }
    except (binascii.Error, UnicodeDecodeError, ValueError, TypeError):
        return problem(*_BROKEN)
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


def why_no_proxy(url: str, *, name: str) -> Problem | None:
    """Return why a URL cannot be reached by a proxy: libgit2 would go without it. None if it can."""
    if url.lower().startswith("https://"):
        return None
    return _problem(
        name,
        "spec.proxySecretRef works with https URLs only: Nopea has no proxy for others.",
        "Set spec.url to an https URL, or remove spec.proxySecretRef.",
    )


def parse_proxy(secret: Mapping[str, Any], *, name: str) -> Proxy | Problem:
    """Read a proxy from its Secret; a Secret that cannot be used is a Problem naming the key."""
    type_ = secret.get("type") or "Opaque"
    if type_ not in _TYPES:
        return _problem(
            name,
            f"its type is {type_}, so it was not made for a proxy, and nothing of it is sent.",
            "Create a Secret of the type Opaque with the key address, and username and password if needed.",
        )
    try:
        values = values_of(secret)
        address = values.get("address", b"").decode().strip().rstrip("/")
        username = values.get("username", b"").decode().strip()
    except (binascii.Error, UnicodeDecodeError, ValueError, TypeError):
        return _problem(name, *_BROKEN)
    if not _is_proxy_address(address):
        return _problem(
            name,
            "the value of address is not the URL of an HTTP proxy." if address else "it has no address.",
            "Set address to a URL such as http://proxy.acme.example:3128, without a path. "
            "A login goes into username and password.",
        )
    if ("username" in values) != ("password" in values):
        return _problem(name, "username and password must be set together.", "Add the missing key.")
    return Proxy(address=address, username=username, password=_secret(values, "password"))


def _is_proxy_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    host = host_of(address)
    authority = f"[{host}]" if ":" in host else host
    plain = f"{parts.scheme}://{authority}{f':{port}' if port else ''}"
    return parts.scheme in ("http", "https") and bool(host) and plain == address.lower()


def missing_secret(name: str, namespace: str, *, field: str = "spec.secretRef") -> Problem:
    """Return the problem of a Secret that does not exist and that a field of the spec names."""
    return Problem(
        code=Code.GIT_SECRET_MISSING,
        message=f"Secret {name} does not exist in namespace {namespace}.",
        hint=f"Create it, or correct {field}.name. Nopea looks for it again at every attempt.",
        object=f"Secret {namespace}/{name}",
    )


def _problem(name: str, message: str, hint: str) -> Problem:
    return Problem(code=Code.GIT_SECRET_INVALID, message=f"Secret {name}: {message}", hint=hint)


def values_of(secret: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the values of a Secret. Raises ValueError or TypeError if they are not valid base64."""
    data = secret.get("data") or {}
    return {key: base64.b64decode(value, validate=True) for key, value in data.items() if value is not None}


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
