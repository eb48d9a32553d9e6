"""The behaviour of an API server that the tests rely on: the fake and a real one pass the same suite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
import pytest_asyncio
from tests.fakes.cluster import FakeCluster
from tests.kube.objects import CONFIG_MAPS, DEPLOYMENTS, WIDGETS, deployment, widget_definition

from nopea.core.apply.adoption import adopt
from nopea.core.apply.body import NO_VERSION
from nopea.core.apply.fieldset import entry_of, fields_of
from nopea.core.objects import Resource, Target
from nopea.kube import requests
from nopea.kube.client import KubeClient, ServiceAccount
from nopea.kube.discovery import Discovery
from nopea.kube.errors import (
    AlreadyExistsError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnknownKindError,
    is_field_conflict,
    is_immutable,
)
from nopea.kube.kinds import DEFINITIONS
from nopea.kube.live import LiveObject
from nopea.kube.load import load_config
from nopea.kube.requests import PatchKind, Preconditions, Selection
from nopea.kube.watch import Changed, Deleted, Event, Synced, list_and_watch
from nopea.reconcile.definitions import is_unserved, wait_until_established, wait_until_served
from nopea_lab.lab import Lab

Json = dict[str, Any]
KUBECTL = "kubectl-edit"


@dataclass
class Server:
    """A client of the server under test, and a namespace that only this test uses."""

    client: KubeClient
    namespace: str
    fake: FakeCluster | None = None

    async def wait_for_another_second(self) -> None:
        """Wait until timestamps in the cluster, which have whole seconds, differ from now."""
        if self.fake is None:
            await asyncio.sleep(1.1)
        else:
            later = self.fake.now() + timedelta(seconds=1)
            self.fake.now = lambda: later

    def at(self, resource: Resource, name: str = "settings") -> Target:
        """Return the place of an object in the namespace."""
        return resource.at(name=name, namespace=self.namespace)

    async def watch(self, selection: Selection) -> AsyncGenerator[Event, None]:
        """Follow the ConfigMaps of the namespace."""
        events = list_and_watch(self.client, CONFIG_MAPS, selection)
        async with aclosing(events):
            async for event in events:
                yield event


@pytest_asyncio.fixture(params=["fake", pytest.param("real", marks=pytest.mark.cluster)])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """Yield the fake, then a real API server."""
    if request.param == "fake":
        fake = FakeCluster()
        yield Server(fake.client, "shop", fake)
        return
    lab: Lab = request.getfixturevalue("lab")
    async with KubeClient(load_config(lab.kubeconfig)) as client:
        yield Server(client, request.getfixturevalue("namespace"))


def config(
    name: str = "settings",
    *,
    labels: dict[str, str] | None = None,
    metadata: Json | None = None,
    **fields: Any,
) -> bytes:
    """Return a ConfigMap; `fields` are all but its metadata."""
    head = {"name": name, **({"labels": labels} if labels else {}), **(metadata or {})}
    return orjson.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": head, **fields})


def fields(live: LiveObject, manager: str, operation: str, subresource: str = "") -> Any:
    """Return a manager's field set."""
    entries = live.json()["metadata"]["managedFields"]
    return fields_of(entry_of(entries, manager=manager, operation=operation, subresource=subresource))


def time(live: LiveObject, manager: str, operation: str) -> str:
    """Return when a manager last changed something."""
    entry = entry_of(live.json()["metadata"]["managedFields"], manager=manager, operation=operation)
    assert entry is not None
    return str(entry["time"])


async def test_an_apply_creates(server: Server) -> None:
    """A new object gets a uid and a creation time, and its manager owns exactly the fields that it sent."""
    target = server.at(CONFIG_MAPS)

    created = await server.client.apply(target, config(labels={"app": "web"}, data={"a": "1"}))

    assert created.created
    assert created.key == target.key
    assert (created.head.api_version, created.head.kind) == ("v1", "ConfigMap")
    assert created.meta.uid
    assert created.json()["metadata"]["creationTimestamp"]
    assert created.json()["data"] == {"a": "1"}
    assert fields(created, "nopea", "Apply") == {
        "f:data": {"f:a": {}},
        "f:metadata": {"f:labels": {"f:app": {}}},
    }
    assert (await server.client.get(target)).json() == created.json()


