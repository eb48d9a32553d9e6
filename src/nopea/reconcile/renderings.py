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
from nopea.core.api.helm import Helm
from nopea.core.api.spec import GitRepositorySpec
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
from nopea.core.problem import Code, Problem, StalledError
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


class SourceFiles(Protocol):
    """The files of one version of a repository."""

    async def paths(self, paths: Sequence[str]) -> PathListing:
        """Return what is at the paths."""
        ...

    async def read(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Return contents by blob id."""
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
    """What is rendered: a folder of one version of a repository, for its owner, all rounds within a time."""

    source: SourceFiles
    path: str
    tool: Tool
    owner: RepoKey
    timeout_seconds: float


@dataclass(slots=True)
class _Given:
    """What the renderer has been given so far."""

    entries: dict[str, FileEntry] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class Renderings:
    """Renders folders, and keeps what came of them."""

    def __init__(self, renderer: Renderer, cache: RenderCache, cluster: Cluster) -> None:
        self._renderer = renderer
        self._cache = cache
        self._cluster = cluster

    async def files(self, folder: FolderToRender, spec: GitRepositorySpec) -> Rendered:
        """Return the objects that a folder renders to, by the file that each comes from. Raises SyncError."""
        inputs = await self._cluster.of(folder.owner, spec)
        options = await self._options(spec, folder, inputs)
        key = (spec.url, folder.path, folder.tool.value, _digest(options, inputs))
        known = self._cache.get(key)
        if known is not None and await folder.source.paths(known.paths) == known.listing:
            return known
        given = _Given(contents=dict(inputs.values))
        answer = await self._answer(folder, given, options)
        objects = answer.objects
        files, left_out = await tasks.off_loop(files_of, objects, folder.tool, size=len(objects))
        rendered = self._cache[key] = _rendered(given, answer, files, left_out)
        return rendered

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
        answer = await self._answer(as_overlay, _Given(), options, documents=_documents(changed))
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
        listing = await folder.source.paths([folder.path])
        size = sum(entry.size for entry in listing.files)
        if not documents and len(listing.files) <= _SMALL_FILES and size <= _SMALL_BYTES:
            await _give(folder.source, given, listing)
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + folder.timeout_seconds
        for _ in range(_MAX_ROUNDS):
            request = RenderRequest(
                tool=folder.tool,
                path=folder.path,
                files=dict(given.contents),
                folders=tuple(given.folders),
                missing=tuple(given.missing),
                documents=documents,
                options=options,
            )
            answer = await self._renderer.render(
                request, folder.owner, timeout_seconds=max(0.0, ends_at - loop.time())
            )
            if not answer.need:
                return answer
            await _give(folder.source, given, await folder.source.paths(answer.need))
        raise StalledError(
            Problem(
                code=Code.RENDERING_TOO_BIG,
                message=f"The folder refers to bases that refer to bases, {_MAX_ROUNDS} levels deep.",
                hint="Refer to the bases directly.",
                source=folder.path,
            )
        )


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


async def _give(source: SourceFiles, given: _Given, listing: PathListing) -> None:
    """Add what is listed. Raises StalledError when it is too much."""
    entries = {**given.entries, **{entry.path: entry for entry in listing.files}}
    problem = problem_of_rendered(entries.values())
    if problem is not None:
        raise StalledError(problem)
    missing = [path for path in entries if path not in given.contents]
    contents = await source.read(list(dict.fromkeys(entries[path].blob for path in missing)))
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
        files=dict(files),
        notes=(*answer.notes, *_left_out(left_out)),
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
