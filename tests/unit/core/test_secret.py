"""What must not be seen is not seen, in any spelling."""

from __future__ import annotations

import copy
import json
import pickle

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.core.secret import MASK, Secret, mask_text, mask_url

HIDDEN = Secret("s3cret-token")


def test_no_way_of_printing_shows_it() -> None:
    """repr, str, format, percent, and inside containers."""
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
def test_no_writer_takes_it(write: object) -> None:
    """Serialisers and copies refuse a Secret instead of storing it."""
    assert callable(write)
    with pytest.raises(TypeError):
        write(HIDDEN)


def test_it_compares_by_value_and_only_with_its_kind() -> None:
    """Equal secrets share a mirror; the plain text is not a Secret."""
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
def test_urls_lose_what_may_be_secret(url: str, masked: str) -> None:
    """Userinfo, query and fragment go; a broken URL is masked like a good one and raises nothing."""
    assert mask_url(url) == masked


@settings(deadline=None, max_examples=40)
@given(st.text(), st.text(alphabet=st.characters(exclude_characters="/?#@"), min_size=8))
def test_no_text_breaks_the_masks(text: str, password: str) -> None:
    """Any text passes through both masks, and userinfo of any URL is gone from the first."""
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
def test_foreign_text_loses_secrets_userinfo_and_queries(text: str, masked: str) -> None:
    """What a library or a server says may be shown after that."""
    assert mask_text(text, HIDDEN) == masked


def test_short_values_do_not_eat_ordinary_words() -> None:
    """A secret of three letters would turn half of the text into stars."""
    assert mask_text("the cat sat", Secret("cat"), Secret(b"")) == "the cat sat"
    assert mask_text("sat on pass\n", Secret("pass\n")) == "sat on ***\n"


def test_long_words_are_read_once() -> None:
    """A server's megabyte without a space would else hold up the controller for minutes."""
    assert mask_text("a" * 1_000_000) == "a" * 1_000_000
