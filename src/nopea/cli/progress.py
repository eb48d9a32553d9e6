"""Show what a command waits for: a spinner on a terminal, elsewhere a line for each change.

Writes to standard error; standard output is for results.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class Progress(Protocol):
    """Shows the current state of a command that waits."""

    def show(self, text: str) -> None:
        """Show this text instead of the previous one."""
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
    def __init__(self, progress: RichProgress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def show(self, text: str) -> None:
        self._progress.update(self._task, description=text)


class _Late:
    """Shows nothing until it is started."""

    def __init__(self, text: str, stream: TextIO, stack: ExitStack) -> None:
        self._text, self._stream, self._stack = text, stream, stack
        self._started: Progress | None = None

    def start(self) -> None:
        self._started = self._stack.enter_context(_shown(self._text, self._stream))

    def show(self, text: str) -> None:
        self._text = text
        if self._started is not None:
            self._started.show(text)


LATE_SECONDS = 1.0
_is_shown: ContextVar[bool] = ContextVar("is_shown", default=False)


@contextmanager
def show_late_progress(
    text: str, *, stream: TextIO | None = None, after_seconds: float = LATE_SECONDS
) -> Iterator[Progress]:
    """Show progress on a terminal only, and only once the block takes longer than that.

    Inside of another progress it shows nothing.
    """
    stream = stream or sys.stderr
    with ExitStack() as stack:
        late = _Late(text, stream, stack)
        if stream.isatty() and not _is_shown.get():
            token = _is_shown.set(True)
            stack.callback(_is_shown.reset, token)
            timer = asyncio.get_running_loop().call_later(after_seconds, late.start)
            stack.callback(timer.cancel)
        yield late


@contextmanager
def show_progress(text: str, *, stream: TextIO | None = None) -> Iterator[Progress]:
    """Show `text` on the stream (default: standard error); a terminal is cleared when the block ends."""
    stream = stream or sys.stderr
    token = _is_shown.set(True)
    try:
        with _shown(text, stream) as progress:
            yield progress
    finally:
        _is_shown.reset(token)


@contextmanager
def _shown(text: str, stream: TextIO) -> Iterator[Progress]:
    if not stream.isatty():
        lines = _Lines(stream)
        lines.show(text)
        yield lines
        return
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with RichProgress(*columns, console=Console(file=stream, highlight=False), transient=True) as progress:
        yield _Spinner(progress, progress.add_task(text))
