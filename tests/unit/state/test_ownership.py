"""Who applies an object: the first that plans it, until it lets go."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.core.objects import ObjectKey, RepoKey
from nopea.state.ownership import Ownership

API, WEB = RepoKey("shop", "api"), RepoKey("shop", "web")
A, B, C = (ObjectKey("", "ConfigMap", "shop", name) for name in "abc")


def test_the_first_has_it_and_the_second_is_told_who() -> None:
    """Asking again changes nothing."""
    ownership = Ownership()

    assert [ownership.claim(A, API), ownership.claim(A, WEB), ownership.claim(A, API)] == [API] * 3


def test_what_is_no_longer_declared_is_free() -> None:
    """The rest is kept; what was never held is not claimed by keeping it."""
    ownership = Ownership()
    ownership.claim(A, API)
    ownership.claim(B, API)

    ownership.keep(API, [B, C])

    assert ownership.claim(A, WEB) == WEB
    assert ownership.claim(B, WEB) == API
    assert ownership.claim(C, WEB) == WEB


def test_one_cannot_let_go_of_anothers() -> None:
    """Whoever did not get an object frees nothing by dropping it."""
    ownership = Ownership()
    ownership.claim(A, API)
    ownership.claim(A, WEB)

    ownership.keep(WEB, [])
    ownership.release(WEB)

    assert ownership.claim(A, WEB) == API


def test_a_repository_that_is_gone_holds_nothing() -> None:
    """Releasing twice, or one that never claimed, does no harm."""
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
    """Against a model that is a plain dictionary; nothing is left once all have gone."""
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
            owner = {key: one for key, one in owner.items() if one != repo or key in kept}
    for repo in (API, WEB, RepoKey("a", "b")):
        ownership.release(repo)
    assert not ownership._owner
    assert not ownership._wanted


def test_a_partial_list_lets_go_of_nothing() -> None:
    """After a restart, what a broken file hides is not free for others: its repository has not dropped it."""
    ownership = Ownership()

    ownership.keep(API, [A], complete=False)
    assert not ownership.has_let_go(B, API)

    ownership.keep(API, [A], complete=True)
    assert ownership.has_let_go(B, API)
