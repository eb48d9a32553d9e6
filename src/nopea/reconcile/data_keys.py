"""Data keys of encrypted files that the renderer asks for: opened for a rendering, and forgotten with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

from nopea.core.decryption.keys import Opening, WrappedKey
from nopea.core.manifests.rendering import RenderAnswer, RenderRequest
from nopea.core.problem import Code, Problem, StalledError, SyncError, TransientError
from nopea.core.secret import Secret
from nopea.keys.port import KeyUser

_MAX_ROUNDS = 32
"""How often the renderer may ask for keys; an answer has up to 500 files."""


class KeyOpener(Protocol):
    """What has key services open data keys; every call raises SyncError only, and ends by its deadline."""

    async def open(self, key: WrappedKey, user: KeyUser) -> Secret:
        """Return the data key."""
        ...


Render: TypeAlias = Callable[[RenderRequest], Awaitable[RenderAnswer]]
"""The renderer for one folder; raises SyncError."""


@dataclass(slots=True)
class DataKeys:
    """The data keys that were opened for a rendering, by the ids of the renderer."""

    opener: KeyOpener
    user: KeyUser
    _opened: dict[str, Secret] = field(default_factory=dict, repr=False)

    async def render(self, render: Render, request: RenderRequest) -> RenderAnswer:
        """Ask for a rendering, and again with the keys that it needs. Raises SyncError."""
        for _ in range(_MAX_ROUNDS):
            answer = await render(replace(request, options=self._with_keys(request.options)))
            if not answer.open:
                return answer
            await self._open(answer.open)
        raise StalledError(
            Problem(
                code=Code.RENDERING_TOO_BIG,
                message="The folder has too many encrypted files.",
                hint="Divide the folder between several GitRepositories.",
                source=request.path,
            )
        )

    def _with_keys(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self._opened:
            return options
        opened = {id_: key.reveal() for id_, key in self._opened.items()}
        return {**options, "decryption": {**options["decryption"], "opened": opened}}

    async def _open(self, openings: Sequence[Opening]) -> None:
        """Open what files need. Raises SyncError with everything that is wrong."""
        problems: list[Problem] = []

        async def open_one(opening: Opening) -> None:
            problems.extend(await self._open_for(opening))

        async with asyncio.TaskGroup() as group:
            for opening in openings:
                group.create_task(open_one(opening), name=f"keys of {opening.file}")
        if problems:
            is_transient = all(one.code.transient for one in problems)
            raise (TransientError if is_transient else StalledError)(*problems)

    async def _open_for(self, opening: Opening) -> list[Problem]:
        """Open as many groups as a file needs; returns why that is not possible."""
        problems: list[Problem] = []
        needed = opening.needed
        for group in opening.groups:
            if needed > 0 and await self._open_any(group, problems):
                needed -= 1
        if needed <= 0:
            return []
        return [replace(problem, source=opening.file) for problem in _of_file(problems)]

    async def _open_any(self, group: Sequence[WrappedKey], problems: list[Problem]) -> bool:
        for key in group:
            try:
                self._opened[key.id] = await self.opener.open(key, self.user)
            except SyncError as error:
                problems += error.problems
                continue
            return True
        return False


def _of_file(problems: Sequence[Problem]) -> list[Problem]:
    """Return the problems to report. If time may mend one of them, a person need not mend the others."""
    transient = [problem for problem in problems if problem.code.transient]
    return transient or [*problems]
