"""Spread requests over Git children so that no request waits for another's trouble.

Every request ends by its deadline. A child with a late request is killed: only that request fails, its
neighbours are repeated. A request whose child died is repeated alone, in quarantine; if that child dies too,
the request was the cause. It knows nothing of Git; `port` does.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from typing import Any

from cachetools import LRUCache

from nopea import log_events
from nopea.core.duration import backoff_seconds
from nopea.git.process import ChildProcess, Trust
from nopea.git.protocol import ErrorKind, Op, encode
from nopea.git.request import GitRequest, Lane, Member
from nopea.git.settings import GitSettings, GitStatistics
from nopea.logs import Log

log = Log("nopea.git")

_WATCH_SECONDS = 0.5
_MAX_REMEMBERED = 10_000
_LOCAL_PER_CHILD = 4
_MAX_STARTS = 3
_FIRST_RESTART_SECONDS = 0.2
_MAX_RESTART_SECONDS = 5.0
_IDLE_SECONDS = 60.0


class Pool:
    """See the module; `run` owns the children, `submit` may be called before and while it runs."""

    def __init__(self, settings: GitSettings) -> None:
        self._settings = settings
        self._members: list[Member] = []
        self._queues: dict[tuple[Trust, bool, Lane], deque[GitRequest]] = {}
        self._suspects: LRUCache[str, None] = LRUCache(_MAX_REMEMBERED)
        self._slow: LRUCache[str, None] = LRUCache(_MAX_REMEMBERED)
        self._ids = itertools.count(1)
        self._failed_starts = 0
        self._group: asyncio.TaskGroup | None = None
        names = ("started", "crashed", "killed_late", "killed_big", "operations", "repeated")
        self._counts = dict.fromkeys(names, 0)

    async def run(self) -> None:
        """Keep children until cancelled; end and reap them all on the way out."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                try:
                    await self._keep()
                finally:
                    self._group = None  # from here on no child is started again
        finally:
            for request in itertools.chain(*self._queues.values()):
                request.fail(ErrorKind.DIED, "the Git port is closing")
                request.end()
            self._queues.clear()

    async def _keep(self) -> None:
        self._dispatch()
        while True:
            self._keep_main_children()
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
        on_end: Callable[[], None] | None = None,
    ) -> Any:
        """Have a child do it and return its result; raises OperationError, TIMEOUT at the deadline.

        The deadline is in loop time. Cancelling the caller drops the result; a child that works on it may
        continue to the deadline. `on_end` is called when none does any more.
        """
        loop = asyncio.get_running_loop()
        lane = (Lane.SLOW if key in self._slow else Lane.YOUNG) if network else Lane.LOCAL
        request = GitRequest(
            op=op, fields=fields, trust=trust, key=key, deadline=deadline, future=loop.create_future(),
            lane=lane, alone=key in self._suspects, on_end=on_end,
        )  # fmt: skip
        request.timers.append(loop.call_at(deadline, self._expire, request))
        self._counts["operations"] += 1
        self._enqueue(request)
        try:
            return await request.future
        except asyncio.CancelledError:
            self._abandon(request)
            raise

    def stop(self, key: str, kind: ErrorKind, message: str) -> None:
        """Fail the fetch with this key and kill its child; what else ran there is repeated."""
        for member in self._members:
            for request in member.running.values():
                if request.key == key and request.op is Op.SYNC:
                    self._suspects[key] = None
                    request.fail(kind, message)
                    self._kill(member, ErrorKind.TIMEOUT)

    def statistics(self) -> GitStatistics:
        """Return what is going on now and the counts since the start."""
        running = [request for member in self._members for request in member.running.values()]
        return GitStatistics(
            children_now=sum(member.process.pid is not None for member in self._members),
            running_now=len(running),
            queued_now=sum(map(len, self._queues.values())),
            abandoned_now=sum(request.future.done() for request in running),
            suspects_now=len(self._suspects),
            **self._counts,
        )

    def pids(self) -> list[int]:
        """Return the process ids of the children that run now."""
        return [member.process.pid for member in self._members if member.process.pid is not None]

    # Placing: a queue per trust, quarantine and lane; the head of a queue goes where there is room.

    def _enqueue(self, request: GitRequest, *, first: bool = False) -> None:
        queue = self._queues.setdefault((request.trust, request.alone, request.lane), deque())
        if first:
            queue.appendleft(request)
        else:
            queue.append(request)
        self._dispatch()

    def _dispatch(self) -> None:
        for place, queue in list(self._queues.items()):
            while queue:
                if queue[0].future.done():
                    queue.popleft()
                    continue
                member = self._room(*place)
                if member is None:
                    break
                self._assign(member, queue.popleft())
            if not queue:
                self._queues.pop(place, None)

    def _room(self, trust: Trust, alone: bool, lane: Lane) -> Member | None:
        peers = [member for member in self._members if member.alone is alone and member.cause is None]
        own = [member for member in peers if member.trust == trust]
        free = [member for member in own if self._fits(member, lane)]
        if free:
            return min(free, key=lambda member: len(member.running))
        settings = self._settings
        if not alone and trust == Trust():
            return self._start(trust) if len(own) < settings.children else None
        if own and not alone:
            return None  # one child per trust; it is full
        limit = settings.quarantine_children if alone else settings.trust_children
        peers = [member for member in peers if alone or member.trust != Trust()]
        if len(peers) >= limit:
            idle = [member for member in peers if not member.running]
            if not idle:
                return None
            self._retire(min(idle, key=lambda member: member.idle_since))
        return self._start(trust, alone=alone)

    def _fits(self, member: Member, lane: Lane) -> bool:
        if member.alone:
            return not member.running
        settings = self._settings
        network = settings.threads_per_child - _LOCAL_PER_CHILD
        match lane:
            case Lane.LOCAL:
                return member.busy(Lane.LOCAL) < _LOCAL_PER_CHILD
            case Lane.YOUNG:
                young = member.busy(Lane.YOUNG)
                return young < settings.young_per_child and young + member.busy(Lane.SLOW) < network
            case Lane.SLOW:
                return member.busy(Lane.SLOW) < network // 2

    def _assign(self, member: Member, request: GitRequest) -> None:
        loop = asyncio.get_running_loop()
        number = next(self._ids)
        seconds = max(0.0, request.deadline - loop.time())
        member.running[number] = request
        request.member = member
        request.began_at = loop.time()
        member.process.send(
            encode({**request.fields, "id": number, "op": request.op, "seconds": seconds * 0.95})
        )
        if request.lane is Lane.YOUNG:
            request.timers.append(loop.call_later(self._settings.slow_after_seconds, self._grow_old, request))

    def _grow_old(self, request: GitRequest) -> None:
        request.lane = Lane.SLOW
        self._slow[request.key] = None
        self._dispatch()

    # Ending: answers, deadlines, cancelled callers.

    def _on_answer(self, member: Member, answer: dict[str, Any]) -> None:
        member.answered = True
        self._failed_starts = 0
        request = member.running.pop(answer["id"], None)
        if request is None:
            return
        now = asyncio.get_running_loop().time()
        member.idle_since = now
        error = answer.get("err")
        if error is not None and error["kind"] == ErrorKind.MEMORY and not request.alone:
            self._repeat(request, alone=True)
            return
        request.end()
        self._suspects.pop(request.key, None)
        if request.lane is Lane.SLOW and now - request.began_at < self._settings.slow_after_seconds:
            self._slow.pop(request.key, None)
        if error is None:
            request.succeed(answer["ok"])
        else:
            facts = {key: value for key, value in error.items() if key not in ("kind", "message")}
            request.fail(ErrorKind(error["kind"]), error["message"], **facts)
        self._dispatch()

    def _expire(self, request: GitRequest) -> None:
        member = request.member
        if member is None:
            request.fail(ErrorKind.TIMEOUT, "no Git process was free before the deadline")
            request.end()
            return
        self._suspects[request.key] = None
        request.fail(ErrorKind.TIMEOUT, "the operation was still running")
        self._kill(member, ErrorKind.TIMEOUT)

    def _abandon(self, request: GitRequest) -> None:
        """Forget who asked; what runs keeps its deadline, the oldest ends early when there are too many."""
        if request.member is None:
            request.fail(ErrorKind.DIED, "nobody waits for it")
            request.end()
            return
        running = (other for member in self._members for other in member.running.values())
        left = sorted((other for other in running if other.future.done()), key=lambda other: other.began_at)
        if len(left) > self._settings.max_abandoned and left[0].member is not None:
            self._kill(left[0].member, ErrorKind.TIMEOUT)

    def _repeat(self, request: GitRequest, *, alone: bool) -> None:
        request.member = None
        if request.future.done():
            request.end()
            return
        request.alone = request.alone or alone
        self._counts["repeated"] += 1
        self._enqueue(request, first=True)

    # Children: start, watch, kill, bury.

    def _keep_main_children(self) -> None:
        own = [member for member in self._members if member.trust == Trust() and not member.alone]
        for _ in range(self._settings.children - len(own)):
            self._start(Trust())

    def _start(self, trust: Trust, *, alone: bool = False) -> Member | None:
        if self._group is None:
            return None
        self._counts["started"] += 1
        name = str(self._counts["started"])
        process = ChildProcess(
            name, self._settings, trust, on_answer=lambda answer: self._on_answer(member, answer)
        )
        member = Member(process=process, trust=trust, alone=alone)
        member.idle_since = asyncio.get_running_loop().time()
        self._members.append(member)
        self._group.create_task(self._attend(member), name=f"git child {name}")
        return member

    async def _attend(self, member: Member) -> None:
        try:
            if self._failed_starts:
                pause = backoff_seconds(
                    self._failed_starts, first=_FIRST_RESTART_SECONDS, most=_MAX_RESTART_SECONDS
                )
                await asyncio.sleep(pause)
            await member.process.run()
        finally:
            self._bury(member)

    def _watch(self) -> None:
        """Kill children that hold too much memory, and retire those that nobody has needed for a while."""
        now = asyncio.get_running_loop().time()
        for member in list(self._members):
            if member.running and member.process.resident_bytes() > self._settings.memory_bytes:
                self._kill(member, ErrorKind.MEMORY)
            extra = member.alone or member.trust != Trust()
            if extra and not member.running and now - member.idle_since > _IDLE_SECONDS:
                self._retire(member)

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
            self._failed_starts += not member.answered
            log.write(log_events.git_child_ended, child=member.process.name, requests=len(member.running))
        for request in list(member.running.values()):
            self._after_death(member, request)
            if request.member is member:  # it is not repeated
                request.end()
        member.running.clear()
        if self._group is not None:
            self._dispatch()

    def _after_death(self, member: Member, request: GitRequest) -> None:
        if self._group is None:
            request.fail(ErrorKind.DIED, "the Git port is closing")
        elif member.cause is ErrorKind.TIMEOUT:
            self._repeat(request, alone=False)
        elif not member.answered and member.cause is None and request.starts + 1 < _MAX_STARTS:
            request.starts += 1
            self._repeat(request, alone=False)
        elif not request.alone:
            self._repeat(request, alone=True)
        elif member.cause is ErrorKind.MEMORY:
            self._suspects[request.key] = None
            request.fail(ErrorKind.MEMORY, f"it needs more than {self._settings.memory_bytes} bytes")
        else:
            self._suspects[request.key] = None
            request.fail(
                ErrorKind.DIED, "the Git process crashed, and crashed again with this operation alone"
            )
