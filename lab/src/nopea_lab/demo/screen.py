"""How the demo looks: one line per step, blocks of real output, colour and a spinner on a terminal only.

Everything goes to standard output. Never starts or asks anything.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

MAX_WIDTH = 100
_INDENT = "    "


class ScreenStep:
    """One step under way: what it says when it is done, and since when it is timed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._began_at = time.monotonic()
        self._ended_at: float | None = None

    def restart_clock(self) -> None:
        """Time the step from now on."""
        self._began_at = time.monotonic()

    def stop_clock(self) -> None:
        """Time the step until now; what follows is for the telling only."""
        self._ended_at = time.monotonic()

    def seconds(self) -> float:
        """Return how long it has taken so far, or took until the clock was stopped."""
        return (self._ended_at or time.monotonic()) - self._began_at

    def say(self, text: str) -> None:
        """Show what is happening now, where something is shown; the lab tells its progress this way."""

    def tick(self, text: str) -> None:
        """Show what is being waited for."""
        self.say(text)


class Screen:
    """Plain lines: what a log or a pipe gets."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.width = min(shutil.get_terminal_size(fallback=(MAX_WIDTH, 24)).columns, MAX_WIDTH)

    def title(self, text: str) -> None:
        """Show the first line."""
        self._line(text, style="bold")
        self._line("")

    @contextmanager
    def step(self, text: str) -> Iterator[ScreenStep]:
        """Show a step: `✓`, its text at its end, and its seconds; `✗` when it raises an error."""
        try:
            with self._showing(text) as step:
                yield step
        except Exception:
            self._line(f"✗ {text}", style="red")
            raise
        seconds = f"{step.seconds():.1f} s"
        self._line(f"✓ {step.text:<{self.width - len(seconds) - 4}}  {seconds}")

    def block(self, lines: Iterable[str]) -> None:
        """Show real output, such as a table; what does not fit the width is cut."""
        for line in lines:
            shown = f"{_INDENT}{line}".rstrip()
            self._line(shown if len(shown) <= self.width else f"{shown[: self.width - 1]}…", style="dim")

    def paragraph(self, text: str, *, style: str = "") -> None:
        """Show a text, wrapped and indented."""
        for line in textwrap.wrap(text, self.width - len(_INDENT), break_on_hyphens=False):
            self._line(f"{_INDENT}{line}", style=style)

    def line(self, text: str, *, style: str = "") -> None:
        """Show a line as it is."""
        self._line(text, style=style)

    @contextmanager
    def _showing(self, text: str) -> Iterator[ScreenStep]:
        yield ScreenStep(text)

    def _line(self, text: str, *, style: str = "") -> None:
        del style
        self._stream.write(f"{text}\n")
        self._stream.flush()


class _SpinningStep(ScreenStep):
    def __init__(self, text: str, progress: Progress) -> None:
        super().__init__(text)
        self._progress = progress
        self._task = progress.add_task(text)

    def say(self, text: str) -> None:
        self._progress.update(self._task, description=f"{self.text}: {text.strip()}")


class TerminalScreen(Screen):
    """The same in colour (unless NO_COLOR says otherwise), with a spinner and the seconds of the step."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        super().__init__(stream)
        self._console: Console = Console(file=stream, highlight=False)

    @contextmanager
    def _showing(self, text: str) -> Iterator[ScreenStep]:
        """Show the step's text and its seconds while it lasts."""
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            yield _SpinningStep(text, progress)

    def _line(self, text: str, *, style: str = "") -> None:
        from rich.text import Text

        shown = Text(text, style=style)
        shown.highlight_regex("^✓", "bold green")
        self._console.print(shown, soft_wrap=True)


def screen_for(stream: TextIO = sys.stdout) -> Screen:
    """Return the screen that fits the stream."""
    return TerminalScreen(stream) if stream.isatty() else Screen(stream)