async def test_an_equal_apply_keeps_the_version(server: Server) -> None:
    """An apply without a change writes nothing, not even a timestamp."""
    target = server.at(CONFIG_MAPS)
    created = await server.client.apply(target, config(data={"a": "1"}))

    again = await server.client.apply(target, config(data={"a": "1"}))

    assert not again.created
    assert again.json() == created.json()


async def test_an_apply_changes_adds_and_removes(server: Server) -> None:
    """Fields that were applied before and are missing now are removed; fields that others added stay."""
    target = server.at(CONFIG_MAPS)
    created = await server.client.apply(target, config(labels={"app": "web"}, data={"a": "1", "b": "1"}))
    await server.client.patch(target, orjson.dumps({"data": {"c": "1"}}), manager=KUBECTL)

    changed = await server.client.apply(target, config(data={"a": "2", "d": "1"}))

    assert not changed.created
    assert changed.json()["data"] == {"a": "2", "c": "1", "d": "1"}
    assert "labels" not in changed.json()["metadata"]
    assert fields(changed, "nopea", "Apply") == {"f:data": {"f:a": {}, "f:d": {}}}
    assert fields(changed, KUBECTL, "Update") == {"f:data": {"f:c": {}}}
    assert changed.meta.uid == created.meta.uid
    assert int(changed.meta.resource_version) > int(created.meta.resource_version)


async def test_what_another_manager_owns_too_stays(server: Server) -> None:
    """A field that its applier gives up stays while another manager owns it."""
    target = server.at(CONFIG_MAPS)
    await server.client.apply(target, config(data={"a": "1"}))
    live = await server.client.patch(target, orjson.dumps({"data": {"b": "1"}}), manager=KUBECTL)
    assert fields(live, KUBECTL, "Update") == {"f:data": {"f:b": {}}}
    shared = await server.client.apply(target, config(data={"a": "1", "b": "1"}))
    assert fields(shared, KUBECTL, "Update") == {"f:data": {"f:b": {}}}

    left = await server.client.apply(target, config(data={"a": "1"}))

    assert left.json()["data"] == {"a": "1", "b": "1"}


async def test_an_update_takes_a_field_over(server: Server) -> None:
    """A manager that changes a field becomes its only owner; a removed field has no owner."""
    target = server.at(CONFIG_MAPS)
    await server.client.apply(target, config(data={"a": "1", "b": "1", "c": "1"}))

    live = await server.client.patch(target, orjson.dumps({"data": {"a": "2", "b": None}}), manager=KUBECTL)

    assert live.json()["data"] == {"a": "2", "c": "1"}
    assert fields(live, "nopea", "Apply") == {"f:data": {"f:c": {}}}
    assert fields(live, KUBECTL, "Update") == {"f:data": {"f:a": {}}}


async def test_a_managed_fields_entry_has_the_time_of_the_last_change(server: Server) -> None:
    """A manager's write updates the time of its entry; an entry that only loses a field keeps its time."""
    target = server.at(CONFIG_MAPS)
    created = await server.client.apply(target, config(data={"a": "1", "b": "1"}))
    first = await server.client.patch(target, orjson.dumps({"data": {"a": "2"}}), manager=KUBECTL)
    await server.wait_for_another_second()

    second = await server.client.patch(target, orjson.dumps({"data": {"a": "3"}}), manager=KUBECTL)
    third = await server.client.patch(target, orjson.dumps({"data": {"c": None}}), manager=KUBECTL)

    assert time(created, "nopea", "Apply") == time(second, "nopea", "Apply")
    assert time(first, KUBECTL, "Update") < time(second, KUBECTL, "Update") == time(third, KUBECTL, "Update")
    applied = await server.client.apply(target, config(data={"a": "1", "b": "1"}))
    assert time(applied, "nopea", "Apply") > time(created, "nopea", "Apply")


