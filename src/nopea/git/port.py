"""What the controller asks of Git: refs, commits, files, parsed manifests. Every call ends by its deadline.

It turns values of `nopea.core.git.source` into requests and answers into values; children do the work, and
nothing of libgit2 is loaded in this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from cachetools import LRUCache

from nopea.core.git.known_hosts import HostKey
from nopea.core.git.proxy import proxy_for
from nopea.core.git.source import (
    DEFAULT_BRANCH,
    Commit,
    Credentials,
    FileListing,
    ParsedFile,
    PathListing,
    Ref,
    RefKind,
    Remote,
    is_ssh,
)
from nopea.core.problem import SyncError
from nopea.core.secret import Secret
from nopea.git import problems
from nopea.git.disk import Disk
from nopea.git.flight import Flights
from nopea.git.pool import Pool
from nopea.git.process import Trust, git_process
from nopea.git.protocol import ErrorKind, Op
from nopea.git.request import OperationError
from nopea.git.settings import GitSettings, GitStatistics
from nopea.git.wire import (
    commit_of,
    listing_of,
    mirror_name,
    parsed_file,
    path_listing_of,
    raw_address,
    raw_ref,
    trust_of,
)  # fmt: skip
from nopea.measure import Measure, not_measured

HISTORY_COMMITS = 200
"""How many commits of a branch with a long history are looked through for the one that a merge begins at."""

_MAX_REMEMBERED = 20_000
# Ids in one request: 10,000 of them are half a megabyte.
_BLOBS = 10_000
_NOBODY = "# nobody\n"
"""A known_hosts in which no server is."""
_DEADLY = (ErrorKind.DIED, ErrorKind.MEMORY)


class GitPort:
    """See the module. All methods raise SyncError with codes NOPEA-G…; run `run` beside them.

    Cancelling a call drops its result. `timeout_seconds` includes the time that a call waits for its turn.
    """

    def __init__(self, settings: GitSettings, *, measure: Measure = not_measured) -> None:
        """`measure` is told each operation's name, `ok` or why it failed, and the time with its wait."""
        # Children have working folders of their own.
        settings = replace(settings, cache_dir=settings.cache_dir.absolute())
        self._settings = settings
        self._measure = measure
        self._pool = Pool(settings, git_process(settings))
        self._disk = Disk(
            settings,
            claim=self._pool.claim,
            disclaim=self._pool.disclaim,
            stop=lambda name, why: self._pool.stop(name, ErrorKind.NO_ROOM, why),
        )
        self._flights: Flights[Any] = Flights()
        self._askers: LRUCache[object, set[str]] = LRUCache(_MAX_REMEMBERED)
        self._refs: LRUCache[tuple[str, str], Ref] = LRUCache(_MAX_REMEMBERED)

    async def run(self) -> None:
        """Own the children until cancelled; none is left when it returns."""
        await self._disk.open()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._disk.run(), name="git disk")
            try:
                await self._pool.run()
            finally:
                await self._flights.close()

    def statistics(self) -> GitStatistics:
        """Return what is going on now and counts since the start."""
        disk = self._disk
        return replace(self._pool.statistics(), mirrors_now=disk.mirrors, mirror_bytes_now=disk.used_bytes)

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
                call, Op.LS_REMOTE, {"ref": raw_ref(ref), "address": self._address(remote)}, network=True
            )

        answer = await self._shared(call, ("ls_remote", call.mirror, ref), begin, ref)
        return cast("str", answer["id"])

    async def host_key(self, url: str, *, timeout_seconds: float) -> HostKey | None:
        """Return the key that an SSH server shows, None for one of an unknown type. Nothing is sent to it."""
        stranger = Credentials(identity=Secret(b"none"), known_hosts=_NOBODY)
        call = self._call(Remote(url, stranger), timeout_seconds)
        fields = {"ref": raw_ref(DEFAULT_BRANCH), "address": self._address(call.remote)}
        try:
            await self._submit(call, Op.LS_REMOTE, fields, network=True)
        except OperationError as error:
            if error.kind is not ErrorKind.HOST_KEY:
                raise self._translated(error, call) from error
            return HostKey(*error.facts["key"]) if error.facts.get("key") else None
        return None

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

    async def paths(
        self, remote: Remote, commit: str, paths: Sequence[str], *, timeout_seconds: float
    ) -> PathListing:
        """Return what is at paths of a commit: files, and all below folders, whatever their names."""
        call = self._call(remote, timeout_seconds)
        answer = await self._local(call, Op.PATHS, commit, {"commit": commit, "paths": list(paths)})
        return path_listing_of(answer)

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

    async def merge(self, remote: Remote, onto: Commit, head: Commit, *, timeout_seconds: float) -> str:
        """Merge two commits in the mirror, and return the id of a commit with the result.

        The id is empty where a person must decide, or where the newest commits of a long history have no
        common one. The server is asked for more history, and gets nothing.
        """
        call = self._call(remote, timeout_seconds)
        fields = {"onto": onto.id, "head": head.id}
        try:
            merged = await self._write(call, Op.MERGE, fields, network=False)
            if merged["lacks_history"] and onto.ref and head.ref:
                for name in (onto.ref, head.ref):
                    await self._sync(call, Ref(RefKind.NAME, name), again=False, history=HISTORY_COMMITS)
                merged = await self._write(call, Op.MERGE, fields, network=False)
        except OperationError as error:
            raise self._translated(error, call) from error
        return str(merged["id"])

    async def forget(self, in_use: Collection[Remote]) -> int:
        """Delete the mirrors of all other remotes, if nothing reads or writes them; return how many."""
        return await self._disk.forget({mirror_name(remote) for remote in in_use})

    def _address(self, remote: Remote) -> dict[str, Any]:
        return raw_address(remote, proxy=proxy_for(remote.url, self._settings.proxies))

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
        namespaces = {remote.owner.namespace}
        return _Call(remote, mirror_name(remote), trust_of(url, credentials), deadline, namespaces)

    async def _shared(
        self, call: _Call, key: object, begin: Callable[[], Coroutine[Any, Any, Any]], ref: Ref
    ) -> Any:
        """Join the operation with this key, or begin it.

        Who joins lends its turn: the operation may run as soon as either namespace has room for it.
        """
        loop, shared = asyncio.get_running_loop(), (key, call.trust)
        begun = False

        def begin_own() -> Coroutine[Any, Any, Any]:
            nonlocal begun
            begun = True
            self._askers[shared] = call.namespaces
            return begin()

        while True:
            self._lend(call, self._askers.get(shared))
            try:
                return await self._flights.join(shared, begin_own, deadline=call.deadline)
            except TimeoutError:
                raise problems.error_of(
                    ErrorKind.TIMEOUT, "the time is up", {}, remote=call.remote, ref=ref
                ) from None
            except OperationError as error:
                # Another caller's shorter deadline may have ended the shared operation: begin an own one.
                if error.kind is ErrorKind.TIMEOUT and not begun and loop.time() < call.deadline:
                    continue
                raise self._translated(error, call, ref) from error

    def _lend(self, call: _Call, askers: set[str] | None) -> None:
        if askers is not None and call.remote.owner.namespace not in askers:
            askers.add(call.remote.owner.namespace)
            self._pool.reconsider()

    async def _sync(self, call: _Call, ref: Ref, *, again: bool, history: int = 0) -> Any:
        fields = {"ref": raw_ref(ref), "address": self._address(call.remote), "history": history}
        try:
            return await self._write(call, Op.SYNC, {**fields, "again": again}, network=True)
        except OperationError as error:
            if error.kind is not ErrorKind.MIRROR or again:
                raise
        return await self._write(call, Op.SYNC, {**fields, "again": True}, network=True)

    async def _write(self, call: _Call, op: Op, fields: dict[str, Any], *, network: bool) -> Any:
        """Have a child write into the mirror; no other one does until it has ended, even if nobody waits."""
        written = await self._disk.write(call.mirror, call.remote.owner.namespace)
        return await self._submit(call, op, fields, network=network, writes=call.mirror, on_end=written)

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
        writes: str = "",
        on_end: Callable[[], None] | None = None,
    ) -> Any:
        path = str(self._settings.cache_dir / call.mirror)
        started, ended = time.perf_counter(), "cancelled"
        namespace = call.remote.owner.namespace
        reading = contextlib.nullcontext() if network else self._disk.reading(call.mirror, namespace)
        try:
            with reading:
                answer = await self._pool.submit(
                    op,
                    {**fields, "mirror": path},
                    trust=call.trust if network else Trust(),
                    key=call.mirror if network else f"{op} {call.mirror}",
                    network=network,
                    deadline=call.deadline,
                    owner=call.remote.owner,
                    namespaces=call.namespaces,
                    writes=writes,
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
    # Those that wait for it: whoever joins a shared operation is added.
    namespaces: set[str]
