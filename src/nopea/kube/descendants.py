"""Read what applied workloads own: ReplicaSets, Jobs and Pods. What may not be read is named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from typing import Final

from nopea import tasks
from nopea.core.health.descendants import Descendants, Family, places_of
from nopea.core.objects import ObjectKey, Resource
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ForbiddenError, NotFoundError
from nopea.kube.requests import Selection

MOST_NAMESPACES: Final = 50
"""In how many namespaces is looked; the others are named."""

_AT_ONCE: Final = 4
MayList = Callable[[Resource, str], Awaitable[bool]]


async def read_descendants(
    client: KubeClient,
    keys: Collection[ObjectKey],
    *,
    may_list: MayList | None = None,
    reader: str = "you",
    most: int | None = None,
) -> Descendants:
    """Return what the objects own, down to Pods, read with the rights of the client's user, the `reader`.

    `may_list` says whether somebody else may see objects of a kind in a namespace, for whom they are read.
    `most` bounds how many objects of a kind are read in a namespace.
    """
    family = Family(datetime.now(UTC))
    wanted = places_of(keys)
    namespaces = sorted({namespace for namespace, _ in wanted})
    chosen = frozenset(namespaces[:MOST_NAMESPACES])
    unread = [
        f"namespace {each}: there are more than {MOST_NAMESPACES}" for each in namespaces[MOST_NAMESPACES:]
    ]
    places = []
    for namespace, resource in wanted:
        if namespace in chosen:
            if may_list is None or await may_list(resource, namespace):
                places.append((namespace, resource))
            else:
                unread.append(f"{resource.full_plural} in {namespace}: you may not list them")

    async def read(place: tuple[str, Resource]) -> None:
        namespace, resource = place
        what = f"{resource.full_plural} in {namespace}"
        try:
            listed = await client.list(resource, Selection(namespace=namespace), most=most)
        except NotFoundError:
            return  # an API server without this kind has no such objects
        except ForbiddenError:
            unread.append(f"{what}: {reader} may not list them")
            return
        except ApiError as error:
            unread.append(f"{what}: {error.message}")
            return
        for live in listed.items[:most]:
            family.add(live.json())
        if most is not None and len(listed.items) >= most:
            unread.append(f"{what}: there are more than the {most} that were read")

    await tasks.for_each(places, read, limit=_AT_ONCE, name="descendants")
    found = {key: below for key in keys if (below := tuple(family.below(key)))}
    return Descendants(of=found, unread=tuple(sorted(unread)))
