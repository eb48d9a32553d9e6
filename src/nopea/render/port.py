"""Render folders of Kustomize and Helm. Every call ends by its deadline.

The work is done by the program `nopea-render` in child processes, which the pool of `nopea.git` runs: a
folder that costs a child its life costs its own request, and namespaces share the children fairly.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from nopea.core.decryption.keys import openings_of
from nopea.core.downloads.items import RemoteItem, RemoteKind
from nopea.core.downloads.versions import ChartVersion
from nopea.core.manifests.rendering import RenderAnswer, RenderedObject, RenderRequest
from nopea.core.manifests.tool import Tool
from nopea.core.objects import RepoKey
from nopea.core.problem import printable
from nopea.git.pool import Pool
from nopea.git.process import Trust
from nopea.git.protocol import ErrorKind, Op
from nopea.git.request import OperationError
from nopea.measure import Measure, not_measured
from nopea.render import problems
from nopea.render.process import RenderSettings, render_process
from nopea.render.program import version_of

_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)
_INDEX = "index"
_NO_ANSWER = "the process gave an answer that cannot be read"


class RenderPort:
    """See the module; run `run` beside it. All problems are SyncError with codes NOPEA-R… and NOPEA-M016."""

    def __init__(self, settings: RenderSettings, *, measure: Measure = not_measured) -> None:
        self._program = settings.program
        self.version = version_of(settings.program)
        """Another text means that a folder may be rendered differently."""
        self._max_seconds = settings.max_seconds
        self._measure = measure
        self._pool = Pool(settings, render_process(settings))

    async def run(self) -> None:
        """Own the children until cancelled; none is left when it returns."""
        if self._program is None:
            await asyncio.Event().wait()
        await self._pool.run()

    def pids(self) -> list[int]:
        """Return the process ids of the children, for diagnosis and tests."""
        return self._pool.pids()

    async def render(self, request: RenderRequest, owner: RepoKey, *, timeout_seconds: float) -> RenderAnswer:
        """Return what the folder renders to, or what else the renderer must see. Raises SyncError.

        `owner` is the GitRepository for which it is done.
        """
        return _answer(await self._ask(_fields(request), owner, timeout_seconds), path=request.path)

    async def index(
        self, content: bytes, name: str, owner: RepoKey, timeout_seconds: float
    ) -> tuple[ChartVersion, ...]:
        """Return what the index of a chart repository says about a chart, in its order. Raises SyncError."""
        fields = {"kind": _INDEX, "path": name, "files": {"index.yaml": content}}
        return _versions(await self._ask(fields, owner, timeout_seconds), name=name)

    async def _ask(self, fields: dict[str, Any], owner: RepoKey, timeout_seconds: float) -> dict[str, Any]:
        kind, path = fields["kind"], fields["path"]
        if self._program is None:
            raise problems.no_program(path)
        started, ended = time.perf_counter(), "cancelled"
        try:
            answer: dict[str, Any] = await self._pool.submit(
                Op.RENDER,
                fields,
                trust=Trust(),
                key=f"render {path}",
                network=False,
                deadline=asyncio.get_running_loop().time() + min(timeout_seconds, self._max_seconds),
                owner=owner,
                namespaces={owner.namespace},
            )
            ended = "failed" if "err" in answer else "ok"
        except OperationError as error:
            ended = error.kind
            tool = Tool.HELM if kind == Tool.HELM else None
            raise problems.failure_of(error.kind, error.message, path=path, tool=tool) from error
        finally:
            self._measure(kind, ended, time.perf_counter() - started)
        if "err" in answer:
            raise problems.error_of(answer, path=path)
        return answer


def _fields(request: RenderRequest) -> dict[str, Any]:
    return {
        "kind": request.tool.value,
        "path": request.path,
        "files": dict(request.files),
        "folders": list(request.folders),
        "missing": list(request.missing),
        "remotes": dict(request.remotes),
        "documents": [(one.source, one.index, one.body) for one in request.documents],
        **request.options,
    }


def _answer(answer: Mapping[str, Any], *, path: str) -> RenderAnswer:
    """Read an answer; a child that was taken over could send anything."""
    try:
        if any(key in answer for key in ("need", "fetch", "open")):
            return RenderAnswer(
                need=tuple(map(str, answer.get("need") or ())),
                fetch=tuple(map(_item, answer.get("fetch") or ())),
                open=openings_of(answer.get("open") or ()),
            )
        found = answer["ok"]
        return RenderAnswer(
            objects=tuple(
                RenderedObject(str(source), int(index), bytes(body))
                for source, index, body in found["documents"]
            ),
            read=tuple(map(str, found["read"])),
            looked=tuple(map(str, found["looked"])),
            folders=tuple(map(str, found["folders"])),
            notes=tuple(printable(str(note)) for note in found["notes"]),
        )
    except _UNREADABLE as error:
        raise problems.failure_of(ErrorKind.BUG, _NO_ANSWER, path=path) from error


def _item(raw: Mapping[str, Any]) -> RemoteItem:
    file, line = str(raw.get("file") or ""), raw.get("line") or 0
    source = f"{file}:{line}" if file and line else file
    if raw["kind"] == RemoteKind.BASE:
        return RemoteItem(RemoteKind.BASE, str(raw["url"]), source=source)
    return RemoteItem(
        RemoteKind.CHART,
        str(raw["repository"]),
        str(raw["name"]),
        str(raw["version"]),
        is_locked=True,
        source=source,
    )


def _versions(answer: Mapping[str, Any], *, name: str) -> tuple[ChartVersion, ...]:
    try:
        return tuple(
            ChartVersion(str(raw["version"]), tuple(map(str, raw["urls"] or ())), str(raw["digest"] or ""))
            for raw in answer["ok"]["versions"]
        )
    except _UNREADABLE as error:
        raise problems.failure_of(ErrorKind.BUG, _NO_ANSWER, path=name) from error
