"""Show what a command waits for: one moving line on a terminal, else a line whenever it changes.

Everything goes to standard error, for standard output belongs to the answer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Live(Protocol):
    """Where a waiting command tells what it waits for."""

    def show(self, text: str) -> None:
        """Show the text in place of the one before."""
        ...


class _Lines:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = ""

    def show(self, text: str) -> None:
        if text != self._shown:
            self._stream.write(f"… {text}\n")
            self._stream.flush()
        self._shown = text


class _Spinner:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def show(self, text: str) -> None:
        self._progress.update(self._task, description=text)


@contextmanager
def showing(text: str, *, stream: TextIO | None = None) -> Iterator[Live]:
    """Show a text on the stream (standard error) and give what shows the next; on a terminal it goes away."""
    stream = stream or sys.stderr
    if not stream.isatty():
        lines = _Lines(stream)
        lines.show(text)
        yield lines
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=stream, highlight=False), transient=True) as progress:
        yield _Spinner(progress, progress.add_task(text))
