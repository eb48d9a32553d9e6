"""What may have changed between the plan and the write: break-glass, another owner, another object."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import orjson
from tests.fakes.watch import FakeWatch

from nopea import tasks
from nopea.core.manifests.render import Desired
from nopea.core.manifests.stages import stage_of
from nopea.core.objects import GroupKind, ObjectKey, Resource, Target
from nopea.core.plan.model import (
    Action,
    BreakGlass,
    ClusterState,
    ObservedObject,
    Plan,
    Policy,
    Reason,
    Step,
)
from nopea.core.plan.observed import observed_of
from nopea.core.plan.plan import plan
from nopea.core.status.report import Outcome
from nopea.informers.object_cache import ObjectCache
from nopea.kube.live import LiveObject
from nopea.kube.requests import Preconditions
from nopea.reconcile.apply import Applier
from nopea.reconcile.execute import Execution, Executor
from nopea.reconcile.request import Supersede

MAPS = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)
KEY = ObjectKey("", "ConfigMap", "shop", "a")
OURS = {"manager": "nopea", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1"}


def config(version: int = 1, *, owner: str = "shop.web", **annotations: str) -> dict[str, Any]:
    """Return a ConfigMap that Nopea applied."""
    metadata = {
        "name": "a",
        "namespace": "shop",
        "uid": "u-a",
        "resourceVersion": str(version),
        "labels": {"nopea.io/repository": owner},
        "annotations": {f"nopea.io/{name.replace('_', '-')}": text for name, text in annotations.items()},
        "managedFields": [{**OURS, "fieldsV1": {"f:data": {"f:colour": {}}}}],
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"colour": "blue"}}


class Writes(FakeWatch):
    """Remembers deletions and answers reads; a body that is applied fails the test: nothing answers it."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        super().__init__(objects)
        self.deleted: list[Preconditions] = []

    async def delete_object(self, target: Target, *, only_if: Preconditions) -> bool:
        """Take a deletion."""
        del target
        self.deleted.append(only_if)
        return True

    async def get(self, target: Target) -> LiveObject:
        """Read an object."""
        return LiveObject(orjson.dumps(self.objects[(target.namespace, target.name)]))


class _Client:
    def __init__(self, writes: Writes) -> None:
        self.delete = writes.delete_object
        self.get = writes.get


@asynccontextmanager
async def followed(writes: Writes) -> AsyncIterator[ObjectCache]:
    """Return an index that has listed the ConfigMaps."""
    object_cache = ObjectCache(writes.client)
    running = tasks.spawn(object_cache.run(), name="index")
    try:
        await object_cache.ensure([MAPS])
        yield object_cache
    finally:
        await tasks.end(running)


async def execute(writes: Writes, object_cache: ObjectCache, step: Step) -> Execution:
    """Carry out one step."""
    client = cast("Any", _Client(writes))

    async def resource_for(kind: GroupKind) -> Resource:
        del kind
        return MAPS

    async def newest() -> str:
        return ""

    async def decide(one: Desired, live: Mapping[str, Any] | None) -> Step:
        world = ClusterState(observed={one.key: observed_of(live, now=datetime.now(UTC))} if live else {})
        policy = Policy(owner="shop.web")
        return plan(desired=[one], cluster=world, policy=policy, now=datetime.now(UTC)).steps[0]

    executor = Executor(
        client=client,
        object_cache=object_cache,
        applier=Applier(
            client=client,
            object_cache=object_cache,
            owner="shop.web",
            defined_here=frozenset(),
            decide=decide,
        ),
        claim=lambda _: "",
        resource_for=resource_for,
        commit="c0ffee",
    )
    return await executor.execute(Plan(steps=(step,)), Supersede(frozenset, newest, commit=""))


def prune_of(live: ObservedObject) -> Step:
    """Return the decision to delete the object as it was seen."""
    return Step(action=Action.PRUNE, reason=Reason.GONE_FROM_GIT, key=KEY, live=live)


async def test_break_glass_after_the_plan_stops_the_write() -> None:
    """A long pass does not write over what a person has just protected."""
    writes = Writes(config(2, suspend_heal="true"))
    async with followed(writes) as object_cache:
        live = object_cache.owned("shop.web")[KEY]
        endpoint = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)
        desired = Desired(
            key=KEY,
            resource=endpoint,
            source="a.yaml#1",
            body=b"{}",
            hash="h",
            stage=stage_of(KEY.group_kind),
            wave=0,
            force=False,
        )
        planned = replace(live, break_glass=None, resource_version="1")
        step = Step(action=Action.APPLY, reason=Reason.GIT_CHANGE, key=KEY, desired=desired, live=planned)
        execution = await execute(writes, object_cache, step)
    assert live.break_glass == BreakGlass()
    assert (execution.results[KEY].outcome, execution.results[KEY].reason) == (
        Outcome.SKIPPED,
        Reason.BREAK_GLASS,
    )
    assert execution.applied == {}


async def test_a_prune_names_the_version_that_was_decided_about() -> None:
    """So what changes between the last event and the request is not deleted."""
    writes = Writes(config(2))
    async with followed(writes) as object_cache:
        execution = await execute(writes, object_cache, prune_of(object_cache.owned("shop.web")[KEY]))
    assert writes.deleted == [Preconditions(uid="u-a", resource_version="2")]
    assert execution.gone == {KEY}


async def test_a_prune_is_decided_anew_when_a_safeguard_came_meanwhile() -> None:
    """Break-glass, the prune annotation and another owner count until the last moment."""
    for now in (config(2, suspend_heal="true"), config(2, prune="false"), config(2, owner="shop.api")):
        writes = Writes(now)
        async with followed(writes) as object_cache:
            (live,) = (object_cache.owned("shop.web") | object_cache.owned("shop.api")).values()
            before = replace(live, break_glass=None, prune=None, owner="shop.web", resource_version="1")
            execution = await execute(writes, object_cache, prune_of(before))
        assert writes.deleted == []
        assert execution.results[KEY].reason is Reason.KEPT
        assert execution.results[KEY].retry_at is not None