async def test_an_equal_patch_changes_no_owner(server: Server) -> None:
    """A patch without a change is not stored."""
    target = server.at(CONFIG_MAPS)
    created = await server.client.apply(target, config(data={"a": "1"}))

    same = await server.client.patch(target, orjson.dumps({"data": {"a": "1"}}), manager=KUBECTL)

    assert same.json() == created.json()


async def test_a_forced_apply_takes_a_field_back(server: Server) -> None:
    """Without force, the conflict names the field; with force, the other manager loses it."""
    target = server.at(CONFIG_MAPS)
    await server.client.apply(target, config(data={"a": "1", "b": "1"}))
    await server.client.patch(target, orjson.dumps({"data": {"a": "2"}}), manager=KUBECTL)
    request = requests.apply(target, config(data={"a": "1", "b": "1"}))
    with pytest.raises(ConflictError) as conflict:
        await server.client._send(replace(request, path=request.path.replace("force=true", "force=false")))
    assert is_field_conflict(conflict.value)
    assert [cause.field for cause in conflict.value.causes] == [".data.a"]

    forced = await server.client.apply(target, config(data={"a": "1", "b": "1"}))

    assert forced.json()["data"] == {"a": "1", "b": "1"}
    assert fields(forced, "nopea", "Apply") == {"f:data": {"f:a": {}, "f:b": {}}}
    assert [entry["manager"] for entry in forced.json()["metadata"]["managedFields"]] == ["nopea"]


async def test_fields_can_be_taken_over_from_another_manager(server: Server) -> None:
    """Nopea's adoption patch rewrites managedFields at a version; the next apply removes the fields."""
    target = server.at(CONFIG_MAPS)
    await server.client.apply(target, config(data={"a": "1"}))
    live = await server.client.patch(target, orjson.dumps({"data": {"b": "1"}}), manager=KUBECTL)
    patch = adopt(live.json())
    assert patch is not None

    taken = await server.client.patch(target, patch, kind=PatchKind.JSON)

    assert taken.json()["data"] == {"a": "1", "b": "1"}
    assert fields(taken, "nopea", "Apply") == {"f:data": {"f:a": {}, "f:b": {}}}
    assert fields(taken, KUBECTL, "Update") == {}
    with pytest.raises(ConflictError):
        await server.client.patch(target, patch, kind=PatchKind.JSON)
    assert (await server.client.apply(target, config(data={"a": "1"}))).json()["data"] == {"a": "1"}


async def test_an_apply_at_an_old_version_is_a_conflict(server: Server) -> None:
    """An apply at an old version writes nothing; an apply at the current version succeeds."""
    target = server.at(CONFIG_MAPS)
    created = await server.client.apply(target, config(data={"a": "1"}))
    changed = await server.client.patch(target, orjson.dumps({"data": {"b": "1"}}), manager=KUBECTL)

    old = {"resourceVersion": created.meta.resource_version}
    with pytest.raises(ConflictError) as conflict:
        await server.client.apply(target, config(metadata=old, data={"a": "2"}))

    assert not is_field_conflict(conflict.value)
    assert (await server.client.get(target)).json() == changed.json()
    present = {"resourceVersion": changed.meta.resource_version}
    applied = await server.client.apply(target, config(metadata=present, data={"a": "2"}))
    assert applied.json()["data"] == {"a": "2", "b": "1"}


