"""One rendering, in rounds: the renderer says what it needs, and is asked again with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from nopea.core.api.entries import ChartEntry
from nopea.core.downloads.items import FOLDER, RemoteItem
from nopea.core.downloads.logins import Logins
from nopea.core.git.source import FileEntry, PathListing, Skipped
from nopea.core.manifests.limits import problem_of_rendered
from nopea.core.manifests.rendering import RenderAnswer, RenderedObject, RenderRequest
from nopea.core.manifests.tool import Tool
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, StalledError, SyncError, TransientError
from nopea.downloads.port import On
from nopea.reconcile.data_keys import DataKeys, Render
from nopea.reconcile.remotes import Opened, SourceFiles, Tree

_MAX_ROUNDS = 32
"""How often the renderer may ask for more: once per level of bases, and for what it finds by rendering."""
_GRACE_SECONDS = 1.0
"""The renderer ends a late rendering itself, and says more about it."""
_SMALL_FILES, _SMALL_BYTES = 500, 2 * 1024 * 1024
"""A folder up to this size is given whole at first; of a bigger one only the files that are asked for."""


class Renderer(Protocol):
    """The rendering port; every call raises SyncError only, and ends by its deadline."""

    async def render(self, request: RenderRequest, owner: RepoKey, *, timeout_seconds: float) -> RenderAnswer:
        """Return what a folder renders to, or what else must be given."""
        ...


class Opener(Protocol):
    """What opens charts and bases that are not in the repository; raises SyncError."""

    async def open(self, item: RemoteItem, on: On, *, fresh: bool) -> Opened:
        """Return the item as it is now or, if not `fresh`, as it was when it was kept."""
        ...

    def keep(self, opened: Opened, on: On) -> None:
        """Take in that an item is as it should be: it serves while servers must not be asked, or fail."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderToRender:
    """What is rendered: a folder of one version of a repository, for its owner, all rounds within a time.

    If not `fresh`, what lies elsewhere is taken as it was when it last rendered. With `or_last`, what fails
    is answered with the last rendering of the same files. `chart` is what the status says of the chart: its
    version should keep its digest.
    """

    source: SourceFiles
    path: str
    tool: Tool
    owner: RepoKey
    timeout_seconds: float
    fresh: bool = True
    or_last: bool = False
    chart: ChartEntry | None = None


