"""Which commit a ref means among those that a server lists."""

from __future__ import annotations

import pytest

from nopea.core.git.source import Ref, RefKind
from nopea.git.ref import find, similar

HEADS = {
    "HEAD": "m" * 40,
    "refs/heads/main": "m" * 40,
    "refs/heads/feature/x": "f" * 40,
    "refs/tags/main": "t" * 40,
    "refs/tags/v1.0.0": "1" * 40,
    "refs/tags/v1.9.0": "o" * 40,  # an annotated tag: the object, then what it points to
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
    """A tag is not a branch, an annotated tag is its commit, 1.10 is above 1.9."""
    assert find(Ref(kind, value), HEADS) == wanted


def test_two_spellings_of_one_version_have_one_winner() -> None:
    """Whatever the order of the server's list: else each poll would bring another commit."""
    heads = {"refs/tags/1.0.0": "a" * 40, "refs/tags/v1.0.0": "b" * 40, "refs/tags/v1": "c" * 40}
    backwards = dict(reversed(heads.items()))

    assert find(Ref(RefKind.SEMVER, "1.x"), heads) == find(Ref(RefKind.SEMVER, "1.x"), backwards)


def test_a_range_that_is_none_is_told() -> None:
    """By a ValueError that quotes it."""
    with pytest.raises(ValueError, match="newest"):
        find(Ref(RefKind.SEMVER, "newest"), HEADS)


def test_a_hint_names_what_looks_alike() -> None:
    """Of the same sort only, and what there is when nothing looks alike."""
    assert similar(Ref(RefKind.BRANCH, "mian"), HEADS) == ["main"]
    assert "v1.0.0" in similar(Ref(RefKind.TAG, "v1.0"), HEADS)
    assert similar(Ref(RefKind.BRANCH, "zzz"), HEADS) == ["feature/x", "main", "v3.0.0"]
    assert similar(Ref(RefKind.BRANCH, "zzz"), {}) == []
    assert not any("^{}" in name for name in similar(Ref(RefKind.TAG, "v1.9.0^{}"), HEADS))
