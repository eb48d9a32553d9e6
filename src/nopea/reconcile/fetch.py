"""From a spec to parsed files at a commit. Asks Git; never touches the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from nopea import tasks
from nopea.core.api.entries import ChartEntry
from nopea.core.api.repository import ref_of
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.downloads.items import is_remote_chart
from nopea.core.duration import parse_duration
from nopea.core.git.merge import Merge
from nopea.core.git.source import Commit, FileEntry, FileListing, ParsedFile, Ref, RefKind, Remote
from nopea.core.manifests.encrypted import is_encrypted
from nopea.core.manifests.file_names import IGNORE_FILE
from nopea.core.manifests.ignore import Ignore
from nopea.core.manifests.inputs import transforms
from nopea.core.manifests.limits import (
    matches_of,
    problem_of_files,
    problem_of_listing,
    problem_of_matching,
    problem_of_size,
    size_of,
)
from nopea.core.manifests.selection import no_objects, problem_of_options, select
from nopea.core.manifests.tool import Tool
from nopea.core.objects import RepoKey
from nopea.core.problem import Problem, StalledError
from nopea.reconcile.remotes import FilesAt, GitReader, SourceFiles
from nopea.reconcile.renderings import Renderings
from nopea.reconcile.rounds import FolderToRender
from nopea.state.store import ManifestCache, Rendered

PARSE_BATCH = 64
"""Blobs per request: a slow or hostile file delays its batch, and answers stay far below the frame limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A commit and the parsed manifests below the spec's path, by path from the repository's root.

    `problems` are those of the selection: the files have their own. With `has_links`, files outside the path
    decide too: by links, or because a rendering reads them. Rendered objects are in the file that they come
    from.
    """

    commit: Commit
    files: dict[str, ParsedFile]
    problems: tuple[Problem, ...]
    has_links: bool = False
    notes: tuple[str, ...] = ()
    """What users should know of a rendering, in sentences."""
    bases: tuple[Remote, ...] = ()
    """Other repositories that a rendering read."""
    follows_remotes: bool = False
    """True when a rendering read something elsewhere that may change without a commit."""
    chart: ChartEntry | None = None
    """The chart, if it lies elsewhere."""


class Git(GitReader, Protocol):
    """The Git port; every call raises SyncError kinds only, and ends by its own deadline."""

    async def ls_remote(self, remote: Remote, ref: Ref, *, timeout_seconds: float) -> str:
        """Return the commit id that the ref points to, without a fetch."""
        ...

    async def head(self, remote: Remote, commit: str, *, timeout_seconds: float) -> Commit:
        """Return the facts of a commit."""
        ...

    async def merge(self, remote: Remote, onto: Commit, head: Commit, *, timeout_seconds: float) -> str:
        """Return a commit of the mirror with the merge of two; empty where Git cannot merge them."""
        ...

    async def listing(
        self, remote: Remote, commit: str, subpath: str, *, timeout_seconds: float
    ) -> FileListing:
        """List the files that matter below a folder at a commit, and what cannot be read there."""
        ...

    async def manifests(
        self, remote: Remote, blobs: Sequence[str], *, timeout_seconds: float
    ) -> dict[str, ParsedFile]:
        """Return blobs as parsed manifests; the parsing happens in the child."""
        ...


class Fetcher:
    """Fetches and reads one version of a spec; equal blobs are parsed once for all repositories."""

    def __init__(self, git: Git, manifests: ManifestCache, renderings: Renderings) -> None:
        self._git = git
        self._manifests = manifests
        self.renderings = renderings

    async def newest(self, spec: GitRepositorySpec, remote: Remote) -> str:
        """Return the commit id that the spec's ref points to now."""
        return await self._git.ls_remote(remote, ref_of(spec), timeout_seconds=_timeout(spec))

    async def snapshot(
        self, spec: GitRepositorySpec, remote: Remote, *, chart: ChartEntry | None = None
    ) -> Snapshot:
        """Fetch the spec's commit and parse its manifests; raises SyncError when Git fails.

        `chart` is the chart in the status.
        """
        commit = await self._git.sync(remote, ref_of(spec), timeout_seconds=_timeout(spec))
        return await self._read(spec, remote, commit, fresh=True, chart=chart)

    async def merge(self, spec: GitRepositorySpec, remote: Remote, branch: str, base: Ref) -> Merge:
        """Fetch two branches, and merge the first into the second. Raises SyncError."""
        timeout = _timeout(spec)
        head = await self._git.sync(remote, Ref(RefKind.BRANCH, branch), timeout_seconds=timeout)
        onto = await self._git.sync(remote, base, timeout_seconds=timeout)
        merged = await self._git.merge(remote, onto, head, timeout_seconds=timeout)
        name = onto.ref.removeprefix("refs/heads/") or str(base)
        return Merge(branch=branch, base=name, head=head.id, onto=onto.id, commit=merged)

    async def snapshot_at(
        self,
        spec: GitRepositorySpec,
        remote: Remote,
        commit: Commit | str,
        *,
        fresh: bool = False,
        chart: ChartEntry | None = None,
        or_last: bool = False,
    ) -> Snapshot:
        """Parse the manifests of a commit that was fetched before; asks servers only for what is lost.

        With `fresh`, the newest version of a chart elsewhere is looked up, as by `snapshot`. With `or_last`,
        a rendering that fails is answered with the last one of the same files.
        """
        if isinstance(commit, str):
            commit = await self._git.head(remote, commit, timeout_seconds=_timeout(spec))
        return await self._read(spec, remote, commit, fresh=fresh, chart=chart, or_last=or_last)

    async def _read(
        self,
        spec: GitRepositorySpec,
        remote: Remote,
        commit: Commit,
        *,
        fresh: bool,
        chart: ChartEntry | None,
        or_last: bool = False,
    ) -> Snapshot:
        source = FilesAt(self._git, remote, commit.id, _timeout(spec))

        def folder_for(tool: Tool) -> FolderToRender:
            folder = folder_of(spec, source, tool, remote.owner)
            return replace(folder, fresh=fresh, chart=chart, or_last=or_last)

        if chart_of(spec) is not None:
            return await rendered_snapshot(commit, folder_for(Tool.HELM), spec, self.renderings)
        listing = await self._git.listing(remote, commit.id, spec.path, timeout_seconds=_timeout(spec))
        _refuse(problem_of_listing(listing))
        ignore = await self._ignore(spec, remote, commit.id, listing.files)
        _refuse(problem_of_matching(listing, ignore))
        selection = await tasks.off_loop(select, listing, ignore, size=matches_of(listing, ignore))
        if selection.refused:
            raise StalledError(*selection.refused)
        if selection.tool is not None:
            return await rendered_snapshot(commit, folder_for(selection.tool), spec, self.renderings)
        _refuse(problem_of_options(spec, None) or problem_of_files(selection.manifests))
        parsed = await self._parse(spec, remote, selection.manifests)
        files = {entry.path: parsed[entry.blob] for entry in selection.manifests}
        found = Snapshot(commit=commit, files=files, problems=selection.problems, has_links=listing.has_links)
        if not transforms(spec):
            return found
        blobs = {entry.path: entry.blob for entry in selection.manifests}
        return await transformed(found, folder_for(Tool.PLAIN), spec, blobs, self.renderings)

    async def _ignore(
        self, spec: GitRepositorySpec, remote: Remote, commit: str, entries: Sequence[FileEntry]
    ) -> Ignore:
        files = {entry.path: entry.blob for entry in entries if entry.path.rpartition("/")[2] == IGNORE_FILE}
        contents: dict[str, bytes] = {}
        if files:
            contents = await self._git.read(
                remote, commit, sorted(set(files.values())), timeout_seconds=_timeout(spec)
            )
        ignore_files = {path: contents[blob] for path, blob in files.items()}
        lines = sum(content.count(b"\n") for content in ignore_files.values())
        return await tasks.off_loop(_ignore_of, spec, ignore_files, size=lines)

    async def _parse(
        self, spec: GitRepositorySpec, remote: Remote, entries: Sequence[FileEntry]
    ) -> dict[str, ParsedFile]:
        parsed: dict[str, ParsedFile] = {}
        missing: list[str] = []
        for blob in dict.fromkeys(entry.blob for entry in entries):
            known = self._manifests.get(blob)
            if known is None:
                missing.append(blob)
            else:
                parsed[blob] = known
        size = sum(size_of(file) for file in parsed.values())
        for start in range(0, len(missing), PARSE_BATCH):
            batch = missing[start : start + PARSE_BATCH]
            answer = await self._git.manifests(remote, batch, timeout_seconds=_timeout(spec))
            for blob, file in answer.items():
                self._manifests[blob] = file
            parsed.update(answer)
            size += sum(size_of(file) for file in answer.values())
            _refuse(problem_of_size(size))
        return parsed


