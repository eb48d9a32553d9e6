"""The dashboard's data in the controller."""

from __future__ import annotations

from tests.fakes.cluster import FakeCluster
from tests.fakes.dashboard import KnownViewer, fine
from tests.fakes.object_store import served

from nopea.core.health.descendants import REPLICA_SETS
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import LastApplied
from nopea.dashboard.memory import MemorySource
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import PODS
from nopea.state.repositories import RepositoryStore
from nopea.state.store import StateStore

KEY = ObjectKey("", "ConfigMap", "shop", "web")


def _source(*, ready: str = "", current: bool = True) -> tuple[MemorySource, RepositoryStore, StateStore]:
    repositories, store = RepositoryStore(), StateStore()
    client = FakeCluster().client
    source = MemorySource(
        repositories, store, client, cluster="prod", why_not_ready=lambda: ready, is_current=lambda: current
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


async def test_pods_are_read_for_who_may_list_them() -> None:
    """With the controller's rights, which are named where they do not suffice."""
    cluster = FakeCluster()
    cluster.kinds.append(served(REPLICA_SETS))
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1", "controller": True}
    metadata = {"name": "web-1", "namespace": "shop", "ownerReferences": [owner]}
    cluster.create({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata})
    source = MemorySource(
        RepositoryStore(), StateStore(), cluster.client, cluster="", why_not_ready=str, is_current=bool
    )
    web = ObjectKey("apps", "Deployment", "shop", "web")

    found = await source.owned([web], KnownViewer())
    assert [each.key.name for each in found.of[web]] == ["web-1"]

    hidden = await source.owned([web], KnownViewer(namespaces=set()))
    assert hidden.of == {}
    assert "pods in shop: you may not list them" in hidden.unread

    cluster.fail_next("list", PODS, ForbiddenError(ApiFailure(code=403, message="no")))
    assert "pods in shop: Nopea may not list them" in (await source.owned([web], KnownViewer())).unread
