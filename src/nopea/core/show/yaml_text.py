"""Objects as YAML that Kubernetes reads as the same values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

_OTHERWISE_READ = re.compile(
    r"[-+]?(\.?[0-9][0-9_.]*([eE][-+]?[0-9]+)?|0[oxbOXB][0-9a-fA-F_]+)|[yYnN]|.*\x85.*"
)
"""Strings that PyYAML writes without quotes and other readers of YAML take for numbers and booleans."""


class Dumper(yaml.SafeDumper):
    """Writes no anchors, and texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return that equal values are written out each time."""
        del data
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else '"' if _OTHERWISE_READ.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


Dumper.add_representer(str, _text)


def yaml_of(manifest: Mapping[str, Any]) -> str:
    """Return an object as a YAML document that ends with a newline."""
    text: str = yaml.dump(
        in_reading_order(manifest), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100
    )
    return text


def in_reading_order(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with what identifies it first."""
    first = {key: manifest[key] for key in ("apiVersion", "kind", "metadata") if key in manifest}
    return {**first, **manifest}
