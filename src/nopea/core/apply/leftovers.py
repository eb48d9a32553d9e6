"""Say what happens to live fields that Git omits: which go with an adoption, and which stay, and why.

Server-side apply removes a field when the last manager that owns it omits it. Never decides who owns a field;
`core/apply/adoption.py` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nopea.core.apply.adoption import NOBODY, adopted_fields
from nopea.core.apply.defaults import is_default
from nopea.core.apply.equality import Spelling
from nopea.core.apply.fieldset import (
    Fields,
    Path,
    difference,
    entries,
    fields_of,
    find,
    has_children,
    is_member,
    leaves,
    touches,
)
from nopea.core.apply.ignore_rules import NO_RULES, IgnoreRules, ManagerPatterns
from nopea.core.apply.projection import managed_fields_of, our_entry

Manifest = Mapping[str, Any]


def removed_by_adoption(
    live: Manifest, desired: Manifest, *, rules: IgnoreRules = NO_RULES, deployers: ManagerPatterns = NOBODY
) -> tuple[Path, ...]:
    """Return the live fields that an adoption and the apply after it would remove.

    A field that comes back as a default of a built-in kind is left out, if it is known as one.
    """
    claims, others = adopted_fields(live, rules=rules, deployers=deployers)
    built_in = Spelling.of(live).built_in
    gone = _removed(claims, live, desired, others, ())
    return tuple(path for path in gone if not (built_in and _comes_back(path, live)))


def _comes_back(path: Path, live: Manifest) -> bool:
    *above, name = path
    return name[:2] == "f:" and is_default(name[2:], find(live, path), inside=find(live, tuple(above)))


def _removed(claims: Any, live: Manifest, desired: Manifest, others: Fields, above: Path) -> Iterator[Path]:
    for key, node in claims.items():
        path = (*above, key)
        if key == "." or find(live, path) is None:
            continue
        goes = find(desired, path) is None and is_member(node) and not touches(others, path)
        if goes:
            yield path
        elif has_children(node):
            yield from _removed(node, live, desired, others, path)


def changed_in(paths: Iterable[Path], before: Manifest, after: Manifest) -> tuple[Path, ...]:
    """Return the paths at which two versions of an object differ."""
    return tuple(path for path in paths if find(before, path) != find(after, path))


def may_hold_leftovers(live: Manifest) -> bool:
    """Whether other managers own fields beside ours, of which Git may have declared some."""
    return bool(_of_others(live))


def leftovers(last: Manifest, desired: Manifest, live: Manifest) -> tuple[tuple[Path, str], ...]:
    """Return the fields that Git dropped and that stay, each with the manager that owns it as well."""
    return tuple(
        (path, manager)
        for path, manager in _of_others(live).items()
        if find(desired, path) is None and find(last, path) is not None and find(live, path) is not None
    )


def _of_others(live: Manifest) -> dict[Path, str]:
    managed_fields = managed_fields_of(live)
    ours = our_entry(live)
    return {
        path: str(entry.get("manager", ""))
        for entry in entries(managed_fields)
        if entry is not ours and entry.get("subresource") != "status"
        for path in leaves(difference(fields_of(entry), fields_of(ours)))
    }
