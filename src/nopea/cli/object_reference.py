"""Find the object that a user names: `apps/Deployment shop/web`, `deploy/web`, `deployments.apps web`.

Pure. Only the given objects are candidates; a reference that matches several is an error, never a guess.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from nopea.core.objects import GroupKind, ObjectKey, Resource

_NAMED = 3


class UnknownObjectError(Exception):
    """The reference matches no object, or several; the message lists the candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    kind: str
    group: str | None
    namespace: str | None
    name: str


def find_object(reference: str, among: Iterable[ObjectKey], *, served: Iterable[Resource] = ()) -> ObjectKey:
    """Return the one object that the reference matches; raises UnknownObjectError.

    The case of kinds is ignored; `served` tells their plurals and short names. Without a namespace in the
    reference, any namespace matches.
    """
    keys = sorted(among)
    wanted = _parse(reference)
    if wanted is None:
        raise UnknownObjectError(f"{reference!r} is not an object. Example: apps/Deployment shop/web.")
    kind = wanted.kind.lower()
    kinds = {each.group_kind for each in served if kind == each.plural or kind in each.aliases}
    matching = [key for key in keys if _matches(key, wanted, kinds)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UnknownObjectError(
            f"{reference!r} matches several objects: {_listed(matching)}. Write one in full."
        )
    if not keys:
        raise UnknownObjectError(f"{reference!r} is not an applied object: nothing is applied yet.")
    candidates = [key for key in keys if key.name == wanted.name]
    if not candidates and (near := _near(keys, wanted, kinds)):
        raise UnknownObjectError(f"{reference!r} is not an applied object. Did you mean {_listed(near)}?")
    raise UnknownObjectError(
        f"{reference!r} is not an applied object. Applied: {_listed(candidates or keys)}."
    )


def _near(keys: list[ObjectKey], wanted: _Reference, kinds: Collection[GroupKind]) -> list[ObjectKey]:
    """Return objects with such a name; those of the kind alone if there are any."""
    names = get_close_matches(wanted.name, {key.name for key in keys}, n=_NAMED)
    near = [key for key in keys if key.name in names]
    return [key for key in near if _is_of_kind(key, wanted, kinds)] or near


def _parse(text: str) -> _Reference | None:
    """Parse `kind namespace/name` or kubectl's `kind/name`; None for anything else."""
    words = text.split()
    if len(words) == 1:
        kind, separator, name = words[0].partition("/")
        if not separator:
            return None
        kind, group = _split_dotted(kind)
        namespace = None
    elif len(words) == 2:
        type_, place = words
        head, slash, last = type_.rpartition("/")
        kind, group = (last, head) if slash else _split_dotted(type_)
        before, slash, after = place.partition("/")
        namespace, name = (before, after) if slash else (None, place)
    else:
        return None
    if not kind or not name or "/" in name or namespace == "":
        return None
    return _Reference(kind=kind, group=group, namespace=namespace, name=name)


def _split_dotted(text: str) -> tuple[str, str | None]:
    """Split `deployments.apps` into kind and group; the group is None without a dot."""
    kind, dot, group = text.partition(".")
    return kind, group if dot else None


def _matches(key: ObjectKey, wanted: _Reference, kinds: Collection[GroupKind]) -> bool:
    if key.name != wanted.name or wanted.namespace not in (None, key.namespace):
        return False
    return wanted.group in (None, key.group) and _is_of_kind(key, wanted, kinds)


def _is_of_kind(key: ObjectKey, wanted: _Reference, kinds: Collection[GroupKind]) -> bool:
    return wanted.kind.lower() == key.kind.lower() or key.group_kind in kinds


def _listed(keys: list[ObjectKey]) -> str:
    more = len(keys) - _NAMED
    return ", ".join(map(str, keys[:_NAMED])) + (f" and {more} more" if more > 0 else "")
