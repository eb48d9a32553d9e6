"""How changes of CustomResourceDefinitions refresh discovery and trigger repositories; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.object_store import served

from nopea.controller.kinds import follow_kinds
from nopea.core.objects import GroupKind, ObjectKey, Resource
from nopea.kube.discovery import LOOKS_AFTER_SECONDS, Discovery, Pace
from nopea.kube.errors import ApiError, UnknownKindError
from nopea.kube.kinds import DEFINITIONS
from nopea.kube.watch import DEFAULT_TIMING
from nopea.tasks import end, spawn

pytestmark = pytest.mark.looptime

WIDGET = GroupKind("acme.example", "Widget")
WIDGETS = served(
    Resource(group="acme.example", version="v1", kind="Widget", plural="widgets", namespaced=True)
)
SETTLED = sum(LOOKS_AFTER_SECONDS) + 1
DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.acme.example"},
    "spec": {
        "group": "acme.example",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {}}],
    },
}


@asynccontextmanager
async def following(cluster: FakeCluster) -> AsyncIterator[tuple[Discovery, list[float]]]:
    """Follow the definitions; yield discovery and the times of the callbacks so far."""
    discovery = Discovery(cluster.client, pace=Pace(calm_seconds=0.0, eager_seconds=0.0))
    woken: list[float] = []
    loop = asyncio.get_running_loop()
    running = spawn(
        follow_kinds(cluster.client, discovery, wake=lambda: woken.append(loop.time())), name="follow"
    )
    try:
        await asyncio.sleep(SETTLED)
        woken.clear()
        yield discovery, woken
    finally:
        await end(running)


async def test_a_new_definition_triggers_once_its_kind_is_served() -> None:
    """The callback is called once, less than a second after the definition was created."""
    cluster = FakeCluster()
    async with following(cluster) as (discovery, woken):
        with pytest.raises(UnknownKindError):
            await discovery.find("acme.example/v1", "Widget")
        created_at = asyncio.get_running_loop().time()

        cluster.create(DEFINITION)
        await asyncio.sleep(SETTLED)

        assert len(woken) == 1
        assert woken[0] - created_at < 1
        assert (await discovery.find("acme.example/v1", "Widget")).plural == "widgets"


async def test_a_change_that_does_not_affect_discovery_triggers_nothing() -> None:
    """A label on a definition does not change what is served."""
    cluster = FakeCluster()
    cluster.create(DEFINITION)
    async with following(cluster) as (_, woken):
        key = ObjectKey(DEFINITIONS.group, DEFINITIONS.kind, "", "widgets.acme.example")
        cluster.change(key, {"metadata": {"labels": {"app": "web"}}})
        await asyncio.sleep(SETTLED)

        assert woken == []


async def test_failed_discovery_is_retried() -> None:
    """If discovery fails after the event, it is retried until the API server responds."""
    cluster = FakeCluster()
    async with following(cluster) as (_, woken):
        cluster.create(DEFINITION)
        cluster.down = True
        await asyncio.sleep(1)
        assert woken == []

        cluster.down = False
        await asyncio.sleep(SETTLED)

        assert len(woken) == 1


@pytest.mark.parametrize("is_seen", [True, False])
async def test_a_deleted_definition_takes_its_objects_along(*, is_seen: bool) -> None:
    """It is known whether a watch shows the deletion, or the list after one that had ended."""
    key = ObjectKey(DEFINITIONS.group, DEFINITIONS.kind, "", "widgets.acme.example")
    cluster = FakeCluster()
    cluster.create(DEFINITION)
    async with following(cluster) as (discovery, _):
        assert not discovery.is_deleted(WIDGET)
        if not is_seen:
            cluster.stop()
        cluster.delete(key)
        cluster.compact()
        cluster.down = False
        await asyncio.sleep(DEFAULT_TIMING.longest_pause + SETTLED)

        assert discovery.is_deleted(WIDGET)
        cluster.create(DEFINITION)
        await asyncio.sleep(SETTLED)
        assert not discovery.is_deleted(WIDGET)


@pytest.mark.parametrize("change", ["nothing", "another", "unserved", "broken", "was served", "down"])
async def test_a_kind_that_nothing_can_serve_was_deleted_before_the_start(change: str) -> None:
    """A complete answer and the list of definitions prove it, unless something may still serve the kind."""
    cluster = FakeCluster()
    if change == "another":  # a definition of the same group, for another kind
        names = {"kind": "Gadget", "plural": "gadgets"}
        gadget = {**DEFINITION, "metadata": {"name": "gadgets.acme.example"}}
        cluster.create(gadget | {"spec": {**DEFINITION["spec"], "names": names}})
    if change == "was served":
        cluster.kinds.append(WIDGETS)
    async with following(cluster) as (discovery, _):
        match change:
            case "unserved":  # a definition without a version that is served, whatever its kind
                discovery.note_definitions(["gadgets.acme.example"])
            case "broken":
                cluster.kinds.append(replace(WIDGETS, kind="Gadget", plural="gadgets"))
                cluster.break_service("acme.example")
            case "was served":
                cluster.kinds.remove(WIDGETS)
            case "down":
                cluster.down = True
        if change != "unserved":
            discovery.invalidate()
        with suppress(ApiError):
            await discovery.find_preferred(WIDGET)

        assert discovery.is_deleted(WIDGET) is (change in ("nothing", "another"))
        assert not discovery.is_deleted(GroupKind("apps", "Widget"))  # a built-in group can be switched off


@pytest.mark.parametrize("ends", ["gone", "back", "late", "broken"])
async def test_a_kind_that_is_served_for_a_moment_after_its_definition_has_gone(ends: str) -> None:
    """Who starts in this moment never sees the definition; what is served for longer is another API's."""
    cluster = FakeCluster()
    cluster.kinds.append(WIDGETS)
    discovery = Discovery(cluster.client, pace=Pace(calm_seconds=0.0, eager_seconds=0.0))
    woken: list[float] = []
    running = spawn(follow_kinds(cluster.client, discovery, wake=lambda: woken.append(0)), name="follow")
    try:
        await asyncio.sleep(SETTLED if ends == "late" else 1)
        assert await discovery.find_preferred(WIDGET) == WIDGETS
        woken.clear()
        if ends == "broken":
            cluster.break_service("acme.example")
        else:
            cluster.kinds.remove(WIDGETS)
        discovery.invalidate()
        await asyncio.sleep(SETTLED)
        if ends == "late":
            discovery.invalidate()
            with suppress(ApiError):
                await discovery.find_preferred(WIDGET)
        assert discovery.is_deleted(WIDGET) is (ends in ("gone", "back"))
        assert bool(woken) is (ends in ("gone", "back"))
        if ends == "back":
            cluster.kinds.append(WIDGETS)
            discovery.invalidate()
            await discovery.find_preferred(WIDGET)
            assert not discovery.is_deleted(WIDGET)
    finally:
        await end(running)
