"""A ConfigMap that Nopea applied in a fake cluster, with an Applier and an Executor for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
from tests.fakes.cluster import FakeCluster
from tests.fakes.field_management import Json
from tests.fakes.object_store import CONFIG_MAPS

from nopea import tasks
from nopea.core.manifests.render import Desired
from nopea.core.manifests.stages import stage_of
from nopea.core.objects import GroupKind, ObjectKey, Resource
from nopea.core.plan.model import (
    Action,
    ClusterState,
    LastApplied,
    ObservedObject,
    Plan,
    Policy,
    Reason,
    Step,
)
from nopea.core.plan.observed import observed_of
from nopea.core.plan.plan import plan
from nopea.informers.object_cache import ObjectCache
from nopea.kube.discovery import Discovery
from nopea.reconcile.apply import Applier
from nopea.reconcile.execute import Executor
from nopea.reconcile.execution import Execution
from nopea.reconcile.request import Supersede

OWNER = "shop.web"
KEY = ObjectKey("", "ConfigMap", "shop", "web")
PROTECTED = {"nopea.io/suspend-heal": "true"}
APPLY, GET, PATCH, DELETE = (f"{verb} configmaps/v1 shop/web" for verb in ("apply", "get", "patch", "delete"))


def manifest(colour: str = "green") -> bytes:
    """Return the manifest in Git."""
    metadata = {"name": "web", "namespace": "shop", "labels": {"nopea.io/repository": OWNER}}
    return orjson.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"colour": colour}}
    )


class Acting:
    """A cluster with the ConfigMap `web`, applied as blue, and an ObjectCache that watches it."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.object_cache = ObjectCache(self.cluster.client)
        self.unclaimed: list[ObjectKey] = []
        self.recorded: dict[ObjectKey, LastApplied] = {}

    def live(self) -> ObservedObject:
        """Return the ConfigMap as a plan observes it."""
        return observed_of(self.cluster.objects[KEY], now=datetime.now(UTC))

    def data(self) -> Json:
        """Return the ConfigMap's data."""
        found: Json = self.cluster.objects[KEY]["data"]
        return found

    def annotate(self, annotations: Mapping[str, str]) -> None:
        """Annotate the ConfigMap as a user does."""
        self.cluster.change(KEY, {"metadata": {"annotations": annotations}})

    def give_away(self) -> None:
        """Label the ConfigMap as owned by another GitRepository."""
        self.cluster.change(KEY, {"metadata": {"labels": {"nopea.io/repository": "shop.api"}}})

    def move_on(self) -> None:
        """Change the ConfigMap's version without changing a field of ours."""
        self.cluster.change(KEY, {"data": {"seen": self.live().resource_version}}, manager="operator")

    async def settle(self) -> None:
        """Wait until the cache has caught up, and clear the record of requests."""
        await asyncio.sleep(1)
        self.cluster.requests.clear()

    def step(
        self, live: ObservedObject | None, reason: Reason = Reason.GIT_CHANGE, *, colour: str = "green"
    ) -> Step:
        """Return the decision to apply the ConfigMap."""
        desired = Desired(
            key=KEY,
            resource=CONFIG_MAPS,
            source="web.yaml#1",
            body=manifest(colour),
            hash="h",
            stage=stage_of(KEY.group_kind),
            wave=0,
            force=False,
        )
        return Step(action=Action.APPLY, reason=reason, key=KEY, desired=desired, live=live)

    def applier(self) -> Applier:
        """Return an applier for the ConfigMap's repository."""
        return Applier(
            client=self.cluster.client,
            object_cache=self.object_cache,
            owner=OWNER,
            discovery=Discovery(self.cluster.client),
            defined_here=frozenset(),
            decide=self._decide,
        )

    async def execute(self, step: Step) -> Execution:
        """Execute one step."""

        async def resource_for(kind: GroupKind) -> Resource:
            assert kind == CONFIG_MAPS.group_kind
            return CONFIG_MAPS

        async def newest() -> str:
            return ""

        executor = Executor(
            client=self.cluster.client,
            object_cache=self.object_cache,
            applier=self.applier(),
            claim=lambda _: "",
            unclaim=self.unclaimed.append,
            resource_for=resource_for,
            commit="c0ffee",
            applied=self.recorded,
        )
        return await executor.execute(Plan(steps=(step,)), Supersede(frozenset, newest, commit=""))

    async def _decide(self, one: Desired, live: Mapping[str, Any] | None) -> Step:
        now = datetime.now(UTC)
        world = ClusterState(
            observed={one.key: observed_of(live, now=now)} if live else {},
            last_applied={one.key: LastApplied(hash="before", projection="p")},
        )
        return plan(desired=[one], cluster=world, policy=Policy(owner=OWNER), now=now).steps[0]


@asynccontextmanager
async def acting() -> AsyncIterator[Acting]:
    """Yield the cluster with a running object cache."""
    actor = Acting()
    await actor.cluster.client.apply(CONFIG_MAPS.at(name="web", namespace="shop"), manifest("blue"))
    running = tasks.spawn(actor.object_cache.run(), name="object cache")
    try:
        await actor.object_cache.ensure([(CONFIG_MAPS, "shop")])
        await actor.settle()
        yield actor
    finally:
        await tasks.end(running)
