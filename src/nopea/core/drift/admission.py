"""Find the values that admission changed: what an apply sent, and what the API server stored of it.

Admission policies and webhooks change a request after its field managers were recorded, so the field is still
ours and never counts as drift.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from nopea.core.apply.equality import Spelling, quantity
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
    return tuple(
        path
        for path in leaves(fields_of(our_entry(stored)))
        if not _agrees(find(wanted, path), find(stored, path), Place.of(path), spelling)
    )


def _agrees(sent: Any, stored: Any, place: Place, spelling: Spelling) -> bool:
    """Whether the API server itself may have stored this value for the other."""
    if spelling.is_left_out(sent, place.name):  # a default takes its place
        return True
    if spelling.holds(sent, stored, parent=place.inside, name=place.name):
        return True
    if isinstance(sent, Mapping) and isinstance(stored, Mapping):
        return all(_agrees(item, stored.get(key), place.field(key), spelling) for key, item in sent.items())
    if isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        item = place.item("")
        return all(_agrees(mine, theirs, item, spelling) for mine, theirs in zip(sent, stored, strict=True))
    return _is_other_notation(sent, stored)


def _is_other_notation(sent: Any, stored: Any) -> bool:
    """Whether both are one quantity or one time: kinds have more such fields than `equality.py` names."""
    amount = quantity(sent)
    if amount is not None:
        return amount == quantity(stored)
    try:
        return datetime.fromisoformat(sent) == datetime.fromisoformat(stored)
    except (TypeError, ValueError):
        return False


def digest_of(paths: Iterable[Path]) -> str:
    """Return a short text that is equal for equal paths, empty for none: the inventory keeps it."""
    names = sorted(map(render_path, paths))
    return hashlib.blake2b("\n".join(names).encode(), digest_size=4).hexdigest() if names else ""
