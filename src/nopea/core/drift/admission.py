"""Find the values that admission changed: what an apply sent, and what the API server stored of it.

Admission policies and webhooks change a request after its field managers were recorded, so the field is still
ours and never counts as drift.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from nopea.core.apply.equality import Spelling
from nopea.core.apply.fieldset import Path, fields_of, find, leaves, render_path
from nopea.core.apply.ignore_rules import NO_RULES, IgnoreRules, without_pointers
from nopea.core.apply.projection import our_entry
from nopea.core.drift.three_way import Place


def changed_at_admission(
    sent: Mapping[str, Any], stored: Mapping[str, Any], *, rules: IgnoreRules = NO_RULES
) -> tuple[Path, ...]:
    """Return the fields that we own and that are stored with another value than Git has.

    Another spelling of the same value, a default and an ignored field are not changed.
    """
    spelling = Spelling.of(sent)
    wanted = without_pointers(sent, rules.pointers)
    changed: list[Path] = []
    for path in leaves(fields_of(our_entry(stored))):
        value = find(wanted, path)
        if value is None:
            continue
        place = Place.of(path)
        if not spelling.holds(value, find(stored, path), parent=place.inside, name=place.name):
            changed.append(path)
    return tuple(changed)


def digest_of(paths: Iterable[Path]) -> str:
    """Return a short text that is equal for equal paths, empty for none: the inventory keeps it."""
    names = sorted(map(render_path, paths))
    return hashlib.blake2b("\n".join(names).encode(), digest_size=4).hexdigest() if names else ""
