"""What is live of the kinds that Nopea applies: one watch per kind and version, on objects with our label.

It answers who owns an object and whether it is as our last apply left it, without a request per object, and
tells when that changes. Keeps of each object what a plan needs of it, never the object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeAlias

from nopea import log_events, tasks
from nopea.core.api import names
from nopea.core.apply.ignore_rules import NO_RULES, IgnoreRules
from nopea.core.objects import GroupKind, ObjectKey, Resource
from nopea.core.plan.model import ObservedObject
from nopea.core.plan.observed import observed_of
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError
from nopea.kube.live import LiveObject
from nopea.kube.requests import Selection
from nopea.kube.watch import Changed, Deleted, Synced, WatchHealth, list_and_watch
from nopea.logs import Log

log = Log(__name__)
OURS = Selection(labels=names.REPOSITORY_LABEL)
OURS_BRIEFLY = Selection(labels=names.REPOSITORY_LABEL, metadata_only=True)
FIRST_LIST_SECONDS = 30.0
IDLE_SECONDS = 300.0
"""A kind that a sync asked for may get its first object a little later."""
_SWEEPERS = 8

RulesOf: TypeAlias = Callable[[str, ObjectKey], IgnoreRules]
"""Returns what the repository of a label value ignores in an object."""

_KindVersion: TypeAlias = tuple[str, str, str]


@dataclass(slots=True)
class _Informer:
    """One followed kind in one version: field sets, and so baselines, are those of a version."""

    resource: Resource
    health: WatchHealth = field(default_factory=WatchHealth)
    objects: dict[ObjectKey, ObservedObject] = field(default_factory=dict)
    by_owner: dict[str, set[ObjectKey]] = field(default_factory=dict)
    asked_at: float = 0.0
    task: asyncio.Task[None] | None = None

    def put(self, key: ObjectKey, observed: ObservedObject) -> None:
        self.remove(key)
        self.objects[key] = observed
        if observed.owner is not None:
            self.by_owner.setdefault(observed.owner, set()).add(key)

    def remove(self, key: ObjectKey) -> None:
        known = self.objects.pop(key, None)
        if known is None or known.owner is None:
            return
        keys = self.by_owner.get(known.owner, set())
        keys.discard(key)
        if not keys:
            self.by_owner.pop(known.owner, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStatistics:
    """How many objects are known; the watches by state; whole lists read since the start."""

    objects: int
    watches: dict[str, int]
    lists: int


def _no_rules(owner: str, key: ObjectKey) -> IgnoreRules:
    del owner, key
    return NO_RULES


def _wake_nobody(owner: str) -> None:
    del owner


class ObjectCache:
    """Bounded by the kinds that the API server serves and the objects that carry our label.

    `wake` is called with an owner's label value when something about an object of it has changed that a
    plan could answer differently; it must not block.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        rules: RulesOf = _no_rules,
        wake: Callable[[str], None] = _wake_nobody,
    ) -> None:
        self._client = client
        self._rules = rules
        self._wake = wake
        self._kinds: dict[_KindVersion, _Informer] = {}
        self._wanted: asyncio.Queue[_Informer] = asyncio.Queue()
        self._lists_of_retired = 0

    async def run(self) -> None:
        """Follow every kind that was asked for until cancelled; a bug in one ends all, and the process."""
        async with asyncio.TaskGroup() as group:
            while True:
                kind = await self._wanted.get()
                if self._kinds.get(_version(kind.resource)) is kind:
                    kind.task = group.create_task(self._follow(kind), name=f"watch {kind.resource}")

    async def sweep(self, resources: Iterable[Resource]) -> None:
        """Look for objects of ours in every kind, and follow the kinds that have some.

        Finds what a crash between an apply and its record would leave behind unknown.
        """
        listable = {r.group_kind: r for r in resources if {"list", "watch"} <= r.verbs}

        async def sweep(resource: Resource) -> None:
            try:
                found = (await self._client.list(resource, OURS_BRIEFLY)).items
            except ApiError as error:
                log.write(log_events.kind_not_searched, kind=str(resource), error=str(error))
                return
            if found:
                self._start(resource)

        await tasks.for_each([*listable.values()], sweep, limit=_SWEEPERS, name="sweep")

    async def ensure(self, resources: Iterable[Resource]) -> None:
        """Return when each kind has had its first list, or that has failed: then `knows` says so.

        Waits `FIRST_LIST_SECONDS` at most for all of them.
        """
        informers = [self._start(resource) for resource in resources]
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LIST_SECONDS):
                for informer in informers:
                    await informer.health.answered.wait()

    def follow(self, resource: Resource) -> None:
        """Follow a kind from now on, without waiting for its first list."""
        self._start(resource)

    def knows(self, resource: Resource) -> bool:
        """True when `get` can be believed for objects of this kind and version."""
        found = self._kinds.get(_version(resource))
        return found is not None and found.health.synced

    def covers(self, kind: GroupKind) -> bool:
        """True when `owned` can be believed for objects of this kind."""
        return any(found.health.synced for found in self._kinds.values() if found.resource.group_kind == kind)

    def is_refused(self, kind: GroupKind) -> bool:
        """True when the kind was asked for and cannot be followed, so that `owned` misses its objects."""
        found = [each.health for each in self._kinds.values() if each.resource.group_kind == kind]
        return any(health.last_error for health in found) and not any(health.synced for health in found)

    def get(self, resource: Resource, key: ObjectKey) -> ObservedObject | None:
        """Return what is live under our label; None when nothing is, or the kind is not known."""
        kind = self._kinds.get(_version(resource))
        return kind.objects.get(key) if kind else None

    def owned(self, owner: str) -> dict[ObjectKey, ObservedObject]:
        """Return every live object with this owner's label, of all kinds that are followed."""
        return {
            key: kind.objects[key] for kind in self._kinds.values() for key in kind.by_owner.get(owner, ())
        }

    def unwatched(self, owner: str) -> dict[ObjectKey, Resource]:
        """Return this owner's objects that no watch updates: they are as a request found them."""
        return {
            key: kind.resource
            for kind in self._kinds.values()
            if not kind.health.synced
            for key in kind.by_owner.get(owner, ())
        }

    def assume(self, resource: Resource, key: ObjectKey, observed: ObservedObject) -> None:
        """Take over what a request returned, before the watch says the same.

        At the version that is known already it counts too: other rules may have come, and with them another
        projection.
        """
        kind = self._kinds.get(_version(resource))
        if kind is None:
            return
        known = kind.objects.get(key)
        if known is not None and known.resource_version == observed.resource_version:
            kind.remove(key)
        self._take(kind, key, observed)

    def assume_gone(self, key: ObjectKey) -> None:
        """Take over that an object was deleted, before the watch says the same."""
        for kind in self._kinds.values():
            if kind.resource.group_kind == key.group_kind:
                kind.remove(key)

    def statistics(self) -> CacheStatistics:
        """Return what is followed now."""
        kinds = self._kinds.values()
        failing = sum(kind.health.last_error is not None for kind in kinds)
        return CacheStatistics(
            objects=sum(len(kind.objects) for kind in kinds),
            watches={"working": len(kinds) - failing, "failing": failing},
            lists=self._lists_of_retired + sum(kind.health.lists for kind in kinds),
        )

    def retire(self, wanted: Collection[GroupKind]) -> None:
        """Stop following kinds of which nothing is live, nothing was applied, and nobody asked lately."""
        now = asyncio.get_running_loop().time()
        for version, kind in list(self._kinds.items()):
            idle = now - kind.asked_at > IDLE_SECONDS
            if idle and not kind.objects and kind.resource.group_kind not in wanted:
                del self._kinds[version]
                self._lists_of_retired += kind.health.lists
                if kind.task is not None:
                    kind.task.cancel()

    def _start(self, resource: Resource) -> _Informer:
        kind = self._kinds.get(_version(resource))
        if kind is None:
            kind = self._kinds[_version(resource)] = _Informer(resource)
            self._wanted.put_nowait(kind)
        kind.asked_at = asyncio.get_running_loop().time()
        return kind

    async def _follow(self, kind: _Informer) -> None:
        events = list_and_watch(self._client, kind.resource, OURS, health=kind.health)
        async with aclosing(events):
            async for event in events:
                match event:
                    case Synced(objects):
                        self._replace(kind, objects)
                    case Changed(live):
                        key, observed = self._read(kind, live)
                        self._tell(self._take(kind, key, observed))
                    case Deleted(live):
                        key, observed = self._read(kind, live)
                        known = kind.objects.get(key)
                        if known and not is_newer(known.resource_version, observed.resource_version):
                            kind.remove(key)
                            self._tell({known.owner})

    def _replace(self, kind: _Informer, objects: Iterable[LiveObject]) -> None:
        listed = dict(self._read(kind, live) for live in objects)
        owners: set[str | None] = set()
        for key in kind.objects.keys() - listed.keys():
            owners.add(kind.objects[key].owner)
            kind.remove(key)
        for key, observed in listed.items():
            owners |= self._take(kind, key, observed)
        self._tell(owners)

    def _read(self, kind: _Informer, live: LiveObject) -> tuple[ObjectKey, ObservedObject]:
        raw = live.json()
        key = ObjectKey(kind.resource.group, kind.resource.kind, live.meta.namespace, live.meta.name)
        owner = live.meta.labels.get(names.REPOSITORY_LABEL) or ""
        return key, observed_of(raw, now=datetime.now(UTC), rules=self._rules(owner, key))

    def _take(self, kind: _Informer, key: ObjectKey, observed: ObservedObject) -> set[str | None]:
        """Keep the newer of what is known and what is said; return whom the difference concerns."""
        known = kind.objects.get(key)
        if known is not None and not is_newer(observed.resource_version, known.resource_version):
            return set()
        if observed.owner is None:
            kind.remove(key)
            return {known.owner} if known else set()
        kind.put(key, observed)
        if known is not None and replace(known, resource_version=observed.resource_version) == observed:
            return set()
        return {observed.owner, known.owner} if known else {observed.owner}

    def _tell(self, owners: Iterable[str | None]) -> None:
        for owner in set(owners):
            if owner:
                self._wake(owner)


class ListedObjects(ObjectCache):
    """Bounded by one owner's objects. A kind that may not be listed stays unknown."""

    def __init__(self, client: KubeClient, *, owner: str, rules: RulesOf) -> None:
        super().__init__(client, rules=rules)
        self._selection = Selection(labels=f"{names.REPOSITORY_LABEL}={owner}") if owner else None

    async def ensure(self, resources: Iterable[Resource]) -> None:
        """List each kind that has not been listed yet."""
        for resource in resources:
            if self._selection is None or self.knows(resource):
                continue
            try:
                listing = await self._client.list(resource, self._selection)
            except ApiError:
                continue  # the look at each object says what is wrong
            kind = self._start(resource)
            kind.health.synced = True
            self._replace(kind, listing.items)


def _version(resource: Resource) -> _KindVersion:
    return (resource.group, resource.version, resource.kind)


def is_newer(version: str, than: str) -> bool:
    """Compare resourceVersions of one kind as decimal numbers (conformance since Kubernetes 1.35)."""
    return (len(version), version) > (len(than), than)