def chart_of(spec: GitRepositorySpec) -> str | None:
    """Return the chart that the spec names, whatever is in its path."""
    return spec.helm.chart if spec.helm is not None else None


async def transformed(
    found: Snapshot,
    folder: FolderToRender,
    spec: GitRepositorySpec,
    blobs: Mapping[str, str],
    renderings: Renderings,
) -> Snapshot:
    """Have the renderer decrypt and change plain manifests; `blobs` are their ids by path."""
    files = found.files
    encrypted: dict[str, bytes] = {}
    if spec.decryption is not None:
        names = [path for path, file in files.items() if is_encrypted(file)]
        contents = await folder.source.read(list(dict.fromkeys(blobs[path] for path in names)))
        encrypted = {path: contents[blobs[path]] for path in names}
    plain = {path: file for path, file in files.items() if path not in encrypted}
    rendered = await renderings.transformed(folder, spec, plain, encrypted)
    return _with(found, rendered, folder, spec)


def folder_of(spec: GitRepositorySpec, source: SourceFiles, tool: Tool, owner: RepoKey) -> FolderToRender:
    """Return the folder of a spec, for a renderer; the root for a chart that is not in the repository."""
    chart = chart_of(spec)
    path = _normal("" if is_remote_chart(chart) else chart or spec.path)
    return FolderToRender(source=source, path=path, tool=tool, owner=owner, timeout_seconds=_timeout(spec))


