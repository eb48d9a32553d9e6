"""The ownership label: valid for Kubernetes, and different for each repository."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.core.api.labels import owner_label
from nopea.core.objects import RepoKey

LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
NAMESPACES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", fullmatch=True)
KEYS = st.builds(RepoKey, NAMESPACES, NAMES)


@settings(max_examples=30, deadline=None)
@given(KEYS)
def test_every_repository_has_a_valid_label(key: RepoKey) -> None:
    """Kubernetes allows at most 63 characters of a limited alphabet."""
    assert LABEL_VALUE.fullmatch(owner_label(key))


@settings(max_examples=30, deadline=None)
@given(KEYS, KEYS)
def test_two_repositories_have_two_labels(one: RepoKey, other: RepoKey) -> None:
    """With the same label, two repositories would prune each other's objects."""
    assert (owner_label(one) == owner_label(other)) == (one == other)


def test_short_names_are_readable_and_long_ones_differ_at_the_end() -> None:
    """A short name is in the label as it is; long names with the same prefix have different labels."""
    assert owner_label(RepoKey("shop", "web")) == "shop.web"
    long = "a" * 80
    assert owner_label(RepoKey("shop", f"{long}1")) != owner_label(RepoKey("shop", f"{long}2"))
    assert owner_label(RepoKey("shop", long)).startswith("shop.aaaa")


def test_the_label_does_not_change_between_releases() -> None:
    """Objects in clusters carry the label; another form would orphan them."""
    assert (
        owner_label(RepoKey("shop", "w" * 100))
        == "shop.wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww-b2fa644004fe25e82ddf"
    )
