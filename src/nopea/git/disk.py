"""The mirrors on disk as the parent sees them: who uses them, what they occupy, which go when room is short.

All mirrors have one budget. When it is used up, or the file system nearly full, the least recently used ones
are removed, first those of namespaces that have more than their share; a mirror in use never is. If that does
not help, a fetch is stopped: one of such a namespace, else the one that has grown most. Children obey limits
of their own, but what counts is what is measured here. It knows nothing of Git.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nopea import log_events
from nopea.git.folder import occupied, remove_leftovers
from nopea.git.process import HOMES
from nopea.git.protocol import TEMPORARY, ErrorKind
from nopea.git.request import OperationError
from nopea.git.settings import MIB, GitSettings
from nopea.git.wire import MIRROR_SUFFIX
from nopea.logs import Log

log = Log("nopea.git")

_WATCH_SECONDS = 0.25
# How long a write waits for the room of a fetch that is being stopped.
_PATIENCE_SECONDS = 5


@dataclass(eq=False, slots=True)
class Mirror:
    """What is known of one mirror; `namespaces` are those that have asked for it since the start."""

    name: str
    bytes: int = 0
    namespaces: set[str] = field(default_factory=set)
    readers: int = 0
    writers: int = 0
    """One that writes, and those that wait for it."""
    bytes_before: int = 0

    @property
    def in_use(self) -> bool:
        """Whether a child reads or writes it, or is about to."""
        return bool(self.readers or self.writers)

    @property
    def growth(self) -> int:
        """How much it has grown since its writer began."""
        return self.bytes - self.bytes_before


class Disk:
    """See the module. `run` watches while there are writers; the others may be called before and meanwhile.

    `claim` (if no child writes) and `disclaim` keep writers out of a mirror. `stop` is told the mirror whose
    fetch must end, and why.
    """

    def __init__(
        self,
        settings: GitSettings,
        *,
        claim: Callable[[str], bool],
        disclaim: Callable[[str], None],
        stop: Callable[[str, str], None],
    ) -> None:
        self._claim = claim
        self._disclaim = disclaim
        self._folder = settings.cache_dir
        self._budget = settings.disk_bytes
        self._headroom = settings.headroom_bytes
        self._free = settings.free_bytes
        self._stop = stop
        # From the least to the most recently used.
        self._mirrors: dict[str, Mirror] = {}
        self._writing: set[Mirror] = set()
        self._ended: set[Mirror] = set()
        self._changed = asyncio.Event()
        self._measured = asyncio.Event()
        # One fetch is stopped, and then all are measured before another is.
        self._may_stop = True
        self._clearing = asyncio.Lock()

    @property
    def used_bytes(self) -> int:
        """What all mirrors occupied when they were last measured."""
        return sum(mirror.bytes for mirror in self._mirrors.values())

    @property
    def mirrors(self) -> int:
        """How many mirrors there are."""
        return sum(mirror.bytes > 0 for mirror in self._mirrors.values())

    async def open(self) -> None:
        """Make the folder, remove what a killed controller left half-made, and measure the mirrors."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, size in await asyncio.to_thread(_opened, self._folder):
            self._mirror(name).bytes = size
        self._changed.set()

    async def run(self) -> None:
        """Measure what grows, and keep room for it, until cancelled."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(_WATCH_SECONDS)
            self._changed.clear()
            await self._measure()
            await self._make_room()
            if self._writing:
                self._changed.set()

    @contextlib.contextmanager
    def reading(self, name: str, namespace: str) -> Iterator[None]:
        """Keep the mirror while a child reads it."""
        mirror = self._mirror(name, namespace)
        mirror.readers += 1
        try:
            yield
        finally:
            mirror.readers -= 1
            self._drop(mirror)

    async def write(self, name: str, namespace: str) -> Callable[[], None]:
        """Wait for room; returns what ends the writing. That one child writes at a time, others see to.

        Raises OperationError when there is no room.
        """
        mirror = self._mirror(name, namespace)
        mirror.writers += 1
        try:
            has_room = await self._room_soon()
        except BaseException:
            self._written(mirror)
            raise
        if not has_room:
            self._written(mirror)
            raise OperationError(ErrorKind.NO_ROOM, self._why())
        if mirror not in self._writing:
            mirror.bytes_before = mirror.bytes
        self._writing.add(mirror)
        self._changed.set()
        return lambda: self._written(mirror)

    async def forget(self, names: Collection[str]) -> int:
        """Delete all mirrors but these and those that are in use; returns how many."""
        mirrors = self._mirrors.values()
        return await self._delete([each for each in mirrors if each.name not in names and not each.in_use])

    def _mirror(self, name: str, namespace: str = "") -> Mirror:
        """Return the mirror, which is now the most recently used one."""
        mirror = self._mirrors[name] = self._mirrors.pop(name) if name in self._mirrors else Mirror(name)
        if namespace:
            mirror.namespaces.add(namespace)
        return mirror

    def _drop(self, mirror: Mirror) -> None:
        """Forget a mirror that does not exist; one that is still to be measured may."""
        exists = mirror.bytes or mirror in self._ended
        if not mirror.in_use and not exists and self._mirrors.get(mirror.name) is mirror:
            del self._mirrors[mirror.name]

    def _written(self, mirror: Mirror) -> None:
        mirror.writers -= 1
        if not mirror.writers:
            self._writing.discard(mirror)
        self._ended.add(mirror)
        self._changed.set()

    async def _measure(self) -> None:
        ended, self._ended = self._ended, set()
        # The next writer of a mirror removes leftovers itself; without one, nobody may begin meanwhile.
        free = [mirror for mirror in ended if not mirror.writers and self._claim(mirror.name)]
        try:
            measured = ended | self._writing
            names = {mirror.name for mirror in measured}
            sizes = await asyncio.to_thread(_measured, self._folder, names, [mirror.name for mirror in free])
            for mirror in measured:
                mirror.bytes = sizes[mirror.name]
            self._may_stop = True
            self._measured.set()
            self._measured = asyncio.Event()
        finally:
            for mirror in free:
                self._disclaim(mirror.name)
            for mirror in ended:
                self._drop(mirror)

    async def _room_soon(self) -> bool:
        """Have the headroom, at the latest when a fetch that is stopped for it has ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not (has_room := await self._make_room()) and (self._writing or self._ended):
                    await self._measured.wait()
                return has_room
        return False

    async def _make_room(self) -> bool:
        """Have the headroom; False if there is none: then a fetch is stopped, if there is one."""
        if self._lacking() <= 0:
            return True
        async with self._clearing:
            lacking = self._lacking()
            if lacking <= 0:
                return True
            greedy = over_share(self._mirrors.values(), self._budget)
            idle = [mirror for mirror in self._mirrors.values() if not mirror.in_use and mirror.bytes]
            chosen = choose(idle, lacking, greedy)
            if chosen:
                size = sum(mirror.bytes for mirror in chosen)
                await self._delete(chosen)
                log.write(log_events.mirrors_evicted, count=len(chosen), bytes=size)
                return True
            # A namespace with more than its share keeps nothing by fetches that do not end.
            stoppable = [each for each in self._writing if each.growth > 0 or _belongs(each, greedy)]
            if stoppable and self._may_stop:
                self._may_stop = False
                most = max(stoppable, key=lambda mirror: (_belongs(mirror, greedy), mirror.growth))
                self._stop(most.name, self._why())
            return False

    def _lacking(self) -> int:
        """Return how many bytes must go."""
        free = self._free
        with contextlib.suppress(OSError):  # a child says better what is wrong with the folder
            system = os.statvfs(self._folder)
            free = system.f_bavail * system.f_frsize
        return max(self.used_bytes + self._headroom - self._budget, self._free - free)

    def _why(self) -> str:
        """Return a text that stays the same from one attempt to the next."""
        if self.used_bytes + self._headroom > self._budget:
            return f"the mirrors in use fill the {self._budget // MIB} MiB of --git-disk"
        return f"less than {self._free // MIB} MiB are free in the file system of the cache folder"

    async def _delete(self, mirrors: Iterable[Mirror]) -> int:
        """Delete mirrors in two steps, so that none is ever there in part; returns how many there were."""
        aside = []
        for mirror in mirrors:
            place = self._folder / f"{mirror.name}{TEMPORARY}{os.getpid()}-{uuid.uuid4().hex}"
            del self._mirrors[mirror.name]
            with contextlib.suppress(OSError):
                (self._folder / mirror.name).rename(place)
                aside.append(place)
        await asyncio.to_thread(_removed, aside)
        return len(aside)


