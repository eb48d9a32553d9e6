"""What can be said about a private key without opening it."""

from __future__ import annotations

import base64

import pytest

from nopea.core.git.private_key import is_encrypted, tidy, why_unreadable


def pem(label: str, body: str = "AAAA") -> bytes:
    """Return a text in PEM."""
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n".encode()


def openssh(*, cipher: str = "none", type_: str = "ssh-ed25519") -> bytes:
    """Return the beginning of an OpenSSH key."""

    def string(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    data = string(cipher.encode()) + string(b"kdf") + string(b"") + b"\0\0\0\1"
    data += string(string(type_.encode()) + string(bytes(32)))
    return pem("OPENSSH PRIVATE KEY", base64.encodebytes(b"openssh-key-v1\0" + data).decode().strip())


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (b"", "not a private key"),
        (b"c3NoLWVkMjU1MTk=", "not a private key"),
        (pem("OPENSSH PRIVATE KEY")[:-10], "not a private key"),
        (b"ssh-ed25519 AAAA acme\n", "public key"),
        (pem("PUBLIC KEY"), "public key"),
        (pem("CERTIFICATE"), "certificate"),
        (b"PuTTY-User-Key-File-3: ssh-ed25519\n", "PuTTY"),
        (pem("DSA PRIVATE KEY"), "DSA"),
        (pem("OPENSSH PRIVATE KEY"), "damaged"),
        (pem("OPENSSH PRIVATE KEY", "no base64"), "damaged"),
        (openssh(cipher="chacha20-poly1305@openssh.com"), "chacha20-poly1305"),
        (openssh(type_="sk-ssh-ed25519@openssh.com"), "sk-ssh-ed25519"),
    ],
)
def test_a_key_that_cannot_be_read_says_why(key: bytes, words: str) -> None:
    """libssh2 has the same words for all of them."""
    assert words in why_unreadable(tidy(key))


@pytest.mark.parametrize(
    ("key", "encrypted"),
    [
        (openssh(), False),
        (openssh(cipher="aes256-ctr", type_="ssh-rsa"), True),
        (openssh(cipher="aes256-gcm@openssh.com", type_="ecdsa-sha2-nistp521"), True),
        (pem("PRIVATE KEY"), False),
        (pem("ENCRYPTED PRIVATE KEY"), True),
        (pem("RSA PRIVATE KEY"), False),
        (pem("EC PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA"), True),
        (pem("EC PRIVATE KEY").replace(b"\n", b"\r\n"), False),
    ],
)
def test_an_encrypted_key_is_told_from_others(key: bytes, encrypted: bool) -> None:
    """Also in the older formats."""
    assert why_unreadable(tidy(key)) == ""
    assert is_encrypted(tidy(key)) is encrypted


def test_what_is_not_a_key_is_not_encrypted() -> None:
    """The functions may be asked in any order."""
    assert not is_encrypted(b"ENCRYPTED")
    assert tidy(b" \n") == b""
