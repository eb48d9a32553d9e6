"""Tell a waiting person what happens: lasting lines, and one passing line that is overwritten.

Writes to standard error only; standard output belongs to the answer.
"""

from __future__ import annotations

import sys
import time
from typing import Protocol, TextIO


class LabProgress(Protocol):
    """Who hears of progress."""

    def say(self, text: str) -> None:
        """Show a line that stays."""

    def tick(self, text: str) -> None:
        """Show what is being waited for; may be dropped."""


class Silence:
    """Hears nothing."""

    def say(self, text: str) -> None:
        """Drop it."""

    def tick(self, text: str) -> None:
        """Drop it."""


SILENCE = Silence()


class Terminal:
    """Shows passing lines in place on a terminal, and at most one each `every_seconds` elsewhere."""

    def __init__(self, stream: TextIO | None = None, *, every_seconds: float = 20.0) -> None:
        self._stream = stream or sys.stderr
        self._every_seconds = every_seconds
        self._in_place = self._stream.isatty()
        self._next_tick_at = time.monotonic() + every_seconds
        self._passing = False

    def say(self, text: str) -> None:
        """Show a line that stays."""
        self._stream.write(f"{self._clear()}{text}\n")
        self._stream.flush()
        self._passing = False
        self._next_tick_at = time.monotonic() + self._every_seconds

    def tick(self, text: str) -> None:
        """Overwrite the passing line; where there is no terminal, show it now and then."""
        if self._in_place:
            self._stream.write(f"{self._clear()}{text}")
            self._stream.flush()
            self._passing = True
        elif time.monotonic() >= self._next_tick_at:
            self.say(text)

    def _clear(self) -> str:
        return "\r\x1b[K" if self._passing else ""