async def test_an_apply_with_no_version_only_creates(server: Server) -> None:
    """An object that exists is a conflict, whatever its version."""
    target = server.at(CONFIG_MAPS)
    only_new = {"resourceVersion": NO_VERSION}

    created = await server.client.apply(target, config(metadata=only_new, data={"a": "1"}))

    assert created.created
    with pytest.raises(ConflictError) as conflict:
        await server.client.apply(target, config(metadata=only_new, data={"a": "2"}))
    assert not is_field_conflict(conflict.value)
    assert (await server.client.get(target)).json() == created.json()


async def test_an_apply_for_another_uid_is_refused(server: Server) -> None:
    """An apply with a uid does not create an object (409) or write to another one of the same name (422)."""
    target = server.at(CONFIG_MAPS)
    other = config(metadata={"uid": "00000000-0000-0000-0000-000000000000"}, data={"a": "1"})
    with pytest.raises(ConflictError):
        await server.client.apply(target, other)
    await server.client.apply(target, config(data={"a": "1"}))

    with pytest.raises(InvalidError):
        await server.client.apply(target, other)


async def test_a_missing_object_cannot_be_read_changed_or_deleted(server: Server) -> None:
    """The 404 names the object, which distinguishes it from a kind that is not served."""
    target = server.at(CONFIG_MAPS)
    acts: list[Callable[[], Awaitable[object]]] = [
        lambda: server.client.get(target),
        lambda: server.client.patch(target, b"{}"),
        lambda: server.client.delete(target),
    ]
    for act in acts:
        with pytest.raises(NotFoundError) as missing:
            await act()
        assert not is_unserved(missing.value)
        assert missing.value.failure.name == "settings"


async def test_a_missing_namespace_is_named(server: Server) -> None:
    """An apply into a missing namespace is a 404 that names the namespace."""
    target = CONFIG_MAPS.at(name="settings", namespace="nopea-not-there")
    with pytest.raises(NotFoundError) as missing:
        await server.client.apply(target, config(data={"a": "1"}))
    assert (missing.value.failure.kind, missing.value.failure.name) == ("namespaces", "nopea-not-there")


async def test_an_unserved_kind_is_distinguished_from_a_missing_object(server: Server) -> None:
    """The 404 of an unserved kind names no object, and discovery does not find the kind."""
    with pytest.raises(NotFoundError) as missing:
        await server.client.get(server.at(WIDGETS))
    assert is_unserved(missing.value)
    with pytest.raises(NotFoundError):
        await server.client.list(WIDGETS)
    with pytest.raises(UnknownKindError):
        await Discovery(server.client).find("shop.example.com/v1", "Widget")


async def test_discovery_says_what_is_served(server: Server) -> None:
    """Discovery reports the plural, the scope and the verbs of a kind."""
    discovery = Discovery(server.client)

    maps = await discovery.find("v1", "ConfigMap")
    deployments = await discovery.find_preferred(DEPLOYMENTS.group_kind)

    assert (maps.plural, maps.namespaced) == ("configmaps", True)
    assert {"get", "list", "watch", "patch", "delete"} <= maps.verbs
    assert (deployments.version, deployments.plural) == ("v1", "deployments")
    assert not (await discovery.find("v1", "Namespace")).namespaced


def generation(live: LiveObject) -> int:
    """Return the generation of an object."""
    found: int = live.json()["metadata"]["generation"]
    return found


async def never() -> bool:
    """Return False: the wait must not stop early."""
    return False


