"""The watch on a real API server: changes, selections, big objects, restarts, forgotten history."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from tests.kube.objects import CONFIG_MAPS, WIDGETS, config_map

from nopea.kube.client import KubeClient
from nopea.kube.errors import UnreachableError
from nopea.kube.load import load_config
from nopea.kube.requests import Selection
from nopea.kube.watch import Changed, Deleted, Event, Synced, Timing, WatchHealth, list_and_watch
from nopea.tasks import spawn
from nopea_lab.lab import Lab

FAST = Timing(shortest=20, longest=30, grace=5, first_pause=0.05, longest_pause=0.5)


class Mirror:
    """What a consumer knows: the names and values that the stream has told so far."""

    def __init__(self, events: AsyncGenerator[Event, None]) -> None:
        self._events = events
        self.values: dict[str, str] = {}
        self.kinds: list[str] = []

    async def until(self, wanted: dict[str, str]) -> None:
        """Follow the stream until exactly this is known."""
        async with asyncio.timeout(60):
            while self.values != wanted:
                self._take(await anext(self._events))

    def _take(self, event: Event) -> None:
        self.kinds.append(type(event).__name__)
        match event:
            case Synced(objects):
                self.values = {one.meta.name: _value(one.json()) for one in objects}
            case Changed(one):
                self.values[one.meta.name] = _value(one.json())
            case Deleted(one):
                del self.values[one.meta.name]


def _value(body: dict[str, dict[str, str]]) -> str:
    return body.get("data", {}).get("v", "")[:20]


@asynccontextmanager
async def _mirror(
    client: KubeClient, selection: Selection, *, timing: Timing = FAST, health: WatchHealth | None = None
) -> AsyncIterator[Mirror]:
    events = list_and_watch(client, CONFIG_MAPS, selection, timing=timing, health=health)
    async with aclosing(events):
        yield Mirror(events)


async def _put(client: KubeClient, namespace: str, name: str, value: str, **labels: str) -> None:
    body = config_map(name, labels=labels or {"app": "web"}, v=value)
    await client.apply(CONFIG_MAPS.at(name=name, namespace=namespace), body)


async def test_changes_arrive(client: KubeClient, namespace: str) -> None:
    """What exists comes first, then every creation, change and deletion."""
    await _put(client, namespace, "a", "1")
    async with _mirror(client, Selection(namespace=namespace, labels="app=web")) as mirror:
        await mirror.until({"a": "1"})
        await _put(client, namespace, "b", "1")
        await _put(client, namespace, "a", "2")
        await mirror.until({"a": "2", "b": "1"})
        await client.delete(CONFIG_MAPS.at(name="a", namespace=namespace))
        await mirror.until({"b": "1"})

    assert mirror.kinds == ["Synced", "Changed", "Changed", "Deleted"]


async def test_an_object_that_leaves_the_selection_is_deleted(client: KubeClient, namespace: str) -> None:
    """Taking the label away is seen as Deleted, putting it on as Changed."""
    async with _mirror(client, Selection(namespace=namespace, labels="app=web")) as mirror:
        await _put(client, namespace, "a", "1", app="other")
        await _put(client, namespace, "a", "1", app="web")
        await mirror.until({"a": "1"})
        await _put(client, namespace, "a", "1", app="other")
        await mirror.until({})


async def test_only_metadata(client: KubeClient, namespace: str) -> None:
    """A metadata watch carries labels and resourceVersion, and no data."""
    selection = Selection(namespace=namespace, labels="app=web", metadata_only=True)
    async with asyncio.timeout(20), aclosing(list_and_watch(client, CONFIG_MAPS, selection)) as events:
        assert await anext(events) == Synced(())
        await _put(client, namespace, "a", "1")
        event = await anext(events)

    assert isinstance(event, Changed)
    assert event.object.meta.labels == {"app": "web"}
    assert "data" not in event.object.json()


async def test_big_objects(client: KubeClient, namespace: str) -> None:
    """Objects of 900 KiB, whose events are lines longer than 512 KiB, come whole, by list and by watch."""
    big = "x" * 900 * 1024
    selection = Selection(namespace=namespace, labels="app=web")
    await _put(client, namespace, "a", big)
    async with _mirror(client, selection) as mirror:
        await mirror.until({"a": big[:20]})
        for name in ("b", "c"):
            await _put(client, namespace, name, big)
        await mirror.until(dict.fromkeys("abc", big[:20]))

    found = await client.list(CONFIG_MAPS, selection)
    assert all(len(one.json()["data"]["v"]) == len(big) for one in found.items)


async def test_the_server_ends_watches(client: KubeClient, namespace: str) -> None:
    """Watches that the server ends each second lose nothing, and the set is listed only once."""
    health = WatchHealth()
    brief = Timing(shortest=1, longest=1, grace=5, first_pause=0.05, longest_pause=0.1)
    selection = Selection(namespace=namespace, labels="app=web")
    async with _mirror(client, selection, timing=brief, health=health) as mirror:
        wanted: dict[str, str] = {}
        for number in range(5):
            await _put(client, namespace, f"n{number}", str(number))
            wanted[f"n{number}"] = str(number)
            await mirror.until(wanted)
            await asyncio.sleep(0.5)  # the server's second, not ours

    assert health.lists == 1


async def _namespace(lab: Lab) -> str:
    name = f"w{secrets.token_hex(3)}"
    await asyncio.to_thread(lab.request, "POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return name


async def test_an_api_server_that_dies_and_returns(private_lab: Lab) -> None:
    """After kill and restart the same stream goes on and ends with what is there."""
    namespace = await _namespace(private_lab)
    health = WatchHealth()
    selection = Selection(namespace=namespace, labels="app=web")
    async with (
        KubeClient(load_config(private_lab.kubeconfig)) as client,
        _mirror(client, selection, health=health) as mirror,
    ):
        await _put(client, namespace, "a", "1")
        await mirror.until({"a": "1"})
        following = spawn(mirror.until({"a": "1", "b": "1"}), name="following")
        await asyncio.to_thread(private_lab.kill_apiserver)
        await asyncio.sleep(0.5)  # for the watch to notice
        assert isinstance(health.last_error, UnreachableError)
        with pytest.raises(UnreachableError):
            await client.read("/version")

        await asyncio.to_thread(private_lab.start_apiserver)
        await _put(client, namespace, "b", "1")
        await following

    assert health.last_error is None


async def test_forgotten_history_is_listed_again(private_lab: Lab) -> None:
    """When the server has forgotten our version (410), the whole set comes again as Synced."""
    namespace = await _namespace(private_lab)
    health = WatchHealth()
    selection = Selection(namespace=namespace, labels="app=web")
    async with (
        KubeClient(load_config(private_lab.kubeconfig)) as client,
        _mirror(client, selection, health=health) as mirror,
    ):
        await _put(client, namespace, "a", "1")
        await mirror.until({"a": "1"})
        # the consumer is elsewhere while the object goes and the history that holds its end is thrown away
        await client.delete(CONFIG_MAPS.at(name="a", namespace=namespace))
        await asyncio.to_thread(private_lab.expire_watches)
        await _put(client, namespace, "b", "2")
        await mirror.until({"b": "2"})

    assert health.lists == 2
    assert mirror.kinds.count("Synced") == 2
    assert health.last_error is None


async def test_a_kind_that_is_not_served(client: KubeClient, namespace: str) -> None:
    """A watch of a kind that is not served says so in its health, and keeps trying."""
    health = WatchHealth()
    events = list_and_watch(client, WIDGETS, Selection(namespace=namespace), timing=FAST, health=health)
    async with aclosing(events):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await anext(events)

    assert not health.synced
    assert health.last_error is not None
    assert health.last_error.code == 404
