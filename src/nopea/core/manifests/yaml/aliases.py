"""Count what aliases write out again, and stop a document that repeats itself without end.

The rule is that of the Go decoder (ratio of nodes that aliases repeat), with hard caps beside it, because
the ratio alone lets one long text be repeated for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nopea.core.manifests.yaml.limits import YamlLimits, at_line, beyond
from nopea.core.manifests.yaml.scalars import Scalar

_FREE_REPEATS = 100
_FREE_NODES = 1_000
_STRICT_FROM, _STRICTEST_FROM = 400_000, 4_000_000
_LOOSE, _STRICTEST = 0.99, 0.10


@dataclass(slots=True)
class Anchored:
    """What an anchor names, a collection or a resolved scalar, and its size when written out."""

    collection: Any = None
    raw: Scalar = None
    is_open: bool = False
    nodes: int = 1
    characters: int = 0
    height: int = 0


class Budget:
    """How much of a file's limits is used; one per file, so that many documents cannot add up."""

    def __init__(self, limits: YamlLimits) -> None:
        self._limits = limits
        self._nodes_before = 0
        self.nodes = 0
        self.repeated = 0
        self.characters = 0

    def start_document(self) -> None:
        """Begin a document: the ratio is the document's, the caps are the file's."""
        self._nodes_before = self.nodes
        self.repeated = 0

    def check(self, line: int) -> None:
        """Raise UnreadableError when the file holds too many nodes."""
        if self.nodes > self._limits.nodes:
            raise beyond(f"the file holds more than {self._limits.nodes:,} values", source=at_line(line))

    def repeat(self, target: Anchored, line: int) -> None:
        """Count what an alias writes out again; raises UnreadableError when it is too much."""
        self.nodes += target.nodes
        self.repeated += target.nodes
        self.characters += target.characters
        nodes = self.nodes - self._nodes_before
        if self.repeated > _FREE_REPEATS and nodes > _FREE_NODES and self.repeated / nodes > _allowed(nodes):
            raise beyond("the aliases repeat too much of the document", source=at_line(line))
        if self.nodes > self._limits.nodes or self.characters > self._limits.file_bytes:
            raise beyond("the aliases make the file too big", source=at_line(line))


def _allowed(nodes: int) -> float:
    """Return the share of repeated nodes that a document of this size may have."""
    share = (nodes - _STRICT_FROM) / (_STRICTEST_FROM - _STRICT_FROM)
    return _LOOSE - (_LOOSE - _STRICTEST) * min(1.0, max(0.0, share))
