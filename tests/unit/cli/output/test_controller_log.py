"""Lines of the controller's log for people."""

from __future__ import annotations

import click
import orjson

from nopea.cli.output.controller_log import log_text

LINE = orjson.dumps(
    {
        "time": "2026-11-24T05:00:00.123Z", "level": "warning", "message": "sync failed",
        "logger": "nopea.controller.worker", "repo": "shop/api", "commit": None, "codes": ["NOPEA-M001"],
        "url": "https://git.example/a b", "seconds": 0.5,
    }
)  # fmt: skip


def _text(line: bytes, **how: int | None) -> list[str]:
    return [click.unstyle(text) for text in log_text(line, with_repository=False, **how)]


def test_facts_are_beside_the_message() -> None:
    """Time and level first; what every line has is left out."""
    (line,) = _text(LINE)
    head, facts = line.split("  codes=")
    assert head == "2026-11-24T05:00:00.123Z  warning  sync failed"
    assert facts == '["NOPEA-M001"] url="https://git.example/a b" seconds=0.5'


def test_a_narrow_terminal() -> None:
    """The rest is below, indented."""
    lines = _text(LINE, width=60)

    assert len(lines) > 1
    assert all(len(line) <= 60 for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])


def test_a_traceback_is_below() -> None:
    """Line for line."""
    line = orjson.dumps({"message": "worker crashed", "traceback": "Traceback\n  File x"})

    assert [text.split() for text in _text(line)[1:]] == [["Traceback"], ["File", "x"]]


def test_nothing_controls_the_terminal() -> None:
    """Whatever a commit message or a URL brings into the log, in either format."""
    for line in (orjson.dumps({"message": "x", "why": "\x1b[31mred"}), b"05:00:00 info \x1b[31mred", b"[1]"):
        assert "\x1b" not in "".join(_text(line))
