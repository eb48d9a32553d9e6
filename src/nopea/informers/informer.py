"""One informer: the objects of a kind in one version that one watch sees, and whether they are current."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cachetools import LRUCache

from nopea.core.objects import GroupKind, ObjectKey, Resource
from nopea.core.plan.model import Finish, ObservedObject
from nopea.kube.client import KubeClient
from nopea.kube.watch import WatchHealth

KindVersion: TypeAlias = tuple[str, str, str]

MOST_ENDED: Final = 1000
"""Finished Jobs that are remembered after their deletion, until a sync records them."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which objects a watch sees, and as whom: without an account as Nopea, without a namespace all."""

    account: str = ""
    namespace: str = ""


EVERYWHERE = Scope()


@dataclass(slots=True, eq=False)
class Informer:
    """One followed kind in one version: field sets, and so baselines, are those of a version."""

    resource: Resource
    client: KubeClient
    scope: Scope = EVERYWHERE
    health: WatchHealth = field(default_factory=WatchHealth)
    objects: dict[ObjectKey, ObservedObject] = field(default_factory=dict)
    by_owner: dict[str, set[ObjectKey]] = field(default_factory=dict)
    ended: LRUCache[ObjectKey, Finish] = field(default_factory=lambda: LRUCache(MOST_ENDED))
    """How Jobs had ended that were deleted since."""
    asked_at: float = 0.0
    task: asyncio.Task[None] | None = None

    @property
    def version(self) -> KindVersion:
        """The kind with its version."""
        return version_of(self.resource)

    def put(self, key: ObjectKey, observed: ObservedObject) -> None:
        """Keep an object in place of what is known of it."""
        self.remove(key)
        self.ended.pop(key, None)
        self.objects[key] = observed
        if observed.owner is not None:
            self.by_owner.setdefault(observed.owner, set()).add(key)

    def lose(self, key: ObjectKey, finish: Finish | None) -> None:
        """Forget an object that was deleted, but not that it was a Job that had ended."""
        self.remove(key)
        if finish is not None:
            self.ended[key] = finish

    def remove(self, key: ObjectKey) -> None:
        """Forget an object."""
        known = self.objects.pop(key, None)
        if known is None or known.owner is None:
            return
        keys = self.by_owner.get(known.owner, set())
        keys.discard(key)
        if not keys:
            self.by_owner.pop(known.owner, None)


class Informers:
    """All informers, found by what they see. Bounded by the kinds, accounts and namespaces asked for."""

    def __init__(self) -> None:
        self._all: dict[tuple[KindVersion, Scope], Informer] = {}
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

    def remove(self, informer: Informer) -> None:
        """Remove one."""
        del self._all[(informer.version, informer.scope)]
        place = informer.resource.group_kind, informer.scope.namespace
        self._by_place[place].remove(informer)
        if not self._by_place[place]:
            del self._by_place[place]

    def about(self, kind: GroupKind, namespace: str) -> list[Informer]:
        """Return those that see objects of a kind in a namespace, in any version; working ones first."""
        places = dict.fromkeys(("", namespace))
        found = [each for place in places for each in self._by_place.get((kind, place), ())]
        return sorted(found, key=lambda each: not each.health.synced)

    def of(self, resource: Resource, namespace: str) -> list[Informer]:
        """Return those that see objects of a kind and version in a namespace; working ones first."""
        version = version_of(resource)
        return [each for each in self.about(resource.group_kind, namespace) if each.version == version]


def version_of(resource: Resource) -> KindVersion:
    """Return what tells a kind in one version from all others."""
    return (resource.group, resource.version, resource.kind)


def is_newer(version: str, than: str) -> bool:
    """Compare resourceVersions of one kind as decimal numbers (conformance since Kubernetes 1.35)."""
    return (len(version), version) > (len(than), than)
