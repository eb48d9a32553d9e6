"""Limit what one file may hold, and how much its aliases may repeat.

The rule for aliases is the Go decoder's (the share of nodes that aliases repeat), with hard caps beside it:
the share alone lets one long string be repeated without end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nopea.core.manifests.yaml.problems import at_line, beyond
from nopea.core.manifests.yaml.scalars import Scalar

MIB = 1024 * 1024

_FREE_REPEATS = 100
_FREE_NODES = 1_000
_STRICT_FROM, _STRICTEST_FROM = 400_000, 4_000_000
_LOOSE, _STRICTEST = 0.99, 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlLimits:
    """What one file may hold; each default is far above honest use and far below harm.

    `file_bytes`: bundles of CustomResourceDefinitions reach 4 MiB. `object_bytes`: an API server refuses
    bigger requests, as JSON. `documents`, `nodes` (values, with aliases expanded) and `problems` are per
    file; `depth` is per document, and below the 254 levels that the JSON writer supports.
    """

    file_bytes: int = 10 * MIB
    object_bytes: int = 3 * MIB
    documents: int = 10_000
    nodes: int = 1_000_000
    depth: int = 200
    problems: int = 100


DEFAULT_LIMITS = YamlLimits()


@dataclass(slots=True)
class Anchored:
    """The value of an anchor, a collection or a resolved scalar, and its size with aliases expanded."""

    collection: Any = None
    raw: Scalar = None
    is_open: bool = False
    nodes: int = 1
    characters: int = 0
    height: int = 0


class Budget:
    """How much of a file's limits is used; one per file, so that many documents do not add up."""

    def __init__(self, limits: YamlLimits) -> None:
        self._limits = limits
        self._nodes_before = 0
        self.nodes = 0
        self.repeated = 0
        self.characters = 0

    def start_document(self) -> None:
        """Begin a document: the share is per document, the caps are per file."""
        self._nodes_before = self.nodes
        self.repeated = 0

    def check(self, line: int) -> None:
        """Raise UnreadableError when the file holds too many nodes."""
        if self.nodes > self._limits.nodes:
            raise beyond(f"The file has more than {self._limits.nodes:,} values.", source=at_line(line))

    def repeat(self, target: Anchored, line: int) -> None:
        """Count what an alias repeats; raises UnreadableError when it is too much."""
        self.nodes += target.nodes
        self.repeated += target.nodes
        self.characters += target.characters
        nodes = self.nodes - self._nodes_before
        if self.repeated > _FREE_REPEATS and nodes > _FREE_NODES and self.repeated / nodes > _allowed(nodes):
            raise beyond("The aliases repeat too much of the document.", source=at_line(line))
        if self.nodes > self._limits.nodes or self.characters > self._limits.file_bytes:
            raise beyond("The aliases make the file too big.", source=at_line(line))


def _allowed(nodes: int) -> float:
    """Return the share of repeated nodes that a document of this size may have."""
    share = (nodes - _STRICT_FROM) / (_STRICTEST_FROM - _STRICT_FROM)
    return _LOOSE - (_LOOSE - _STRICTEST) * min(1.0, max(0.0, share))
