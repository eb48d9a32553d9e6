"""From a folder of Kustomize or Helm to the objects in it: gives the renderer the files that it asks for.

A rendering is kept with what it read. A commit that changes none of that is not rendered again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import msgspec

from nopea import tasks
from nopea.core.api.entries import ChartEntry
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.downloads.items import RemoteItem, chart_item, is_remote_chart
from nopea.core.git.source import ParsedFile, PathListing
from nopea.core.manifests.charts import problem_of_chart, problems_of_gaps
from nopea.core.manifests.inputs import NO_INPUTS, UNKNOWN, Capabilities, RenderInputs, has_secrets
from nopea.core.manifests.options import digest_of, render_options, transformation
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
from nopea.core.problem import StalledError
from nopea.keys.port import KeyUser
from nopea.reconcile.data_keys import DataKeys, KeyOpener
from nopea.reconcile.last_renderings import Key, LastRenderings, is_current
from nopea.reconcile.rounds import FolderToRender, Opener, Renderer, Rounds
from nopea.state.store import RenderCache, Rendered


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


class Kept(Protocol):
    """Where renderings outlive the process."""

    async def get(self, name: str) -> Rendered | None:
        """Return a rendering."""
        ...

    async def put(self, name: str, rendered: Rendered) -> None:
        """Keep a rendering."""
        ...


class Renderings:
    """Renders folders, and keeps what came of them: in memory and, if nothing in it is secret, in files."""

    def __init__(
        self,
        renderer: Renderer,
        cache: RenderCache,
        cluster: Cluster,
        remotes: Opener,
        keys: KeyOpener,
        *,
        kept: Kept | None = None,
        version: str = "",
    ) -> None:
        """`version` names the renderer: another one may render differently."""
        self._renderer = renderer
        self._cache = cache
        self._cluster = cluster
        self._remotes = remotes
        self._keys = keys
        self._kept = kept
        self._version = version
        self._last = LastRenderings(cache)

    async def files(self, folder: FolderToRender, spec: GitRepositorySpec) -> Rendered:
        """Return the objects that a folder renders to, by the file that each comes from. Raises SyncError."""
        what = (spec.url, folder.path, folder.tool.value, _chart_elsewhere(spec))
        rounds = self._rounds(folder, NO_INPUTS)
        return await self._last.unless(self._files(folder, spec, what), rounds, what)

    async def _files(self, folder: FolderToRender, spec: GitRepositorySpec, what: Key) -> Rendered:
        inputs = await self._cluster.of(folder.owner, spec)
        known = await self._cluster.capabilities() if folder.tool is Tool.HELM else UNKNOWN
        options = render_options(spec, folder.owner, folder.tool, inputs, known)
        chart = _chart_elsewhere(spec)
        key = (self._version, *what, digest_of(options, inputs), _who_decrypts(folder, inputs))
        rounds = self._rounds(folder, inputs)
        rendered = await self._known(key, rounds, in_files=not has_secrets(inputs))
        if rendered is None:
            rounds = self._rounds(folder, inputs)  # what was opened for the known one may not be needed
            rounds.contents |= inputs.values
            if chart is not None:
                options["helm"]["chart"] = (await rounds.open(chart)).path
        entry = _chart_entry(rounds, chart)
        if (problem := problem_of_chart(folder.chart, entry, spec)) is not None:
            raise StalledError(problem)
        if rendered is None:
            rendered = await self._render(rounds, options)
            self._cache[key] = rendered
            if self._kept is not None and not has_secrets(inputs):
                await self._kept.put(_name(key), rendered)
        rounds.keep()
        self._last.note(folder.owner, what, key)
        return replace(rendered, chart=entry)

    async def _render(self, rounds: Rounds, options: Mapping[str, Any]) -> Rendered:
        answer = await rounds.answer(self._renderer, options)
        objects = answer.objects
        tool = rounds.folder.tool
        if tool is Tool.HELM and (gaps := problems_of_gaps(rounds.skipped.values(), answer.folders)):
            raise StalledError(*gaps)
        files, left_out = await tasks.off_loop(files_of, objects, tool, size=len(objects))
        return _rendered(rounds, answer, files, left_out)

    def _rounds(self, folder: FolderToRender, inputs: RenderInputs) -> Rounds:
        user = KeyUser(owner=folder.owner, timeout_seconds=folder.timeout_seconds, logins=inputs.key_logins)
        return Rounds(folder, inputs.logins, self._remotes, DataKeys(self._keys, user))

    async def _known(self, key: Key, rounds: Rounds, *, in_files: bool = False) -> Rendered | None:
        """Return the rendering of before, unless something that it read is another."""
        known = self._cache.get(key)
        if known is None and in_files and self._kept is not None:
            known = await self._kept.get(_name(key))
        if known is None or not await is_current(known, rounds):
            return None
        self._cache[key] = known
        return known

    async def transformed(
        self,
        folder: FolderToRender,
        spec: GitRepositorySpec,
        files: Mapping[str, ParsedFile],
        encrypted: Mapping[str, bytes],
    ) -> Rendered:
        """Return a folder's plain manifests, decrypted, changed by spec.kustomize, with variables replaced.

        `encrypted` are the contents of files that could not be parsed. Raises SyncError.
        """
        content = await tasks.off_loop(_digest_of_files, files, encrypted, size=len(files))
        what = (spec.url, folder.path, content)
        rendering = self._transformed_by(folder, spec, files, encrypted, what)
        return await self._last.unless(rendering, self._rounds(folder, NO_INPUTS), what)

    async def _transformed_by(
        self,
        folder: FolderToRender,
        spec: GitRepositorySpec,
        files: Mapping[str, ParsedFile],
        encrypted: Mapping[str, bytes],
        what: Key,
    ) -> Rendered:
        inputs = await self._cluster.of(folder.owner, spec)
        options = transformation(inputs)
        overlay = None if spec.kustomize is None else msgspec.to_builtins(spec.kustomize)
        asked = digest_of({**options, "kustomize": overlay}, inputs)
        key = (self._version, *what, asked, _who_decrypts(folder, inputs))
        rounds = self._rounds(replace(folder, tool=Tool.KUSTOMIZE), inputs)
        known = await self._known(key, rounds)
        if known is None:
            rounds = self._rounds(rounds.folder, inputs)
            known = await self._transformed(rounds, files, encrypted, options, overlay, inputs)
            self._cache[key] = known
        rounds.keep()
        self._last.note(folder.owner, what, key)
        return known

    async def _transformed(
        self,
        rounds: Rounds,
        files: Mapping[str, ParsedFile],
        encrypted: Mapping[str, bytes],
        options: dict[str, Any],
        overlay: Mapping[str, Any] | None,
        inputs: RenderInputs,
    ) -> Rendered:
        variables = options.pop("substitute", None) if overlay is not None else None
        request = RenderRequest(
            tool=Tool.PLAIN, path="", files=encrypted, documents=_documents(files), options=options
        )
        answer = await rounds.answer_to(self._renderer, request)
        changed = await tasks.off_loop(changed_files, files, answer.objects, size=len(answer.objects))
        if overlay is None:
            return Rendered(files=changed, paths=(), listing=PathListing(files=()))
        options = {"kustomize": overlay, "private": inputs.private or bool(encrypted)}
        if variables is not None:
            options["substitute"] = variables
        answer = await rounds.answer(self._renderer, options, _documents(changed))
        objects = answer.objects
        made, _ = await tasks.off_loop(files_of, objects, Tool.KUSTOMIZE, size=len(objects))
        return _rendered(rounds, answer, with_problems(made, changed), 0)


def _chart_elsewhere(spec: GitRepositorySpec) -> RemoteItem | None:
    helm = spec.helm
    if helm is None or helm.chart is None or not is_remote_chart(helm.chart):
        return None
    return chart_item(helm.chart, helm.version or "")


def _chart_entry(rounds: Rounds, chart: RemoteItem | None) -> ChartEntry | None:
    opened = rounds.tree.opened.get(chart.folder) if chart is not None else None
    if opened is None or opened.resolved is None:
        return None
    return ChartEntry(source=str(opened.item), version=opened.resolved.version, digest=opened.resolved.digest)


def _documents(files: Mapping[str, ParsedFile]) -> tuple[RenderedObject, ...]:
    """Return the documents of plain files, sorted by path, each with its number in its file."""
    return tuple(
        RenderedObject(path, number, one.body)
        for path in sorted(files)
        for number, one in enumerate(files[path].documents)
    )


def _digest_of_files(files: Mapping[str, ParsedFile], encrypted: Mapping[str, bytes]) -> bytes:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(msgspec.msgpack.encode((path, files[path])))
    for path in sorted(encrypted):
        digest.update(msgspec.msgpack.encode((path, encrypted[path])))
    return digest.digest()


def _name(key: Key) -> str:
    """Return the name of a rendering that outlives the process."""
    return hashlib.sha256(repr(key).encode()).hexdigest()


def _who_decrypts(folder: FolderToRender, inputs: RenderInputs) -> tuple[object, ...]:
    """Return who may have what was decrypted: nobody gets what another namespace or login opened."""
    return (folder.owner.namespace, inputs.key_logins.digest()) if inputs.decrypts else ()


def _left_out(hooks: int) -> tuple[str, ...]:
    if not hooks:
        return ()
    what = "1 hook" if hooks == 1 else f"{hooks} hooks"
    return (f"Left out {what} of the chart, for events that Nopea does not have.",)


def _rendered(
    rounds: Rounds, answer: RenderAnswer, files: Mapping[str, ParsedFile], left_out: int
) -> Rendered:
    """Return the rendering with what it read in Git, in the form in which Git lists it."""
    below = tuple(f"{folder}/" if folder else "" for folder in answer.folders)
    read = [path for path in answer.read if path in rounds.entries]
    counts = set(read)
    return Rendered(
        files={rounds.tree.in_words(path): file for path, file in files.items()},
        notes=(*map(rounds.tree.in_words, answer.notes), *_left_out(left_out)),
        items=tuple(opened.item for opened in rounds.tree.opened.values()),
        bases=tuple(opened.remote.url for opened in rounds.tree.opened.values() if opened.remote),
        is_pinned=all(opened.is_pinned for opened in rounds.tree.opened.values()),
        paths=(*read, *answer.folders, *answer.looked),
        listing=PathListing(
            files=tuple(
                entry
                for path, entry in sorted(rounds.entries.items())
                if path in counts or (below and path.startswith(below))
            ),
            folders=answer.folders,
            missing=answer.looked,
            skipped=tuple(
                each for path, each in sorted(rounds.skipped.items()) if below and path.startswith(below)
            ),
        ),
    )
