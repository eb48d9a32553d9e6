"""What a rendering refers to beside its repository: charts, files and folders of other repositories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from cachetools import LRUCache

from nopea.core.api.tenancy import NO_CREDENTIALS, TenancyPolicy, remote_violation
from nopea.core.downloads.bases import GitBase, parse_base
from nopea.core.downloads.items import RemoteItem, RemoteKind
from nopea.core.git.source import Commit, FileEntry, PathListing, Ref, RefKind, Remote, Skipped
from nopea.core.problem import Code, Problem, StalledError, SyncError
from nopea.core.secret import mask_url
from nopea.downloads.port import On, Resolved

_MAX_KNOWN = 10_000


class SourceFiles(Protocol):
    """The files of one version of a repository, or of something like one."""

    async def paths(self, paths: Sequence[str]) -> PathListing:
        """Return what is at the paths."""
        ...

    async def read(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Return contents by blob id."""
        ...


class GitReader(Protocol):
    """The part of the Git port that reads other repositories."""

    async def sync(self, remote: Remote, ref: Ref, *, timeout_seconds: float) -> Commit:
        """Bring the ref's commit into the mirror and return its facts."""
        ...

    async def paths(
        self, remote: Remote, commit: str, paths: Sequence[str], *, timeout_seconds: float
    ) -> PathListing:
        """Return what is at paths of a commit."""
        ...

    async def read(
        self, remote: Remote, commit: str, blobs: Sequence[str], *, timeout_seconds: float
    ) -> dict[str, bytes]:
        """Return the contents of blobs."""
        ...


class Downloader(Protocol):
    """The port for charts and files; raises SyncError."""

    async def resolve(self, item: RemoteItem, on: On) -> Resolved:
        """Return which version and content the item is now."""
        ...

    async def content(self, resolved: Resolved, on: On) -> bytes:
        """Return the content that was resolved."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An item that can be read. `path` is where the renderer finds it, and `shown` what users call that.

    `files` has the paths of the item itself, without `item.folder`.
    """

    item: RemoteItem
    path: str
    shown: str
    files: SourceFiles
    resolved: Resolved | None = None
    remote: Remote | None = None
    is_pinned: bool = False

    def in_words(self, text: str) -> str:
        """Return a text with the name that users know in place of the renderer's."""
        known, name = (self.item.folder, self.shown) if self.remote is not None else (self.path, self.shown)
        return text.replace(known, name)


class Remotes:
    """Opens items. Those that rendered last serve while servers must not be asked, or fail."""

    def __init__(self, git: GitReader, downloads: Downloader, policy: TenancyPolicy) -> None:
        self._git = git
        self._downloads = downloads
        self._policy = policy
        self._known: LRUCache[tuple[object, ...], Opened] = LRUCache(_MAX_KNOWN)

    async def open(self, item: RemoteItem, on: On, *, fresh: bool) -> Opened:
        """Return the item as it is now or, if not `fresh`, as it was when it was kept.

        Raises SyncError, with the file that has the reference.
        """
        known = self._known.get(_key(item, on))
        if known is not None and (known.is_pinned or not fresh):
            return known
        try:
            if (problem := remote_violation(item, self._policy)) is not None:
                raise StalledError(problem)
            base = parse_base(item.place) if item.kind is RemoteKind.BASE else None
            if isinstance(base, GitBase):
                return await self._folder(item, base, on)
            return await self._file(item, on)
        except SyncError as error:
            raise type(error)(*(_explained(each, item) for each in error.problems)) from error

    def keep(self, opened: Opened, on: On) -> None:
        """Keep an item that rendered."""
        self._known[_key(opened.item, on)] = opened

    async def _file(self, item: RemoteItem, on: On) -> Opened:
        resolved = await self._downloads.resolve(item, on)
        name = "base.yaml"
        if item.kind is RemoteKind.CHART:
            name = f"{item.name or 'chart'}-{resolved.version}.tgz".replace("/", "_")
        shown = f"{item}:{resolved.version}" if resolved.version else str(item)
        return Opened(
            item=item,
            path=f"{item.folder}/{name}",
            shown=shown,
            files=_OneFile(self._downloads, resolved, on, name),
            resolved=resolved,
            is_pinned=item.is_locked,
        )

    async def _folder(self, item: RemoteItem, base: GitBase, on: On) -> Opened:
        # Without credentials: who writes the kustomization may not be who has them.
        remote = Remote(base.url, owner=on.owner)
        commit, ref = await self._commit(remote, base.refs, on)
        at = "" if ref.kind is RefKind.HEAD else f"@{ref.value}"
        return Opened(
            item=item,
            path=f"{item.folder}/{base.path}".rstrip("/"),
            shown=f"{mask_url(base.url)}{at}",
            files=FilesAt(self._git, remote, commit.id, on.timeout_seconds),
            remote=remote,
            is_pinned=ref.kind is RefKind.COMMIT,
        )

    async def _commit(self, remote: Remote, refs: Sequence[Ref], on: On) -> tuple[Commit, Ref]:
        """Return the commit of the first ref that exists."""
        for ref in refs[:-1]:
            try:
                return await self._git.sync(remote, ref, timeout_seconds=on.timeout_seconds), ref
            except SyncError as error:
                if any(problem.code is not Code.GIT_REF_NOT_FOUND for problem in error.problems):
                    raise
        return await self._git.sync(remote, refs[-1], timeout_seconds=on.timeout_seconds), refs[-1]


