"""What the process remembers of the writes of users: of each object the last few, with hashes for values.

Bounded in total. Where there is no room, the namespace that has the most gives some: the objects in it that
nobody wrote for the longest time. Empty unless users are recorded.
"""

from __future__ import annotations

import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from nopea.core.drift.find import Drift
from nopea.core.objects import ObjectKey
from nopea.core.secret import Secret
from nopea.core.users.attribute import ObjectWrites, attributed
from nopea.core.users.write import ReportedObject, Review

MOST: Final = 50_000
"""Writes and changed leaves of all objects together; about 10 MB."""

FindObject = Callable[[ReportedObject], tuple[ObjectKey, str] | None]
"""Returns the identity and the uid of a managed object that is live; None for every other one."""


class UserRecord:
    """The record; `find` is asked for the object of each write."""

    def __init__(self, find: FindObject, *, most: int = MOST) -> None:
        self._find = find
        self._most = most
        self._key = Secret(secrets.token_bytes(32))
        self._objects: defaultdict[str, dict[ObjectKey, ObjectWrites]] = defaultdict(dict)
        """By namespace, that which was written last at the end."""
        self._sizes: Counter[str] = Counter()

    def take(self, review: Review, *, at: datetime) -> bool:
        """Record a write; False if it is not one of a managed object, by name and uid."""
        place = review.place()
        found = self._find(place) if place is not None else None
        if place is None or found is None or found[1] != place.uid:
            return False
        key, uid = found
        known = self._get(key)
        if known is None or known.uid != uid:
            known = ObjectWrites(uid=uid)
        self._put(key, known.and_then(review.write(at, key=self._key)))
        return True

    def attribute(
        self, key: ObjectKey, drift: Drift, live: Mapping[str, Any] | None, *, at: datetime
    ) -> Drift:
        """Return the drift of an object, as it is at a time, with the users who caused it, if known."""
        if live is None:
            self.deleted(key, at=at)
        known = self._get(key)
        return drift if known is None else attributed(drift, live, known, key=self._key)

    def deleted(self, key: ObjectKey, *, at: datetime, uid: str = "") -> None:
        """Note that an object, that of the `uid` if it is known, is gone or terminating; idempotent."""
        known = self._get(key)
        if known is not None and uid in ("", known.uid) and not known.is_deleted:
            self._put(key, known.deleted(at))

    def applied(self, keys: Iterable[ObjectKey]) -> None:
        """Forget who deleted these objects: they have been applied since, so they are there."""
        for key in keys:
            known = self._get(key)
            if known is not None and any(write.deletes for write in known.writes):
                self._put(key, known.without_deletions())

    def _get(self, key: ObjectKey) -> ObjectWrites | None:
        objects = self._objects.get(key.namespace)
        return objects.get(key) if objects is not None else None

    def _put(self, key: ObjectKey, known: ObjectWrites) -> None:
        self._remove(key)
        self._objects[key.namespace][key] = known
        self._sizes[key.namespace] += 1 + known.size
        while self._sizes.total() > self._most:
            namespace = max(self._sizes, key=self._sizes.__getitem__)
            self._remove(next(iter(self._objects[namespace])))

    def _remove(self, key: ObjectKey) -> None:
        known = self._get(key)
        if known is None:
            return
        objects = self._objects[key.namespace]
        del objects[key]
        self._sizes[key.namespace] -= 1 + known.size
        if not objects:
            del self._objects[key.namespace], self._sizes[key.namespace]


def nobody() -> UserRecord:
    """Return a record of nothing."""
    return UserRecord(_find_nothing)


def _find_nothing(place: ReportedObject) -> None:
    del place
