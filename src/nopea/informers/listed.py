"""The objects of one repository as one plan sees them: each kind is listed once, and not watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from nopea.core.api import names
from nopea.core.objects import ObjectKey, Resource
from nopea.core.secret import Secret
from nopea.informers.informer import EVERYWHERE, Scope
from nopea.informers.object_cache import ObjectCache, Place, RulesOf, Watcher, no_key
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ForbiddenError
from nopea.kube.live import LiveObject
from nopea.kube.requests import Selection


class ListedObjects(ObjectCache):
    """Bounded by one owner's objects; a command keeps them whole. What may not be listed stays unknown."""

    def __init__(
        self, client: KubeClient, *, owner: str, rules: RulesOf, hash_key: Callable[[], Secret] = no_key
    ) -> None:
        super().__init__(client, rules=rules, hash_key=hash_key)
        self._selection = Selection(labels=f"{names.REPOSITORY_LABEL}={owner}") if owner else None
        self._bodies: dict[ObjectKey, LiveObject] = {}

    def body(self, key: ObjectKey) -> LiveObject | None:
        """Return the object as it was listed: a command does not have the key of recorded hashes."""
        return self._bodies.get(key)

    async def ensure(self, places: Iterable[Place], watcher: Watcher | None = None) -> None:
        """List each kind that has not been listed yet, where that right is missing in the namespaces only."""
        del watcher  # it is listed as the user, or as the account
        refused: set[Resource] = set()
        for resource, namespace in dict.fromkeys(places):
            if self._selection is None or self.knows(resource, namespace):
                continue
            try:
                if resource not in refused:
                    await self._list(resource, EVERYWHERE, self._selection)
                    continue
            except ForbiddenError:
                refused.add(resource)
            except ApiError:
                continue  # the look at each object says what is wrong
            if namespace:
                with suppress(ApiError):
                    within = replace(self._selection, namespace=namespace)
                    await self._list(resource, Scope(namespace=namespace), within)

    async def _list(self, resource: Resource, scope: Scope, selection: Selection) -> None:
        listing = await self._client.list(resource, selection)
        kind = self._start(resource, scope)
        kind.health.synced = True
        self._replace(kind, listing.items, listing.resource_version)
        if not self.hash_key():
            self._bodies |= {live.key: live for live in listing.items}
