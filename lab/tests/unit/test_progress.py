"""Progress is readable on a terminal and in a log."""

from __future__ import annotations

import io

from nopea_lab.progress import Terminal


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


def test_a_log_gets_lines_and_few_ticks() -> None:
    """Where nothing can be overwritten, passing lines come seldom."""
    log = io.StringIO()
    seldom, often = Terminal(log, every_seconds=3600), Terminal(log, every_seconds=0)

    seldom.say("starting")
    seldom.tick("never seen")
    often.tick("still starting")

    assert log.getvalue() == "starting\nstill starting\n"


def test_a_terminal_overwrites_the_passing_line() -> None:
    """The lasting line takes the place of the passing one."""
    screen = FakeTerminal()
    terminal = Terminal(screen)

    terminal.tick("1 s")
    terminal.tick("2 s")
    terminal.say("done")

    assert screen.getvalue() == "1 s\r\x1b[K2 s\r\x1b[Kdone\n"
