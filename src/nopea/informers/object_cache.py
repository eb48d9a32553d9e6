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
from nopea.core.users.write import ReportedObject
from nopea.informers.informer import EVERYWHERE, Informer, Informers, KindVersion, Scope, version_of
from nopea.kube.access import may
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ForbiddenError, UnreachableError
from nopea.kube.live import LiveObject
from nopea.kube.requests import Selection
from nopea.kube.watch import Changed, Deleted, Synced, list_and_watch
from nopea.logs import Log

log = Log(__name__)
OURS = Selection(labels=names.REPOSITORY_LABEL)
OURS_BRIEFLY = Selection(labels=names.REPOSITORY_LABEL, metadata_only=True)
FIRST_LIST_SECONDS = 30.0
"""How long syncs wait for the first list of a kind, from its beginning on: one that hangs costs it once."""

IDLE_SECONDS = 300.0
"""A kind that a sync asked for may get its first object a little later."""

MOST_WATCHES = 200
"""The watches of all accounts of one namespace; beyond it, objects are read one by one."""

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


def _tell_nobody(key: ObjectKey, uid: str) -> None:
    del key, uid


def no_key() -> Secret:
    """Return that there is none: then no recorded hash is used."""
    return NO_KEY


class ObjectCache:
    """Bounded by the kinds that the API server serves and the objects that carry our label.

    `wake` is called with an owner's label value when something about an object of it has changed that a
    plan could answer differently; it must not block. `hash_key` returns the key of all hashes of objects.
    `deleted` is called with an object, and its uid, when a watch shows that it is gone or terminating.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        rules: RulesOf = _no_rules,
        wake: Callable[[str], None] = _wake_nobody,
        hash_key: Callable[[], Secret] = no_key,
        deleted: Callable[[ObjectKey, str], None] = _tell_nobody,
    ) -> None:
        self.hash_key = hash_key
        self._deleted = deleted
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

        `watcher` watches where Nopea may not. A first list that fails or hangs is not waited for again.
        """
        wanted = list(dict.fromkeys(places))
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LIST_SECONDS):
                await _answered([self._start(resource) for resource, _ in wanted])
                if watcher is not None:
                    refused = [place for place in wanted if self._is_forbidden(*place)]
                    started = [await self._start_as(watcher, *place) for place in refused]
                    await _answered([each for each in started if each is not None])

    def knows(self, resource: Resource, namespace: str) -> bool:
        """True when `get` can be believed for objects of this kind and version in a namespace."""
        return any(each.is_current for each in self._informers.of(resource, namespace))

    def covers(self, key: ObjectKey) -> bool:
        """True when `owned` can be believed for this object."""
        return any(each.is_current for each in self._informers.about(key.group_kind, key.namespace))

    def refused(self, keys: Iterable[ObjectKey], *, tenant: str) -> dict[Place, str]:
        """Return where objects were asked for and cannot be followed, so that `owned` misses some of them.

        With the reason: empty where neither Nopea nor the account of the `tenant` has the rights.
        """
        found: dict[Place, str] = {}
        for key in keys:
            informers = [] if self.covers(key) else self._informers.about(key.group_kind, key.namespace)
            for each in informers:
                error = each.health.last_error
                if error is None or isinstance(error, UnreachableError):
                    continue  # the whole server was away: it is tried again within seconds
                why = "" if isinstance(error, ForbiddenError) else error.message
                if not why and not any(other.scope.tenant == tenant for other in informers):
                    why = self._why_no_account(tenant)
                place = each.resource, key.namespace
                found[place] = found.get(place) or why
        return found

    def _why_no_account(self, tenant: str) -> str:
        if self._informers.count(tenant) < MOST_WATCHES:
            return ""
        return f"all {MOST_WATCHES} watches that the accounts of one namespace may have are in use"

    def get(self, resource: Resource, key: ObjectKey) -> ObservedObject | None:
        """Return what is live under our label; None when nothing is, or the kind is not known."""
        found = self._informers.of(resource, key.namespace)
        return found[0].objects.get(key) if found else None

    def find(self, place: ReportedObject) -> tuple[ObjectKey, str] | None:
        """Return the identity and the uid of a live object of ours; None for every other one."""
        for each in self._informers:
            resource = each.resource
            if (resource.group, resource.plural) == (place.group, place.plural):
                key = ObjectKey(resource.group, resource.kind, place.namespace, place.name)
                if (known := each.objects.get(key)) is not None:
                    return key, known.uid
        return None

    def takes_back(self, key: ObjectKey) -> bool:
        """Return, once, whether etcd was restored to a state in which the object was as applied before."""
        informers = self._informers.about(key.group_kind, key.namespace)
        found = [each for each in informers if key in each.went_back]
        for each in found:
            each.went_back.discard(key)
        return bool(found)

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
            if each.is_current or not self.covers(key)  # else it may be gone for long
        }

    def unwatched(self, owner: str) -> dict[ObjectKey, Resource]:
        """Return this owner's objects that no watch updates: they are as a request found them."""
        return {
            key: each.resource
            for each in self._informers
            if not each.is_current
            for key in each.by_owner.get(owner, ())
            if not self.covers(key)
        }

    def assume(self, resource: Resource, key: ObjectKey, observed: ObservedObject) -> None:
        """Take over what a request returned, unless its watch has already said something newer.

        At the version that is known already it counts too: other rules may have come, and with them another
        projection.
        """
        informers = self._informers.of(resource, key.namespace)
        for kind in [each for each in informers if each.is_current] or informers[:1]:
            kind.assume(key, observed)

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
            has_seen = bool(kind.objects) and kind.health.lists > 0  # else only requests have
            is_unwanted = not has_seen and kind.resource.group_kind not in wanted
            is_useless = bool(kind.scope.account) and not (kind.objects and kind.is_current)
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
            kind.started_at = asyncio.get_running_loop().time()
        kind.asked_at = asyncio.get_running_loop().time()
        return kind

    def _is_forbidden(self, resource: Resource, namespace: str, account: str = "") -> bool:
        """Return whether nobody watches a place, because Nopea, or the account everywhere, may not."""
        informer = self._informers.find(resource, Scope(account))
        refused = informer is not None and isinstance(informer.health.last_error, ForbiddenError)
        return refused and not self.knows(resource, namespace)

    async def _start_as(self, watcher: Watcher, resource: Resource, namespace: str) -> Informer | None:
        """Follow a kind as an account, everywhere or in this namespace; None beyond the limit."""
        which = version_of(resource), watcher.account
        if namespace and which not in self._may_watch_all:
            with suppress(ApiError):  # then only this namespace is watched, and the next sync asks again
                self._may_watch_all[which] = await may(watcher.client, "watch", resource)
        elif self._is_forbidden(resource, namespace, watcher.account):
            self._may_watch_all[which] = False  # it has lost the right
        is_everywhere = self._may_watch_all.get(which, False)
        scope = Scope(watcher.account, "" if is_everywhere else namespace)
        is_new = self._informers.find(resource, scope) is None
        if is_new and self._informers.count(scope.tenant) >= MOST_WATCHES:
            return None
        return self._start(resource, scope, watcher.client)

    async def _follow(self, kind: Informer) -> None:
        ours = replace(OURS, namespace=kind.scope.namespace)
        events = list_and_watch(kind.client, kind.resource, ours, health=kind.health)
        async with aclosing(events):
            async for event in events:
                match event:
                    case Synced(objects, version):
                        self._replace(kind, objects, version)
                    case Changed(live):
                        if kind.is_news(_key_of(kind, live), live.meta.resource_version):
                            key, observed = self._read(kind, live)
                            if observed.terminating:
                                self._deleted(key, observed.uid)
                            self._tell(kind.take(key, observed))
                    case Deleted(live):
                        self._drop(kind, *self._read(kind, live))

    def _drop(self, kind: Informer, key: ObjectKey, last: ObservedObject) -> None:
        if kind.is_known_after(key, last.resource_version):
            return  # it was created again
        known = kind.objects.get(key)
        for each in self._informers.about(key.group_kind, key.namespace):
            if each is not kind and not each.is_current:
                each.remove(key)
        if known is not None:
            kind.lose(key, last.finish)
            self._deleted(key, last.uid)
            self._tell({known.owner})

    def _replace(self, kind: Informer, objects: Iterable[LiveObject], version: str) -> None:
        owners = kind.replace(dict(self._read(kind, live) for live in objects), version)
        for each in self._informers:  # what others know from requests only
            if each.resource.group_kind == kind.resource.group_kind and not each.is_current:
                for key in [key for key in each.objects if kind.scope.sees(key)]:
                    each.remove(key)
        self._tell(owners)

    def _read(self, kind: Informer, live: LiveObject) -> tuple[ObjectKey, ObservedObject]:
        raw, key = live.json(), _key_of(kind, live)
        owner = live.meta.labels.get(names.REPOSITORY_LABEL) or ""
        return key, self.observed(raw, rules=self._rules(owner, key))

    def _tell(self, owners: Iterable[str | None]) -> None:
        for owner in set(owners):
            if owner:
                self._wake(owner)


def _key_of(kind: Informer, live: LiveObject) -> ObjectKey:
    return ObjectKey(kind.resource.group, kind.resource.kind, live.meta.namespace, live.meta.name)


async def _answered(informers: Iterable[Informer]) -> None:
    """Wait for the first answers, each for `FIRST_LIST_SECONDS` after the informer was started."""
    now = asyncio.get_running_loop().time
    for informer in informers:
        left = informer.started_at + FIRST_LIST_SECONDS - now()
        if left > 0 and not informer.health.answered.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(informer.health.answered.wait(), left)
