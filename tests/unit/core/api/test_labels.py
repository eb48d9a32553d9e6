"""The ownership label: legal for Kubernetes, and no two repositories share one."""

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
def test_every_repository_has_a_legal_label(key: RepoKey) -> None:
    """Kubernetes takes at most 63 characters of a small alphabet."""
    assert LABEL_VALUE.fullmatch(owner_label(key))


@settings(max_examples=30, deadline=None)
@given(KEYS, KEYS)
def test_two_repositories_have_two_labels(one: RepoKey, other: RepoKey) -> None:
    """Equal labels mean the same repository: else each would prune the other's objects."""
    assert (owner_label(one) == owner_label(other)) == (one == other)


def test_short_names_are_readable_and_long_ones_differ_at_the_end() -> None:
    """A person finds the repository in the label; two long names with the same start stay apart."""
    assert owner_label(RepoKey("shop", "web")) == "shop.web"
    long = "a" * 80
    assert owner_label(RepoKey("shop", f"{long}1")) != owner_label(RepoKey("shop", f"{long}2"))
    assert owner_label(RepoKey("shop", long)).startswith("shop.aaaa")


def test_the_label_does_not_change_between_releases() -> None:
    """Labels live in clusters: another form would make every object a stranger."""
    assert (
        owner_label(RepoKey("shop", "w" * 100))
        == "shop.wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww-b2fa644004fe25e82ddf"
    )
