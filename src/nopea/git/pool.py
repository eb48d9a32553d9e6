"""Spread requests over child processes so that no request waits for another's trouble.

Every request ends by its deadline. A child with a late request is killed: only that request fails, its
neighbours are repeated. A request whose child died is repeated alone, in quarantine; if that child dies too,
the request was the cause. Who is next and where it runs is decided in `placing`. It knows nothing of Git;
`port` does.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cachetools import LRUCache

from nopea import log_events
from nopea.core.duration import backoff_seconds
from nopea.core.objects import RepoKey
from nopea.git.placing import NewChild, heaviest, next_step
from nopea.git.process import ChildProcess, Trust
from nopea.git.protocol import ErrorKind, Op, encode
from nopea.git.reputation import Reputation
from nopea.git.request import GitRequest, Lane, Member
from nopea.git.settings import MIB, GitStatistics, PoolSettings
from nopea.logs import Log

log = Log("nopea.git")

_PARSING = (Op.MANIFESTS, Op.RENDER)

_WATCH_SECONDS = 0.25
_MAX_TRUSTS = 1000
_MAX_STARTS = 3
_FIRST_RESTART_SECONDS = 0.2
_MAX_RESTART_SECONDS = 5.0
_IDLE_SECONDS = 60.0
# What a child holds before it has done anything.
_NEW_CHILD = 24 * MIB
# Whoever has run this long is working, and is repeated where no neighbour can stop it again.
_LONG_SECONDS = 20.0


class Pool:
    """See the module; `run` owns the children, `submit` may be called before and while it runs."""

    def __init__(self, settings: PoolSettings, make_child: Callable[..., ChildProcess]) -> None:
        """`make_child` gets a name, the trust and `on_answer`."""
        self._settings = settings
        self._make_child = make_child
        self._members: list[Member] = []
        self._waiting: list[GitRequest] = []
        self._written: set[str] = set()
        self._reputation = Reputation()
        self._is_full = False
        self._ids = itertools.count(1)
        self._failed_starts: LRUCache[Trust, int] = LRUCache(_MAX_TRUSTS)
        self._group: asyncio.TaskGroup | None = None
        names = ("started", "crashed", "killed_late", "killed_big", "operations", "repeated")
        self._counts = dict.fromkeys(names, 0)

    async def run(self) -> None:
        """Keep children until cancelled; end and reap them all on the way out."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                try:
                    await self._keep(group)
                finally:
                    self._group = None  # from here on no child is started again
        finally:
            for request in self._waiting:
                request.fail(ErrorKind.DIED, "the controller is closing")
                request.end()
            self._waiting.clear()

    async def _keep(self, group: asyncio.TaskGroup) -> None:
        self.reconsider()
        while True:
            if self._settings.starts_early:
                self._keep_main_children(group)
            await asyncio.sleep(_WATCH_SECONDS)
            self._watch()

    async def submit(
        self,
        op: Op,
        fields: dict[str, Any],
        *,
        trust: Trust,
        key: str,
        network: bool,
        deadline: float,
        owner: RepoKey,
        namespaces: set[str],
        writes: str = "",
        on_end: Callable[[], None] | None = None,
    ) -> Any:
        """Have a child do it and return its result; raises OperationError, TIMEOUT at the deadline.

        The deadline is in loop time. Cancelling the caller drops the result; a child that works on it may
        continue to the deadline; `on_end` is called when none does any more. Of requests with the same
        `writes` one runs at a time. To `namespaces`, for which it is done, the caller may add while it waits
        (and then calls `reconsider`).
        """
        loop = asyncio.get_running_loop()
        subject = owner.namespace, key
        if network:
            lane = Lane.SLOW if self._reputation.is_slow(subject) else Lane.YOUNG
        else:
            lane = Lane.PARSING if op in _PARSING else Lane.LOCAL
        if self._reputation.is_separate(subject, now=loop.time()):
            trust = replace(trust, namespace=owner.namespace)
        request = GitRequest(
            op=op, fields=fields, trust=trust, key=key, deadline=deadline, future=loop.create_future(),
            lane=lane, alone=self._reputation.is_alone(subject), owner=owner,
            namespaces=namespaces, proven=self._reputation.is_proven(subject), writes=writes,
            arrival=next(self._ids), on_end=on_end,
        )  # fmt: skip
        request.timers.append(loop.call_at(deadline, self._expire, request))
        self._counts["operations"] += 1
        self._waiting.append(request)
        self.reconsider()
        try:
            return await request.future
        except asyncio.CancelledError:
            self._abandon(request)
            raise

    def claim(self, writes: str) -> bool:
        """Keep requests with this `writes` waiting until `disclaim`; False when one runs at the moment."""
        if writes in self._written:
            return False
        self._written.add(writes)
        return True

    def disclaim(self, writes: str) -> None:
        """End a claim."""
        self._written.discard(writes)
        self.reconsider()

    def stop(self, mirror: str, kind: ErrorKind, message: str) -> None:
        """Fail what writes into the mirror and kill its child; what else ran there is repeated."""
        for member in self._members:
            for request in member.running.values():
                if request.writes == mirror:
                    self._blame(request)
                    request.fail(kind, message)
                    self._kill(member, ErrorKind.TIMEOUT)

    def statistics(self) -> GitStatistics:
        """Return what is going on now and the counts since the start."""
        running = [request for member in self._members for request in member.running.values()]
        return GitStatistics(
            children_now=sum(member.process.pid is not None for member in self._members),
            running_now=len(running),
            queued_now=sum(not request.future.done() for request in self._waiting),
            abandoned_now=sum(request.future.done() for request in running),
            suspects_now=self._reputation.suspects,
            **self._counts,
        )

    def pids(self) -> list[int]:
        """Return the process ids of the children that run now."""
        return [member.process.pid for member in self._members if member.process.pid is not None]

    # Placing.

    def reconsider(self) -> None:
        """Begin every request that can begin now."""
        if self._group is None:
            return
        self._waiting = [request for request in self._waiting if not request.future.done()]
        while True:
            step = next_step(
                self._waiting,
                self._members,
                self._settings,
                written=self._written,
                may_start=not self._is_full,
            )
            if step is None:
                return
            child = step.child
            if isinstance(child, NewChild):
                if child.instead_of is not None:
                    self._retire(child.instead_of)
                child = self._start(self._group, child.trust, alone=child.alone)
            self._waiting.remove(step.request)
            step.request.namespace = step.namespace
            self._assign(child, step.request)

    def _assign(self, member: Member, request: GitRequest) -> None:
        loop = asyncio.get_running_loop()
        number = next(self._ids)
        seconds = max(0.0, request.deadline - loop.time())
        member.running[number] = request
        request.member = member
        if request.writes:
            self._written.add(request.writes)
        request.began_at = loop.time()
        member.process.send(
            encode({**request.fields, "id": number, "op": request.op, "seconds": seconds * 0.95})
        )
        if request.lane is Lane.YOUNG:
            request.timers.append(loop.call_later(self._settings.slow_after_seconds, self._grow_old, request))

    def _grow_old(self, request: GitRequest) -> None:
        request.lane = Lane.SLOW
        self._reputation.slow(request.subject)
        self.reconsider()

    # Ending: answers, deadlines, cancelled callers.

    def _on_answer(self, member: Member, answer: dict[str, Any]) -> None:
        member.answered = True
        self._failed_starts.pop(member.trust, None)
        request = member.running.pop(answer["id"], None)
        if request is None:
            return
        now = asyncio.get_running_loop().time()
        member.idle_since = now
        self._written.discard(request.writes)
        error = answer.get("err")
        if error is not None and error["kind"] == ErrorKind.MEMORY and not request.alone:
            self._repeat(request, alone=True)
            return
        fast = now - request.began_at < self._settings.slow_after_seconds
        request.end()
        self._reputation.answered(request.subject, fast=fast, well=error is None)
        if error is None:
            request.succeed(answer["ok"])
        else:
            facts = {key: value for key, value in error.items() if key not in ("kind", "message")}
            request.fail(ErrorKind(error["kind"]), error["message"], **facts)
        self.reconsider()

    def _expire(self, request: GitRequest) -> None:
        member = request.member
        if member is None:
            request.fail(ErrorKind.TIMEOUT, "no process was free before the deadline")
            request.end()
            return
        self._blame(request)
        request.fail(ErrorKind.TIMEOUT, "the operation was still running")
        self._kill(member, ErrorKind.TIMEOUT)

    def _abandon(self, request: GitRequest) -> None:
        """Forget who asked. What runs keeps its deadline; of too many, one of who left most ends early."""
        if request.member is None:
            request.fail(ErrorKind.DIED, "nobody waits for it")
            request.end()
            return
        running = (other for member in self._members for other in member.running.values())
        left = [other for other in running if other.future.done()]
        if len(left) <= self._settings.max_abandoned:
            return
        counts = Counter(other.namespace for other in left)
        oldest = min(left, key=lambda other: (-counts[other.namespace], other.began_at))
        if oldest.member is not None:
            self._blame(oldest)
            self._kill(oldest.member, ErrorKind.TIMEOUT)

    def _repeat(self, request: GitRequest, *, alone: bool) -> None:
        request.member = None
        if request.future.done():
            request.end()
            return
        request.alone = request.alone or alone
        self._counts["repeated"] += 1
        self._waiting.append(request)
        self.reconsider()

    def _blame(self, request: GitRequest) -> None:
        self._reputation.blame(request.subject, now=asyncio.get_running_loop().time())

    # Children: start, watch, kill, bury.

    def _keep_main_children(self, group: asyncio.TaskGroup) -> None:
        own = [member for member in self._members if member.trust == Trust() and not member.alone]
        for _ in range(self._settings.children - len(own)):
            self._start(group, Trust())

    def _start(self, group: asyncio.TaskGroup, trust: Trust, *, alone: bool = False) -> Member:
        self._counts["started"] += 1
        name = str(self._counts["started"])
        member: Member

        def on_answer(answer: dict[str, Any]) -> None:
            self._on_answer(member, answer)

        process = self._make_child(name, trust, on_answer=on_answer)
        member = Member(process=process, trust=trust, alone=alone)
        member.idle_since = asyncio.get_running_loop().time()
        self._members.append(member)
        group.create_task(self._attend(member), name=f"git child {name}")
        return member

    async def _attend(self, member: Member) -> None:
        try:
            if failed := self._failed_starts.get(member.trust):
                pause = backoff_seconds(failed, first=_FIRST_RESTART_SECONDS, most=_MAX_RESTART_SECONDS)
                await asyncio.sleep(pause)
            await member.process.run()
        finally:
            self._bury(member)

    def _watch(self) -> None:
        """Kill children that hold too much memory, and retire those that nobody has needed for a while."""
        now = asyncio.get_running_loop().time()
        for member in list(self._members):
            if member.running and member.process.resident_bytes() > self._settings.memory_bytes:
                member.excess = f"it needs more than {self._settings.memory_bytes} bytes"
                self._kill(member, ErrorKind.MEMORY)
            if member.is_extra and not member.running and now - member.idle_since > _IDLE_SECONDS:
                self._retire(member)
        self._watch_total()

    def _watch_total(self) -> None:
        """Kill the heaviest children until all together fit."""
        usage = {member: member.process.private_bytes() for member in self._members if member.cause is None}
        while (total := sum(usage.values())) > self._settings.total_memory_bytes:
            member = heaviest(usage.items())
            if member is None:
                break
            del usage[member]
            if member.running:
                limit = self._settings.total_memory_bytes
                member.excess = f"it needed most of more than {limit} bytes for all processes together"
                self._kill(member, ErrorKind.MEMORY)
            else:
                self._retire(member)
        was_full, self._is_full = self._is_full, total + _NEW_CHILD > self._settings.total_memory_bytes
        if was_full and not self._is_full:
            self.reconsider()

    def _kill(self, member: Member, cause: ErrorKind) -> None:
        if member.cause is None:
            member.cause = cause
            self._counts["killed_late" if cause is ErrorKind.TIMEOUT else "killed_big"] += 1
            member.process.kill()

    def _retire(self, member: Member) -> None:
        """End an idle child; it takes no further request."""
        member.cause = ErrorKind.TIMEOUT
        member.process.kill()
        self._members.remove(member)

    def _bury(self, member: Member) -> None:
        """Take a dead child out and decide about what it was working on."""
        if member in self._members:
            self._members.remove(member)
        if member.cause is None and self._group is not None:
            self._counts["crashed"] += 1
            if not member.answered:
                self._failed_starts[member.trust] = self._failed_starts.get(member.trust, 0) + 1
            log.write(
                log_events.child_ended,
                child=f"{member.process.kind} {member.process.name}",
                requests=len(member.running),
            )
        left, member.running = list(member.running.values()), {}
        self._written.difference_update(request.writes for request in left)
        for request in left:
            self._after_death(member, request)
            if request.member is member:  # it is not repeated
                request.end()
        self.reconsider()

    def _after_death(self, member: Member, request: GitRequest) -> None:
        if self._group is None:
            request.fail(ErrorKind.DIED, "the controller is closing")
        elif member.cause is ErrorKind.TIMEOUT:
            seconds = asyncio.get_running_loop().time() - request.began_at
            self._repeat(request, alone=seconds > _LONG_SECONDS)
        elif not member.answered and member.cause is None and request.starts + 1 < _MAX_STARTS:
            request.starts += 1
            self._repeat(request, alone=False)
        elif not request.alone:
            self._repeat(request, alone=True)
        elif member.cause is ErrorKind.MEMORY:
            self._blame(request)
            request.fail(ErrorKind.MEMORY, member.excess)
        else:
            self._blame(request)
            request.fail(ErrorKind.DIED, "the process crashed, and crashed again with this operation alone")
