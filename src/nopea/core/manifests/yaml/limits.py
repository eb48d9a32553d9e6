"""The bounds of reading a file, and the error that ends a document beyond them."""

from __future__ import annotations

from dataclasses import dataclass

from nopea.core.problem import Code, Problem

MIB = 1024 * 1024
SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlLimits:
    """What one file may hold; each default is far above honest use and far below harm.

    `file_bytes`: bundles of CustomResourceDefinitions reach 4 MiB. `object_bytes`: an API server refuses
    bigger requests, as JSON. `documents`, `nodes` (values, with aliases written out) and `problems` are per
    file; `depth` is per document, and below the 254 levels that the JSON writer takes.
    """

    file_bytes: int = 10 * MIB
    object_bytes: int = 3 * MIB
    documents: int = 10_000
    nodes: int = 1_000_000
    depth: int = 200
    problems: int = 100


DEFAULT_LIMITS = YamlLimits()


class UnreadableError(Exception):
    """This document cannot be read to its end; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def at_line(line: int) -> str:
    """Return a problem's source for a line, counted from 1; the reader puts the path before it."""
    return f":{line}"


def beyond(limit: str, *, source: str) -> UnreadableError:
    """Return the error for a document beyond the named limit."""
    return UnreadableError(
        Problem(
            code=Code.YAML_LIMIT,
            message=limit,
            hint="split the file or make it simpler; if it is no manifest, exclude it",
            source=source,
        )
    )


def shown(text: str) -> str:
    """Return a name from a file fit for a message: one line, printable, bounded."""
    clipped = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in clipped
    )
