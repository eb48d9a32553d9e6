"""The process's memory: it outlives workers, not repositories, and never outgrows its bound."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.core.api.status import GitRepositoryStatus
from nopea.core.git.source import Document, ParsedFile
from nopea.core.objects import RepoKey
from nopea.state.cache import Cache, ManifestCache

API = RepoKey("shop", "api")
STATUS = GitRepositoryStatus(observed_generation=3)


def _file(size: int) -> ParsedFile:
    return ParsedFile(documents=(Document(index="1", line=1, body=b"x" * size),), problems=())


def test_the_memory_of_a_repository_stays() -> None:
    """The next pass, or the next worker after a crash, finds it; what was written last counts."""
    cache = Cache()
    first = cache.state(API, uid="u", status=STATUS)
    first.complete = True

    again = cache.state(API, uid="u", status=GitRepositoryStatus())

    assert again is first
    assert again.status == STATUS


def test_another_object_of_the_same_name_starts_with_nothing() -> None:
    """Its uid tells it apart: what was applied for the old one says nothing about the new one."""
    cache = Cache()
    cache.state(API, uid="u", status=STATUS).complete = True

    fresh = cache.state(API, uid="v", status=GitRepositoryStatus())

    assert not fresh.complete
    assert fresh.status == GitRepositoryStatus()
    assert cache.states[API] is fresh


def test_what_is_gone_is_forgotten() -> None:
    """Also when it was never known."""
    cache = Cache()
    cache.state(API, uid="u", status=STATUS)

    cache.forget(API)
    cache.forget(API)

    assert cache.states == {}


def test_the_least_recently_used_file_goes_first() -> None:
    """Reading counts as use."""
    cache = ManifestCache(limit_bytes=3000)
    for blob in ("a", "b", "c"):
        cache.put(blob, _file(200))
    assert cache.get("a") is not None

    cache.put("d", _file(200))

    assert [blob for blob in "abcd" if cache.get(blob)] == ["a", "c", "d"]


def test_a_file_put_again_counts_once() -> None:
    """Two repositories may parse the same blob at the same moment."""
    cache = ManifestCache(limit_bytes=10_000)
    cache.put("a", _file(200))
    size = cache.size_bytes

    cache.put("a", _file(200))

    assert (len(cache), cache.size_bytes) == (1, size)


def test_one_file_over_the_limit_is_held_alone() -> None:
    """It is at most a file's limit; holding none would parse it at every pass."""
    cache = ManifestCache(limit_bytes=1000)
    cache.put("small", _file(10))
    cache.put("big", _file(5000))

    assert cache.get("small") is None
    assert cache.get("big") is not None

    cache.put("small", _file(10))
    assert cache.get("big") is None


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3000), st.booleans()), max_size=40))
def test_the_bound_holds_whatever_comes(moves: list[tuple[str, int, bool]]) -> None:
    """The count of bytes is that of what is there, and what was just put is there."""
    cache = ManifestCache(limit_bytes=4000)
    for blob, size, read in moves:
        if read:
            cache.get(blob)
        else:
            cache.put(blob, _file(size))
            assert cache.get(blob) == _file(size)
        assert cache.size_bytes <= 4000
        assert cache.size_bytes == sum(known for _, known in cache._files.values())
