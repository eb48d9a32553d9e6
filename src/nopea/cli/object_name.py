"""Find the object that a person means: `apps/Deployment shop/web`, `deployment/web`, `deployments.apps web`.

Pure; only objects that are offered can be meant, so a name that fits several is an error and never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nopea.core.objects import GroupKind, ObjectKey

_NAMED = 3


class NoSuchObjectError(Exception):
    """The text names no object, or several; the message says which there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    kind: str
    group: str | None
    namespace: str | None
    name: str


def find_object(
    text: str, among: Iterable[ObjectKey], *, plurals: Mapping[str, GroupKind] | None = None
) -> ObjectKey:
    """Return the one object that the text means; raises NoSuchObjectError.

    Kinds count whatever their case; `plurals` are the names of kinds in URLs. Without a namespace in the
    text, any namespace fits.
    """
    keys = sorted(among)
    wanted = _parse(text)
    if wanted is None:
        raise NoSuchObjectError(f"{text!r} names no object; write it like apps/Deployment shop/web")
    found = [key for key in keys if _fits(key, wanted, plurals or {})]
    if len(found) == 1:
        return found[0]
    if found:
        raise NoSuchObjectError(f"{text!r} may be {_listed(found)}; write out the one that is meant")
    also = [key for key in keys if key.name == wanted.name] or keys
    there = f"; there is {_listed(also)}" if also else ", or any other object"
    raise NoSuchObjectError(f"{text!r} is not among the objects that were applied{there}")


def _parse(text: str) -> _Wanted | None:
    """Read either spelling: kind and place with a space between them, or kubectl's kind/name."""
    words = text.split()
    if len(words) == 1:
        kind, separator, name = words[0].partition("/")
        if not separator:
            return None
        kind, group = _split_dotted(kind)
        namespace = None
    elif len(words) == 2:
        kind_text, where = words
        head, slash, last = kind_text.rpartition("/")
        kind, group = (last, head) if slash else _split_dotted(kind_text)
        before, slash, after = where.partition("/")
        namespace, name = (before, after) if slash else (None, where)
    else:
        return None
    if not kind or not name or "/" in name or namespace == "":
        return None
    return _Wanted(kind=kind, group=group, namespace=namespace, name=name)


def _split_dotted(text: str) -> tuple[str, str | None]:
    """Split `deployments.apps` into kind and group; a kind alone leaves the group open."""
    kind, dot, group = text.partition(".")
    return kind, group if dot else None


def _fits(key: ObjectKey, wanted: _Wanted, plurals: Mapping[str, GroupKind]) -> bool:
    if key.name != wanted.name or wanted.namespace not in (None, key.namespace):
        return False
    if wanted.group not in (None, key.group):
        return False
    kind = wanted.kind.lower()
    return kind == key.kind.lower() or plurals.get(f"{kind}.{key.group}") == key.group_kind


def _listed(keys: list[ObjectKey]) -> str:
    more = len(keys) - _NAMED
    return ", ".join(map(str, keys[:_NAMED])) + (f" and {more} more" if more > 0 else "")
