"""What the controller asks of Git: refs, commits, files, parsed manifests. Every call ends by its deadline.

It turns values of `nopea.core.git.source` into requests and answers into values; children do the work, and
nothing of libgit2 is loaded in this process.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cachetools import LRUCache

from nopea.core.git.source import Commit, FileListing, ParsedFile, Ref, RefKind, Remote, is_ssh
from nopea.core.problem import SyncError
from nopea.git import problems
from nopea.git.flight import Flights
from nopea.git.pool import Pool
from nopea.git.process import HOMES, Trust
from nopea.git.protocol import TEMPORARY, ErrorKind, Op
from nopea.git.request import OperationError
from nopea.git.settings import GitSettings, GitStatistics
from nopea.git.wire import (
    MIRROR_SUFFIX,
    commit_of,
    listing_of,
    mirror_name,
    parsed_file,
    raw_address,
    raw_ref,
    trust_of,
)  # fmt: skip
from nopea.measure import Measure, not_measured

_MAX_REMEMBERED = 20_000
# Ids in one request: 10,000 of them are half a megabyte.
_BLOBS = 10_000
_DEADLY = (ErrorKind.DIED, ErrorKind.MEMORY)


class GitPort:
    """See the module. All methods raise SyncError with codes NOPEA-G…; run `run` beside them.

    Cancelling a call drops its result. `timeout_seconds` includes the time that a call waits for its turn.
    """

    def __init__(self, settings: GitSettings, *, measure: Measure = not_measured) -> None:
        """`measure` is told each operation's name, `ok` or why it failed, and the time with its wait."""
        self._settings = settings
        self._measure = measure
        self._pool = Pool(settings)
        self._flights: Flights[Any] = Flights()
        self._writers: dict[str, tuple[asyncio.Lock, int]] = {}
        self._refs: LRUCache[tuple[str, str], Ref] = LRUCache(_MAX_REMEMBERED)

    async def run(self) -> None:
        """Own the children until cancelled; none is left when it returns."""
        settings = self._settings
        settings.cache_dir.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(_sweep, settings.cache_dir)
        try:
            await self._pool.run()
        finally:
            await self._flights.close()

    def statistics(self) -> GitStatistics:
        """Return what is going on now and counts since the start."""
        return self._pool.statistics()

    def pids(self) -> list[int]:
        """Return the process ids of the children, for diagnosis and tests."""
        return self._pool.pids()

    async def ls_remote(self, remote: Remote, ref: Ref, *, timeout_seconds: float) -> str:
        """Return the commit that the ref points to on the server; a commit ref is returned as it is."""
        if ref.kind is RefKind.COMMIT:
            return ref.value
        call = self._call(remote, timeout_seconds)

        def begin() -> Coroutine[Any, Any, Any]:
            return self._submit(
                call, Op.LS_REMOTE, {"ref": raw_ref(ref), "address": raw_address(remote)}, network=True
            )

        answer = await self._shared(call, ("ls_remote", call.mirror, ref), begin, ref)
        return cast("str", answer["id"])

    async def sync(self, remote: Remote, ref: Ref, *, timeout_seconds: float) -> Commit:
        """Bring the commit that the ref points to into the shared mirror, fetching only what is not there."""
        call = self._call(remote, timeout_seconds)
        answer = await self._shared(
            call, ("sync", call.mirror, ref, False), lambda: self._sync(call, ref, again=False), ref
        )
        commit = commit_of(answer)
        self._remember(call, commit.id, ref)
        return commit

    async def listing(
        self, remote: Remote, commit: str, subpath: str, *, timeout_seconds: float
    ) -> FileListing:
        """Return the files under a folder that matter by name, and what cannot be read there; sorted."""
        call = self._call(remote, timeout_seconds)
        answer = await self._local(call, Op.FILES, commit, {"commit": commit, "subpath": subpath})
        return listing_of(answer)

    async def read(
        self, remote: Remote, commit: str, blobs: Sequence[str], *, timeout_seconds: float
    ) -> dict[str, bytes]:
        """Return the contents of blobs of a commit, by blob id."""
        call = self._call(remote, timeout_seconds)
        try:
            return await self._portions(call, Op.READ, commit, blobs)
        except OperationError as error:
            raise self._translated(error, call) from error

    async def manifests(
        self, remote: Remote, blobs: Sequence[str], *, timeout_seconds: float, commit: str = ""
    ) -> dict[str, ParsedFile]:
        """Return blobs parsed as Kubernetes manifests, by blob id; the parsing happens in a child.

        A file that kills the child, or is too big to read, comes back with a Problem and no documents.
        `commit` is what a damaged mirror is repaired from; without it the last synced one serves.
        """
        call = self._call(remote, timeout_seconds)
        try:
            found = await self._portions(call, Op.MANIFESTS, commit, blobs)
        except OperationError as error:
            if error.kind in _DEADLY:
                return await self._one_by_one(call, commit, blobs)
            raise self._translated(error, call) from error
        return {blob: parsed_file(raw) for blob, raw in found.items()}

    async def head(self, remote: Remote, commit: str, *, timeout_seconds: float) -> Commit:
        """Return the facts of a commit in the mirror."""
        call = self._call(remote, timeout_seconds)
        return commit_of(await self._local(call, Op.HEAD, commit, {"commit": commit}))

    async def forget(self, in_use: Collection[Remote]) -> int:
        """Delete the mirrors of all other remotes and return how many there were."""
        kept = {mirror_name(remote) for remote in in_use}
        unused = [
            path for path in self._settings.cache_dir.glob(f"*{MIRROR_SUFFIX}") if path.name not in kept
        ]
        for path in unused:
            lock = _Writer(self._writers, path.name)
            await lock.acquire()
            try:
                await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
            finally:
                lock.release()
        return len(unused)

    def _call(self, remote: Remote, timeout_seconds: float) -> _Call:
        """Refuse what must not be asked, and fix the deadline."""
        url, credentials = remote.url, remote.credentials
        if url.startswith(("file:", "/")) and not self._settings.allow_file_urls:
            raise problems.file_url_refused(remote)
        if is_ssh(url):
            if not credentials.identity:
                raise problems.identity_missing(remote)
            if not credentials.known_hosts.strip():
                raise problems.known_hosts_missing(remote)
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        return _Call(remote, mirror_name(remote), trust_of(url, credentials), deadline)

    async def _shared(
        self, call: _Call, key: object, begin: Callable[[], Coroutine[Any, Any, Any]], ref: Ref
    ) -> Any:
        """Join the operation with this key, or begin it."""
        loop = asyncio.get_running_loop()
        begun = False

        def begin_own() -> Coroutine[Any, Any, Any]:
            nonlocal begun
            begun = True
            return begin()

        while True:
            try:
                return await self._flights.join((key, call.trust), begin_own, deadline=call.deadline)
            except TimeoutError:
                raise problems.error_of(
                    ErrorKind.TIMEOUT, "the time is up", {}, remote=call.remote, ref=ref
                ) from None
            except OperationError as error:
                # Another caller's shorter deadline may have ended the shared operation: begin an own one.
                if error.kind is ErrorKind.TIMEOUT and not begun and loop.time() < call.deadline:
                    continue
                raise self._translated(error, call, ref) from error

    async def _sync(self, call: _Call, ref: Ref, *, again: bool) -> Any:
        fields = {"ref": raw_ref(ref), "address": raw_address(call.remote)}
        try:
            return await self._write(call, {**fields, "again": again})
        except OperationError as error:
            if error.kind is not ErrorKind.MIRROR or again:
                raise
        return await self._write(call, {**fields, "again": True})

    async def _write(self, call: _Call, fields: dict[str, Any]) -> Any:
        """Have a child write into the mirror; no other one does until it has ended, even if nobody waits."""
        lock = _Writer(self._writers, call.mirror)
        await lock.acquire()
        return await self._submit(call, Op.SYNC, fields, network=True, on_end=lock.release)

    async def _local(self, call: _Call, op: Op, commit: str, fields: dict[str, Any]) -> Any:
        try:
            return await self._ask(call, op, commit, fields)
        except OperationError as error:
            raise self._translated(error, call) from error

    async def _ask(self, call: _Call, op: Op, commit: str, fields: dict[str, Any]) -> Any:
        """Ask about the mirror; one that lacks the commit is fetched into, a damaged one is cloned again."""
        for again in (False, True):
            try:
                return await self._submit(call, op, fields, network=False)
            except OperationError as error:
                if error.kind is not ErrorKind.MIRROR:
                    raise
            await self._repair(call, commit, again=again)
        return await self._submit(call, op, fields, network=False)

    def _translated(self, error: OperationError, call: _Call, ref: Ref | None = None) -> SyncError:
        return problems.error_of(error.kind, error.message, error.facts, remote=call.remote, ref=ref)

    async def _repair(self, call: _Call, commit: str, *, again: bool) -> None:
        """Have the commit in the mirror: by the ref that it was synced by, or by its id when that moved."""
        ref = self._refs.get((call.mirror, commit))
        if ref is not None:
            answer = await self._shared(
                call, ("sync", call.mirror, ref, again), lambda: self._sync(call, ref, again=again), ref
            )
            if not commit or answer["id"] == commit:
                return
        if commit:
            wanted = Ref(RefKind.COMMIT, commit)
            await self._shared(
                call,
                ("sync", call.mirror, wanted, again),
                lambda: self._sync(call, wanted, again=again and ref is None),
                wanted,
            )

    async def _portions(self, call: _Call, op: Op, commit: str, blobs: Sequence[str]) -> dict[str, Any]:
        """Ask about many blobs in answers of bounded size."""
        found: dict[str, Any] = {}
        rest = list(dict.fromkeys(blobs))
        while rest:
            answer = await self._ask(call, op, commit, {"blobs": rest[:_BLOBS]})
            found |= answer["done"]
            rest = answer["rest"] + rest[_BLOBS:]
        return found

    async def _one_by_one(self, call: _Call, commit: str, blobs: Sequence[str]) -> dict[str, ParsedFile]:
        """Parse the blobs of a batch that cost a child its life, to find the one that did."""
        found = {}
        for blob in dict.fromkeys(blobs):
            try:
                answer = await self._portions(call, Op.MANIFESTS, commit, [blob])
                found[blob] = parsed_file(answer[blob])
            except OperationError as error:
                if error.kind not in _DEADLY:
                    raise self._translated(error, call) from error
                found[blob] = problems.deadly_file(error.message)
        return found

    async def _submit(
        self,
        call: _Call,
        op: Op,
        fields: dict[str, Any],
        *,
        network: bool,
        on_end: Callable[[], None] | None = None,
    ) -> Any:
        path = str(self._settings.cache_dir / call.mirror)
        started, ended = time.perf_counter(), "cancelled"
        try:
            answer = await self._pool.submit(
                op,
                {**fields, "mirror": path},
                trust=call.trust if network else Trust(),
                key=call.mirror if network else f"{op} {call.mirror}",
                network=network,
                deadline=call.deadline,
                on_end=on_end,
            )
            ended = "ok"
            return answer
        except OperationError as error:
            ended = error.kind
            raise
        finally:
            self._measure(op, ended, time.perf_counter() - started)

    def _remember(self, call: _Call, commit: str, ref: Ref) -> None:
        for key in ((call.mirror, commit), (call.mirror, "")):
            self._refs[key] = ref


