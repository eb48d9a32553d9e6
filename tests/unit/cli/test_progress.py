"""The progress that a waiting command shows, on a terminal and elsewhere."""

from __future__ import annotations

import io

from nopea.cli.progress import show_progress


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
