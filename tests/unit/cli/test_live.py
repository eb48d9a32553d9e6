"""What a waiting command shows, on a terminal and elsewhere."""

from __future__ import annotations

import io

from nopea.cli.live import showing


class Terminal(io.StringIO):
    """A stream that says that it is one."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_log_gets_a_line_for_each_change() -> None:
    """And none for the same again, nor a control code."""
    stream = io.StringIO()

    with showing("asked", stream=stream) as live:
        for text in ("asked", "applying", "applying", "asked"):
            live.show(text)

    assert stream.getvalue() == "… asked\n… applying\n… asked\n"


def test_a_terminal_is_left_clean() -> None:
    """The line is there while it lasts, markup is text, and at the end it is gone."""
    stream = Terminal()

    with showing("asked [bold]", stream=stream) as live:
        live.show("applying")

    assert "asked [bold]" in stream.getvalue()
    assert stream.getvalue().rstrip().endswith(("\x1b[2K", "\x1b[?25h"))
