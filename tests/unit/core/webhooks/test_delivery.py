"""The delivery and the parts from which it is made."""

from __future__ import annotations

import pytest

from nopea.core.api.spec import Provider
from nopea.core.webhooks.delivery import (
    PushedCommit,
    PushedRefKind,
    RefChange,
    RefUpdates,
    changed_paths,
    delivery_of,
    first_id,
    is_zero,
    loggable,
    moved,
    split_ref,
    urls_of,
    usable_id,
)

ID = "9f" * 20


@pytest.mark.parametrize(
    ("ref", "parts"),
    [
        ("refs/heads/feature/a", (PushedRefKind.BRANCH, "feature/a")),
        ("refs/tags/v1", (PushedRefKind.TAG, "v1")),
        ("refs/heads/", None),
        ("refs/notes/commits", None),
        ("main", None),
    ],
)
def test_a_full_ref_is_a_branch_or_a_tag(ref: str, parts: tuple[PushedRefKind, str] | None) -> None:
    """Other refs are ignored."""
    assert split_ref(ref) == parts


def test_zeros_are_a_deletion() -> None:
    """This holds for SHA-1 and for SHA-256 hashes."""
    gone = (RefChange(PushedRefKind.BRANCH, "main", None, deleted=True),)

    assert is_zero("0" * 64)
    assert moved("refs/heads/main", "0" * 40) == moved("refs/heads/main", "0" * 64) == gone
    assert moved("refs/notes/x", ID) == ()


def test_files_are_all_or_unknown() -> None:
    """If a commit lists no files, or a list is missing, the files are unknown."""
    whole = PushedCommit(added=("a",), removed=(), modified=("b",))

    assert changed_paths([whole, PushedCommit(added=(), removed=("c",), modified=())]) == frozenset("abc")
    assert changed_paths([whole, PushedCommit(added=(), removed=(), modified=())]) is None
    assert changed_paths([whole, PushedCommit(added=("a",))]) is None
    assert changed_paths([]) is None


def test_an_id_is_short_and_printable_or_missing() -> None:
    """The first header with a usable id counts."""
    assert usable_id("x" * 256)
    assert (usable_id("x" * 257), usable_id("a b"), usable_id("ü")) == ("", "", "")
    assert first_id({"a": "a b", "b": "2"}, "a", "b") == "2"
    assert first_id({}, "a") == ""


def test_logged_text_is_short_ascii() -> None:
    """Any text is reduced to printable ASCII and truncated."""
    assert loggable("a\n\x1b\udcff" + "x" * 100) == "a???" + "x" * 60


def test_urls_are_unique_and_bounded() -> None:
    """Empty and very long URLs are omitted."""
    assert urls_of("a", None, "b", "", "a", "x" * 3000) == ("a", "b")
    assert len(urls_of(*map(str, range(100)))) == 16


def test_a_delivery_without_changes_is_ignored() -> None:
    """The reason is in `ignored`."""
    assert delivery_of(Provider.GITHUB, "ping", "1", None, ping=True).ignored == "ping"
    assert delivery_of(Provider.GITHUB, "issues", "1", None).ignored
    assert delivery_of(Provider.GITHUB, "push", "1", RefUpdates(("u",), ())).ignored
    assert not delivery_of(Provider.GITHUB, "push", "1", RefUpdates(("u",), moved("refs/tags/a", ID))).ignored
