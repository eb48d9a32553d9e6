"""Log lines: one a line, facts as keys, nothing secret, nothing that hurts a terminal."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from nopea.core.git.source import Credentials, Remote
from nopea.core.objects import RepoKey
from nopea.core.secret import Secret
from nopea.logs import Event, Format, Log, configure, event


def _any(level: int, message: str) -> Event[...]:
    """Return an event with any facts; the catalogue's are in test_log_events."""
    return Event(level, message, (), "")


DEBUG, INFO = _any(logging.DEBUG, "quiet"), _any(logging.INFO, "said")
WARNING, ERROR = _any(logging.WARNING, "sync failed"), _any(logging.ERROR, "worker crashed")
log = Log("nopea.tests")


class Screen(io.StringIO):
    """A terminal, as far as a stream can tell."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("nopea")
    before = (list(root.handlers), root.level, ours.level)
    yield
    root.handlers[:], root.level, ours.level = before
    logging.Logger.manager._clear_cache()  # type: ignore[attr-defined]  # levels were set past setLevel


def _stream(format_: Format = "json", level: str = "debug", stream: io.StringIO | None = None) -> io.StringIO:
    stream = stream or io.StringIO()
    configure(level=level, format_=format_, stream=stream)
    return stream


def _line(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_line_has_its_message_and_facts() -> None:
    """Time in UTC, level, message, logger; facts with their types, keys and codes as text."""
    stream = _stream()
    log.write(INFO, repo=RepoKey("shop", "api"), objects=3, seconds=0.5, ok=True, commit=None)

    line = _line(stream)

    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info", "message": "said", "logger": "nopea.tests",
        "repo": "shop/api", "objects": 3, "seconds": 0.5, "ok": True, "commit": None,
    }  # fmt: skip


def test_an_event_has_the_facts_and_the_meaning_of_its_declaration() -> None:
    """The parameters are the facts; the docstring is the meaning, in one line."""

    @event(logging.INFO, "kettle boils")
    def kettle(litres: float, tea: str) -> None:
        """The water
        is hot."""

    assert kettle == Event(logging.INFO, "kettle boils", ("litres", "tea"), "The water is hot.")


def test_a_fact_cannot_pose_as_the_level_or_the_logger() -> None:
    """It gets a key of its own."""
    stream = _stream()
    log.write(INFO, level="error", logger="x", time="never")

    line = _line(stream)

    assert (line["level"], line["level_"]) == ("info", "error")
    assert (line["logger"], line["logger_"]) == ("nopea.tests", "x")
    assert line["time_"] == "never"


@pytest.mark.parametrize("format_", ["json", "console"])
def test_whatever_a_fact_holds_is_one_line(format_: Format) -> None:
    """A newline, a quote, an escape sequence in a commit message forge no line and colour no terminal."""
    stream = _stream(format_)
    log.write(INFO, text='a\nlevel=error "x" \x1b[31mred\x1b[0m \x07', words=["a\nb", 1])

    text = stream.getvalue()

    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert "\x07" not in text


def test_a_console_line_reads_from_left_to_right() -> None:
    """Characters that turn a line around, or that old terminals take for commands, are shown escaped."""
    stream = _stream("console")
    log.write(INFO, text="safe\u202eevil", other="\x9b31m ü")

    assert r"text=safe\u202eevil" in stream.getvalue()
    assert r'other="\x9b31m ü"' in stream.getvalue()


@pytest.mark.parametrize("format_", ["json", "console"])
def test_secrets_do_not_reach_it(format_: Format) -> None:
    """Neither alone nor inside other values."""
    stream = _stream(format_)
    hidden = Secret("hunter2-hunter2")
    remote = Remote("https://h/x", Credentials(username="hunter2-user", token=hidden))
    log.write(INFO, one=hidden, many=[hidden], within={"a": hidden}, remote=remote)

    assert "hunter2" not in stream.getvalue()


def test_facts_are_bounded() -> None:
    """A server's page or 10,000 paths do not fill the disk."""
    stream = _stream()
    log.write(INFO, page="x" * 1_000_000, paths=[f"{number}" for number in range(10_000)])

    line = _line(stream)

    assert len(line["page"]) <= 4096
    assert line["page"].endswith("…")
    assert len(line["paths"]) == 50


def test_a_crash_carries_its_traceback() -> None:
    """Inside the one line."""
    stream = _stream()
    try:
        int("a bug")
    except ValueError as error:
        log.crash(ERROR, error, crashes=1)

    line = _line(stream)

    assert (line["level"], line["crashes"]) == ("error", 1)
    assert "test_logs.py" in line["traceback"]
    assert line["traceback"].endswith("'a bug'")


def test_only_what_is_asked_for_is_said() -> None:
    """Our level as told; libraries' from warning on, whatever ours is."""
    stream = _stream(level="info")
    log.write(DEBUG)
    log.write(INFO)
    logging.getLogger("library").info("quiet too")
    logging.getLogger("library").warning("heard of %s", "a library")

    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == [
        "said", "heard of a library",
    ]  # fmt: skip


def test_configuring_again_replaces() -> None:
    """No line is said twice."""
    first, second = _stream(), _stream()
    log.write(INFO)

    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1


def test_a_console_line_is_for_people() -> None:
    """Words bare, texts quoted, empty ones visible; no colour into a pipe."""
    stream = _stream("console")
    log.write(WARNING, repo=RepoKey("shop", "api"), why="no route", failed=2, url="", pair="a=b")

    text = stream.getvalue()

    assert text[8:].startswith(".")
    assert text.endswith('warning sync failed repo=shop/api why="no route" failed=2 url="" pair="a=b"\n')
    assert "\033" not in text


def test_a_terminal_gets_colours() -> None:
    """By level."""
    stream = _stream("console", stream=Screen())
    log.write(ERROR)

    assert "\033[31;1merror" in stream.getvalue()