async def test_a_custom_resource_definition_creates_a_kind(server: Server) -> None:
    """A definition becomes Established; its custom resources have a generation and a status subresource."""
    group = f"{server.namespace}.example.com"
    definition = DEFINITIONS.at(name=f"widgets.{group}")
    widgets = Resource(group=group, version="v1", kind="Widget", plural="widgets", namespaced=True)
    target = server.at(widgets, "w")

    def widget(**parts: Any) -> bytes:
        head = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}}
        return orjson.dumps({**head, **parts})

    await server.client.apply(definition, widget_definition(group))
    assert await wait_until_established(server.client, definition, source="", seconds=20, stop=never) is None
    await wait_until_served(server.client, widgets)

    only_new = {"name": "w", "resourceVersion": NO_VERSION}
    first = widget(metadata=only_new, spec={"size": 1}, status={"phase": "Ready"})
    created = await server.client.apply(target, first)
    assert (generation(created), created.json().get("status")) == (1, None)
    with pytest.raises(ConflictError):
        await server.client.apply(target, first)

    updated = await server.client.apply_status(target, widget(spec={"size": 9}, status={"phase": "Ready"}))
    assert (generation(updated), updated.json()["status"]) == (1, {"phase": "Ready"})
    assert updated.json()["spec"] == {"size": 1}
    assert fields(updated, "nopea-controller", "Apply", "status").keys() == {"f:status"}
    assert "f:status" not in fields(updated, "nopea", "Apply")

    other = {"name": "w", "uid": "00000000-0000-0000-0000-000000000000", "labels": {"app": "web"}}
    with pytest.raises(InvalidError):
        await server.client.apply(target, widget(metadata=other))
    unprotected = await server.client.apply_status(target, widget(metadata=other, status={"phase": "Lost"}))
    assert unprotected.json()["status"] == {"phase": "Lost"}  # of the metadata, it checks only the version
    assert (unprotected.meta.uid, unprotected.meta.labels) == (created.meta.uid, {})
    stale = {"name": "w", "resourceVersion": created.meta.resource_version}
    with pytest.raises(ConflictError):
        await server.client.apply_status(target, widget(metadata=stale, status={"phase": "Lost"}))

    resized = await server.client.patch(target, orjson.dumps({"spec": {"size": 2}, "status": None}))
    assert (generation(resized), resized.json()["status"]) == (2, {"phase": "Lost"})
    await server.client.delete(definition)


async def test_a_status_apply_needs_a_status_subresource_and_an_object(server: Server) -> None:
    """A ConfigMap has no status subresource, and a missing object has no status."""
    with pytest.raises(NotFoundError):
        await server.client.apply_status(server.at(CONFIG_MAPS), config())
    with pytest.raises(NotFoundError):
        await server.client.apply_status(server.at(DEPLOYMENTS), deployment("settings", app="web"))


async def test_a_list_returns_what_matches(server: Server) -> None:
    """A list selects by namespace, label, label value and name, and can return metadata only."""
    for name, labels in (("a", {"app": "web"}), ("b", {"app": "api"}), ("c", {"tier": "web"})):
        await server.client.apply(server.at(CONFIG_MAPS, name), config(name, labels=labels, data={"k": "v"}))

    async def names(**selection: Any) -> list[str]:
        found = await server.client.list(CONFIG_MAPS, Selection(namespace=server.namespace, **selection))
        assert found.resource_version.isdigit()
        return [live.meta.name for live in found.items if live.meta.name != "kube-root-ca.crt"]

    assert await names() == ["a", "b", "c"]
    assert await names(labels="app") == ["a", "b"]
    assert await names(labels="app=web") == ["a"]
    assert await names(labels="app=web,tier=web") == []
    assert await names(fields="metadata.name=c") == ["c"]
    listed = await server.client.list(
        CONFIG_MAPS, Selection(namespace=server.namespace, labels="tier", metadata_only=True)
    )
    (brief,) = listed.items
    assert brief.meta.labels == {"tier": "web"}
    assert "data" not in brief.json()
    (whole,) = (
        await server.client.list(CONFIG_MAPS, Selection(namespace=server.namespace, labels="tier"))
    ).items
    assert whole.json() == (await server.client.get(server.at(CONFIG_MAPS, "c"))).json()