@dataclass(slots=True)
class Rounds:
    """A rendering of a folder, and what the renderer has been given for it so far."""

    folder: FolderToRender
    logins: Logins
    remotes: Opener
    keys: DataKeys
    contents: dict[str, bytes] = field(default_factory=dict)
    entries: dict[str, FileEntry] = field(default_factory=dict)
    skipped: dict[str, Skipped] = field(default_factory=dict)
    tree: Tree = field(init=False)
    _folders: list[str] = field(default_factory=list)
    _missing: list[str] = field(default_factory=list)
    _places: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tree = Tree(self.folder.source)

    async def open(self, item: RemoteItem) -> Opened:
        """Open what lies elsewhere, and add it to the tree. Raises SyncError."""
        opened = await self.remotes.open(item, self._on(), fresh=self.folder.fresh)
        self.tree.add(opened)
        self._places[item.key] = opened.path
        return opened

    def keep(self) -> None:
        """Take in that the rendering is as it should be, and so is everything that was opened for it."""
        for opened in self.tree.opened.values():
            self.remotes.keep(opened, self._on())

    def _on(self) -> On:
        folder = self.folder
        return On(owner=folder.owner, timeout_seconds=folder.timeout_seconds, logins=self.logins)

    async def answer(
        self, renderer: Renderer, options: Mapping[str, Any], documents: Sequence[RenderedObject] = ()
    ) -> RenderAnswer:
        """Return what the folder renders to, when nothing more is needed. Raises SyncError."""
        async with self._in_time():
            return await self._answer(self._by(renderer), options, documents)

    async def answer_to(self, renderer: Renderer, request: RenderRequest) -> RenderAnswer:
        """Return the answer to a request that needs nothing but keys. Raises SyncError."""
        async with self._in_time():
            return await self.keys.render(self._by(renderer), request)

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        seconds = self.folder.timeout_seconds
        try:
            async with asyncio.timeout(seconds + _GRACE_SECONDS):
                yield
        except TimeoutError as error:
            raise TransientError(
                Problem(
                    code=Code.RENDERING_TIMEOUT,
                    message=f"The rendering, with what it fetches, took longer than {seconds:g} s.",
                    hint="Divide the folder, or raise spec.timeout.",
                    source=self.folder.path,
                )
            ) from error

    def _by(self, renderer: Renderer) -> Render:
        """Return the renderer for this folder: all that it is asked from now on shares one deadline."""
        folder, loop = self.folder, asyncio.get_running_loop()
        ends_at = loop.time() + folder.timeout_seconds

        async def render(request: RenderRequest) -> RenderAnswer:
            seconds = max(0.0, ends_at - loop.time())
            return await renderer.render(request, folder.owner, timeout_seconds=seconds)

        return render

    async def _answer(
        self, render: Render, options: Mapping[str, Any], documents: Sequence[RenderedObject]
    ) -> RenderAnswer:
        folder = self.folder
        await self._give_first(has_documents=bool(documents))
        for _ in range(_MAX_ROUNDS):
            request = RenderRequest(
                tool=folder.tool,
                path=folder.path,
                files=dict(self.contents),
                folders=tuple(self._folders),
                missing=tuple(self._missing),
                remotes=dict(self._places),
                documents=documents,
                options=options,
            )
            try:
                answer = await self.keys.render(render, request)
            except SyncError as error:
                raise type(error)(*map(self._in_words, error.problems)) from error
            if not answer.need and not answer.fetch:
                return answer
            opened = await self._open_all(answer.fetch)
            wanted = [*answer.need, *(each.path for each in opened if each.remote is None)]
            if wanted:
                await self._give(await self.tree.paths(wanted))
        raise StalledError(
            Problem(
                code=Code.RENDERING_TOO_BIG,
                message=f"The folder refers to bases that refer to bases, {_MAX_ROUNDS} levels deep.",
                hint="Refer to the bases directly.",
                source=folder.path,
            )
        )

    async def _open_all(self, items: Sequence[RemoteItem]) -> list[Opened]:
        """Open all items. Raises SyncError with everything that is wrong with them."""
        opened: list[Opened] = []
        problems: list[Problem] = []
        for item in items:
            try:
                opened.append(await self.open(item))
            except SyncError as error:
                problems += error.problems
        if problems:
            is_transient = all(one.code.transient for one in problems)
            raise (TransientError if is_transient else StalledError)(*problems)
        return opened

    async def _give_first(self, *, has_documents: bool) -> None:
        """Give what is needed for sure, or is little."""
        if self._places:
            await self._give(await self.tree.paths(list(self._places.values())))
            return
        listing = await self.tree.paths([self.folder.path])
        size = sum(entry.size for entry in listing.files)
        if not has_documents and len(listing.files) <= _SMALL_FILES and size <= _SMALL_BYTES:
            await self._give(listing)

    async def _give(self, listing: PathListing) -> None:
        """Add what is listed. Raises StalledError when it is too much."""
        entries = {**self.entries, **{entry.path: entry for entry in listing.files}}
        problem = problem_of_rendered(entries.values())
        if problem is not None:
            raise StalledError(problem)
        missing = [path for path in entries if path not in self.contents]
        near = [path for path in missing if not path.startswith(FOLDER)]
        contents = await self.tree.read(list(dict.fromkeys(entries[path].blob for path in near)))
        self.contents.update({path: contents[entries[path].blob] for path in near})
        for path in missing:
            if path.startswith(FOLDER):  # one at a time: only then is its size known
                blob = entries[path].blob
                self.contents[path] = (await self.tree.read([blob]))[blob]
                self._refuse_too_much(entries)
        self.entries = entries
        self._folders += listing.folders
        self._missing += listing.missing
        self.skipped |= {each.path: each for each in listing.skipped}

    def _refuse_too_much(self, entries: Mapping[str, FileEntry]) -> None:
        """Raise StalledError when what was really read is too much, whatever servers said of it."""
        read = [
            replace(entries[path], size=len(self.contents[path])) for path in entries if path in self.contents
        ]
        if (problem := problem_of_rendered(read)) is not None:
            raise StalledError(problem)

    def _in_words(self, problem: Problem) -> Problem:
        words = self.tree.in_words
        return replace(problem, message=words(problem.message), source=words(problem.source))
