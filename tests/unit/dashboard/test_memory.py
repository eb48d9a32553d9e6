"""The dashboard's data in the controller."""

from __future__ import annotations

from tests.fakes.dashboard import KnownViewer, fine

from nopea.core.objects import ObjectKey
from nopea.core.plan.model import LastApplied
from nopea.dashboard.memory import MemorySource
from nopea.state.repositories import RepositoryStore
from nopea.state.store import StateStore

KEY = ObjectKey("", "ConfigMap", "shop", "web")


def _source(*, ready: str = "", current: bool = True) -> tuple[MemorySource, RepositoryStore, StateStore]:
    repositories, store = RepositoryStore(), StateStore()
    source = MemorySource(
        repositories, store, cluster="prod", why_not_ready=lambda: ready, is_current=lambda: current
    )
    repositories.put(fine("web"))
    return source, repositories, store


async def test_repositories_are_those_of_the_watch() -> None:
    """With what is wrong with the watch."""
    source, repositories, _ = _source()
    assert [each.key.name for each in source.repositories()] == ["web"]
    assert source.get(fine("web").key) is repositories.get(fine("web").key)
    assert source.why_old() == ""
    assert "interrupted" in _source(current=False)[0].why_old()
    assert (await source.controller()).message == "The controller runs."
    assert "not ready: draining" in (await _source(ready="draining")[0].controller()).message


async def test_objects_are_those_of_the_inventory() -> None:
    """Once it is read, and of the same GitRepository."""
    source, _, store = _source()
    web = fine("web")
    assert (await source.applied(web, KnownViewer())).incomplete
    state = store.state(web.key, uid=web.uid, status=web.status)
    state.applied[KEY] = LastApplied(hash="", projection=None)
    state.loaded = True
    assert list((await source.applied(web, KnownViewer())).objects) == [KEY]
    state.uid = "another"
    assert not (await source.applied(web, KnownViewer())).objects


async def test_long_inventory_needs_the_right_to_list_inventories() -> None:
    """The GitRepository itself does not hold it."""
    source, _, store = _source()
    web = fine("web")
    state = store.state(web.key, uid=web.uid, status=web.status)
    state.applied[KEY] = LastApplied(hash="", projection=None)
    state.loaded, state.chunks = True, {0: "digest"}
    assert list((await source.applied(web, KnownViewer())).objects) == [KEY]
    hidden = await source.applied(web, KnownViewer(namespaces=set()))
    assert not hidden.objects
    assert "may not list Inventories" in hidden.incomplete


async def test_events_are_not_read() -> None:
    """The controller has no right to."""
    source, _, _ = _source()
    assert (await source.reported(fine("web"))).events == ()
