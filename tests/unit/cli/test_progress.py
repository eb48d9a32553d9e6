"""The progress that a waiting command shows, on a terminal and elsewhere."""

from __future__ import annotations

import asyncio
import io

from nopea.cli.progress import show_late_progress, show_progress


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def test_a_log_gets_a_line_for_each_change() -> None:
    """Without a terminal, each new text is a line without control codes; a repeated text is not printed."""
    stream = io.StringIO()

    with show_progress("asked", stream=stream) as progress:
        for text in ("asked", "applying", "applying", "asked"):
            progress.show(text)

    assert stream.getvalue() == "… asked\n… applying\n… asked\n"


def test_a_terminal_is_left_clean() -> None:
    """On a terminal the text is shown without interpreting markup, and the line is removed at the end."""
    stream = Terminal()

    with show_progress("asked [bold]", stream=stream) as progress:
        progress.show("applying")

    assert "asked [bold]" in stream.getvalue()
    assert stream.getvalue().rstrip().endswith(("\x1b[2K", "\x1b[?25h"))


async def test_late_progress_starts_after_a_while(looptime: object) -> None:
    """A quick command shows nothing on a terminal; one that takes long shows the last text."""
    del looptime
    quick, slow = Terminal(), Terminal()

    with show_late_progress("planning", stream=quick):
        await asyncio.sleep(0.9)
    await asyncio.sleep(1)
    with show_late_progress("planning", stream=slow) as progress:
        progress.show("1 of 2")
        await asyncio.sleep(1.1)
        progress.show("2 of 2")

    assert quick.getvalue() == ""
    assert "1 of 2" in slow.getvalue()


async def test_late_progress_is_for_terminals() -> None:
    """Elsewhere nothing is printed."""
    stream = io.StringIO()

    with show_late_progress("planning", stream=stream, after_seconds=0) as progress:
        await asyncio.sleep(0.01)
        progress.show("1 of 2")

    assert stream.getvalue() == ""