async def rendered_snapshot(
    commit: Commit, folder: FolderToRender, spec: GitRepositorySpec, renderings: Renderings
) -> Snapshot:
    """Return what a folder renders to, for a repository. Raises SyncError."""
    _refuse(problem_of_options(spec, folder.tool))
    rendered = await renderings.files(folder, spec)
    problems = () if rendered.files else (no_objects(folder.path, folder.tool),)
    return _with(Snapshot(commit=commit, files={}, problems=problems), rendered, folder, spec)


def _with(found: Snapshot, rendered: Rendered, folder: FolderToRender, spec: GitRepositorySpec) -> Snapshot:
    """Return a snapshot with what came of a rendering."""
    return replace(
        found,
        files=rendered.files,
        notes=rendered.notes,
        has_links=found.has_links or _reads_outside(spec.path, rendered.paths),
        bases=tuple(Remote(url, owner=folder.owner) for url in rendered.bases),
        follows_remotes=not rendered.is_pinned,
        chart=rendered.chart,
    )


def _reads_outside(path: str, read: Sequence[str]) -> bool:
    """Return whether something was read that is not below spec.path: a push of it matters too."""
    folder = _normal(path)
    return bool(folder) and any(not each.startswith(f"{folder}/") for each in read)


def _normal(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _ignore_of(spec: GitRepositorySpec, ignore_files: Mapping[str, bytes]) -> Ignore:
    return Ignore(root=spec.path, exclude=spec.exclude, ignore_files=ignore_files)


def _refuse(problem: Problem | None) -> None:
    if problem is not None:
        raise StalledError(problem)


def _timeout(spec: GitRepositorySpec) -> float:
    return parse_duration(spec.timeout).total_seconds()
