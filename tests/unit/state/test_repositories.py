"""The existing GitRepositories, by key and by label."""

from __future__ import annotations

import pytest
from tests.fakes.samples import READY, repository

from nopea.core.objects import RepoKey
from nopea.state.repositories import RepositoryStore

API = RepoKey("shop", "api")


def test_a_repository_is_found_by_its_label() -> None:
    """The label finds the repository until it is removed."""
    repositories = RepositoryStore()
    repositories.put(repository())
    assert repositories.owner("shop.api") == repository()
    assert repositories.owner("shop.web") is None

    repositories.remove(API)
    assert repositories.owner("shop.api") is None
    assert repositories.get(API) is None
    assert len(repositories) == 0


def test_the_latest_version_counts() -> None:
    """Two versions of a repository are one entry."""
    repositories = RepositoryStore()
    repositories.put(repository())
    repositories.put(repository(generation=2))

    latest = repositories.get(API)
    assert latest is not None
    assert latest.generation == 2
    assert repositories.keys() == {API}


@pytest.mark.parametrize(
    ("suspend", "generation", "reason"),
    [(False, 1, ""), (False, 2, "its spec has changed"), (True, 2, "it is suspended"), (True, 1, "")],
)
def test_who_waits_is_told_why(suspend: bool, generation: int, reason: str) -> None:
    """A suspension changes the spec; that it is one is the reason that helps."""
    applied = {**READY, "type": "Applied", "observedGeneration": 1}
    repositories = RepositoryStore()
    repositories.put(repository(generation=generation, suspend=suspend, status={"conditions": [applied]}))

    dependency = repositories.dependency(API)

    assert (dependency.applied, dependency.reason) == (not reason, reason)


@pytest.mark.parametrize("whole_cluster", [True, False])
def test_an_unknown_owner_may_exist_unless_all_namespaces_are_watched(whole_cluster: bool) -> None:
    """If one namespace is watched, objects of other namespaces' owners must not be taken over."""
    repositories = RepositoryStore(whole_cluster=whole_cluster)
    repositories.put(repository())

    assert repositories.may_exist("shop.api")
    assert repositories.may_exist("other.web") is not whole_cluster


def test_nopeas_own_rights_cover_the_namespaces_that_are_watched() -> None:
    """With `--namespace` that is one."""
    assert RepositoryStore().covers("other")
    one = RepositoryStore(whole_cluster=False, namespace="shop")
    assert (one.covers("shop"), one.covers("other")) == (True, False)


def test_an_unknown_owner_in_the_watched_namespace_is_gone() -> None:
    """Its objects may be taken over; the label of a long name may hide its namespace, so it may exist."""
    repositories = RepositoryStore(whole_cluster=False, namespace="shop")

    assert not repositories.may_exist("shop.gone")
    assert repositories.may_exist("shop2.web")
    assert repositories.may_exist("shop-0123456789abcdef0123")


def test_a_reader_keeps_the_last_version_after_a_deletion() -> None:
    """A sync that runs while its repository is deleted still has a spec to finish with."""
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
    """Repositories may be added and removed while the keys are iterated."""
    repositories = RepositoryStore()
    repositories.put(repository())
    for key in repositories.keys():  # noqa: SIM118 - a method, not a dict's
        repositories.remove(key)

    assert len(repositories) == 0


def test_removing_an_unknown_repository_does_nothing() -> None:
    """The watch may report the deletion of a repository that was never seen."""
    repositories = RepositoryStore()
    repositories.put(repository())

    repositories.remove(RepoKey("shop", "stranger"))

    assert len(repositories) == 1
