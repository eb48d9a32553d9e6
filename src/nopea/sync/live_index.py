"""What is live of the kinds that Nopea applies: one metadata watch per kind, on objects with our label key.

It answers who owns an object and whether it changed since we applied it, without a request per object.
Keeps of each object its owner, its resourceVersion and its break-glass annotation, nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime

from nopea.core.api import names
from nopea.core.objects import GroupKind, ObjectKey
from nopea.core.plan import BreakGlass, Observed
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ForbiddenError, NotFoundError
from nopea.kube.live import LiveObject, Meta
from nopea.kube.requests import Selection
from nopea.kube.resource import Resource
from nopea.kube.watch import Changed, Deleted, Synced, WatchHealth, list_and_watch
from nopea.logs import get_log

log = get_log(__name__)
OURS = Selection(labels=names.REPOSITORY_LABEL, metadata_only=True)
FIRST_LIST_SECONDS = 30.0
_LOOK_SECONDS = 0.05


@dataclass(slots=True)
class _Kind:
    resource: Resource
    health: WatchHealth = field(default_factory=WatchHealth)
    objects: dict[ObjectKey, Observed] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None


class LiveIndex:
    """Bounded by the kinds that the API server serves and the objects that carry our label."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._kinds: dict[GroupKind, _Kind] = {}
        self._wanted: asyncio.Queue[_Kind] = asyncio.Queue()

    async def run(self) -> None:
        """Follow every kind that was asked for until cancelled; a bug in one ends all, and the process."""
        async with asyncio.TaskGroup() as group:
            while True:
                kind = await self._wanted.get()
                if self._kinds.get(kind.resource.group_kind) is kind:
                    kind.task = group.create_task(self._follow(kind), name=f"watch {kind.resource}")

    async def ensure(self, resources: Iterable[Resource]) -> None:
        """Return when each kind has had its first list, or cannot have one: then `lookup` says so.

        Waits `FIRST_LIST_SECONDS` at most for all of them.
        """
        waited_for = [self._start(resource) for resource in resources]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + FIRST_LIST_SECONDS
        while loop.time() < deadline:
            if all(kind.health.synced or _is_final(kind.health.last_error) for kind in waited_for):
                return
            await asyncio.sleep(_LOOK_SECONDS)

    def knows(self, kind: GroupKind) -> bool:
        """True when `get` can be believed for objects of this kind."""
        found = self._kinds.get(kind)
        return found is not None and found.health.synced

    def get(self, key: ObjectKey) -> Observed | None:
        """Return what is live under our label; None when nothing is, or the kind is not known."""
        kind = self._kinds.get(key.group_kind)
        return kind.objects.get(key) if kind else None

    def assume(self, key: ObjectKey, applied: LiveObject) -> None:
        """Take over what an apply returned, before the watch says the same."""
        kind = self._kinds.get(key.group_kind)
        if kind is not None:
            _take(kind, key, applied.meta)

    def drop(self, group_kind: GroupKind) -> None:
        """Stop following a kind that is served no more."""
        kind = self._kinds.pop(group_kind, None)
        if kind is not None and kind.task is not None:
            kind.task.cancel()

    def _start(self, resource: Resource) -> _Kind:
        kind = self._kinds.get(resource.group_kind)
        if kind is None:
            kind = self._kinds[resource.group_kind] = _Kind(resource)
            self._wanted.put_nowait(kind)
        return kind

    async def _follow(self, kind: _Kind) -> None:
        events = list_and_watch(self._client, kind.resource, OURS, health=kind.health)
        async with aclosing(events):
            async for event in events:
                match event:
                    case Synced(objects):
                        kind.objects = {}
                        for live in objects:
                            _take(kind, _key(kind, live), live.meta)
                    case Changed(live):
                        _take(kind, _key(kind, live), live.meta)
                    case Deleted(live):
                        key = _key(kind, live)
                        known = kind.objects.get(key)
                        if known and not _is_newer(known.resource_version, live.meta.resource_version):
                            del kind.objects[key]


def observed_of(meta: Meta) -> Observed | None:
    """Return what a plan needs of an object's metadata; None for an object without our label."""
    owner = meta.labels.get(names.REPOSITORY_LABEL)
    if owner is None:
        return None
    return Observed(
        owner=owner, resource_version=meta.resource_version, break_glass=_break_glass(meta.annotations)
    )


def _key(kind: _Kind, live: LiveObject) -> ObjectKey:
    """PartialObjectMetadata does not say its kind; the watch does."""
    return ObjectKey(kind.resource.group, kind.resource.kind, live.meta.namespace, live.meta.name)


def _take(kind: _Kind, key: ObjectKey, meta: Meta) -> None:
    """Keep the newer of what is known and what is said."""
    observed = observed_of(meta)
    known = kind.objects.get(key)
    if observed is None:
        kind.objects.pop(key, None)
    elif known is None or _is_newer(observed.resource_version, known.resource_version):
        kind.objects[key] = observed


def _is_newer(version: str, than: str) -> bool:
    """Compare resourceVersions of one kind as decimal numbers (conformance since Kubernetes 1.35)."""
    return (len(version), version) > (len(than), than)


def _is_final(error: ApiError | None) -> bool:
    return isinstance(error, ForbiddenError | NotFoundError)


def _break_glass(annotations: dict[str, str]) -> BreakGlass | None:
    if annotations.get(names.SUSPEND_HEAL_ANNOTATION) != "true":
        return None
    until = annotations.get(names.SUSPEND_HEAL_UNTIL_ANNOTATION)
    if not until:
        return BreakGlass()
    try:
        moment = datetime.fromisoformat(until)
    except ValueError:
        return BreakGlass()  # an end that cannot be read must not end the protection
    return BreakGlass(until=moment) if moment.tzinfo else BreakGlass()
