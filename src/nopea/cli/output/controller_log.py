"""Format lines of the controller's log for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click
import orjson

from nopea.cli.output.messages import wrapped
from nopea.core.drift.mask import plain_line

_COLOURS = {"warning": "yellow", "error": "red"}
_HEAD = ("time", "level", "message", "logger", "traceback")
_MOST = 4096


def log_text(line: bytes, *, with_repository: bool, width: int | None = None) -> Iterator[str]:
    """Yield a line of the log as time, level, message and facts, in several lines if `width` asks for it.

    A line that is not JSON is yielded as it is, without what controls a terminal.
    """
    facts = _facts(line)
    if facts is None:
        yield plain_line(line.decode(errors="replace"), limit=_MOST)
        return
    level = str(facts.get("level", ""))
    left_out = _HEAD if with_repository else (*_HEAD, "repo")
    told = (
        f"{name}={_value(value)}"
        for name, value in facts.items()
        if name not in left_out and value is not None
    )
    parts = (str(facts.get("time", "")), level, str(facts.get("message", "")), " ".join(told))
    text = "  ".join(plain_line(part, limit=_MOST).ljust(7) for part in parts).rstrip()
    for index, part in enumerate(wrapped(text, width=width, indent="    ")):
        yield click.style(part, fg=_COLOURS.get(level)) if index == 0 and level in _COLOURS else part
    for traced in str(facts.get("traceback", "")).splitlines():
        yield f"    {plain_line(traced, limit=_MOST)}"


def _facts(line: bytes) -> Mapping[str, Any] | None:
    try:
        facts = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return facts if isinstance(facts, dict) and "message" in facts else None


def _value(value: Any) -> str:
    if isinstance(value, str) and value and " " not in value and "=" not in value:
        return value
    return orjson.dumps(value).decode()
