"""Which GitRepositories exist, by key and by label."""

from __future__ import annotations

import pytest
from tests.fakes.samples import repository

from nopea.core.objects import RepoKey
from nopea.state.repositories import RepositoryStore

API = RepoKey("shop", "api")


def test_a_label_leads_to_its_repository() -> None:
    """As long as it exists."""
    repositories = RepositoryStore()
    repositories.put(repository())
    assert repositories.owner("shop.api") == repository()
    assert repositories.owner("shop.web") is None

    repositories.remove(API)
    assert repositories.owner("shop.api") is None
    assert repositories.get(API) is None
    assert len(repositories) == 0


def test_the_latest_version_counts() -> None:
    """Two versions are one repository."""
    repositories = RepositoryStore()
    repositories.put(repository())
    repositories.put(repository(generation=2))

    latest = repositories.get(API)
    assert latest is not None
    assert latest.generation == 2
    assert repositories.keys() == {API}


@pytest.mark.parametrize("whole_cluster", [True, False])
def test_an_unknown_owner_is_gone_only_if_all_are_known(whole_cluster: bool) -> None:
    """With one namespace watched, another's objects must not be taken over."""
    repositories = RepositoryStore(whole_cluster=whole_cluster)
    repositories.put(repository())

    assert repositories.may_exist("shop.api")
    assert repositories.may_exist("other.web") is not whole_cluster


def test_a_reader_keeps_the_last_version_after_the_end() -> None:
    """A pass that outlives its repository still has a spec to finish with."""
    repositories = RepositoryStore()
    repositories.put(repository())
    latest = repositories.reader(API)

    repositories.put(repository(generation=2))
    assert latest().generation == 2
    repositories.remove(API)
    assert latest().generation == 2
    repositories.put(repository(generation=3, uid="uid-2"))
    assert latest().generation == 3


def test_the_keys_are_a_copy() -> None:
    """They may be walked while repositories come and go."""
    repositories = RepositoryStore()
    repositories.put(repository())
    for key in repositories.keys():  # noqa: SIM118 - a method, not a dict's
        repositories.remove(key)

    assert len(repositories) == 0


def test_removing_a_stranger_does_nothing() -> None:
    """The watch may tell of one that was never seen."""
    repositories = RepositoryStore()
    repositories.put(repository())

    repositories.remove(RepoKey("shop", "stranger"))

    assert len(repositories) == 1
