"""Read the Secrets and ConfigMaps that specs name, with the rights of the user; values stay in memory."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nopea.core.objects import ObjectKey
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, NotFoundError
from nopea.kube.kinds import CONFIG_MAPS, SECRETS
from nopea.kube.requests import Selection

MOST = 1000
"""Objects that are read; what specs name besides is not."""
MOST_GETS = 8
"""Objects of a namespace that are read one by one: a list returns others too."""
_RESOURCES = {each.kind: each for each in (CONFIG_MAPS, SECRETS)}

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: an object, or None for one that does not exist. `errors` say why others were not."""

    found: dict[ObjectKey, Raw | None] = field(default_factory=dict)
    errors: dict[ObjectKey, ApiError] = field(default_factory=dict)


async def read_named(client: KubeClient, keys: Iterable[ObjectKey]) -> Reading:
    """Return what the first `MOST` names stand for.

    Many of a namespace are one list, where the user may list them.
    """
    places: dict[tuple[str, str], list[ObjectKey]] = defaultdict(list)
    for key in sorted(set(keys))[:MOST]:
        places[key.kind, key.namespace].append(key)
    reading = Reading()
    await asyncio.gather(*(_read_place(client, place, reading) for place in places.values()))
    return reading


async def _read_place(client: KubeClient, keys: list[ObjectKey], reading: Reading) -> None:
    """Read the objects of one kind in one namespace."""
    resource, namespace = _RESOURCES[keys[0].kind], keys[0].namespace
    if len(keys) > MOST_GETS:
        try:
            listed = await client.list(resource, Selection(namespace=namespace))
        except ApiError:
            pass  # who may not list them may be allowed to get some
        else:
            by_name = {live.meta.name: live for live in listed.items}
            reading.found.update(
                {key: by_name[key.name].json() if key.name in by_name else None for key in keys}
            )
            return
    await asyncio.gather(*(_read_one(client, key, reading) for key in keys))


async def _read_one(client: KubeClient, key: ObjectKey, reading: Reading) -> None:
    target = _RESOURCES[key.kind].at(name=key.name, namespace=key.namespace)
    try:
        reading.found[key] = (await client.get(target)).json()
    except NotFoundError:
        reading.found[key] = None
    except ApiError as error:
        reading.errors[key] = error
