"""The state of repositories, which outlives workers but not repositories, and the bounded manifest cache."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.core.api.status import GitRepositoryStatus
from nopea.core.git.source import ParsedDocument, ParsedFile
from nopea.core.objects import RepoKey
from nopea.state.store import ManifestCache, StateStore

API = RepoKey("shop", "api")
STATUS = GitRepositoryStatus(observed_generation=3)


def _file(size: int) -> ParsedFile:
    return ParsedFile(documents=(ParsedDocument(index="1", line=1, body=b"x" * size),), problems=())


def test_the_state_of_a_repository_is_kept() -> None:
    """The next sync or worker gets the same state, with the status that was written last."""
    store = StateStore()
    first = store.state(API, uid="u", status=STATUS)
    first.complete = True

    again = store.state(API, uid="u", status=GitRepositoryStatus())

    assert again is first
    assert again.status == STATUS


def test_a_new_repository_of_the_same_name_starts_with_nothing() -> None:
    """A repository with another uid does not get the state of the deleted one."""
    store = StateStore()
    store.state(API, uid="u", status=STATUS).complete = True

    fresh = store.state(API, uid="v", status=GitRepositoryStatus())

    assert not fresh.complete
    assert fresh.status == GitRepositoryStatus()
    assert store.states[API] is fresh


def test_until_a_sync_says_otherwise_links_may_matter() -> None:
    """A push to another folder then wakes the repository, which asks Git."""
    store = StateStore()
    assert store.has_links(API)
    state = store.state(API, uid="1", status=GitRepositoryStatus())
    assert store.has_links(API)

    state.has_links = False

    assert not store.has_links(API)


def test_a_deleted_repository_is_forgotten() -> None:
    """Forgetting an unknown repository has no effect."""
    store = StateStore()
    store.state(API, uid="u", status=STATUS)

    store.forget(API)
    store.forget(API)

    assert store.states == {}


def test_the_least_recently_used_file_is_evicted_first() -> None:
    """A read counts as use."""
    store = ManifestCache(limit_bytes=3000)
    for blob in ("a", "b", "c"):
        store[blob] = _file(200)
    assert store.get("a") is not None

    store["d"] = _file(200)

    assert [blob for blob in "abcd" if store.get(blob)] == ["a", "c", "d"]


def test_a_file_stored_twice_counts_once() -> None:
    """Two repositories may parse the same blob at the same time."""
    store = ManifestCache(limit_bytes=10_000)
    store["a"] = _file(200)
    size = store.currsize

    store["a"] = _file(200)

    assert (len(store), store.currsize) == (1, size)


def test_a_file_over_the_limit_is_cached_alone() -> None:
    """Without the cached file, every sync would parse it again."""
    store = ManifestCache(limit_bytes=1000)
    store["small"] = _file(10)
    store["big"] = _file(5000)

    assert store.get("small") is None
    assert store.get("big") is not None

    store["small"] = _file(10)
    assert store.get("big") is None


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3000), st.booleans()), max_size=40))
def test_the_cache_never_exceeds_its_limit(moves: list[tuple[str, int, bool]]) -> None:
    """The byte count matches the cached files, and the file stored last is always cached."""
    store = ManifestCache(limit_bytes=4000)
    for blob, size, read in moves:
        if read:
            store.get(blob)
        else:
            store[blob] = _file(size)
            assert store.get(blob) == _file(size)
        assert store.currsize <= 4000
        assert store.currsize == sum(store.getsizeof(file) for file in store.values())