def _key(item: RemoteItem, on: On) -> tuple[object, ...]:
    return on.owner, item, on.logins.digest(item.place)


def _explained(problem: Problem, item: RemoteItem) -> Problem:
    """Return the problem with the place of the reference, and with advice that fits it."""
    needs_login = problem.code in (Code.GIT_AUTHENTICATION, Code.GIT_NOT_FOUND) or "spec.helm" in problem.hint
    hint = NO_CREDENTIALS if needs_login and item.kind is RemoteKind.BASE else problem.hint
    return replace(problem, source=problem.source or item.source, hint=hint)


@dataclass(frozen=True, slots=True)
class FilesAt:
    """The files of a commit."""

    git: GitReader
    remote: Remote
    commit: str
    timeout_seconds: float

    async def paths(self, paths: Sequence[str]) -> PathListing:
        """Return what is at the paths."""
        return await self.git.paths(self.remote, self.commit, paths, timeout_seconds=self.timeout_seconds)

    async def read(self, blobs: Sequence[str]) -> dict[str, bytes]:
        """Return contents by blob id."""
        return await self.git.read(self.remote, self.commit, blobs, timeout_seconds=self.timeout_seconds)


@dataclass(frozen=True, slots=True)
class _OneFile:
    """A downloaded file as the only one of a repository; its blob id is its digest."""

    downloads: Downloader
    resolved: Resolved
    on: On
    name: str

    async def paths(self, paths: Sequence[str]) -> PathListing:
        resolved = self.resolved
        entry = FileEntry(self.name, resolved.digest, resolved.size)
        return PathListing(
            files=(entry,) if {self.name, ""} & set(paths) else (),
            folders=("",) if "" in paths else (),
            missing=tuple(path for path in paths if path not in (self.name, "")),
        )

    async def read(self, blobs: Sequence[str]) -> dict[str, bytes]:
        return {self.resolved.digest: await self.downloads.content(self.resolved, self.on)} if blobs else {}


@dataclass(slots=True)
class Tree:
    """The files that a rendering may see: those of the repository, and below `item.folder` those of items."""

    own: SourceFiles
    opened: dict[str, Opened] = field(default_factory=dict)
    """By the item's folder."""
    _where: dict[str, SourceFiles] = field(default_factory=dict)
    """Where the blobs are that were listed."""

    def add(self, opened: Opened) -> None:
        """Add an item."""
        self.opened[opened.item.folder] = opened

    async def paths(self, paths: Sequence[str]) -> PathListing:
        """Return what is at the paths."""
        files: list[FileEntry] = []
        folders: list[str] = []
        missing: list[str] = []
        skipped: list[Skipped] = []
        for folder, source, below in self._divided(paths):
            listing = await source.paths(below)
            self._where |= {entry.blob: source for entry in listing.files}
            files += [replace(entry, path=_joined(folder, entry.path)) for entry in listing.files]
            folders += [_joined(folder, path) for path in listing.folders]
            missing += [_joined(folder, path) for path in listing.missing]
            skipped += [replace(each, path=_joined(folder, each.path)) for each in listing.skipped]
        files.sort(key=lambda entry: entry.path)
        return PathListing(
            files=tuple(files),
            folders=tuple(sorted(folders)),
            missing=tuple(sorted(missing)),
            skipped=tuple(sorted(skipped, key=lambda each: each.path)),
        )

    async def read(self, blobs: Sequence[str]) -> dict[str, bytes]:
        """Return contents by the ids of blobs that were listed."""
        wanted: dict[int, tuple[SourceFiles, list[str]]] = {}
        for blob in blobs:
            source = self._where[blob]
            wanted.setdefault(id(source), (source, []))[1].append(blob)
        contents: dict[str, bytes] = {}
        for source, of_source in wanted.values():
            contents |= await source.read(of_source)
        return contents

    def in_words(self, text: str) -> str:
        """Return a text of the renderer with the names of items as users know them."""
        for opened in self.opened.values():
            text = opened.in_words(text)
        return text

    def _divided(self, paths: Sequence[str]) -> list[tuple[str, SourceFiles, list[str]]]:
        """Return the paths of the repository, and those of each item relative to it."""
        own: list[str] = []
        below: dict[str, list[str]] = {}
        for path in paths:
            folder = next((each for each in self.opened if f"{path}/".startswith(f"{each}/")), None)
            if folder is None:
                own.append(path)
            else:
                below.setdefault(folder, []).append(path[len(folder) + 1 :])
        divided = [(folder, self.opened[folder].files, each) for folder, each in below.items()]
        return [("", self.own, own), *divided] if own or not divided else divided


def _joined(folder: str, path: str) -> str:
    return f"{folder}/{path}".rstrip("/") if folder else path
