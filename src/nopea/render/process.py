"""A child that renders, seen from its parent."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nopea.git.process import ChildProcess, OnAnswer, Trust
from nopea.git.protocol import FrameError
from nopea.git.settings import MIB, PoolSettings

# Go's collector keeps below it, so that the parent's own limit is met by live data only.
_OF_MEMORY = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderSettings(PoolSettings):
    """Settings of the rendering port; without a `program`, nothing can be rendered.

    Most clusters need no renderer, so none is started before the first rendering.
    `max_output_bytes` bounds the documents of one rendering, as JSON. No rendering takes longer than
    `max_seconds`, whatever a spec says: an endless one keeps a core busy.
    """

    program: Path | None
    starts_early: bool = False
    quarantine_children: int = 2
    memory_bytes: int = 512 * MIB
    total_memory_bytes: int = 512 * MIB
    max_documents: int = 10_000
    max_output_bytes: int = 48 * MIB
    max_seconds: float = 120


class RenderProcess(ChildProcess):
    """A child that runs the program."""

    kind = "render"

    def __init__(self, name: str, settings: RenderSettings, *, on_answer: OnAnswer) -> None:
        super().__init__(name, settings.cache_dir, on_answer=on_answer)
        self._settings = settings

    def command(self) -> Sequence[str]:
        """Return what becomes the program, in its sandbox."""
        program = str(self._settings.program)
        return sys.executable, "-I", "-m", "nopea.render.launch", str(os.getpid()), program

    def environment(self) -> Mapping[str, str]:
        """Return no variables: templates can ask for them."""
        return {"LANG": "C.UTF-8"}

    def configuration(self, home: Path) -> dict[str, Any]:
        """Return the limits."""
        del home
        settings = self._settings
        return {
            "memory_bytes": int(settings.memory_bytes * _OF_MEMORY),
            "max_documents": settings.max_documents,
            "max_output_bytes": settings.max_output_bytes,
        }

    def checked(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the message as a result: an error in a folder is not an error of the child."""
        asks = any(key in message for key in ("need", "fetch", "open"))
        if asks + sum(key in message for key in ("ok", "err")) != 1:
            raise FrameError("a frame holds no answer")
        return {"id": message["id"], "ok": message}


def render_process(settings: RenderSettings) -> Callable[..., RenderProcess]:
    """Return what makes a child of a name and a trust, for a pool; all trust nobody."""

    def make(name: str, trust: Trust, *, on_answer: OnAnswer) -> RenderProcess:
        del trust
        return RenderProcess(name, settings, on_answer=on_answer)

    return make
