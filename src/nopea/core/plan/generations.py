"""Objects that Kustomize's generators name by their content: each change makes another object. Pure.

The name ends with a hash, so that workloads notice the change. What another hash replaces was not removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from nopea.core.objects import ObjectKey

_GENERATED: Final = frozenset({("", "ConfigMap"), ("", "Secret")})
# The digits of Kustomize's hashes are hexadecimal, except those that could make words.
_HASHED: Final = re.compile(r"(.+)-[2456789bcdfghkmt]{10}")


def replaced_in(declared: Iterable[ObjectKey], gone: Iterable[ObjectKey]) -> frozenset[ObjectKey]:
    """Return those of the objects that are gone from Git of which Git has another generation."""
    present = {base for key in declared if (base := _base(key)) is not None}
    return frozenset(key for key in gone if _base(key) in present)


def _base(key: ObjectKey) -> ObjectKey | None:
    """Return the object without its hash; None for one that no generator made."""
    hashed = _HASHED.fullmatch(key.name) if (key.group, key.kind) in _GENERATED else None
    return replace(key, name=hashed[1]) if hashed is not None else None
