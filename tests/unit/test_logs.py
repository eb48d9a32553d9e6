"""Log lines: one line for each event, facts as keys, no secrets and no terminal control characters."""

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
    """Return an event that accepts any facts."""
    return Event(level, message, (), "")


DEBUG, INFO = _any(logging.DEBUG, "quiet"), _any(logging.INFO, "said")
WARNING, ERROR = _any(logging.WARNING, "sync failed"), _any(logging.ERROR, "worker crashed")
log = Log("nopea.tests")


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
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
    """The time is in UTC; facts keep their types, and keys and codes are text."""
    stream = _stream()
    log.write(INFO, repo=RepoKey("shop", "api"), objects=3, seconds=0.5, ok=True, commit=None)

    line = _line(stream)

    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info", "message": "said", "logger": "nopea.tests",
        "repo": "shop/api", "objects": 3, "seconds": 0.5, "ok": True, "commit": None,
    }  # fmt: skip


def test_an_event_has_the_facts_and_the_meaning_of_its_declaration() -> None:
    """The parameters are the facts, and the docstring is the meaning, on one line."""

    @event(logging.INFO, "kettle boils")
    def kettle(litres: float, tea: str) -> None:
        """The water
        is hot."""

    assert kettle == Event(logging.INFO, "kettle boils", ("litres", "tea"), "The water is hot.")


def test_a_fact_cannot_replace_the_level_or_the_logger() -> None:
    """A fact with a reserved name gets another key."""
    stream = _stream()
    log.write(INFO, level="error", logger="x", time="never")

    line = _line(stream)

    assert (line["level"], line["level_"]) == ("info", "error")
    assert (line["logger"], line["logger_"]) == ("nopea.tests", "x")
    assert line["time_"] == "never"


@pytest.mark.parametrize("format_", ["json", "console"])
def test_any_fact_is_written_on_one_line(format_: Format) -> None:
    """A newline or an escape sequence in a fact neither forges a line nor colours a terminal."""
    stream = _stream(format_)
    log.write(INFO, text='a\nlevel=error "x" \x1b[31mred\x1b[0m \x07', words=["a\nb", 1])

    text = stream.getvalue()

    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert "\x07" not in text


def test_a_console_line_reads_from_left_to_right() -> None:
    """Characters that change the text direction or control old terminals are escaped."""
    stream = _stream("console")
    log.write(INFO, text="safe\u202eevil", other="\x9b31m ü")

    assert r"text=safe\u202eevil" in stream.getvalue()
    assert r'other="\x9b31m ü"' in stream.getvalue()


@pytest.mark.parametrize("format_", ["json", "console"])
def test_secrets_are_not_logged(format_: Format) -> None:
    """A secret is hidden both alone and inside other values."""
    stream = _stream(format_)
    hidden = Secret("hunter2-hunter2")
    remote = Remote("https://h/x", Credentials(username="hunter2-user", token=hidden))
    log.write(INFO, one=hidden, many=[hidden], within={"a": hidden}, remote=remote)

    assert "hunter2" not in stream.getvalue()


def test_facts_are_bounded() -> None:
    """Long texts and lists are cut, so that they do not fill the disk."""
    stream = _stream()
    log.write(INFO, page="x" * 1_000_000, paths=[f"{number}" for number in range(10_000)])

    line = _line(stream)

    assert len(line["page"]) <= 4096
    assert line["page"].endswith("…")
    assert len(line["paths"]) == 50


def test_a_crash_has_its_traceback() -> None:
    """The traceback is a field of the one line."""
    stream = _stream()
    try:
        int("a bug")
    except ValueError as error:
        log.crash(ERROR, error, crashes=1)

    line = _line(stream)

    assert (line["level"], line["crashes"]) == ("error", 1)
    assert "test_logs.py" in line["traceback"]
    assert line["traceback"].endswith("'a bug'")


def test_only_the_configured_levels_are_logged() -> None:
    """Our level is as configured; libraries are logged from the level warning."""
    stream = _stream(level="info")
    log.write(DEBUG)
    log.write(INFO)
    logging.getLogger("library").info("quiet too")
    logging.getLogger("library").warning("heard of %s", "a library")

    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == [
        "said", "heard of a library",
    ]  # fmt: skip


def test_a_second_configuration_replaces_the_first() -> None:
    """No line is written twice."""
    first, second = _stream(), _stream()
    log.write(INFO)

    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1


def test_a_console_line_is_readable() -> None:
    """Words are bare, texts are quoted, empty texts are visible, and a pipe gets no colours."""
    stream = _stream("console")
    log.write(WARNING, repo=RepoKey("shop", "api"), why="no route", failed=2, url="", pair="a=b")

    text = stream.getvalue()

    assert text[8:].startswith(".")
    assert text.endswith('warning sync failed repo=shop/api why="no route" failed=2 url="" pair="a=b"\n')
    assert "\033" not in text


def test_a_terminal_gets_colours() -> None:
    """The colour depends on the level."""
    stream = _stream("console", stream=Screen())
    log.write(ERROR)

    assert "\033[31;1merror" in stream.getvalue()
