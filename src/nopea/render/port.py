"""Render folders of Kustomize and Helm. Every call ends by its deadline.

The work is done by the program `nopea-render` in child processes, which the pool of `nopea.git` runs: a
folder that costs a child its life costs its own request, and namespaces share the children fairly.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from nopea.core.manifests.rendering import RenderAnswer, RenderedObject, RenderRequest
from nopea.core.objects import RepoKey
from nopea.core.problem import printable
from nopea.git.pool import Pool
from nopea.git.process import Trust
from nopea.git.protocol import ErrorKind, Op
from nopea.git.request import OperationError
from nopea.measure import Measure, not_measured
from nopea.render import problems
from nopea.render.process import RenderSettings, render_process


class RenderPort:
    """See the module; run `run` beside it. All problems are SyncError with codes NOPEA-R… and NOPEA-M016."""

    def __init__(self, settings: RenderSettings, *, measure: Measure = not_measured) -> None:
        self._program = settings.program
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
        if self._program is None:
            raise problems.no_program(request.path)
        started, ended = time.perf_counter(), "cancelled"
        try:
            answer = await self._pool.submit(
                Op.RENDER,
                _fields(request),
                trust=Trust(),
                key=f"render {request.path}",
                network=False,
                deadline=asyncio.get_running_loop().time() + min(timeout_seconds, self._max_seconds),
                owner=owner,
                namespaces={owner.namespace},
            )
            ended = "failed" if "err" in answer else "ok"
        except OperationError as error:
            ended = error.kind
            raise problems.failure_of(error.kind, error.message, path=request.path) from error
        finally:
            self._measure(request.tool, ended, time.perf_counter() - started)
        return _answer(answer, path=request.path)


def _fields(request: RenderRequest) -> dict[str, Any]:
    return {
        "kind": request.tool.value,
        "path": request.path,
        "files": dict(request.files),
        "folders": list(request.folders),
        "missing": list(request.missing),
        "documents": [(one.source, one.index, one.body) for one in request.documents],
        **request.options,
    }


def _answer(answer: Mapping[str, Any], *, path: str) -> RenderAnswer:
    """Read an answer; a child that was taken over could send anything."""
    if "err" in answer:
        raise problems.error_of(answer, path=path)
    try:
        if "need" in answer:
            return RenderAnswer(need=tuple(map(str, answer["need"])))
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
    except (KeyError, TypeError, ValueError) as error:
        message = "the process gave an answer that cannot be read"
        raise problems.failure_of(ErrorKind.BUG, message, path=path) from error
