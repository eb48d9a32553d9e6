"""The address of a receiver: parsed once, and never printed with anything that grants access.

Pure: resolves no name and opens no connection.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from nopea.core.secret import MASK, Secret

MOST_CHARACTERS = 4096


class InvalidAddressError(ValueError):
    """The URL cannot be used. The message says why and what to write, and never quotes the URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverAddress:
    """A URL and its authorization. Path and query are secret too: many webhooks have no other secret.

    `str()` is fit for a log: `https://hooks.acme.example/***`.
    """

    url: Secret
    shown: str
    authorization: Secret | None = None
    """The value of the header Authorization."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an http or https URL; a user and password in it become Basic authorization.

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

    def __str__(self) -> str:
        return self.shown


def parse_addresses(text: str) -> tuple[ReceiverAddress, ...]:
    """Parse a comma-separated list of URLs without duplicates. Raises InvalidAddressError."""
    addresses: dict[ReceiverAddress, None] = {}
    for number, part in enumerate(text.split(","), start=1):
        if part.strip():
            try:
                addresses[ReceiverAddress.parse(part.strip())] = None
            except InvalidAddressError as error:
                words = str(error).replace("The URL", f"URL {number} of the list")
                raise InvalidAddressError(words) from error
    return tuple(addresses)


def _split(text: str) -> tuple[SplitResult, int | None]:
    if len(text) > MOST_CHARACTERS:
        raise InvalidAddressError(f"The URL is longer than {MOST_CHARACTERS} characters.")
    if not all(0x21 <= ord(character) <= 0x7E for character in text):
        raise InvalidAddressError(
            "The URL has spaces or non-ASCII characters. Percent-encode them, and write the host in punycode."
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        # not chained: the cause's text may quote the password
        raise InvalidAddressError(
            "The URL has an invalid host or port. Write https://host:port/path."
        ) from None
    if parts.scheme not in ("http", "https"):
        raise InvalidAddressError("The URL does not begin with http:// or https://. Write https://host/path.")
    if not parts.hostname or "%" in parts.hostname:
        raise InvalidAddressError("The URL has no host. Write https://host/path.")
    return parts, port


def _basic(parts: SplitResult) -> Secret | None:
    userinfo, at, _ = parts.netloc.rpartition("@")
    if not at:
        return None
    user, _, password = userinfo.partition(":")
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return Secret(b"Basic " + base64.b64encode(pair))
