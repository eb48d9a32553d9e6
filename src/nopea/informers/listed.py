"""A live index for one look: each kind is listed once, no watch is opened. For commands, which end.

Lists only the objects of one owner; without an owner it knows nothing, so that every object is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable

from nopea.core.api import names
from nopea.core.objects import Resource
from nopea.informers.object_cache import ObjectCache, RulesOf
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError
from nopea.kube.requests import Selection


class ListedObjects(ObjectCache):
    """Bounded by one owner's objects. A kind that may not be listed stays unknown."""

    def __init__(self, client: KubeClient, *, owner: str, rules: RulesOf) -> None:
        super().__init__(client, rules=rules)
        self._selection = Selection(labels=f"{names.REPOSITORY_LABEL}={owner}") if owner else None

    async def ensure(self, resources: Iterable[Resource]) -> None:
        """List each kind that has not been listed yet."""
        for resource in resources:
            if self._selection is None or self.knows(resource):
                continue
            try:
                listing = await self._client.list(resource, self._selection)
            except ApiError:
                continue  # the look at each object says what is wrong
            kind = self._start(resource)
            kind.health.synced = True
            self._replace(kind, listing.items)