async def test_a_watch_reports_what_changes_in_its_selection(server: Server) -> None:
    """An object that loses the label is DELETED, and one that gains it is ADDED."""
    target, other = server.at(CONFIG_MAPS, "a"), server.at(CONFIG_MAPS, "b")
    first = await server.client.apply(target, config("a", labels={"app": "web"}))
    await server.client.apply(other, config("b"))
    selection = Selection(namespace=server.namespace, labels="app=web")
    async with asyncio.timeout(30), aclosing(server.watch(selection)) as events:
        synced = await anext(events)
        assert isinstance(synced, Synced)
        assert [live.json() for live in synced.objects] == [first.json()]

        changed = await server.client.apply(target, config("a", labels={"app": "web"}, data={"k": "v"}))
        event = await anext(events)
        assert isinstance(event, Changed)
        assert event.object.json() == changed.json()

        await server.client.patch(other, orjson.dumps({"data": {"unseen": "1"}}))
        labelled = await server.client.patch(other, orjson.dumps({"metadata": {"labels": {"app": "web"}}}))
        event = await anext(events)
        assert isinstance(event, Changed)
        assert event.object.json() == labelled.json()

        bare = await server.client.patch(target, orjson.dumps({"metadata": {"labels": None}}))
        left = await anext(events)
        assert isinstance(left, Deleted)
        assert left.object.key == target.key
        assert left.object.meta.labels == {"app": "web"}
        assert left.object.meta.resource_version == bare.meta.resource_version

        await server.client.delete(other)
        gone = await anext(events)
        assert isinstance(gone, Deleted)
        assert gone.object.key == other.key
        assert int(gone.object.meta.resource_version) > int(labelled.meta.resource_version)


@pytest.mark.parametrize("kind", ["fake", pytest.param("real", marks=pytest.mark.cluster)])
async def test_a_watch_from_an_expired_version_must_list_again(
    kind: str, request: pytest.FixtureRequest
) -> None:
    """The 410 comes as an event in the stream, not as the code of the response."""
    async with AsyncExitStack() as stack:
        if kind == "fake":
            fake = FakeCluster(namespaces=["default"])
            client, forget = fake.client, fake.compact
        else:
            lab: Lab = request.getfixturevalue("private_lab")
            client = await stack.enter_async_context(KubeClient(load_config(lab.kubeconfig)))
            forget = lab.expire_watches
        target = CONFIG_MAPS.at(name="settings", namespace="default")
        old = await client.apply(target, config(data={"a": "1"}))
        await client.apply(target, config(data={"a": "2"}))
        await asyncio.to_thread(forget)
        version = old.meta.resource_version
        watch = requests.watch(CONFIG_MAPS, Selection(), resource_version=version, timeout_seconds=30)

        async with client.stream(watch) as stream:
            event = orjson.loads(await stream.read(within_seconds=10))

    assert event["type"] == "ERROR"
    assert {name: event["object"][name] for name in ("kind", "reason", "code")} == {
        "kind": "Status", "reason": "Expired", "code": 410,
    }  # fmt: skip


async def test_a_deletion_checks_its_preconditions(server: Server) -> None:
    """A deletion with another uid or version is a conflict and deletes nothing."""
    target = server.at(CONFIG_MAPS)
    created = await server.client.apply(target, config(data={"a": "1"}))
    for wrong in (
        Preconditions(uid="00000000-0000-0000-0000-000000000000"),
        Preconditions(uid=created.meta.uid, resource_version="1"),
    ):
        with pytest.raises(ConflictError):
            await server.client.delete(target, only_if=wrong)

    right = Preconditions(uid=created.meta.uid, resource_version=created.meta.resource_version)
    assert await server.client.delete(target, only_if=right) is None

    with pytest.raises(NotFoundError):
        await server.client.get(target)


async def test_a_finalizer_keeps_an_object(server: Server) -> None:
    """A deletion sets deletionTimestamp; the object disappears with its last finalizer."""
    target = server.at(CONFIG_MAPS)
    held = config(metadata={"finalizers": ["example.com/hold"]})
    created = await server.client.apply(target, held)
    assert fields(created, "nopea", "Apply")["f:metadata"]["f:finalizers"].keys() >= {'v:"example.com/hold"'}

    assert await server.client.delete(target) is not None
    answer = await server.client.delete(target)
    ending = await server.client.get(target)
    assert answer == ending
    assert ending.json()["metadata"]["deletionTimestamp"]
    assert ending.meta.uid == created.meta.uid

    await server.client.apply(target, config(data={"a": "1"}))
    with pytest.raises(NotFoundError):
        await server.client.get(target)


