"""One informer: the objects of a kind in one version that one watch sees, and whether they are current."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from cachetools import LRUCache

from nopea.core.objects import GroupKind, ObjectKey, Resource
from nopea.core.plan.model import Finish, ObservedObject
from nopea.kube.client import KubeClient
from nopea.kube.live import is_newer
from nopea.kube.watch import WatchHealth

KindVersion: TypeAlias = tuple[str, str, str]
SERVICE_ACCOUNT = "system:serviceaccount:"

MOST_ENDED: Final = 1000
"""Finished Jobs that are remembered after their deletion, until a sync records them."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which objects a watch sees, and as whom: without an account as Nopea, without a namespace all."""

    account: str = ""
    namespace: str = ""

    @property
    def tenant(self) -> str:
        """The namespace of the account, empty without one."""
        return self.account.removeprefix(SERVICE_ACCOUNT).partition(":")[0]

    def sees(self, key: ObjectKey) -> bool:
        """Return whether an object of the watched kind is in it."""
        return self.namespace in ("", key.namespace)


EVERYWHERE = Scope()


@dataclass(slots=True, eq=False)
class Informer:
    """One followed kind in one version: field sets, and so baselines, are those of a version.

    Versions of objects are compared only within one list and the watch that follows it.
    """

    resource: Resource
    client: KubeClient
    scope: Scope = EVERYWHERE
    health: WatchHealth = field(default_factory=WatchHealth)
    objects: dict[ObjectKey, ObservedObject] = field(default_factory=dict)
    by_owner: dict[str, set[ObjectKey]] = field(default_factory=dict)
    assumed: dict[ObjectKey, int] = field(default_factory=dict)
    """During which attempt to list, as a number, a request's answer was taken in."""
    went_back: set[ObjectKey] = field(default_factory=set)
    """The objects that the last list had in an older state than was known, as after a restore of etcd."""
    started_at: float = 0.0
    ended: LRUCache[ObjectKey, Finish] = field(default_factory=lambda: LRUCache(MOST_ENDED))
    """How Jobs had ended that were deleted since."""
    asked_at: float = 0.0
    task: asyncio.Task[None] | None = None

    @property
    def version(self) -> KindVersion:
        """The kind with its version."""
        return version_of(self.resource)

    @property
    def is_current(self) -> bool:
        """True while it can be believed."""
        return self.health.is_current

    def is_news(self, key: ObjectKey, version: str) -> bool:
        """Return whether an event tells more than is known: not what the answer to a request told before."""
        known = self.objects.get(key)
        return known is None or is_newer(version, known.resource_version)

    def take(self, key: ObjectKey, observed: ObservedObject) -> set[str | None]:
        """Keep the newer of what is known and what an event says; return whom the difference concerns."""
        return self.put(key, observed) if self.is_news(key, observed.resource_version) else set()

    def assume(self, key: ObjectKey, observed: ObservedObject) -> None:
        """Keep what a request returned, unless the watch has already said something newer."""
        known = self.objects.get(key)
        is_same = known is not None and known.resource_version == observed.resource_version
        if self.is_current and not is_same:
            seen = known.resource_version if known is not None else self.health.version
            if not is_newer(observed.resource_version, seen):
                return  # what is not known has been deleted since
        self.put(key, observed)
        if key in self.objects:
            self.assumed[key] = self.health.lists_begun

    def is_known_after(self, key: ObjectKey, version: str) -> bool:
        """Return whether an object is known in a later version than this one."""
        known = self.objects.get(key)
        return known is not None and is_newer(known.resource_version, version)

    def replace(self, listed: Mapping[ObjectKey, ObservedObject], version: str) -> set[str | None]:
        """Replace what is known with a list; return whom the difference concerns.

        The versions of the objects do not count: etcd may have been restored from a backup. An answer to a
        request that came while the list was read counts if it is newer than the list.
        """
        during = (key for key, attempt in self.assumed.items() if attempt == self.health.lists_begun)
        newer = {key for key in during if self.is_known_after(key, version)}
        self.went_back = {
            key for key, known in self.objects.items() if key in listed and _is_older(listed[key], known)
        } - newer
        owners: set[str | None] = set()
        for key in self.objects.keys() - listed.keys() - newer:
            known = self.objects[key]
            owners.add(known.owner)
            self.lose(key, known.finish)
        for key in listed.keys() - newer:
            owners |= self.put(key, listed[key])
        return owners

    def put(self, key: ObjectKey, observed: ObservedObject) -> set[str | None]:
        """Keep an object that has our label; return whom the difference to what was known concerns."""
        known = self.objects.get(key)
        self.remove(key)
        self.ended.pop(key, None)
        if observed.owner is None:
            return {known.owner} if known else set()
        self.objects[key] = observed
        self.by_owner.setdefault(observed.owner, set()).add(key)
        if known is not None and replace(known, resource_version=observed.resource_version) == observed:
            return set()
        return {observed.owner, known.owner} if known else {observed.owner}

    def lose(self, key: ObjectKey, finish: Finish | None) -> None:
        """Forget an object that was deleted, but not that it was a Job that had ended."""
        self.remove(key)
        if finish is not None:
            self.ended[key] = finish

    def remove(self, key: ObjectKey) -> None:
        """Forget an object."""
        self.assumed.pop(key, None)
        known = self.objects.pop(key, None)
        if known is None or known.owner is None:
            return
        keys = self.by_owner.get(known.owner, set())
        keys.discard(key)
        if not keys:
            self.by_owner.pop(known.owner, None)


