"""From a folder of Kustomize or Helm to the objects in it: gives the renderer the files that it asks for.

A rendering is kept with what it read. A commit that changes none of that is not rendered again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import msgspec

from nopea import tasks
from nopea.core.api.entries import ChartEntry
from nopea.core.api.helm import Helm
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.downloads.items import RemoteItem, chart_item, is_remote_chart
from nopea.core.git.source import FileEntry, ParsedFile, PathListing
from nopea.core.manifests.inputs import UNKNOWN, Capabilities, RenderInputs
from nopea.core.manifests.limits import problem_of_rendered
from nopea.core.manifests.rendering import (
    RenderAnswer,
    RenderedObject,
    RenderRequest,
    changed_files,
    files_of,
    with_problems,
)
from nopea.core.manifests.tool import Tool
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, StalledError, SyncError
from nopea.downloads.port import On
from nopea.reconcile.remotes import Opened, SourceFiles, Tree
from nopea.state.store import RenderCache, Rendered

_MAX_ROUNDS = 32
"""How often the renderer may ask for more: once per level of bases, and for what it finds by rendering."""
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
        """Return the item as it is now or, if not `fresh`, as it was when it was opened last."""
        ...


class Cluster(Protocol):
    """What a rendering may need of the cluster; raises SyncError."""

    async def capabilities(self) -> Capabilities:
        """Return what templates of charts may know."""
        ...

    async def of(self, owner: RepoKey, spec: GitRepositorySpec) -> RenderInputs:
        """Return the keys, variables and values that the spec refers to."""
        ...


class NoCluster:
    """For a folder that is rendered without a cluster: what the spec says itself is all that there is."""

    async def capabilities(self) -> Capabilities:
        """Return nothing: the renderer has defaults."""
        return UNKNOWN

    async def of(self, owner: RepoKey, spec: GitRepositorySpec) -> RenderInputs:
        """Return the variables of the spec."""
        del owner
        return RenderInputs(variables=spec.substitute)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderToRender:
    """What is rendered: a folder of one version of a repository, for its owner, all rounds within a time.

    If not `fresh`, what lies elsewhere is taken as it was last time.
    """

    source: SourceFiles
    path: str
    tool: Tool
    owner: RepoKey
    timeout_seconds: float
    fresh: bool = True


@dataclass(slots=True)
class _Given:
    """What the renderer has been given so far."""

    tree: Tree
    on: On
    fresh: bool
    entries: dict[str, FileEntry] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    remotes: dict[str, str] = field(default_factory=dict)


class Renderings:
    """Renders folders, and keeps what came of them."""

    def __init__(self, renderer: Renderer, cache: RenderCache, cluster: Cluster, remotes: Opener) -> None:
        self._renderer = renderer
        self._cache = cache
        self._cluster = cluster
        self._remotes = remotes

    async def files(self, folder: FolderToRender, spec: GitRepositorySpec) -> Rendered:
        """Return the objects that a folder renders to, by the file that each comes from. Raises SyncError."""
        inputs = await self._cluster.of(folder.owner, spec)
        options = await self._options(spec, folder, inputs)
        chart = _chart_elsewhere(spec)
        key = (spec.url, folder.path, folder.tool.value, chart, _digest(options, inputs))
        given = _given(folder, inputs)
        if (known := self._cache.get(key)) is not None:
            for item in known.items:
                await self._open(item, given)
            if await given.tree.paths(known.paths) == known.listing:
                return replace(known, chart=_chart_entry(given, chart))
        given.contents |= inputs.values
        if chart is not None:
            opened = await self._open(chart, given)
            options["helm"]["chart"] = opened.path
        answer = await self._answer(folder, given, options)
        objects = answer.objects
        files, left_out = await tasks.off_loop(files_of, objects, folder.tool, size=len(objects))
        rendered = replace(_rendered(given, answer, files, left_out), chart=_chart_entry(given, chart))
        self._cache[key] = rendered
        return rendered

    async def _open(self, item: RemoteItem, given: _Given) -> Opened:
        opened = await self._remotes.open(item, given.on, fresh=given.fresh)
        given.tree.add(opened)
        given.remotes[item.key] = opened.path
        return opened

    async def transformed(
        self,
        folder: FolderToRender,
        spec: GitRepositorySpec,
        files: Mapping[str, ParsedFile],
        encrypted: Mapping[str, bytes],
    ) -> dict[str, ParsedFile]:
        """Return a folder's plain manifests, decrypted, changed by spec.kustomize, with variables replaced.

        `encrypted` are the contents of files that could not be parsed. Raises SyncError.
        """
        inputs = await self._cluster.of(folder.owner, spec)
        options = _transformation(inputs)
        variables = options.pop("substitute", None) if spec.kustomize is not None else None
        request = RenderRequest(
            tool=Tool.PLAIN, path="", files=encrypted, documents=_documents(files), options=options
        )
        answer = await self._renderer.render(request, folder.owner, timeout_seconds=folder.timeout_seconds)
        changed = await tasks.off_loop(changed_files, files, answer.objects, size=len(answer.objects))
        if spec.kustomize is None:
            return changed
        has_secrets = inputs.private or bool(encrypted)
        options = {"kustomize": msgspec.to_builtins(spec.kustomize), "private": has_secrets}
        if variables is not None:
            options["substitute"] = variables
        as_overlay = replace(folder, tool=Tool.KUSTOMIZE)
        given = _given(folder, inputs)
        answer = await self._answer(as_overlay, given, options, documents=_documents(changed))
        objects = answer.objects
        rendered, _ = await tasks.off_loop(files_of, objects, Tool.KUSTOMIZE, size=len(objects))
        return with_problems(rendered, changed)

    async def _options(
        self, spec: GitRepositorySpec, folder: FolderToRender, inputs: RenderInputs
    ) -> dict[str, Any]:
        options = _transformation(inputs)
        if folder.tool is Tool.KUSTOMIZE:
            if spec.kustomize is not None:
                options["kustomize"] = msgspec.to_builtins(spec.kustomize)
            return options
        helm, known = spec.helm or Helm(), await self._cluster.capabilities()
        options["helm"] = {
            "releaseName": helm.release_name or folder.owner.name,
            "namespace": spec.target_namespace or folder.owner.namespace,
            "values": helm.values or {},
            "valuesFiles": [*helm.values_files, *inputs.values],
            "includeCRDs": helm.include_crds,
            "kubeVersion": helm.kube_version or known.kube_version,
            "apiVersions": [*known.api_versions, *helm.api_versions],
        }
        return options

    async def _answer(
        self,
        folder: FolderToRender,
        given: _Given,
        options: Mapping[str, Any],
        *,
        documents: Sequence[RenderedObject] = (),
    ) -> RenderAnswer:
        await self._give_first(folder, given, has_documents=bool(documents))
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + folder.timeout_seconds
        for _ in range(_MAX_ROUNDS):
            request = RenderRequest(
                tool=folder.tool,
                path=folder.path,
                files=dict(given.contents),
                folders=tuple(given.folders),
                missing=tuple(given.missing),
                remotes=dict(given.remotes),
                documents=documents,
                options=options,
            )
            try:
                answer = await self._renderer.render(
                    request, folder.owner, timeout_seconds=max(0.0, ends_at - loop.time())
                )
            except SyncError as error:
                raise type(error)(*(_in_words(each, given.tree) for each in error.problems)) from error
            if not answer.need and not answer.fetch:
                return answer
            opened = [await self._open(item, given) for item in answer.fetch]
            wanted = [*answer.need, *(each.path for each in opened if each.remote is None)]
            if wanted:
                await _give(given, await given.tree.paths(wanted))
        raise StalledError(
            Problem(
                code=Code.RENDERING_TOO_BIG,
                message=f"The folder refers to bases that refer to bases, {_MAX_ROUNDS} levels deep.",
                hint="Refer to the bases directly.",
                source=folder.path,
            )
        )

    async def _give_first(self, folder: FolderToRender, given: _Given, *, has_documents: bool) -> None:
        """Give what is needed for sure, or is little."""
        if given.remotes:
            await _give(given, await given.tree.paths(list(given.remotes.values())))
            return
        listing = await given.tree.paths([folder.path])
        size = sum(entry.size for entry in listing.files)
        if not has_documents and len(listing.files) <= _SMALL_FILES and size <= _SMALL_BYTES:
            await _give(given, listing)


def _given(folder: FolderToRender, inputs: RenderInputs) -> _Given:
    on = On(owner=folder.owner, timeout_seconds=folder.timeout_seconds, logins=inputs.logins)
    return _Given(tree=Tree(folder.source), on=on, fresh=folder.fresh)


def _chart_elsewhere(spec: GitRepositorySpec) -> RemoteItem | None:
    helm = spec.helm
    if helm is None or helm.chart is None or not is_remote_chart(helm.chart):
        return None
    return chart_item(helm.chart, helm.version or "")


def _chart_entry(given: _Given, chart: RemoteItem | None) -> ChartEntry | None:
    opened = given.tree.opened.get(chart.folder) if chart is not None else None
    if opened is None or opened.resolved is None:
        return None
    return ChartEntry(source=str(opened.item), version=opened.resolved.version, digest=opened.resolved.digest)


def _in_words(problem: Problem, tree: Tree) -> Problem:
    return replace(problem, message=tree.in_words(problem.message), source=tree.in_words(problem.source))


def _documents(files: Mapping[str, ParsedFile]) -> tuple[RenderedObject, ...]:
    """Return the documents of plain files, sorted by path, each with its number in its file."""
    return tuple(
        RenderedObject(path, number, one.body)
        for path in sorted(files)
        for number, one in enumerate(files[path].documents)
    )


def _transformation(inputs: RenderInputs) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if inputs.age or inputs.pgp:
        options["decryption"] = {"age": list(inputs.age), "pgp": list(inputs.pgp)}
    if inputs.variables is not None:
        options["substitute"] = {"vars": dict(inputs.variables)}
    if inputs.private:
        options["private"] = True
    return options


def _digest(options: Mapping[str, Any], inputs: RenderInputs) -> bytes:
    """Return a digest of all that a rendering depends on beside files: the cache keeps no keys."""
    return hashlib.sha256(msgspec.msgpack.encode((options, inputs.values))).digest()


async def _give(given: _Given, listing: PathListing) -> None:
    """Add what is listed. Raises StalledError when it is too much."""
    entries = {**given.entries, **{entry.path: entry for entry in listing.files}}
    problem = problem_of_rendered(entries.values())
    if problem is not None:
        raise StalledError(problem)
    missing = [path for path in entries if path not in given.contents]
    contents = await given.tree.read(list(dict.fromkeys(entries[path].blob for path in missing)))
    given.contents.update({path: contents[entries[path].blob] for path in missing})
    given.entries = entries
    given.folders += listing.folders
    given.missing += listing.missing


def _left_out(hooks: int) -> tuple[str, ...]:
    if not hooks:
        return ()
    what = "1 hook" if hooks == 1 else f"{hooks} hooks"
    return (f"Left out {what} of the chart, for events that Nopea does not have.",)


def _rendered(
    given: _Given, answer: RenderAnswer, files: Mapping[str, ParsedFile], left_out: int
) -> Rendered:
    """Return the rendering with what it read in Git, in the form in which Git lists it."""
    below = tuple(f"{folder}/" if folder else "" for folder in answer.folders)
    read = [path for path in answer.read if path in given.entries]
    counts = set(read)
    return Rendered(
        files={given.tree.in_words(path): file for path, file in files.items()},
        notes=(*map(given.tree.in_words, answer.notes), *_left_out(left_out)),
        items=tuple(opened.item for opened in given.tree.opened.values()),
        remotes=tuple(opened.remote for opened in given.tree.opened.values() if opened.remote),
        is_pinned=all(opened.is_pinned for opened in given.tree.opened.values()),
        paths=(*read, *answer.folders, *answer.looked),
        listing=PathListing(
            files=tuple(
                entry
                for path, entry in sorted(given.entries.items())
                if path in counts or (below and path.startswith(below))
            ),
            folders=answer.folders,
            missing=answer.looked,
        ),
    )