@dataclass(frozen=True, slots=True)
class _Call:
    remote: Remote
    mirror: str
    trust: Trust
    deadline: float


class _Writer:
    """Lets one writer at a time into a mirror; the lock lives as long as somebody wants it."""

    def __init__(self, writers: dict[str, tuple[asyncio.Lock, int]], mirror: str) -> None:
        self._writers = writers
        self._mirror = mirror

    async def acquire(self) -> None:
        """Wait for the other writers."""
        lock, users = self._writers.get(self._mirror) or (asyncio.Lock(), 0)
        self._writers[self._mirror] = (lock, users + 1)
        try:
            await lock.acquire()
        except asyncio.CancelledError:
            self._leave()
            raise

    def release(self) -> None:
        """Let the next writer in; any callback may call it."""
        self._writers[self._mirror][0].release()
        self._leave()

    def _leave(self) -> None:
        lock, users = self._writers.pop(self._mirror)
        if users > 1:
            self._writers[self._mirror] = (lock, users - 1)


def _sweep(cache_dir: Path) -> None:
    """Remove what a killed controller left: homes of children, half-made mirrors."""
    shutil.rmtree(cache_dir / HOMES, ignore_errors=True)
    for path in cache_dir.glob(f"*{TEMPORARY}*"):
        shutil.rmtree(path, ignore_errors=True)
