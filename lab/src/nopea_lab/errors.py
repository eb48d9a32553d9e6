"""What the lab says when it cannot go on: what happened, what to do next, and the evidence."""

from __future__ import annotations

from collections import deque
from pathlib import Path


class LabError(Exception):
    """The lab cannot do what was asked; nothing half-started is left behind.

    `hint` says what to do next; `detail` is evidence such as the last lines of a log, or empty.
    """

    def __init__(self, message: str, *, hint: str, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        parts = [self.message, *([self.detail] if self.detail else []), self.hint]
        return "\n".join(parts)


def tail(path: Path, *, lines: int = 15) -> str:
    """Return the last lines of a log, indented; empty when there is none."""
    try:
        with path.open(errors="replace") as log:
            return "".join(f"  | {line.rstrip()[:400]}\n" for line in deque(log, maxlen=lines)).rstrip("\n")
    except FileNotFoundError:
        return ""
