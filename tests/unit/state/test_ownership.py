"""Who applies an object: the first that plans it, until it lets go."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.core.objects import ObjectKey, RepoKey
from nopea.state.ownership import Claims

API, WEB = RepoKey("shop", "api"), RepoKey("shop", "web")
A, B, C = (ObjectKey("", "ConfigMap", "shop", name) for name in "abc")


def test_the_first_has_it_and_the_second_is_told_who() -> None:
    """Asking again changes nothing."""
    claims = Claims()

    assert [claims.claim(A, API), claims.claim(A, WEB), claims.claim(A, API)] == [API] * 3


def test_what_is_no_longer_declared_is_free() -> None:
    """The rest is kept; what was never held is not claimed by keeping it."""
    claims = Claims()
    claims.claim(A, API)
    claims.claim(B, API)

    claims.keep(API, [B, C])

    assert claims.claim(A, WEB) == WEB
    assert claims.claim(B, WEB) == API
    assert claims.claim(C, WEB) == WEB


def test_one_cannot_let_go_of_anothers() -> None:
    """Whoever did not get an object frees nothing by dropping it."""
    claims = Claims()
    claims.claim(A, API)
    claims.claim(A, WEB)

    claims.keep(WEB, [])
    claims.release(WEB)

    assert claims.claim(A, WEB) == API


def test_a_repository_that_is_gone_holds_nothing() -> None:
    """Releasing twice, or one that never claimed, does no harm."""
    claims = Claims()
    claims.claim(A, API)

    claims.release(API)
    claims.release(API)

    assert claims.claim(A, WEB) == WEB


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
    claims, owner = Claims(), dict[ObjectKey, RepoKey]()
    for move, repo, what in moves:
        if isinstance(what, ObjectKey):
            assert claims.claim(what, repo) == owner.setdefault(what, repo)
        else:
            kept = what if isinstance(what, frozenset) else frozenset[ObjectKey]()
            if move == "keep":
                claims.keep(repo, kept)
            else:
                claims.release(repo)
            owner = {key: one for key, one in owner.items() if one != repo or key in kept}
    for repo in (API, WEB, RepoKey("a", "b")):
        claims.release(repo)
    assert not claims._owner
    assert not claims._wanted


def test_a_partial_list_lets_go_of_nothing() -> None:
    """After a restart, what a broken file hides is not free for others: its repository has not dropped it."""
    claims = Claims()

    claims.keep(API, [A], complete=False)
    assert not claims.has_let_go(B, API)

    claims.keep(API, [A], complete=True)
    assert claims.has_let_go(B, API)