def over_share(mirrors: Iterable[Mirror], budget: int) -> frozenset[str]:
    """Return the namespaces whose mirrors occupy more than an equal share of the budget.

    A mirror that several have is charged to them in equal parts.
    """
    charged: Counter[str] = Counter()
    for mirror in mirrors:
        for namespace in mirror.namespaces:
            charged[namespace] += mirror.bytes // len(mirror.namespaces)
    return frozenset(name for name, size in charged.items() if size * len(charged) > budget)


def choose(idle: Sequence[Mirror], lacking: int, greedy: frozenset[str]) -> list[Mirror]:
    """Choose from mirrors (least recently used first) those that make room; none if all together do not.

    The mirrors of greedy namespaces go first.
    """
    chosen = []
    for mirror in sorted(idle, key=lambda mirror: not _belongs(mirror, greedy)):
        if lacking <= 0:
            break
        chosen.append(mirror)
        lacking -= mirror.bytes
    return chosen if lacking <= 0 else []


def _belongs(mirror: Mirror, greedy: frozenset[str]) -> bool:
    return bool(mirror.namespaces) and mirror.namespaces <= greedy


def _opened(folder: Path) -> list[tuple[str, int]]:
    """Remove leftovers, and return the mirrors with their sizes, the one that changed last at the end."""
    shutil.rmtree(folder / HOMES, ignore_errors=True)
    _removed(folder.glob(f"*{TEMPORARY}*"))
    found = sorted(folder.glob(f"*{MIRROR_SUFFIX}"), key=lambda path: path.stat().st_mtime)
    for path in found:
        remove_leftovers(path)
    return [(path.name, occupied(path)) for path in found]


def _measured(folder: Path, names: Collection[str], ended: Iterable[str]) -> dict[str, int]:
    """Measure mirrors with what is being made beside them; remove leftovers from those that have ended."""
    for name in ended:
        remove_leftovers(folder / name)
    sizes = dict.fromkeys(names, 0)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if (name := entry.name.partition(TEMPORARY)[0]) in sizes:
                sizes[name] += occupied(Path(entry.path))
    return sizes


def _removed(paths: Iterable[Path]) -> None:
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
