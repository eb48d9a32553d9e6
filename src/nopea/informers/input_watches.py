"""Wakes repositories when a ConfigMap or Secret that a rendering reads is not as their last sync read it.

One watch per reader, namespace and kind serves all repositories. It asks for metadata only, and keeps the
versions of the objects that are referred to. Where the reader may not watch, the objects are asked for one by
one, at a pace that does not grow with their number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import cycle, islice
from weakref import WeakValueDictionary

from nopea.core.objects import ObjectKey, RepoKey, Resource
from nopea.informers.informer import Scope
from nopea.kube.access import may
from nopea.kube.client import KubeClient, ServiceAccount
from nopea.kube.errors import ApiError, ForbiddenError, NotFoundError
from nopea.kube.live import LiveObject, is_newer
from nopea.kube.requests import Selection
from nopea.kube.watch import Changed, Deleted, Synced, WatchHealth, list_and_watch

MOST_INPUT_WATCHES = 20
"""The watches on inputs in one namespace; beyond it, objects are asked for one by one."""

RIGHTS_SECONDS = 600.0
"""How often a reader that may not watch is asked for its rights again."""

LOOK_SECONDS = 30.0
LOOK_PAUSE_SECONDS = 0.2
MOST_LOOKS = 10
"""Where nobody watches: the pause between two rounds, between two requests, and what a round asks for in one
namespace of one reader and kind. The next round asks for the next objects."""

LOOK_DEADLINE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A ConfigMap or Secret in a repository's namespace, and as whom it is read; None: as Nopea."""

    resource: Resource
    name: str
    account: ServiceAccount | None = None


@dataclass(frozen=True, slots=True)
class _Version:
    """The version of an object; of one that is missing, the version at which it was, if that is known."""

    number: str
    exists: bool = True

    @property
    def read(self) -> str:
        """What a sync reads: an empty version if the object is missing."""
        return self.number if self.exists else ""

    def may_follow(self, read: str) -> bool:
        """Return whether this can be the state after what a sync has read."""
        return self.read != read and (not read or is_newer(self.number, read))


@dataclass(slots=True, eq=False)
class _Watch:
    """What one reader sees of a kind in a namespace; `readers` are the repositories by the object's name."""

    resource: Resource
    scope: Scope
    client: KubeClient
    slots: asyncio.Semaphore
    health: WatchHealth = field(default_factory=WatchHealth)
    readers: dict[str, set[RepoKey]] = field(default_factory=dict)
    known: dict[str, _Version] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    looks: int = 0

    def key(self, name: str) -> ObjectKey:
        """Return the identity of one of its objects."""
        return self.resource.at(name=name, namespace=self.scope.namespace).key

    def next_looks(self) -> list[str]:
        """Return the names to ask for in this round."""
        names = sorted(self.readers)
        count = min(len(names), MOST_LOOKS)
        first = self.looks % max(len(names), 1)
        self.looks = first + count
        return list(islice(cycle(names), first, first + count))


def _place(key: RepoKey, each: Input) -> tuple[Resource, Scope]:
    return each.resource, Scope(str(each.account or ""), key.namespace)


