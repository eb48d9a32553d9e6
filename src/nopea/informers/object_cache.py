"""What is live of the kinds that Nopea applies: one watch per kind and version, on objects with our label.

It answers who owns an object and whether it is as our last apply left it, without a request per object, and
tells when that changes. Keeps of each object what a plan needs of it, never the object. Where Nopea itself
may not watch, the service account that applies the objects does: all namespaces if it may, else its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from nopea import log_events, tasks
from nopea.core.api import names
from nopea.core.apply.ignore_rules import NO_RULES, IgnoreRules
from nopea.core.objects import GroupKind, ObjectKey, Resource
from nopea.core.plan.model import Finish, ObservedObject
from nopea.core.plan.observed import observed_of
from nopea.core.secret import NO_KEY, Secret
from nopea.informers.informer import EVERYWHERE, Informer, Informers, KindVersion, Scope, is_newer, version_of
from nopea.kube.access import may
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError
from nopea.kube.live import LiveObject
from nopea.kube.requests import Selection
from nopea.kube.watch import Changed, Deleted, Synced, list_and_watch
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

Place: TypeAlias = tuple[Resource, str]
"""A kind and a namespace; the namespace is empty for cluster-scoped kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """The account that may watch what Nopea may not; its client acts as it."""

    account: str
    client: KubeClient


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


def _no_key() -> Secret:
    return NO_KEY