def _is_older(listed: ObservedObject, known: ObservedObject) -> bool:
    went_back = is_newer(known.resource_version, listed.resource_version)
    return went_back and listed.projection != known.projection


class Informers:
    """All informers, found by what they see. Bounded by the kinds, accounts and namespaces asked for."""

    def __init__(self) -> None:
        self._all: dict[tuple[KindVersion, Scope], Informer] = {}
        self._by_tenant: Counter[str] = Counter()
        self._by_place: defaultdict[tuple[GroupKind, str], list[Informer]] = defaultdict(list)

    def __iter__(self) -> Iterator[Informer]:
        return iter(list(self._all.values()))

    def find(self, resource: Resource, scope: Scope) -> Informer | None:
        """Return the informer of a kind, version and scope."""
        return self._all.get((version_of(resource), scope))

    def add(self, informer: Informer) -> None:
        """Add one that is not there yet."""
        self._all[(informer.version, informer.scope)] = informer
        self._by_place[(informer.resource.group_kind, informer.scope.namespace)].append(informer)
        self._by_tenant[informer.scope.tenant] += 1

    def remove(self, informer: Informer) -> None:
        """Remove one."""
        del self._all[(informer.version, informer.scope)]
        place = informer.resource.group_kind, informer.scope.namespace
        self._by_place[place].remove(informer)
        if not self._by_place[place]:
            del self._by_place[place]
        self._by_tenant[informer.scope.tenant] -= 1

    def count(self, tenant: str) -> int:
        """Return how many watch as accounts of a namespace."""
        return self._by_tenant[tenant]

    def about(self, kind: GroupKind, namespace: str) -> list[Informer]:
        """Return those that see objects of a kind in a namespace, in any version; current ones first."""
        places = dict.fromkeys(("", namespace))
        found = [each for place in places for each in self._by_place.get((kind, place), ())]
        return sorted(found, key=lambda each: not each.is_current)

    def of(self, resource: Resource, namespace: str) -> list[Informer]:
        """Return those that see objects of a kind and version in a namespace; current ones first."""
        version = version_of(resource)
        return [each for each in self.about(resource.group_kind, namespace) if each.version == version]


def version_of(resource: Resource) -> KindVersion:
    """Return what tells a kind in one version from all others."""
    return (resource.group, resource.version, resource.kind)
