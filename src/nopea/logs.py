"""Logs: an event of the catalogue and its facts, as one JSON object a line or as a line for a console.

The events are in `nopea.log_events`. Facts never hold secrets: credentials are `Secret` values, which print
as `Secret(***)`.
"""

from __future__ import annotations

import inspect
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Literal, ParamSpec, TextIO

Format = Literal["json", "console"]
Facts = ParamSpec("Facts")
_MAX_FACT = 4096


@dataclass(frozen=True, slots=True)
class Event(Generic[Facts]):
    """What a line can report: its level, its constant message, the names of its facts, and what it means."""

    level: int
    message: str
    facts: tuple[str, ...]
    meaning: str


def event(level: int, message: str) -> Callable[[Callable[Facts, None]], Event[Facts]]:
    """Declare an event: the function's parameters are its facts, its docstring is its meaning."""

    def declare(function: Callable[Facts, None]) -> Event[Facts]:
        meaning = " ".join((function.__doc__ or "").split())
        return Event(level, message, tuple(inspect.signature(function).parameters), meaning)

    return declare


class Log:
    """Writes events in the name of one module; mypy checks their facts."""

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def write(self, event: Event[Facts], /, *args: Facts.args, **facts: Facts.kwargs) -> None:
        """Write one line, unless the level of the log is above the event's."""
        del args  # facts have names
        self._log(event, facts)

    def crash(
        self, event: Event[Facts], error: BaseException, /, *args: Facts.args, **facts: Facts.kwargs
    ) -> None:
        """Write one line with the traceback of a bug in Nopea."""
        del args
        self._log(event, facts, error)

    def _log(self, event: Event[Facts], facts: dict[str, Any], error: BaseException | None = None) -> None:
        if self._logger.isEnabledFor(event.level):
            self._logger.log(event.level, event.message, extra={"facts": facts}, exc_info=error)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, message, logger, then the facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its newline."""
        line: dict[str, Any] = {
            "time": _moment(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "logger": record.name,
        }
        for key, value in _facts(record).items():
            line[key if key not in line else f"{key}_"] = _plain(value)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class ConsoleFormatter(logging.Formatter):
    """A line for people: time, level, message, then `key=value`; colour on a terminal."""

    _COLOURS: ClassVar = {
        logging.DEBUG: "2",
        logging.INFO: "36",
        logging.WARNING: "33",
        logging.ERROR: "31;1",
    }

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback below it when there is one."""
        level = f"{record.levelname.lower():<7}"
        if self._colour:
            level = f"\033[{self._COLOURS.get(record.levelno, '0')}m{level}\033[0m"
        facts = "".join(f" {key}={_quoted(_plain(value))}" for key, value in _facts(record).items())
        text = f"{_moment(record):%H:%M:%S}.{int(record.msecs):03d} {level} {record.getMessage()}{facts}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def configure(*, level: str, format_: Format, stream: TextIO | None = None) -> None:
    """Send all logs of the process to one stream (standard error by default), replacing earlier handlers."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if format_ == "json" else ConsoleFormatter(colour=stream.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("nopea").setLevel(level.upper())


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, tz=UTC)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "facts", {})


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in list(value)[:50]]
    text = str(value)
    return text if len(text) <= _MAX_FACT else f"{text[: _MAX_FACT - 1]}…"


def _quoted(value: Any) -> str:
    """Return the value for a terminal: what could steer it, or turn the line around, is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    if not text.isprintable():
        text = "".join(_escaped(character) for character in text)
    return text[1:-1] if isinstance(value, str) and value and " " not in value and "=" not in value else text


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
