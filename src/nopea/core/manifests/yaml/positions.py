"""Find where a scalar is written in a YAML document, for the message about it. Never decides on a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import yaml

_MOST_CHARACTERS: Final = 1024 * 1024
"""A longer document is not parsed a second time; its problems name the line of the object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceScalar:
    """A scalar as the file has it: its line, counted from 1 in the file, and its characters."""

    line: int
    text: str


class Positions:
    """The positions in one document without problems; parses it at the first call of `find`."""

    def __init__(self, text: str, *, first_line: int) -> None:
        self._text = text
        self._first_line = first_line

    def find(self, path: Sequence[str | int]) -> SourceScalar | None:
        """Return the scalar at a path of keys and indexes; None for anything else, merged keys among it."""
        node = self._root
        for step in path:
            node = _child(node, step)
        if not isinstance(node, yaml.ScalarNode):
            return None
        return SourceScalar(line=self._first_line + node.start_mark.line, text=node.value)

    @cached_property
    def _root(self) -> yaml.Node | None:
        if len(self._text) > _MOST_CHARACTERS:
            return None
        try:
            return yaml.compose(self._text, Loader=yaml.CBaseLoader)
        except yaml.YAMLError:  # such as an anchor that is defined twice
            return None


def _child(node: yaml.Node | None, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item: yaml.Node = node.value[step]
        return item
    return None
