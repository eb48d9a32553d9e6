"""The owner of an object is the first repository that plans it, until it releases the object."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.core.objects import ObjectKey, RepoKey
from nopea.state.ownership import Ownership

API, WEB = RepoKey("shop", "api"), RepoKey("shop", "web")
A, B, C = (ObjectKey("", "ConfigMap", "shop", name) for name in "abc")


def test_the_first_claim_wins_and_a_second_returns_the_owner() -> None:
    """A repeated claim changes nothing."""
    ownership = Ownership()

    assert [ownership.claim(A, API), ownership.claim(A, WEB), ownership.claim(A, API)] == [API] * 3


def test_an_object_no_longer_declared_is_free() -> None:
    """The other objects are kept; keeping an object that was never claimed does not claim it."""
    ownership = Ownership()
    ownership.claim(A, API)
    ownership.claim(B, API)

    ownership.keep(API, [B, C])

    assert ownership.claim(A, WEB) == WEB
    assert ownership.claim(B, WEB) == API
    assert ownership.claim(C, WEB) == WEB


def test_a_repository_cannot_release_the_object_of_another() -> None:
    """A repository whose claim failed frees nothing when it drops the object."""
    ownership = Ownership()
    ownership.claim(A, API)
    ownership.claim(A, WEB)

    ownership.keep(WEB, [])
    ownership.release(WEB)

    assert ownership.claim(A, WEB) == API


def test_a_deleted_repository_owns_nothing() -> None:
    """A second release has no effect."""
    ownership = Ownership()
    ownership.claim(A, API)

    ownership.release(API)
    ownership.release(API)

    assert ownership.claim(A, WEB) == WEB


REPOS = st.sampled_from([API, WEB, RepoKey("a", "b")])
OBJECTS = st.sampled_from([A, B, C])
MOVES = st.one_of(
    st.tuples(st.just("claim"), REPOS, OBJECTS),
    st.tuples(st.just("keep"), REPOS, st.frozensets(OBJECTS)),
    st.tuples(st.just("release"), REPOS, st.none()),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(MOVES, max_size=20))
def test_every_object_has_at_most_one_owner_at_any_time(moves: list[tuple[str, RepoKey, object]]) -> None:
    """The model is a plain dictionary; nothing is left after all repositories are released."""
    ownership, owner = Ownership(), dict[ObjectKey, RepoKey]()
    for move, repo, what in moves:
        if isinstance(what, ObjectKey):
            assert ownership.claim(what, repo) == owner.setdefault(what, repo)
        else:
            kept = what if isinstance(what, frozenset) else frozenset[ObjectKey]()
            if move == "keep":
                ownership.keep(repo, kept)
            else:
                ownership.release(repo)
            owner = {key: holder for key, holder in owner.items() if holder != repo or key in kept}
    for repo in (API, WEB, RepoKey("a", "b")):
        ownership.release(repo)
    assert not ownership._owner
    assert not ownership._wanted


def test_an_incomplete_list_releases_nothing() -> None:
    """After a restart an unreadable file may declare the object, so it is not free for others."""
    ownership = Ownership()

    ownership.keep(API, [A], complete=False)
    assert not ownership.has_let_go(B, API)

    ownership.keep(API, [A], complete=True)
    assert ownership.has_let_go(B, API)
