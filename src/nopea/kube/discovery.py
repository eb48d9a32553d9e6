"""Find the resources of kinds: the API server is asked once, and again when a kind is unknown.

Discovery never asks for a single kind, and never more often than `Pace` allows, however many kinds are
unknown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from nopea.core.apply.equality import BUILT_IN_GROUPS
from nopea.core.objects import GroupKind, Resource, split_api_version
from nopea.kube.client import KubeClient
from nopea.kube.discovery_wire import ACCEPT, Served, read_groups, read_legacy_groups, read_legacy_resources
from nopea.kube.errors import ApiError, ApiFailure, ApiServiceError, UnknownKindError

LOOKS_AFTER_SECONDS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 25.6)
"""The pauses before each look for what has changed since a definition's last event; one costs two requests.

The kind of a definition is served some time after its event, or still served, and no event says so. What the
API server tells of its kinds is up to a minute old.
"""
_LINGERS_SECONDS = sum(LOOKS_AFTER_SECONDS) + 0.3
"""How long a kind may still be served after its definition has gone: so long it is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The least time between two discovery requests.

    It is `calm_seconds`, but `eager_seconds` in the `eager_for_seconds` after `invalidate`: the API server
    serves the kind of a new CustomResourceDefinition only after a moment.
    """

    calm_seconds: float = 10.0
    eager_seconds: float = 0.25
    eager_for_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class _Table:
    by_kind: dict[tuple[str, str, str], Resource]
    preferred: dict[GroupKind, Resource]
    stale: frozenset[tuple[str, str]]  # group and version of API services that do not answer
    generation: int  # `Discovery._generation` at the time of the request


class Discovery:
    """The served kinds. Lookups read memory; a miss may ask the server, once for all waiting callers."""

    def __init__(self, client: KubeClient, *, pace: Pace | None = None) -> None:
        self._client = client
        self._pace = pace or Pace()
        self._lock = asyncio.Lock()
        self._table: _Table | None = None
        self._asked_at = float("-inf")
        self._eager_until = float("-inf")
        self._generation = 0
        self._kinds: dict[str, GroupKind] = {}  # by `deployments.apps`: all that were ever served
        self._definitions: frozenset[str] | None = None  # None until they were listed
        self._deleted: set[GroupKind] = set()
        self._lingering_until = float("-inf")
        self._vanished: set[GroupKind] = set()  # were served at first, without a definition

    def note_definitions(self, names: Collection[str]) -> None:
        """Note which CustomResourceDefinitions exist now, all of them, such as `widgets.acme.example`."""
        if self._definitions is None:
            self._lingering_until = asyncio.get_running_loop().time() + _LINGERS_SECONDS
        before, now = self._definitions or frozenset(), frozenset(names)
        self._definitions = now
        self._deleted |= {self._kinds[name] for name in before - now if name in self._kinds}
        self._deleted -= {self._kinds[name] for name in now - before if name in self._kinds}

    def is_deleted(self, kind: GroupKind) -> bool:
        """True when the definition of a kind was deleted, and with it all objects.

        Either that was seen, or the kind vanished right after the start, as one does whose definition had
        just gone. Or nothing has served the kind since the start and nothing could: the last answer is
        current and complete, and every definition in the group is that of another kind. A kind that was
        served for longer without a definition is unknown for the moment only: its API service may come back.
        """
        if kind in self._deleted or kind in self._vanished:
            return True
        table, definitions = self._table, self._definitions
        if table is None or table.generation != self._generation or definitions is None:
            return False
        if kind.group in BUILT_IN_GROUPS or kind in self._kinds.values() or kind in table.preferred:
            return False
        if any(group == kind.group for group, _ in table.stale):
            return False
        others = {each.full_plural for each in table.by_kind.values() if each.group == kind.group}
        return all(name in others for name in definitions if name.partition(".")[2] == kind.group)

    def invalidate(self) -> None:
        """Note that the served kinds may have changed: lookups ask the server until it has answered."""
        self._generation += 1
        self._eager_until = time.monotonic() + self._pace.eager_for_seconds

    async def find(self, api_version: str, kind: str) -> Resource:
        """Return the resource of a kind in one version.

        Raises UnknownKindError when none is served, ApiServiceError when the API service that may serve it
        does not answer, and any ApiError when the server cannot be asked.
        """
        group, version = split_api_version(api_version)
        table = await self._fresh()
        resource = table.by_kind.get((group, version, kind))
        if resource is None:
            table = await self._ask_again(table)
            resource = table.by_kind.get((group, version, kind))
        if resource is not None:
            return resource
        if (group, version) in table.stale:
            raise _not_answering(group, version, kind)
        raise UnknownKindError(
            ApiFailure(code=404, reason="KindUnknown", message=_not_served(kind, api_version))
        )

    async def served(self, api_version: str, kind: str) -> Resource | None:
        """Return the resource of a kind if it is served; a miss does not ask the server. Raises as `all`."""
        group, version = split_api_version(api_version)
        return (await self._fresh()).by_kind.get((group, version, kind))

    async def find_preferred(self, group_kind: GroupKind) -> Resource:
        """Return the resource of a kind in the server's preferred version; raises as `find`."""
        table = await self._fresh()
        resource = table.preferred.get(group_kind)
        if resource is None:
            table = await self._ask_again(table)
            resource = table.preferred.get(group_kind)
        if resource is not None:
            return resource
        for group, version in sorted(table.stale):
            if group == group_kind.group:
                raise _not_answering(group, version, group_kind.kind)
        raise UnknownKindError(
            ApiFailure(code=404, reason="KindUnknown", message=_not_served(group_kind.kind, group_kind.group))
        )

    async def all(self) -> tuple[Resource, ...]:
        """Return every served resource in every version. Raises ApiError when the server cannot be asked."""
        return tuple((await self._fresh()).by_kind.values())

    async def _fresh(self) -> _Table:
        table = self._table
        if table is not None and table.generation == self._generation:
            return table
        return await self._ask_again(table)

    async def _ask_again(self, seen: _Table | None) -> _Table:
        """Ask the server, unless another caller did since `seen` or it is too early."""
        async with self._lock:
            table = self._table
            if table is not None and table is not seen:
                return table
            now = time.monotonic()
            eager = now < self._eager_until
            apart = self._pace.eager_seconds if eager else self._pace.calm_seconds
            if table is not None and now - self._asked_at < apart:
                return table
            self._asked_at = now
            generation = self._generation  # before asking: a failure or an `invalidate` meanwhile counts
            self._table = _table_of(await self._ask(), generation, before=table)
            self._note_vanished(table, self._table)
            self._kinds |= {each.full_plural: each.group_kind for each in self._table.by_kind.values()}
            return self._table

    def _note_vanished(self, before: _Table | None, now: _Table) -> None:
        """Note which kinds are no longer served, soon after the definitions were listed first."""
        self._vanished -= now.preferred.keys()
        is_soon = asyncio.get_running_loop().time() < self._lingering_until
        if before is None or self._definitions is None or not is_soon:
            return
        away = {group for group, _ in now.stale}
        self._vanished |= {
            kind
            for kind, resource in before.preferred.items()
            if kind not in now.preferred
            and kind.group not in away | BUILT_IN_GROUPS
            and resource.full_plural not in self._definitions
        }

    async def _ask(self) -> Served:
        core = await self._client.read("/api", accept=ACCEPT)
        groups = await self._client.read("/apis", accept=ACCEPT)
        served = Served()
        for answer, core_group in ((core, True), (groups, False)):
            if "apidiscovery.k8s.io" in answer.headers.get("Content-Type", ""):
                served.add(read_groups(answer.body))
            else:
                await self._ask_each(read_legacy_groups(answer.body, core=core_group), served)
        return served

    async def _ask_each(self, versions: Iterable[tuple[str, str]], served: Served) -> None:
        """Ask group by group, for servers before 1.26; a broken API service affects only its own kinds."""
        for group, version in versions:
            path = f"/apis/{group}/{version}" if group else f"/api/{version}"
            try:
                answer = await self._client.read(path)
                served.resources.extend(read_legacy_resources(answer.body, group=group, version=version))
            except ApiError as error:
                if error.code == 0:  # the server itself, not a service behind it
                    raise
                served.stale.add((group, version))


def _table_of(served: Served, generation: int, *, before: _Table | None) -> _Table:
    """Return what is served. An API service that does not answer now still serves what it served before."""
    by_kind: dict[tuple[str, str, str], Resource] = {}
    preferred: dict[GroupKind, Resource] = {}
    known = before.by_kind.values() if before is not None else ()
    kept = (resource for resource in known if (resource.group, resource.version) in served.stale)
    for resource in (*served.resources, *kept):
        by_kind.setdefault((resource.group, resource.version, resource.kind), resource)
        preferred.setdefault(resource.group_kind, resource)
    return _Table(by_kind, preferred, frozenset(served.stale), generation)


def _not_served(kind: str, group: str) -> str:
    return f"The API server does not serve kind {kind}{f' in {group}' if group else ''}."


def _not_answering(group: str, version: str, kind: str) -> ApiServiceError:
    message = f"The API service of {group}/{version} does not answer, so it may or may not serve kind {kind}."
    name = f"{version}.{group}"
    return ApiServiceError(ApiFailure(code=503, reason="ServiceUnavailable", message=message, name=name))