async def test_finalizers_are_a_set(server: Server) -> None:
    """An apply adds and removes its own finalizers and keeps those of other managers."""
    target = server.at(CONFIG_MAPS)
    await server.client.apply(target, config(metadata={"finalizers": ["example.com/a"]}))
    await server.client.patch(
        target,
        orjson.dumps({"metadata": {"finalizers": ["example.com/a", "example.com/b"]}}),
        manager=KUBECTL,
    )

    live = await server.client.apply(target, config())

    assert live.json()["metadata"]["finalizers"] == ["example.com/b"]
    await server.client.patch(target, orjson.dumps({"metadata": {"finalizers": None}}), manager=KUBECTL)


async def test_an_immutable_object_is_refused(server: Server) -> None:
    """The error says that the field cannot change after creation."""
    target = server.at(CONFIG_MAPS)
    await server.client.apply(target, config(immutable=True, data={"a": "1"}))
    with pytest.raises(InvalidError) as refused:
        await server.client.apply(target, config(immutable=True, data={"a": "2"}))
    assert is_immutable(refused.value)


async def test_a_name_can_be_reused(server: Server) -> None:
    """The new object has another uid; a resourceVersion of the old one does not prevent its creation."""
    target = server.at(CONFIG_MAPS)
    first = await server.client.apply(target, config(data={"a": "1"}))
    await server.client.delete(target)

    old = {"resourceVersion": first.meta.resource_version}
    second = await server.client.apply(target, config(metadata=old, data={"a": "1"}))

    assert second.created
    assert second.meta.uid != first.meta.uid


async def test_a_creation_of_an_existing_object_is_refused(server: Server) -> None:
    """A POST never changes an existing object."""
    created = await server.client.create(CONFIG_MAPS, config(data={"a": "1"}), namespace=server.namespace)
    assert fields(created, "nopea-controller", "Update") == {"f:data": {".": {}, "f:a": {}}}
    with pytest.raises(AlreadyExistsError):
        await server.client.create(CONFIG_MAPS, config(data={"a": "2"}), namespace=server.namespace)


async def test_an_account_without_rights_is_refused(server: Server) -> None:
    """A service account has no permissions until they are granted."""
    account = ServiceAccount(namespace=server.namespace, name="deployer")
    with pytest.raises(ForbiddenError):
        await server.client.on_behalf("a flow", of=account).apply(
            server.at(CONFIG_MAPS), config(data={"a": "1"})
        )
    with pytest.raises(NotFoundError):
        await server.client.get(server.at(CONFIG_MAPS))


async def test_a_dry_run_answers_what_an_apply_would_store_and_stores_nothing(server: Server) -> None:
    """What the manifest dropped is gone in the answer; an object that is created does not exist after it."""
    target, other = server.at(CONFIG_MAPS), server.at(CONFIG_MAPS, "other")
    await server.client.apply(target, _settings(server, "settings", a="1", b="1"))
    before = (await server.client.get(target)).json()

    changed = await server.client.dry_apply(target, _settings(server, "settings", a="2"))
    created = await server.client.dry_apply(other, _settings(server, "other", a="1"))

    assert changed.json()["data"] == {"a": "2"}
    assert created.json()["data"] == {"a": "1"}
    assert (await server.client.get(target)).json() == before
    with pytest.raises(NotFoundError):
        await server.client.get(other)


def _settings(server: Server, name: str, **data: str) -> bytes:
    metadata = {"name": name, "namespace": server.namespace}
    return orjson.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
