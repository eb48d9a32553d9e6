"""An address that messages are sent to: parsed once, and never printed with anything that opens it.

Pure: resolves no name and opens no connection.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from nopea.core.secret import MASK, Secret

MOST_CHARACTERS = 4096


class InvalidAddressError(ValueError):
    """The text is no address that messages can be sent to; says why and what to write, and never the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverAddress:
    """A URL and what authorizes us there. Paths and queries are secrets too: many webhooks have no other.

    `str()` gives what may be logged: `https://hooks.acme.example/***`.
    """

    url: Secret
    shown: str
    authorization: Secret | None = None
    """The value of the header Authorization."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an http or https URL; user and password in it become Basic authorization.

        Raises InvalidAddressError.
        """
        parts, port = _split(text)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        authority = f"{host}:{port}" if port is not None else f"{host}"
        bare = parts._replace(netloc=authority, fragment="", path=parts.path or "/")
        hidden = f"/{MASK}" if parts.path.strip("/") or parts.query else ""
        return cls(
            url=Secret(bare.geturl()),
            shown=f"{parts.scheme}://{authority}{hidden}",
            authorization=_basic(parts),
        )

    def with_bearer(self, token: Secret) -> Self:
        """Return the same address with a Bearer token instead of what authorized us before.

        Raises InvalidAddressError for a token that cannot stand in a header.
        """
        value = token.reveal().strip()
        if not value or not all(0x21 <= byte <= 0x7E for byte in value):
            raise InvalidAddressError(
                "the token is empty or has characters that no header can hold; check its file or Secret"
            )
        return replace(self, authorization=Secret(b"Bearer " + value))

    def __str__(self) -> str:
        return self.shown


def parse_addresses(text: str) -> tuple[ReceiverAddress, ...]:
    """Read a comma-separated list of URLs; what stands twice is one. Raises InvalidAddressError."""
    found: dict[ReceiverAddress, None] = {}
    for number, part in enumerate(text.split(","), start=1):
        if part.strip():
            try:
                found[ReceiverAddress.parse(part.strip())] = None
            except InvalidAddressError as error:
                raise InvalidAddressError(f"URL {number} of the list: {error}") from error
    return tuple(found)


def _split(text: str) -> tuple[SplitResult, int | None]:
    if len(text) > MOST_CHARACTERS:
        raise InvalidAddressError(f"it is longer than {MOST_CHARACTERS} characters")
    if not all(0x21 <= ord(character) <= 0x7E for character in text):
        raise InvalidAddressError(
            "it has spaces or characters beyond ASCII; percent-encode them, and write the host in punycode"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        # not chained: the cause's text may quote the password
        raise InvalidAddressError("its host or port cannot be read; write https://host:port/path") from None
    if parts.scheme not in ("http", "https"):
        raise InvalidAddressError("it does not begin with http:// or https://; write https://host/path")
    if not parts.hostname or "%" in parts.hostname:
        raise InvalidAddressError("it names no host; write https://host/path")
    return parts, port


def _basic(parts: SplitResult) -> Secret | None:
    userinfo, at, _ = parts.netloc.rpartition("@")
    if not at:
        return None
    user, _, password = userinfo.partition(":")
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return Secret(b"Basic " + base64.b64encode(pair))
