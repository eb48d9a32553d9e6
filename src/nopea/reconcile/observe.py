"""Observe the live objects before anything is decided: from the watches, else by reads.

Reads only. An unchanged object costs no request, and neither does one that was never applied and carries no
ownership label: the apply creates it or finds that it exists. One that drifted or is gone costs one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from nopea import tasks
from nopea.core.apply.fieldset import Path, find
from nopea.core.drift.find import Drift, find_drift
from nopea.core.manifests.render import Desired
from nopea.core.objects import ObjectKey, Resource
from nopea.core.plan.finished import compared, finished_as, is_done
from nopea.core.plan.model import ClusterState, Finish, ObservedDrift, ObservedObject
from nopea.core.plan.plan import is_suspect
from nopea.core.problem import Problem, TransientError
from nopea.informers.object_cache import ObjectCache, Watcher
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError, NotFoundError
from nopea.kube.kinds import DEFINITIONS
from nopea.kube.problems import to_problem
from nopea.state.store import FirstSeen, RepositoryState
from nopea.state.user_record import UserRecord, nobody

LANES = 16

Previous = Callable[[str], Awaitable[Mapping[ObjectKey, bytes]]]
"""The manifests of a commit that was applied earlier; empty where it is no longer in Git."""


@dataclass(slots=True)
class Observation:
    """What was observed. `unreadable` are objects that could not be read: they must not be written."""

    observed: dict[ObjectKey, ObservedObject] = field(default_factory=dict)
    seen: dict[ObjectKey, ObservedDrift] = field(default_factory=dict)
    live: dict[ObjectKey, Mapping[str, Any]] = field(default_factory=dict)
    unreadable: dict[ObjectKey, Problem] = field(default_factory=dict)
    away: set[ObjectKey] = field(default_factory=set)

    def world(self, state: RepositoryState) -> ClusterState:
        """Return it, with what the state remembers, as the plan takes it."""
        now = datetime.now(UTC)
        return ClusterState(
            observed=self.observed,
            seen=self.seen,
            last_applied=state.applied,
            unreadable=self.unreadable,
            away=frozenset(self.away),
            heal_at={
                key: state.fights.next_heal_at(key, managers=managers_of(seen.drift), now=now)
                for key, seen in self.seen.items()
            },
        )


class Observer:
    """Observes for one repository, through a client that acts for it."""

    def __init__(
        self,
        *,
        client: KubeClient,
        object_cache: ObjectCache,
        watcher: Watcher | None,
        discovery: Discovery,
        owner: str,
        is_released: Callable[[ObjectKey, str], bool],
        previous: Previous,
        users: UserRecord | None = None,
        keeps_objects: bool = False,
    ) -> None:
        """`is_released` says that the owner of a label value has let go of an object, or is gone.

        With `keeps_objects`, an observation holds the objects that were read; only `nopea diff` needs them.
        """
        self._client = client
        self._object_cache = object_cache
        self._watcher = watcher
        self._discovery = discovery
        self._owner = owner
        self._is_released = is_released
        self._previous = previous
        self._users = users or nobody()
        self._keeps_objects = keeps_objects

    async def observe(self, desired: Sequence[Desired], state: RepositoryState) -> Observation:
        """Observe every desired object; raises TransientError when the API server cannot be asked."""
        served = await self._served(desired)
        await self._object_cache.ensure(
            ((served[each.resource], each.key.namespace) for each in desired if each.resource in served),
            self._watcher,
        )
        observation = Observation()
        looks: list[Desired] = []
        for declared in desired:
            resource = served.get(declared.resource)
            if resource is None:
                self._note_deleted_with_its_kind(declared, observation, state)
                continue
            one = declared if resource == declared.resource else replace(declared, resource=resource)
            is_watched = self._object_cache.knows(resource, one.key.namespace)
            live = self._object_cache.get(resource, one.key) if is_watched else None
            if is_watched:
                self._note_finish(one, self._object_cache.finish(resource, one.key), state)
            last = state.applied.get(one.key)
            if last is not None and live is not None and self._object_cache.takes_back(one.key):
                state.applied[one.key] = replace(last, hash="", projection=None)  # nobody's drift: apply it
                self._note(observation, one.key, live)
                continue
            if last is not None and last.finished is not None and not last.finished.manifest:
                before = (await self._previous(last.commit)).get(one.key)
                last = state.applied[one.key] = compared(last, one, before)
            if live is None and last is None and not self._keeps_objects:
                continue
            if live is None and is_watched and is_done(last, one):
                state.drifted_since.pop(one.key, None)
            elif live is None or is_suspect(live, last):
                looks.append(one)
            else:
                self._note(observation, one.key, live)
                state.drifted_since.pop(one.key, None)
                state.as_applied.add(one.key)
        await self._look_at(looks, observation, state)
        return observation

    async def judge(
        self, one: Desired, live: Mapping[str, Any] | None, state: RepositoryState
    ) -> Observation:
        """Observe one object that was read just now; None: it does not exist. Sends no request."""
        observation = Observation()
        await self._judge(one, live, observation, state)
        return observation

    async def _served(self, desired: Iterable[Desired]) -> dict[Resource, Resource]:
        """Return each kind as it is served now: in the version of Git, else in another one.

        An object is the same in every version. The version of Git may come with this very sync.
        """
        served: dict[Resource, Resource] = {}
        for resource, namespace in {one.resource: one.key.namespace for one in desired}.items():
            try:
                found = await self._discovery.served(resource.api_version, resource.kind)
                if found is None:
                    found = await self._in_another_version(resource, namespace)
                if found is not None:
                    served[resource] = found
            except ApiError as error:
                raise TransientError(to_problem(error, object=str(resource))) from error
        return served

    async def _in_another_version(self, resource: Resource, namespace: str) -> Resource | None:
        """Return the kind in another version, if possible a watched one: that is how it was applied."""
        others = [other for other in await self._discovery.all() if other.group_kind == resource.group_kind]
        watched = (other for other in others if self._object_cache.knows(other, namespace))
        return next(watched, others[0] if others else None)

    def _note(self, observation: Observation, key: ObjectKey, live: ObservedObject) -> None:
        if live.owner not in (None, self._owner) and self._is_released(key, live.owner or ""):
            live = replace(live, owner=None)
        observation.observed[key] = live

    def _note_finish(self, one: Desired, finish: Finish | None, state: RepositoryState) -> None:
        """Record that a Job has ended as Git declares it; then it may be removed and does not run again."""
        last = state.applied.get(one.key)
        if finish is not None and last is not None and last.finished is None and last.hash == one.hash:
            state.applied[one.key] = replace(last, finished=finished_as(one, finish))

    def _note_deleted_with_its_kind(
        self, one: Desired, observation: Observation, state: RepositoryState
    ) -> None:
        """Note an applied object as deleted: its kind is not served now, so it went with its definition.

        While a definition that is live changes, its kind may be away for a moment, which says nothing.
        """
        definition = DEFINITIONS.at(name=one.resource.full_plural, namespace="").key
        known = self._object_cache.get(DEFINITIONS, definition)
        if one.key not in state.applied:
            return
        if known is not None and not known.terminating:
            observation.away.add(one.key)
        else:
            desired = orjson.loads(one.body)
            drift = find_drift(desired=desired, last_applied=desired, live=None, rules=one.rules)
            drift = self._users.attribute(one.key, drift, None, at=datetime.now(UTC))
            observation.seen[one.key] = _seen(one.key, drift, state)

    async def _look_at(
        self, looks: Sequence[Desired], observation: Observation, state: RepositoryState
    ) -> None:
        async def look(one: Desired) -> None:
            await self._look(one, observation, state)

        await tasks.for_each(looks, look, limit=LANES, name="look")

    async def _look(self, one: Desired, observation: Observation, state: RepositoryState) -> None:
        live: dict[str, Any] | None = None
        try:
            live = (self._object_cache.body(one.key) or await self._client.get(one.target)).json()
        except NotFoundError:
            pass  # not there is an answer
        except ApiError as error:
            observation.unreadable[one.key] = to_problem(error, object=str(one.key), source=one.source)
            return
        await self._judge(one, live, observation, state)

    async def _judge(
        self, one: Desired, live: Mapping[str, Any] | None, observation: Observation, state: RepositoryState
    ) -> None:
        key, last = one.key, state.applied.get(one.key)
        is_watched = self._object_cache.knows(one.resource, key.namespace)
        if live is not None:
            observed = self._object_cache.observed(live, rules=one.rules)
            known = self._object_cache.get(one.resource, key)
            is_same = known is not None and known.resource_version == observed.resource_version
            if is_same or not is_watched:  # it may have come under other rules; no watch will bring it
                self._object_cache.assume(one.resource, key, observed)
            self._note(observation, key, observed)
            self._note_finish(one, observed.finish, state)
            if self._keeps_objects:
                observation.live[key] = live
        elif not is_watched:
            self._object_cache.assume_gone(key)
        if not is_watched:
            state.as_applied.discard(key)
        if last is None or not is_suspect(observation.observed.get(key), last):
            state.drifted_since.pop(key, None)
            return
        desired = orjson.loads(one.body)
        before = desired
        if last.hash != one.hash:
            body = (await self._previous(last.commit)).get(key)
            before = orjson.loads(body) if body is not None else None
            if not last.hash and body == one.body:  # only the key of the hashes has changed, not Git
                state.applied[key] = replace(last, hash=one.hash)
        drift = find_drift(desired=desired, last_applied=before or desired, live=live, rules=one.rules)
        drift = self._users.attribute(key, drift, live, at=datetime.now(UTC))
        observation.seen[key] = replace(_seen(key, drift, state), kept=_kept(drift, before, desired))


def managers_of(drift: Drift) -> frozenset[str]:
    """Return the managers that made an object drift; an empty name if Kubernetes does not record it."""
    return frozenset(one.manager for one in drift.fields)


def _seen(key: ObjectKey, drift: Drift, state: RepositoryState) -> ObservedDrift:
    """Return the drift with its beginning: the latest change that is dated, else when it appeared.

    The first date stays while the drift does: managedFields date the last write of a manager, which may have
    been about another field. A change that nothing dates may have been made long before it was found, unless
    a watch had shown the object as applied.
    """
    if not drift.fields:
        state.drifted_since.pop(key, None)
        return ObservedDrift(drift=drift, since=datetime.now(UTC))
    what = hash(tuple((one.keys, repr(one.to), one.manager) for one in drift.fields))
    first = state.drifted_since.get(key)
    if first is None or first.what != what:
        dated = [one.changed_at for one in drift.fields if one.changed_at is not None]
        at = max(dated) if dated else datetime.now(UTC)
        first = FirstSeen(what, at, is_dated=bool(dated) or key in state.as_applied)
        state.drifted_since[key] = first
    return ObservedDrift(drift=drift, since=first.at, is_dated=first.is_dated)


def _kept(drift: Drift, before: Mapping[str, Any] | None, desired: Mapping[str, Any]) -> tuple[Path, ...]:
    """Return the drifted fields that Git did not change; all of them where it is not known what Git had."""
    return tuple(
        one.keys
        for one in drift.fields
        if one.keys and (before is None or find(before, one.keys) == find(desired, one.keys))
    )