class ObjectCache:
    """Bounded by the kinds that the API server serves and the objects that carry our label.

    `wake` is called with an owner's label value when something about an object of it has changed that a
    plan could answer differently; it must not block. `hash_key` returns the key of all hashes of objects.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        rules: RulesOf = _no_rules,
        wake: Callable[[str], None] = _wake_nobody,
        hash_key: Callable[[], Secret] = _no_key,
    ) -> None:
        self.hash_key = hash_key
        self._client = client
        self._rules = rules
        self._wake = wake
        self._informers = Informers()
        self._may_watch_all: dict[tuple[KindVersion, str], bool] = {}
        self._wanted: asyncio.Queue[Informer] = asyncio.Queue()
        self._lists_of_retired = 0

    async def run(self) -> None:
        """Follow every kind that was asked for until cancelled; a bug in one ends all, and the process."""
        async with asyncio.TaskGroup() as group:
            while True:
                kind = await self._wanted.get()
                if self._informers.find(kind.resource, kind.scope) is kind:
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

    async def ensure(self, places: Iterable[Place], watcher: Watcher | None = None) -> None:
        """Return when each place has had its first list, or that has failed: then `knows` says so.

        `watcher` watches where Nopea may not. Waits `FIRST_LIST_SECONDS` at most for all of them.
        """
        wanted = list(dict.fromkeys(places))
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LIST_SECONDS):
                await _answered(self._start(resource) for resource, _ in wanted)
                if watcher is not None:
                    refused = [place for place in wanted if not self.knows(*place)]
                    await _answered([await self._start_as(watcher, *place) for place in refused])

    def knows(self, resource: Resource, namespace: str) -> bool:
        """True when `get` can be believed for objects of this kind and version in a namespace."""
        return any(each.health.synced for each in self._informers.of(resource, namespace))

    def covers(self, key: ObjectKey) -> bool:
        """True when `owned` can be believed for this object."""
        return any(each.health.synced for each in self._informers.about(key.group_kind, key.namespace))

    def refused(self, keys: Iterable[ObjectKey]) -> set[Place]:
        """Return where objects were asked for and cannot be followed, so that `owned` misses some of them."""
        return {
            (each.resource, key.namespace)
            for key in keys
            if not self.covers(key)
            for each in self._informers.about(key.group_kind, key.namespace)
            if each.health.last_error
        }

    def get(self, resource: Resource, key: ObjectKey) -> ObservedObject | None:
        """Return what is live under our label; None when nothing is, or the kind is not known."""
        found = self._informers.of(resource, key.namespace)
        return found[0].objects.get(key) if found else None

    def finish(self, resource: Resource, key: ObjectKey) -> Finish | None:
        """Return how a Job ended, also if it was deleted since; None if it is not known to have ended."""
        live = self.get(resource, key)
        if live is not None:
            return live.finish
        ended = (each.ended.get(key) for each in self._informers.of(resource, key.namespace))
        return next(filter(None, ended), None)

    def body(self, key: ObjectKey) -> LiveObject | None:
        """Return the whole object, which only a cache for one command keeps."""
        del key
        return None

    def observed(self, live: Mapping[str, Any], *, rules: IgnoreRules = NO_RULES) -> ObservedObject:
        """Return the facts about an object that was read, as this cache keeps them."""
        return observed_of(live, now=datetime.now(UTC), rules=rules, key=self.hash_key())

    def owned(self, owner: str) -> dict[ObjectKey, ObservedObject]:
        """Return every live object with this owner's label, of all kinds that are followed."""
        return {
            key: each.objects[key]
            for each in self._informers
            for key in each.by_owner.get(owner, ())
            if each.health.synced or not self.covers(key)  # else it may be gone for long
        }

    def unwatched(self, owner: str) -> dict[ObjectKey, Resource]:
        """Return this owner's objects that no watch updates: they are as a request found them."""
        return {
            key: each.resource
            for each in self._informers
            if not each.health.synced
            for key in each.by_owner.get(owner, ())
            if not self.covers(key)
        }

    def assume(self, resource: Resource, key: ObjectKey, observed: ObservedObject) -> None:
        """Take over what a request returned, before the watch says the same.

        At the version that is known already it counts too: other rules may have come, and with them another
        projection.
        """
        for kind in self._informers.of(resource, key.namespace):
            known = kind.objects.get(key)
            if known is not None and known.resource_version == observed.resource_version:
                kind.remove(key)
            self._take(kind, key, observed)

    def assume_gone(self, key: ObjectKey) -> None:
        """Take over that an object was deleted, before the watch says the same."""
        for kind in self._informers.about(key.group_kind, key.namespace):
            kind.remove(key)

    def statistics(self) -> CacheStatistics:
        """Return what is followed now."""
        kinds = list(self._informers)
        failing = sum(kind.health.last_error is not None for kind in kinds)
        return CacheStatistics(
            objects=sum(len(kind.objects) for kind in kinds),
            watches={"working": len(kinds) - failing, "failing": failing},
            lists=self._lists_of_retired + sum(kind.health.lists for kind in kinds),
        )

    def retire(self, wanted: Collection[GroupKind]) -> None:
        """Stop following kinds of which nothing is live, nothing was applied, and nobody asked lately.

        An account's watch ends as well when nobody asked for it lately and it does not work.
        """
        now = asyncio.get_running_loop().time()
        for kind in self._informers:
            is_idle = now - kind.asked_at > IDLE_SECONDS
            is_unwanted = not kind.objects and kind.resource.group_kind not in wanted
            is_useless = bool(kind.scope.account) and not (kind.objects and kind.health.synced)
            if is_idle and (is_unwanted or is_useless):
                self._informers.remove(kind)
                self._may_watch_all.pop((kind.version, kind.scope.account), None)
                self._lists_of_retired += kind.health.lists
                if kind.task is not None:
                    kind.task.cancel()

    def _start(
        self, resource: Resource, scope: Scope = EVERYWHERE, client: KubeClient | None = None
    ) -> Informer:
        kind = self._informers.find(resource, scope)
        if kind is None:
            kind = Informer(resource, client or self._client, scope)
            self._informers.add(kind)
            self._wanted.put_nowait(kind)
        kind.asked_at = asyncio.get_running_loop().time()
        return kind

    async def _start_as(self, watcher: Watcher, resource: Resource, namespace: str) -> Informer:
        """Follow a kind as an account: everywhere if it may, else in this namespace."""
        which = version_of(resource), watcher.account
        if namespace and which not in self._may_watch_all:
            with suppress(ApiError):  # then only this namespace is watched, and the next sync asks again
                self._may_watch_all[which] = await may(watcher.client, "watch", resource)
        is_everywhere = self._may_watch_all.get(which, False)
        scope = Scope(watcher.account, "" if is_everywhere else namespace)
        return self._start(resource, scope, watcher.client)

    async def _follow(self, kind: Informer) -> None:
        ours = replace(OURS, namespace=kind.scope.namespace)
        events = list_and_watch(kind.client, kind.resource, ours, health=kind.health)
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
                            kind.lose(key, observed.finish)
                            self._tell({known.owner})

    def _replace(self, kind: Informer, objects: Iterable[LiveObject]) -> None:
        listed = dict(self._read(kind, live) for live in objects)
        owners: set[str | None] = set()
        for key in kind.objects.keys() - listed.keys():
            owners.add(kind.objects[key].owner)
            kind.lose(key, kind.objects[key].finish)
        for key, observed in listed.items():
            owners |= self._take(kind, key, observed)
        self._tell(owners)

    def _read(self, kind: Informer, live: LiveObject) -> tuple[ObjectKey, ObservedObject]:
        raw = live.json()
        key = ObjectKey(kind.resource.group, kind.resource.kind, live.meta.namespace, live.meta.name)
        owner = live.meta.labels.get(names.REPOSITORY_LABEL) or ""
        return key, self.observed(raw, rules=self._rules(owner, key))

    def _take(self, kind: Informer, key: ObjectKey, observed: ObservedObject) -> set[str | None]:
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
    """Bounded by one owner's objects, kept whole. A kind that may not be listed stays unknown."""

    def __init__(self, client: KubeClient, *, owner: str, rules: RulesOf) -> None:
        super().__init__(client, rules=rules)
        self._selection = Selection(labels=f"{names.REPOSITORY_LABEL}={owner}") if owner else None
        self._bodies: dict[ObjectKey, LiveObject] = {}

    def body(self, key: ObjectKey) -> LiveObject | None:
        """Return the object as it was listed: a command does not have the key of recorded hashes."""
        return self._bodies.get(key)

    async def ensure(self, places: Iterable[Place], watcher: Watcher | None = None) -> None:
        """List each kind that has not been listed yet."""
        del watcher  # a command reads as its user
        for resource, namespace in dict.fromkeys(places):
            if self._selection is None or self.knows(resource, namespace):
                continue
            try:
                listing = await self._client.list(resource, self._selection)
            except ApiError:
                continue  # the look at each object says what is wrong
            kind = self._start(resource)
            kind.health.synced = True
            self._replace(kind, listing.items)
            self._bodies |= {live.key: live for live in listing.items}


async def _answered(informers: Iterable[Informer]) -> None:
    for informer in list(informers):
        await informer.health.answered.wait()
