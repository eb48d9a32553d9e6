"""Logs: a constant message and facts as keys, as one JSON object a line or as text for a console.

Facts never hold secrets: credentials are `Secret` values, which print as `Secret(***)`.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, TextIO

Format = Literal["json", "console"]
_MAX_FACT = 4096


class Log:
    """A logger with facts bound to it; `bind` returns one with more."""

    __slots__ = ("_facts", "_logger")

    def __init__(self, logger: logging.Logger, facts: dict[str, Any] | None = None) -> None:
        self._logger = logger
        self._facts = facts or {}

    def bind(self, **facts: Any) -> Log:
        """Return a log whose every line carries these facts too."""
        return Log(self._logger, {**self._facts, **facts})

    def debug(self, message: str, **facts: Any) -> None:
        """Say what a developer wants to see."""
        self._log(logging.DEBUG, message, facts)

    def info(self, message: str, **facts: Any) -> None:
        """Say what an operator may want to know."""
        self._log(logging.INFO, message, facts)

    def warning(self, message: str, **facts: Any) -> None:
        """Say that Nopea handled something that someone should know."""
        self._log(logging.WARNING, message, facts)

    def error(self, message: str, **facts: Any) -> None:
        """Say that someone must act."""
        self._log(logging.ERROR, message, facts)

    def crash(self, message: str, error: BaseException, **facts: Any) -> None:
        """Report a bug of ours with its traceback."""
        self._log(logging.ERROR, message, facts, error)

    def _log(
        self, level: int, message: str, facts: dict[str, Any], crash: BaseException | None = None
    ) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, message, extra={"facts": {**self._facts, **facts}}, exc_info=crash)


def get_log(name: str) -> Log:
    """Return the log of a module."""
    return Log(logging.getLogger(name))


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
    """Text for people: time, level, message, then `key=value`; colour on a terminal."""

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
        return [_plain(one) for one in list(value)[:50]]
    text = str(value)
    return text if len(text) <= _MAX_FACT else f"{text[: _MAX_FACT - 1]}…"


def _quoted(value: Any) -> str:
    """Return the value for a terminal: what could steer it, or turn the line around, is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    if not text.isprintable():
        text = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return text[1:-1] if isinstance(value, str) and value and " " not in value and "=" not in value else text
