"""Find and fetch charts and files of manifests. Every call ends by its deadline.

To resolve costs a small request; a content is fetched once, verified, and kept by its digest for who could
resolve it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from cachetools import LRUCache

from nopea.core.downloads.items import OCI, RemoteItem, RemoteKind
from nopea.core.downloads.logins import NO_LOGINS, Logins
from nopea.core.downloads.versions import ChartVersion, choose, is_exact, tag_of, version_of
from nopea.core.git.networks import Networks
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, StalledError, SyncError
from nopea.core.secret import mask_url
from nopea.downloads import problems
from nopea.downloads.budget import DownloadBudget, Share
from nopea.downloads.registry import Asker, Registries
from nopea.downloads.web import Get, Reply, Web, basic, joined
from nopea.git.settings import MIB
from nopea.measure import Measure, not_measured

MAX_ARCHIVE = 16 * MIB
MAX_INDEX = 32 * MIB
CACHE_BYTES = 64 * MIB
INDEX_CACHE_BYTES = 16 * MIB
MAX_SECONDS = 60.0
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_OK, _NOT_MODIFIED = 200, 304
_INDEX = "Check the URL: a chart repository has an index.yaml."
_URL = "Check the URL with curl."
_LOCK = "Run `helm dependency update` in the folder of the chart, and commit Chart.lock."
_RANGE = "Correct spec.helm.version: `helm search repo --versions` lists what there is."

ReadIndex = Callable[[bytes, str, RepoKey, float], Awaitable[Sequence[ChartVersion]]]
"""Reads what the index of a chart repository says about a name; raises SyncError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What an item is now. `digest` is that of the manifest in a registry, otherwise of the content."""

    item: RemoteItem
    version: str
    digest: str
    url: str
    content_digest: str
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class On:
    """For whom something is fetched: the GitRepository, its logins, and its time."""

    owner: RepoKey
    timeout_seconds: float
    logins: Logins = NO_LOGINS


@dataclass(frozen=True, slots=True)
class _Seen:
    """A response that the server was asked for before, by its ETag."""

    etag: str
    digest: str = ""
    versions: tuple[ChartVersion, ...] = field(default=(), repr=False)

    @property
    def size(self) -> int:
        return 200 + sum(200 + sum(map(len, each.urls)) for each in self.versions)


class Downloads:
    """See the module; open with `async with`. All methods raise SyncError."""

    def __init__(
        self,
        read_index: ReadIndex,
        *,
        networks: Networks,
        proxies: Mapping[str, str] | None = None,
        measure: Measure = not_measured,
    ) -> None:
        """`measure` is told the kind of server, `ok` or how it ended, and the time."""
        self._read_index = read_index
        self._measure = measure
        self._web = Web(networks, proxies or {})
        self._registries = Registries(self._web)
        self._budget = DownloadBudget()
        self._contents: LRUCache[tuple[str, str, str], bytes] = LRUCache(CACHE_BYTES, getsizeof=len)
        self._seen: LRUCache[tuple[str, str, str], _Seen] = LRUCache(
            INDEX_CACHE_BYTES, getsizeof=lambda seen: min(seen.size, INDEX_CACHE_BYTES)
        )

    async def __aenter__(self) -> Self:
        await self._web.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._web.__aexit__(*exc)

    async def resolve(self, item: RemoteItem, on: On) -> Resolved:
        """Return which version and content the item is now; asks the server."""
        async with self._running(item, on) as share:
            if item.kind is RemoteKind.BASE or not item.name:
                return await self._file(item, on, share)
            try:
                if item.place.startswith(OCI):
                    return await self._in_registry(item, on, share)
                return await self._in_repository(item, on, share)
            except ValueError as error:
                raise StalledError(
                    Problem(code=Code.SPEC_INVALID, message=f"{item.source}: {error}.", hint=_hint(item))
                ) from error

    async def content(self, resolved: Resolved, on: On) -> bytes:
        """Return the content, from memory or from the server; it has the digest that was resolved."""
        key = _content_key(resolved.item, resolved.content_digest, on)
        known = self._contents.get(key)
        if known is not None:
            return known
        item = resolved.item
        async with self._running(item, on) as share:
            if item.place.startswith(OCI):
                body = await self._registries.archive(
                    str(item), resolved.content_digest, Asker(on.logins, share), limit=MAX_ARCHIVE
                )
            else:
                body = (await self._get(resolved.url, item, on, share)).body
                if (found := _digest(body)) != resolved.content_digest:
                    raise problems.corrupt(str(item), wanted=resolved.content_digest, found=found)
        self._keep(key, body)
        return body

    @asynccontextmanager
    async def _running(self, item: RemoteItem, on: On) -> AsyncIterator[Share]:
        seconds = min(on.timeout_seconds, MAX_SECONDS)
        started, ended = time.perf_counter(), "cancelled"
        try:
            async with self._within(seconds, item, on) as share:
                yield share
            ended = "ok"
        except SyncError:
            ended = "failed"
            raise
        finally:
            self._measure(_kind_of_server(item), ended, time.perf_counter() - started)

    @asynccontextmanager
    async def _within(self, seconds: float, item: RemoteItem, on: On) -> AsyncIterator[Share]:
        try:
            async with (
                asyncio.timeout(seconds),
                self._budget.share(on.owner.namespace, what=str(item)) as share,
            ):
                yield share
        except TimeoutError as error:
            raise problems.unreachable(str(item), f"the server took longer than {seconds:g} s") from error

    async def _in_registry(self, item: RemoteItem, on: On, share: Share) -> Resolved:
        asker, chart = Asker(on.logins, share), str(item)
        tag = tag_of(item.version)
        if not is_exact(item.version):
            tags = await self._registries.tags(chart, asker)
            tag = tag_of(_chosen(item, choose(map(version_of, tags), item.version)))
        manifest = await self._registries.manifest(chart, tag, asker)
        return Resolved(
            item=item,
            version=version_of(tag),
            digest=manifest.digest,
            url="",
            content_digest=manifest.layer,
            size=manifest.size,
        )

    async def _in_repository(self, item: RemoteItem, on: On, share: Share) -> Resolved:
        versions = {each.version: each for each in await self._index(item, on, share)}
        found = versions[_chosen(item, choose(versions, item.version))]
        if not found.urls:
            raise problems.not_found(str(item), f"the index has no URL for {found.version}", _INDEX)
        url = joined(f"{item.place.rstrip('/')}/", found.urls[0])
        digest = f"sha256:{found.digest.lower().removeprefix('sha256:')}"
        if not _DIGEST.fullmatch(digest):  # none, or of another kind
            body = (await self._get(url, item, on, share)).body
            digest = _digest(body)
            self._keep(_content_key(item, digest, on), body)
        return Resolved(item=item, version=found.version, digest=digest, url=url, content_digest=digest)

    async def _index(self, item: RemoteItem, on: On, share: Share) -> Sequence[ChartVersion]:
        url = f"{item.place.rstrip('/')}/index.yaml"
        key = (url, item.name, on.logins.digest(url))
        seen = self._seen.get(key)
        reply = await self._get(url, item, on, share, limit=MAX_INDEX, etag=seen.etag if seen else "")
        if seen is not None and reply.status == _NOT_MODIFIED:
            return seen.versions
        versions = await self._read_index(reply.body, item.name, on.owner, on.timeout_seconds)
        if etag := reply.header("ETag"):
            self._seen[key] = _Seen(etag, versions=tuple(versions))
        return versions

    async def _file(self, item: RemoteItem, on: On, share: Share) -> Resolved:
        """Resolve a content that has no version: the server is asked whether it is another one."""
        url = item.place
        key = (url, "", on.logins.digest(url))
        seen = self._seen.get(key)
        kept = seen is not None and _content_key(item, seen.digest, on) in self._contents
        reply = await self._get(url, item, on, share, etag=seen.etag if seen and kept else "")
        if seen is not None and reply.status == _NOT_MODIFIED:
            digest = seen.digest
        else:
            digest = _digest(reply.body)
            self._keep(_content_key(item, digest, on), reply.body)
            if etag := reply.header("ETag"):
                self._seen[key] = _Seen(etag, digest=digest)
        return Resolved(item=item, version="", digest=digest, url=url, content_digest=digest)

    async def _get(
        self, url: str, item: RemoteItem, on: On, share: Share, *, limit: int = MAX_ARCHIVE, etag: str = ""
    ) -> Reply:
        # A login that is not for this host is not sent: an index may name archives anywhere.
        headers = {**basic(on.logins.at(url)), **({"If-None-Match": etag} if etag else {})}
        what = str(item) if limit == MAX_ARCHIVE else mask_url(url)
        reply = await self._web.get(
            Get(url=url, what=what, limit=limit, share=share, headers=headers, ca_crt=on.logins.ca_crt)
        )
        if reply.status == _OK or (etag and reply.status == _NOT_MODIFIED):
            return reply
        wait = reply.header("Retry-After")
        missing = _INDEX if limit == MAX_INDEX else _URL
        raise problems.of_status(what, reply.status, retry_after=wait, missing=missing)

    def _keep(self, key: tuple[str, str, str], body: bytes) -> None:
        if len(body) <= CACHE_BYTES:
            self._contents[key] = body


def _kind_of_server(item: RemoteItem) -> str:
    if item.place.startswith(OCI):
        return "registry"
    return "repository" if item.name else "file"


def _content_key(item: RemoteItem, digest: str, on: On) -> tuple[str, str, str]:
    """Return what a content is kept by: who has no login gets nothing that was fetched with one."""
    url = item.place.replace(OCI, "https://", 1)
    return str(item), digest, on.logins.digest(url)


def _chosen(item: RemoteItem, version: str | None) -> str:
    if version is None:
        wanted = f"no version fits {item.version!r}" if item.version else "there is no stable version"
        raise problems.not_found(str(item), wanted, _hint(item))
    return version


def _hint(item: RemoteItem) -> str:
    """Return what to do about a version that there is not."""
    return _LOCK if item.is_locked else _RANGE


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
