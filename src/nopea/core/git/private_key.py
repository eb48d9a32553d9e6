"""Look at an SSH private key without opening it: can libssh2 read its format, and is it encrypted? Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

_PEM = re.compile(
    rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----\s*\n(?P<body>.*?)-----END (?P=label)-----", re.DOTALL
)
_OPENSSH = b"openssh-key-v1\0"
_PUBLIC = (
    b"ssh-",
    b"ecdsa-",
    b"sk-",
    b"-----BEGIN PUBLIC",
    b"-----BEGIN RSA PUBLIC",
    b"---- BEGIN SSH2",
)
# What libssh2 1.11 opens; it lacks chacha20-poly1305.
_CIPHERS = re.compile(rb"none|3des-cbc|aes(128|192|256)-(cbc|ctr)|aes(128|256)-gcm@openssh\.com")
_TYPES = re.compile(rb"ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp(256|384|521)")


def tidy(key: bytes) -> bytes:
    """Return a key as OpenSSH wants it: nothing before it, and a line's end after it."""
    stripped = key.removeprefix(b"\xef\xbb\xbf").strip()
    return stripped + b"\n" if stripped else b""


def why_unreadable(key: bytes) -> str:
    """Return what is wrong with a tidy key, as the end of a sentence about it; empty if it looks good."""
    if key.startswith(_PUBLIC):
        return "is a public key; the private one is in the file that ssh-keygen wrote beside it, without .pub"
    if key.startswith(b"PuTTY-User-Key-File"):
        return "is in PuTTY's format; convert it with `puttygen KEY -O private-openssh -o identity`"
    pem = _PEM.match(key)
    if pem is None:
        return "is not a private key in PEM, from BEGIN … PRIVATE KEY to END … PRIVATE KEY"
    label = pem["label"]
    if not label.endswith(b"PRIVATE KEY"):
        return f"holds a {label.decode().lower()} and not a private key"
    if label == b"DSA PRIVATE KEY":
        return "is a DSA key, which SSH servers no longer accept"
    if label != b"OPENSSH PRIVATE KEY":
        return ""
    fields = list(_openssh_fields(pem["body"]))
    if not fields:
        return "is damaged: its lines are not base64 of OpenSSH's format"
    cipher, type_ = fields
    if not _CIPHERS.fullmatch(cipher):
        return (
            f"is encrypted with {_shown(cipher)}, which libssh2 cannot open; "
            "encrypt it again with `ssh-keygen -p -Z aes256-ctr -f identity`"
        )
    if not _TYPES.fullmatch(type_):
        return f"is of the type {_shown(type_)}; Nopea takes ed25519, ECDSA and RSA"
    return ""


def is_encrypted(key: bytes) -> bool:
    """Return whether a tidy key needs a passphrase; False for what is not a private key."""
    pem = _PEM.match(key)
    if pem is None:
        return False
    if pem["label"] == b"OPENSSH PRIVATE KEY":
        return next(_openssh_fields(pem["body"]), b"none") != b"none"
    return pem["label"].startswith(b"ENCRYPTED") or b"ENCRYPTED" in pem["body"][:100]


def _openssh_fields(body: bytes) -> Iterator[bytes]:
    """Yield the cipher and the type of an OpenSSH key; nothing if it is damaged."""
    try:
        data = base64.b64decode(b"".join(body.split()), validate=True)
        if not data.startswith(_OPENSSH):
            return
        cipher, data = _string(data[len(_OPENSSH) :])
        _, data = _string(data)  # how the passphrase becomes a key
        _, data = _string(data)
        public, _ = _string(data[4:])  # after the number of keys
        type_, _ = _string(public)
    except (binascii.Error, ValueError):
        return
    yield cipher
    yield type_


def _string(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:4], "big")
    if len(data) < 4 + size:
        raise ValueError
    return data[4 : 4 + size], data[4 + size :]


def _shown(name: bytes) -> str:
    return name[:60].decode("ascii", errors="replace")