class InputWatches:
    """Bounded by what specs refer to: of each object a version, and the one that each repository has read.

    `wake` is called with a repository that must read its inputs again; it must not block. A repository whose
    sync has not read an object yet is not woken for it: the sync will.
    """

    def __init__(self, client: KubeClient, *, wake: Callable[[RepoKey], None]) -> None:
        self._client = client
        self._wake = wake
        self._watches: dict[tuple[Resource, Scope], _Watch] = {}
        self._slots: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._followed: dict[RepoKey, frozenset[Input]] = {}
        self._read: dict[tuple[RepoKey, ObjectKey], str] = {}
        self._wanted: asyncio.Queue[_Watch] = asyncio.Queue()

    def __len__(self) -> int:
        """How many readers, namespaces and kinds are watched or looked at."""
        return len(self._watches)

    async def run(self) -> None:
        """Follow what repositories refer to, until cancelled; a bug ends the process."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look(), name="looks at inputs")
            while True:
                watch = await self._wanted.get()
                if self._watches.get((watch.resource, watch.scope)) is watch:
                    watch.task = group.create_task(self._follow(watch), name=f"inputs {watch.resource}")

    def follow(self, key: RepoKey, inputs: Collection[Input]) -> None:
        """Follow these inputs of a repository, and no longer what it referred to before."""
        before, now = self._followed.get(key, frozenset()), frozenset(inputs)
        for each in now - before:
            self._watch_of(key, each).readers.setdefault(each.name, set()).add(key)
        if now:
            self._followed[key] = now
        else:
            self._followed.pop(key, None)
        for each in before - now:
            self._leave(key, each)

    def was_read(self, key: RepoKey, object_: ObjectKey, version: str) -> None:
        """Take in which version of an object a sync has read: empty if it is missing."""
        watches = list(self._seen_by(key, object_))
        if not watches:
            return
        is_first = (key, object_) not in self._read
        self._read[key, object_] = version
        known = (watch.known.get(object_.name) for watch in watches)
        if is_first and any(each is not None and each.may_follow(version) for each in known):
            self._wake(key)  # it has changed since; a change after an earlier sync has woken already

    def _seen_by(self, key: RepoKey, object_: ObjectKey) -> Iterator[_Watch]:
        for each in self._followed.get(key, ()):
            watch = self._watches[_place(key, each)]
            if watch.key(each.name) == object_:
                yield watch

    def _watch_of(self, key: RepoKey, each: Input) -> _Watch:
        place = resource, scope = _place(key, each)
        watch = self._watches.get(place)
        if watch is None:
            flow = f"{key.namespace}/inputs of {each.account.name if each.account else 'Nopea'}"
            client = self._client.on_behalf(flow, of=each.account)
            slots = self._slots.setdefault(key.namespace, asyncio.Semaphore(MOST_INPUT_WATCHES))
            watch = self._watches[place] = _Watch(resource, scope, client, slots)
            self._wanted.put_nowait(watch)
        return watch

    def _leave(self, key: RepoKey, each: Input) -> None:
        place = _place(key, each)
        watch = self._watches[place]
        watch.readers[each.name].discard(key)
        if not any(True for _ in self._seen_by(key, watch.key(each.name))):
            self._read.pop((key, watch.key(each.name)), None)
        if not watch.readers[each.name]:
            del watch.readers[each.name]
            watch.known.pop(each.name, None)
        if not watch.readers:
            del self._watches[place]
            if watch.task is not None:
                watch.task.cancel()

    async def _follow(self, watch: _Watch) -> None:
        await _until_allowed(watch)
        async with watch.slots:
            selection = Selection(namespace=watch.scope.namespace, metadata_only=True)
            events = list_and_watch(watch.client, watch.resource, selection, health=watch.health)
            async with aclosing(events):
                async for event in events:
                    match event:
                        case Synced(objects, version):
                            self._replace(watch, objects, version)
                        case Changed(live):
                            self._learn(watch, live.meta.name, _Version(live.meta.resource_version))
                        case Deleted(live):
                            gone = _Version(live.meta.resource_version, exists=False)
                            self._learn(watch, live.meta.name, gone)

    def _replace(self, watch: _Watch, objects: Collection[LiveObject], version: str) -> None:
        listed = {live.meta.name: _Version(live.meta.resource_version) for live in objects}
        for name in list(watch.readers):
            self._learn(watch, name, listed.get(name) or _Version(version, exists=False))

    def _learn(self, watch: _Watch, name: str, now: _Version) -> None:
        readers = watch.readers.get(name)
        if readers is None:
            return
        known, watch.known[name] = watch.known.get(name), now
        if known is not None and known.read == now.read:
            return
        for key in readers:
            if self._read.get((key, watch.key(name)), now.read) != now.read:
                self._wake(key)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for watch in [each for each in self._watches.values() if not each.health.is_current]:
                for name in watch.next_looks():
                    await self._look_at(watch, name)
                    await asyncio.sleep(LOOK_PAUSE_SECONDS)

    async def _look_at(self, watch: _Watch, name: str) -> None:
        target = watch.resource.at(name=name, namespace=watch.scope.namespace)
        try:
            async with asyncio.timeout(LOOK_DEADLINE_SECONDS):
                live = await watch.client.get(target, metadata_only=True)
        except NotFoundError:
            self._learn(watch, name, _Version("", exists=False))
        except (ApiError, TimeoutError):
            return  # the next round asks again
        else:
            self._learn(watch, name, _Version(live.meta.resource_version))


async def _until_allowed(watch: _Watch) -> None:
    """Wait until the reader may watch: a watch that is refused would be tried again every few seconds."""
    while True:
        try:
            if await may(watch.client, "watch", watch.resource, namespace=watch.scope.namespace):
                return
            pause = RIGHTS_SECONDS
        except ForbiddenError:
            pause = RIGHTS_SECONDS
        except ApiError:
            pause = LOOK_SECONDS
        await asyncio.sleep(pause)
