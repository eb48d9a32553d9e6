"""docs/troubleshooting.md quotes messages as the program prints them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
OF_OTHERS = {"field not declared in schema"}
"""Texts of the API server."""
QUOTED = [
    message
    for row in re.findall(r"^\| ([^|]+) \|", TEXT, re.MULTILINE)
    for message in re.findall(r"`([^`]+)`", row)
    if " " in message and message not in OF_OTHERS
]


def _texts() -> Iterator[str]:
    """Yield the string literals of the source, with `…` for each value that is filled in."""
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)  # type: ignore[misc]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


ALL = "\n".join(_texts())


@pytest.mark.parametrize("message", QUOTED)
def test_the_program_prints_this_message(message: str) -> None:
    """A message in a first column is a literal of the source; `…` stands for values."""
    assert message.rstrip(" …") in ALL or message in ALL


def test_messages_are_quoted() -> None:
    """The page quotes messages of Git, manifests, the cluster and the commands."""
    assert len(QUOTED) > 15


def test_the_first_command_is_that_of_the_runbook() -> None:
    """Both pages begin with `nopea status` and `nopea why`."""
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")

    assert all("`nopea why NAME -n NAMESPACE`" in text for text in (TEXT, runbook))
