"""Secrets are masked in every form of output."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.core.secret import MASK, Secret, mask_text, mask_url

HIDDEN = Secret("s3cret-token")
VALUES = st.text(min_size=9, max_size=40).map(str.strip).filter(lambda text: len(text.encode()) >= 9)


def test_no_form_of_output_shows_a_secret() -> None:
    """repr, str, format and % do not show it, nor do containers."""
    shown = [
        repr(HIDDEN), str(HIDDEN), f"{HIDDEN}", f"{HIDDEN!r:>40}", f"{HIDDEN:s}", "%s %r" % (HIDDEN, HIDDEN),  # noqa: UP031
        repr({"token": HIDDEN}), repr([HIDDEN]),
    ]  # fmt: skip
    assert [text for text in shown if "s3cret" in text] == []


@pytest.mark.parametrize(
    "write",
    [pickle.dumps, json.dumps, msgspec.json.encode, copy.copy, copy.deepcopy],
    ids=["pickle", "json", "msgspec", "copy", "deepcopy"],
)
def test_a_secret_cannot_be_serialized(write: object) -> None:
    """Serializing or copying a Secret raises a TypeError."""
    assert callable(write)
    with pytest.raises(TypeError):
        write(HIDDEN)


def test_secrets_are_compared_by_value() -> None:
    """Secrets with the same value are equal; the plain value is not equal to a Secret."""
    assert Secret("a") == Secret(b"a")
    assert hash(Secret("a")) == hash(Secret(b"a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != b"a"
    assert not Secret("")
    assert HIDDEN.reveal() == b"s3cret-token"


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://git.acme.example/shop.git", "https://git.acme.example/shop.git"),
        ("https://bot:pass@git.acme.example:8443/shop", "https://git.acme.example:8443/shop"),
        ("https://bot:p@ss@git.acme.example/shop", "https://git.acme.example/shop"),
        ("https://git.acme.example/shop?token=pass#pass", "https://git.acme.example/shop"),
        ("https://git.acme.example?token=pass", "https://git.acme.example"),
        ("HTTPS://bot:pass@git.acme.example/Shop", "https://git.acme.example/Shop"),
        ("ssh://git@git.acme.example/shop", "ssh://git.acme.example/shop"),
        ("git@git.acme.example:shop.git", "git@git.acme.example:shop.git"),
        ("https://bot:pass@[x/shop", "https://[x/shop"),
        ("file://[x", "file://[x"),
        ("https://bot:pass@[::1]:8443/shop", "https://[::1]:8443/shop"),
        (" https://bot:pass@git.acme.example/shop", MASK),
    ],
)
def test_urls_are_masked(url: str, masked: str) -> None:
    """User, password, query and fragment are removed, also from an invalid URL."""
    assert mask_url(url) == masked


@settings(deadline=None, max_examples=40)
@given(st.text(), st.text(alphabet=st.characters(exclude_characters="/?#@"), min_size=8))
def test_no_text_breaks_the_masks(text: str, password: str) -> None:
    """Any text can be masked, and the password of any URL is removed."""
    mask_url(text)
    mask_text(text, Secret(text))
    assert password not in mask_url(f"https://bot:{password}@h/").replace("https://h/", "")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("denied for s3cret-token", "denied for ***"),
        ("fatal: https://bot:pw@h/x failed", "fatal: https://***@h/x failed"),
        ("GET https://h/x?token=abc HTTP", "GET https://h/x?*** HTTP"),
        ("nothing to hide: a@b.example, 2 + 2 = 4?", "nothing to hide: a@b.example, 2 + 2 = 4?"),
    ],
)
def test_external_text_is_masked(text: str, masked: str) -> None:
    """Secrets, and credentials and queries of URLs are removed from texts of servers and libraries."""
    assert mask_text(text, HIDDEN) == masked


def test_short_values_are_not_masked() -> None:
    """Masking a value of three letters would damage ordinary words."""
    assert mask_text("the cat sat", Secret("cat"), Secret(b"")) == "the cat sat"
    assert mask_text("sat on pass\n", Secret("pass\n")) == "sat on ***\n"


def test_long_words_are_masked_quickly() -> None:
    """A megabyte without a space is masked in linear time."""
    assert mask_text("a" * 1_000_000) == "a" * 1_000_000


@given(VALUES, st.text())
def test_no_form_of_a_secret_passes_in_a_text(value: str, before: str) -> None:
    """As it is, percent-encoded, and in base64 together with a user name or a heading of any length."""
    for whole in (value, f"{before}:{value}", f"{before}{value} and more"):
        for text in (
            f"it is {value}",
            quote(value, safe=""),
            base64.b64encode(whole.encode(errors="replace")).decode(),
            base64.urlsafe_b64encode(whole.encode(errors="replace")).decode(),
        ):
            masked = mask_text(f"the server said {text} to {value}", Secret(value))
            assert MASK in masked
            assert value not in masked.replace(MASK, "") or value in MASK


def test_basic_authentication_is_masked_whoever_sent_it() -> None:
    """The name of the scheme stays."""
    assert mask_text("Authorization: Basic c2hvcDpjYW5hcnk= was refused") == (
        "Authorization: Basic *** was refused"
    )


@pytest.mark.parametrize("user", ["", "a", "ab", "abc", "somebody"])
def test_base64_of_user_and_password_holds_no_part_of_the_password(user: str) -> None:
    """What is left of it cannot be decoded to the password."""
    encoded = base64.b64encode(f"{user}:correct-horse-battery".encode()).decode()

    masked = mask_text(f"got {encoded}", Secret("correct-horse-battery"))

    assert len(masked.replace(MASK, "").removeprefix("got ")) <= len(user) * 2 + 8


@pytest.mark.parametrize(
    "form",
    [
        'a/b+c"d e',
        "a%2Fb%2Bc%22d%20e",
        "a%2fb%2bc%22d%20e",
        "a%2Fb%2Bc%22d+e",
        'a/b+c\\"d e',
        base64.b64encode(b'a/b+c"d e').decode(),
        base64.b64encode(b'bot:a/b+c"d e').decode(),
        quote(base64.b64encode(b'bot:a/b+c"d e').decode()),
    ],
)
def test_a_secret_is_hidden_in_every_form_that_tools_write(form: str) -> None:
    """In JSON, in a URL, and in base64, whatever comes before it."""
    masked = mask_text(f"the server said: {form}.", Secret('a/b+c"d e'))

    for part in ("b+c", "%2b", "%2B", "YitjI", "iK2Mi", "vYitj"):
        assert part not in masked


def test_the_password_of_a_url_may_have_an_at_sign() -> None:
    """Only the host is shown."""
    assert mask_text("cannot read https://bot:p@ss@git.acme.example/a now") == (
        "cannot read https://***@git.acme.example/a now"
    )
