"""How steps, blocks and paragraphs look, on a terminal and elsewhere."""

from __future__ import annotations

import io
import os
import re
import select
from collections.abc import Iterator

import pytest

from nopea_lab.demo.screen import Screen, ScreenStep, TerminalScreen, screen_for


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 40 columns."""
    monkeypatch.setenv("COLUMNS", "40")


@pytest.mark.usefixtures("narrow")
def test_a_step_is_one_line_with_the_text_of_its_end_and_its_seconds() -> None:
    """The seconds end at the screen's edge; what is waited for is not shown without a terminal."""
    stream = io.StringIO()

    with Screen(stream).step("Deploy") as step:
        step.tick("waiting")
        step.text = "Deployed"

    assert re.fullmatch(r"✓ Deployed +0\.0 s\n", stream.getvalue())
    assert len(stream.getvalue()) == 40 + 1


def test_a_step_that_raises_is_marked() -> None:
    """The name of the step stays on the screen, and the error passes."""
    stream = io.StringIO()

    with pytest.raises(ValueError, match="no"), Screen(stream).step("Deploy"):
        raise ValueError("no")

    assert stream.getvalue() == "✗ Deploy\n"


def test_an_interrupted_step_says_nothing() -> None:
    """Whoever interrupts knows it."""
    stream = io.StringIO()

    with pytest.raises(KeyboardInterrupt), Screen(stream).step("Deploy"):
        raise KeyboardInterrupt

    assert stream.getvalue() == ""


def test_a_restarted_clock_forgets_the_time_before() -> None:
    """A step can be timed from the moment that matters."""
    step = ScreenStep("push")
    before = step.seconds()

    step.restart_clock()

    assert before >= 0
    assert step.seconds() < 1


def test_the_clock_of_a_step_can_be_stopped() -> None:
    """What is read for the telling does not count."""
    step = ScreenStep("Deploy")
    step.stop_clock()
    stopped_at = step.seconds()

    assert step.seconds() == stopped_at


@pytest.mark.usefixtures("narrow")
def test_paragraphs_are_wrapped_and_blocks_are_cut() -> None:
    """A table keeps its columns as far as the width allows; a wrapped sentence does not break names."""
    stream = io.StringIO()
    screen = Screen(stream)

    screen.paragraph("one two three four five six seven kube-apiserver")
    screen.block(["NAME   " * 8])

    wrapped, rest, table = stream.getvalue().splitlines()
    assert (wrapped, rest) == ("    one two three four five six seven", "    kube-apiserver")
    assert table.startswith("    NAME   NAME")
    assert table.endswith("…")
    assert len(table) == screen.width


@pytest.fixture
def terminal() -> Iterator[tuple[int, io.TextIOWrapper]]:
    """Both ends of a pseudo-terminal: what a person sees, and where the program writes."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as stream:
        yield ours, stream
    os.close(ours)


def read_until(terminal: int, end: str) -> str:
    """Return what a person saw up to the end; a terminal hands it over in pieces of any size."""
    seen = b""
    while not seen.endswith(end.encode()):
        assert select.select([terminal], [], [], 5.0)[0], seen
        seen += os.read(terminal, 65536)
    return seen.decode()


def test_a_terminal_gets_a_spinner_then_the_line_in_colour(
    terminal: tuple[int, io.TextIOWrapper], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a step lasts it says what it waits for; at its end only the line with `✓` stays."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, stream = terminal
    screen = screen_for(stream)
    assert isinstance(screen, TerminalScreen)

    with screen.step("Deploy") as step:
        step.tick("waiting for web")
        step.text = "Deployed"

    seen = read_until(ours, "s\r\n")
    assert "Deploy: waiting for web" in seen
    assert "\x1b[1;32m✓" in seen
    assert re.search(r"Deployed +\d+\.\d s\r\n$", seen)


def test_a_pipe_gets_plain_lines() -> None:
    """No colour and no spinner where nobody watches."""
    assert type(screen_for(io.StringIO())) is Screen
