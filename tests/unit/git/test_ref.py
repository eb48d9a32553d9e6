"""Which commit a ref refers to among those that a server lists."""

from __future__ import annotations

import time

import pytest

from nopea.core.git.source import DEFAULT_BRANCH, Ref, RefKind
from nopea.git.ref import RemoteRefs, find, similar

HEADS = {
    "HEAD": "m" * 40,
    "refs/heads/main": "m" * 40,
    "refs/heads/feature/x": "f" * 40,
    "refs/tags/main": "t" * 40,
    "refs/tags/v1.0.0": "1" * 40,
    "refs/tags/v1.9.0": "o" * 40,  # an annotated tag: the tag object, then the commit
    "refs/tags/v1.9.0^{}": "9" * 40,
    "refs/tags/v1.10.0": "a" * 40,
    "refs/tags/v2.0.0-rc.1": "r" * 40,
    "refs/tags/latest": "l" * 40,
    "refs/pull/7/head": "p" * 40,
    "refs/heads/v3.0.0": "b" * 40,
}


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        (RefKind.BRANCH, "main", ("refs/heads/main", "m" * 40)),
        (RefKind.BRANCH, "feature/x", ("refs/heads/feature/x", "f" * 40)),
        (RefKind.BRANCH, "feature", None),
        (RefKind.BRANCH, "latest", None),
        (RefKind.BRANCH, "HEAD", None),
        (RefKind.TAG, "main", ("refs/tags/main", "t" * 40)),
        (RefKind.TAG, "v1.9.0", ("refs/tags/v1.9.0", "9" * 40)),
        (RefKind.TAG, "1.9.0", None),
        (RefKind.SEMVER, "1.x", ("refs/tags/v1.10.0", "a" * 40)),
        (RefKind.SEMVER, "~1.9", ("refs/tags/v1.9.0", "9" * 40)),
        (RefKind.SEMVER, ">=1.0.0-0", ("refs/tags/v2.0.0-rc.1", "r" * 40)),
        (RefKind.SEMVER, "3.x", None),
        (RefKind.COMMIT, "m" * 40, None),
    ],
)
def test_a_ref_is_found_by_its_full_name(kind: RefKind, value: str, wanted: tuple[str, str] | None) -> None:
    """A tag is not a branch, an annotated tag is its commit, and 1.10 is newer than 1.9."""
    assert find(Ref(kind, value), RemoteRefs(ids=HEADS, default="refs/heads/main")) == wanted


@pytest.mark.parametrize(
    ("default", "wanted"),
    [
        ("refs/heads/feature/x", ("refs/heads/feature/x", "f" * 40)),
        ("", ("HEAD", "m" * 40)),
        ("refs/heads/deleted", ("HEAD", "m" * 40)),
        ("refs/pull/7/head", ("HEAD", "m" * 40)),
        ("refs/tags/latest", ("HEAD", "m" * 40)),
    ],
)
def test_the_default_branch_is_the_one_that_the_server_names(default: str, wanted: tuple[str, str]) -> None:
    """HEAD is found even if the server does not name its branch, or names something else."""
    assert find(DEFAULT_BRANCH, RemoteRefs(ids=HEADS, default=default)) == wanted


def test_a_server_may_have_no_default_branch() -> None:
    """HEAD is not listed if its branch does not exist."""
    without = {name: commit for name, commit in HEADS.items() if name != "HEAD"}

    assert find(DEFAULT_BRANCH, RemoteRefs(ids=without)) is None
    assert similar(DEFAULT_BRANCH, without) == ["feature/x", "main", "v3.0.0"]


def test_of_two_spellings_of_a_version_always_the_same_wins() -> None:
    """The result does not depend on the order in which the server lists the tags."""
    heads = {"refs/tags/1.0.0": "a" * 40, "refs/tags/v1.0.0": "b" * 40, "refs/tags/v1": "c" * 40}
    backwards = dict(reversed(heads.items()))

    found = [find(Ref(RefKind.SEMVER, "1.x"), RemoteRefs(ids=ids)) for ids in (heads, backwards)]

    assert found[0] is not None
    assert found[0] == found[1]


def test_an_invalid_range_is_an_error() -> None:
    """The ValueError quotes the range."""
    with pytest.raises(ValueError, match="newest"):
        find(Ref(RefKind.SEMVER, "newest"), RemoteRefs(ids=HEADS))


def test_similar_refs_are_suggested() -> None:
    """Only refs of the same kind are suggested; if none is similar, the existing ones."""
    assert similar(Ref(RefKind.BRANCH, "mian"), HEADS) == ["main"]
    assert "v1.0.0" in similar(Ref(RefKind.TAG, "v1.0"), HEADS)
    assert similar(Ref(RefKind.BRANCH, "zzz"), HEADS) == ["feature/x", "main", "v3.0.0"]
    assert similar(Ref(RefKind.BRANCH, "zzz"), {}) == []
    assert not any("^{}" in name for name in similar(Ref(RefKind.TAG, "v1.9.0^{}"), HEADS))


def test_a_hint_from_many_long_names_costs_little() -> None:
    """Comparing them would take a second, in which no other thread of the child runs."""
    names = [f"refs/heads/{'b' * 200}{number}" for number in range(50_000)]

    began = time.process_time()
    found = similar(Ref(RefKind.BRANCH, "b" * 100 + "x"), [*names, "refs/heads/main", "refs/heads/master"])
    assert time.process_time() - began < 0.25

    assert len(found) <= 3
    assert similar(Ref(RefKind.BRANCH, "mian"), [*names, "refs/heads/main"]) == ["main"]
