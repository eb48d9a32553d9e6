"""The catalogue of log events: each is unique, explained and written by the code."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from nopea import log_events
from nopea.core.objects import RepoKey
from nopea.logs import Event, Log

SOURCES = Path(log_events.__file__).parent
EVENTS = {name: value for name, value in vars(log_events).items() if isinstance(value, Event)}


def test_messages_are_unique() -> None:
    """A search for a message finds exactly one event."""
    messages = [event.message for event in EVENTS.values()]
    assert len(set(messages)) == len(messages)


@pytest.mark.parametrize("name", EVENTS)
def test_each_event_is_explained(name: str) -> None:
    """The meaning of an event is a whole sentence."""
    meaning = EVENTS[name].meaning
    assert meaning[0].isupper() or meaning.startswith("`")
    assert meaning.endswith(".")


def test_each_event_is_written_somewhere() -> None:
    """The table in docs/configuration.md contains no event that is never logged."""
    sources = "".join(path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py"))
    assert [name for name in EVENTS if f"log_events.{name}" not in sources] == []


def test_an_event_is_written_with_its_level_and_facts(caplog: pytest.LogCaptureFixture) -> None:
    """The log record has the level and message of the catalogue and the facts of the call."""
    Log("nopea.tests").write(log_events.status_not_written, repo=RepoKey("shop", "api"), error="503")

    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, "status not written")
    assert vars(record)["facts"] == {"repo": RepoKey("shop", "api"), "error": "503"}
