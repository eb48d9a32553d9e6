"""How the URL of a receiver is parsed, and that its credentials are never shown."""

from __future__ import annotations

import pytest

from nopea.core.notify.address import InvalidAddressError, ReceiverAddress, parse_addresses
from nopea.core.secret import Secret


@pytest.mark.parametrize(
    ("text", "url", "shown"),
    [
        ("https://events.acme.example", "https://events.acme.example/", "https://events.acme.example"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("HTTPS://Hooks.Acme.example/T0/B0/key", "https://hooks.acme.example/T0/B0/key", "https://hooks.acme.example/***"),
        ("https://a.example?sig=a%2Fb%3D", "https://a.example/?sig=a%2Fb%3D", "https://a.example/***"),
        ("http://[::1]:9/x", "http://[::1]:9/x", "http://[::1]:9/***"),
        ("https://ada:pw@a.example/x#y", "https://a.example/x", "https://a.example/***"),
    ],
)  # fmt: skip
def test_an_address_is_parsed_and_shown(text: str, url: str, shown: str) -> None:
    """The request uses path and query as written; the address is shown without them."""
    address = ReceiverAddress.parse(text)

    assert address.url.reveal().decode() == url
    assert str(address) == address.shown == shown


def test_userinfo_becomes_basic_authorization() -> None:
    """User and password are decoded and removed from the URL (example of RFC 7617)."""
    address = ReceiverAddress.parse("https://Aladdin:open%20sesame@a.example/")

    assert address.authorization == Secret("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")


def test_credentials_are_not_shown() -> None:
    """Neither str nor repr contain the password, the token or the path."""
    address = ReceiverAddress.parse("https://ada:hunter22@a.example/hook/topsecret?key=alsosecret")

    for text in (str(address), repr(address)):
        assert not any(word in text for word in ("hunter22", "topsecret", "alsosecret"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a.example/x", "does not begin with http"),
        ("ftp://a.example", "does not begin with http"),
        ("https:///x", "has no host"),
        ("https://user:pass@/x", "has no host"),
        ("https://a.example:99999/", "invalid host or port"),
        ("https://a.example:port/", "invalid host or port"),
        ("https://[::1/", "invalid host or port"),
        ("https://a.example/ü", "Percent-encode"),
        ("https://a.example/a b", "Percent-encode"),
        ("https://a.example/\r\nx: y", "Percent-encode"),
        ("https://a.example/" + "x" * 5_000, "longer than"),
    ],
)
def test_an_invalid_address_is_refused(text: str, words: str) -> None:
    """The error says what is wrong and does not contain the URL."""
    with pytest.raises(InvalidAddressError, match=words) as caught:
        ReceiverAddress.parse(text)

    assert "pass" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_list_is_read_in_order_and_once() -> None:
    """Spaces and empty items are ignored, and duplicates are removed."""
    found = parse_addresses("https://a.example, http://b.example/x,,https://a.example/ ,")

    assert [str(address) for address in found] == ["https://a.example", "http://b.example/***"]
    assert parse_addresses("") == ()


def test_an_error_names_the_place_in_the_list() -> None:
    """The error says which URL of the list is invalid without showing it."""
    with pytest.raises(InvalidAddressError, match="URL 2 of the list does not begin with http"):
        parse_addresses("https://a.example,ftp://b.example")
