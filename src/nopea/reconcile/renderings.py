"""From a folder of Kustomize or Helm to the objects in it: gives the renderer the files that it asks for.

A rendering is kept with what it read. A commit that changes none of that is not rendered again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from nopea import tasks
from nopea.core.api.helm import Helm
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.source import FileEntry, ParsedFile, PathListing
from nopea.core.manifests.capabilities import UNKNOWN, Capabilities
from nopea.core.manifests.limits import problem_of_rendered
from nopea.core.manifests.rendering import RenderAnswer, RenderRequest, files_of
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


@dataclass(slots=True)
class _Given:
    """What the renderer has been given so far."""

    entries: dict[str, FileEntry] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


async def _unknown() -> Capabilities:
    return UNKNOWN


class Renderings:
    """Renders folders, and keeps what came of them."""

    def __init__(
        self,
        renderer: Renderer,
        cache: RenderCache,
        capabilities: Callable[[], Awaitable[Capabilities]] = _unknown,
    ) -> None:
        """`capabilities` says what templates may know of the cluster."""
        self._renderer = renderer
        self._cache = cache
        self._capabilities = capabilities

    async def files(
        self,
        source: SourceFiles,
        spec: GitRepositorySpec,
        tool: Tool,
        *,
        path: str,
        owner: RepoKey,
        timeout_seconds: float,
    ) -> Rendered:
        """Return the objects that a folder renders to, by the file that each comes from. Raises SyncError."""
        options = await self._options(spec, tool, owner)
        key = (spec.url, path, tool.value, msgspec.json.encode(options))
        known = self._cache.get(key)
        if known is not None and await source.paths(known.paths) == known.listing:
            return known
        given = _Given()
        answer = await self._answer(
            source, given, tool, options, path=path, owner=owner, timeout_seconds=timeout_seconds
        )
        files, left_out = await tasks.off_loop(files_of, answer.objects, tool, size=len(answer.objects))
        rendered = _rendered(given, answer, files, left_out)
        self._cache[key] = rendered
        return rendered

    async def _options(self, spec: GitRepositorySpec, tool: Tool, owner: RepoKey) -> dict[str, Any]:
        if tool is Tool.KUSTOMIZE:
            return {"kustomize": msgspec.to_builtins(spec.kustomize)} if spec.kustomize is not None else {}
        helm, known = spec.helm or Helm(), await self._capabilities()
        return {
            "helm": {
                "releaseName": helm.release_name or owner.name,
                "namespace": spec.target_namespace or owner.namespace,
                "values": helm.values or {},
                "valuesFiles": list(helm.values_files),
                "includeCRDs": helm.include_crds,
                "kubeVersion": helm.kube_version or known.kube_version,
                "apiVersions": [*known.api_versions, *helm.api_versions],
            }
        }

    async def _answer(
        self,
        source: SourceFiles,
        given: _Given,
        tool: Tool,
        options: Mapping[str, Any],
        *,
        path: str,
        owner: RepoKey,
        timeout_seconds: float,
    ) -> RenderAnswer:
        wanted = await _first_paths(source, path)
        for _ in range(_MAX_ROUNDS):
            await _give(source, given, wanted)
            request = RenderRequest(
                tool=tool,
                path=path,
                files=dict(given.contents),
                folders=tuple(given.folders),
                missing=tuple(given.missing),
                options=options,
            )
            answer = await self._renderer.render(request, owner, timeout_seconds=timeout_seconds)
            if not answer.need:
                return answer
            wanted = answer.need
        raise StalledError(
            Problem(
                code=Code.RENDERING_TOO_BIG,
                message=f"The folder refers to bases that refer to bases, {_MAX_ROUNDS} levels deep.",
                hint="Refer to the bases directly.",
                source=path,
            )
        )


async def _first_paths(source: SourceFiles, path: str) -> Sequence[str]:
    """Return what is given before the renderer asks: a small folder, nothing of a big one."""
    listing = await source.paths([path])
    size = sum(entry.size for entry in listing.files)
    return [path] if len(listing.files) <= _SMALL_FILES and size <= _SMALL_BYTES else []


async def _give(source: SourceFiles, given: _Given, wanted: Sequence[str]) -> None:
    """Add what is at the paths. Raises StalledError when it is too much."""
    if not wanted:
        return
    listing = await source.paths(wanted)
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


def _rendered(
    given: _Given, answer: RenderAnswer, files: Mapping[str, ParsedFile], left_out: int
) -> Rendered:
    """Return the rendering with what it read, in the form in which Git lists it."""
    below = tuple(f"{folder}/" if folder else "" for folder in answer.folders)
    read = set(answer.read)
    return Rendered(
        files=dict(files),
        left_out=left_out,
        paths=(*answer.read, *answer.folders, *answer.looked),
        listing=PathListing(
            files=tuple(
                entry
                for path, entry in sorted(given.entries.items())
                if path in read or (below and path.startswith(below))
            ),
            folders=answer.folders,
            missing=answer.looked,
        ),
    )
