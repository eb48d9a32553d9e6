"""Apply one object in the version that was decided about; recreate it where that is allowed.

Each write names that version, so the API server refuses it once the object has moved on (409). Then the
object is read and the decision is made again, so that no concurrent change, above all break-glass, is
overwritten. An object that is not known to exist is applied so that the API server only creates it: a first
sync needs no read. It decides nothing itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import orjson

from nopea.core.apply.adoption import NOBODY, adopt
from nopea.core.apply.body import NO_VERSION, at_version, body_to_apply
from nopea.core.apply.fieldset import Path
from nopea.core.apply.ignore_rules import ManagerPatterns
from nopea.core.apply.leftovers import changed_in, removed_by_adoption
from nopea.core.apply.strays import claim_defaults, holder_of, is_stray
from nopea.core.apply.versions import migrate
from nopea.core.manifests.render import Desired
from nopea.core.objects import GroupKind, ObjectKey, Target
from nopea.core.plan.model import ObservedObject, Reason, Step
from nopea.core.plan.recreation import may_be_recreated
from nopea.informers.object_cache import ObjectCache
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import (
    ApiError,
    ConflictError,
    InvalidError,
    NotFoundError,
    is_field_conflict,
    is_immutable,
    names_version_gone,
)
from nopea.kube.live import Applied, is_newer
from nopea.kube.requests import PatchKind, Preconditions
from nopea.reconcile.definitions import is_unserved, pauses, wait_until_served

TRIES = 5
"""How often a write is retried while the object keeps changing; then the next sync handles the conflict."""

RECREATE_SECONDS = 30.0
_MAY_HOLD_CLAIMS = frozenset(
    {Reason.ADOPTED, Reason.NOT_RECORDED, Reason.MANUAL_DRIFT, Reason.CONFLICT}
)  # a mere git change found the object as we left it

Decide: TypeAlias = Callable[[Desired, "Mapping[str, Any] | None"], Awaitable[Step]]
"""Decide about an object that was read just now; None: it does not exist."""


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of a step, with the step as decided last.

    `applied` is the object as stored; None where that decision is to write nothing. `removed` are the live
    fields that an adoption removed or reset to another value.
    """

    step: Step
    applied: Applied | None = None
    removed: tuple[Path, ...] = ()


class Applier:
    """Applies for one repository in one sync, through a client that acts for it. Raises ApiError."""

    def __init__(
        self,
        *,
        client: KubeClient,
        object_cache: ObjectCache,
        owner: str,
        discovery: Discovery,
        defined_here: frozenset[GroupKind],
        decide: Decide,
        deployers: ManagerPatterns = NOBODY,
    ) -> None:
        """`deployers` are the managers whose claims are adopted with an object that is new to Nopea."""
        self._client = client
        self._object_cache = object_cache
        self._owner = owner
        self._discovery = discovery
        self._defined_here = defined_here
        self._decide = decide
        self._deployers = deployers
        self._removals: dict[ObjectKey, tuple[Mapping[str, Any], tuple[Path, ...]]] = {}
        self._taken_over: set[ObjectKey] = set()
        self._recreated: set[ObjectKey] = set()

    async def apply(self, step: Step) -> Written:
        """Apply the step, unless a change since it was planned forbids that."""
        desired = desired_of(step)
        step, live = await self._newest(step, desired)
        for tries_left in reversed(range(TRIES)):
            if not step.writes:
                break
            try:
                step, live = await self._take_over(step, desired, live)
                applied = await self._write(step, desired, live)
                return Written(step, applied, removed=self._removed(step.key, applied))
            except ConflictError as error:
                if is_field_conflict(error) or not tries_left:
                    raise
                before = step
                step, live = await self._look(step, desired)
                if step is before:
                    raise  # it has not moved on: the conflict is about something else
        return Written(step)

    def has_taken_over(self, key: ObjectKey) -> bool:
        """True when fields that users had set became ours, whether or not the apply succeeded."""
        return key in self._taken_over

    def _removed(self, key: ObjectKey, applied: Applied) -> tuple[Path, ...]:
        before, gone = self._removals.get(key, ({}, ()))
        return changed_in(gone, before, applied.json()) if gone else ()

    async def _newest(self, step: Step, desired: Desired) -> tuple[Step, Mapping[str, Any] | None]:
        """Bring the step to the newest known version, without a request if nothing relevant changed.

        The object comes along, whole, where the body depends on what is live.
        """
        if _needs_live(step):
            return await self._look(step, desired)
        resource = desired.resource
        known = (
            self._object_cache.get(resource, step.key)
            if self._object_cache.knows(resource, step.key.namespace)
            else None
        )
        planned = step.live
        if known is None or (planned and not is_newer(known.resource_version, planned.resource_version)):
            return step, None
        if planned is None or known.facts != planned.facts:
            return await self._look(step, desired)
        return _at(step, known.resource_version), None

    async def _look(self, step: Step, desired: Desired) -> tuple[Step, Mapping[str, Any] | None]:
        """Read the object, and decide again if its version is no longer that of the step."""
        live = await self._read(desired)
        if _version_of(live) == (step.live.resource_version if step.live else ""):
            return step, live
        decided = await self._decide(desired, live)
        forbidden = decided.problem is not None or decided.reason is Reason.BREAK_GLASS
        if step.key in self._taken_over and not forbidden:
            return replace(step, live=decided.live), live  # our own claims on it do not show as drift
        return decided, live

    async def _read(self, desired: Desired) -> Mapping[str, Any] | None:
        """Read the object, in a version that may be served only now; None: it does not exist."""
        may_wait = desired.key.group_kind in self._defined_here
        for tries_left in (1, 0):
            try:
                return (await self._client.get(desired.target)).json()
            except NotFoundError as error:
                if not (tries_left and may_wait and is_unserved(error)):
                    break
                await wait_until_served(self._client, desired.resource)
        return None

    async def _take_over(
        self, step: Step, desired: Desired, live: Mapping[str, Any] | None
    ) -> tuple[Step, Mapping[str, Any] | None]:
        """Take over the users' fields, so that the apply removes those that Git does not declare."""
        if live is None or not may_hold_claims(step):
            return step, live
        step, live = await self._migrated(step, desired, live)
        deployers = self._deployers if step.is_migration else NOBODY
        if step.reason is Reason.ADOPTED and step.key not in self._removals:
            gone = removed_by_adoption(
                live, orjson.loads(desired.body), rules=desired.rules, deployers=deployers
            )
            self._removals[step.key] = live, gone
        patch = adopt(live, rules=desired.rules, deployers=deployers)
        if patch is None:
            return step, live
        live = (await self._client.patch(desired.target, patch, kind=PatchKind.JSON)).json()
        self._taken_over.add(step.key)
        return _at(step, _version_of(live)), live

    async def _migrated(
        self, step: Step, desired: Desired, live: Mapping[str, Any]
    ) -> tuple[Step, Mapping[str, Any]]:
        """Rename the versions in managedFields that the kind no longer has."""
        version = desired.resource.api_version
        if migrate(live, served={version}, to=version) is None:
            return step, live
        if migrate(live, served=await self._served_versions(desired), to=version) is None:
            return step, live
        self._discovery.invalidate()  # a version that came a moment ago is not one that went
        patch = migrate(live, served=await self._served_versions(desired), to=version)
        if patch is None:
            return step, live
        live = (await self._client.patch(desired.target, patch, kind=PatchKind.JSON)).json()
        return _at(step, _version_of(live)), live

    async def _served_versions(self, desired: Desired) -> set[str]:
        kind = desired.key.group_kind
        served = {each.api_version for each in await self._discovery.all() if each.group_kind == kind}
        return served | {desired.resource.api_version}

    async def _write(self, step: Step, desired: Desired, live: Mapping[str, Any] | None) -> Applied:
        target, body = desired.target, _body(step, desired, live)
        try:
            applied = await self._client.apply(target, body)
            if applied.is_gone:  # it removed the last finalizer of an object that was being deleted
                again = at_version(orjson.loads(desired.body), NO_VERSION)
                applied = await self._client.apply(target, orjson.dumps(again))
            return applied
        except NotFoundError as error:
            if desired.key.group_kind not in self._defined_here or not is_unserved(error):
                raise
            await wait_until_served(self._client, target.resource)
            return await self._client.apply(target, body)
        except ApiError as error:
            if names_version_gone(error) and step.live is not None:
                return await self._write_migrated(step, desired)
            is_new = step.key in self._recreated
            if is_immutable(error) and not is_new and may_be_recreated(step, self._owner):
                return await self._recreate(target, desired, step.live)
            if isinstance(error, InvalidError):
                return await self._without_defaults(step, desired, error)
            raise

    async def _write_migrated(self, step: Step, desired: Desired) -> Applied:
        """Apply an object whose managedFields name a version that its definition dropped meanwhile."""
        self._discovery.invalidate()
        live: Mapping[str, Any] = (await self._client.get(desired.target)).json()
        planned = step.live.resource_version if step.live else ""
        if _version_of(live) != planned:
            live = {**live, "metadata": {**live["metadata"], "resourceVersion": planned}}  # 409: look again
        step, live = await self._migrated(step, desired, live)
        return await self._client.apply(desired.target, _body(step, desired, live))

    async def _without_defaults(self, step: Step, desired: Desired, error: InvalidError) -> Applied:
        """Apply again without the defaults that the error names; else raise it, with who set the fields."""
        manifest = orjson.loads(desired.body)
        strays = [cause.field for cause in error.causes if cause.field and is_stray(cause.field, manifest)]
        if step.live is None or not strays:
            raise error
        live = (await self._client.get(desired.target)).json()
        fields = [cause.field for cause in error.causes]
        patch = claim_defaults(fields, manifest=manifest, live=live)
        if patch is None or _version_of(live) != step.live.resource_version:
            raise error.with_holders({field: holder_of(field, live) for field in strays}) from error
        live = (await self._client.patch(desired.target, patch, kind=PatchKind.JSON)).json()
        return await self._client.apply(desired.target, _body(_at(step, _version_of(live)), desired, live))

    async def _recreate(self, target: Target, desired: Desired, live: ObservedObject | None) -> Applied:
        """Delete and apply again; an object that is still there, or is being deleted, is a conflict."""
        assert live is not None  # noqa: S101 - what is not there has no field that cannot change
        version = live.resource_version
        await self._client.delete(target, only_if=Preconditions(uid=live.uid, resource_version=version))
        self._recreated.add(desired.key)
        await self._wait_until_gone(target, live.uid)
        return await self._client.apply(target, orjson.dumps(at_version(orjson.loads(desired.body), version)))

    async def _wait_until_gone(self, target: Target, uid: str) -> None:
        """Wait until the object is gone or replaced, or time is up: then the next apply reports the error."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RECREATE_SECONDS
        for pause in pauses():
            try:
                live = await self._client.get(target)
            except NotFoundError:
                return
            if live.meta.uid != uid or loop.time() > deadline:
                return
            await asyncio.sleep(pause)


def desired_of(step: Step) -> Desired:
    """Return the desired object of a step that applies."""
    assert step.desired is not None  # noqa: S101 - only what Git wants is applied
    return step.desired


def _needs_live(step: Step) -> bool:
    return step.live is not None and (may_hold_claims(step) or _leaves_fields(step))


def may_hold_claims(step: Step) -> bool:
    """Return whether users may own fields of the object, which the sync then takes over first."""
    return step.reason in _MAY_HOLD_CLAIMS and not step.keep


def _leaves_fields(step: Step) -> bool:
    rules = desired_of(step).rules
    return bool(step.keep or rules.pointers or rules.managers)


def _body(step: Step, desired: Desired, live: Mapping[str, Any] | None) -> bytes:
    version = step.live.resource_version if step.live else NO_VERSION
    body = orjson.loads(desired.body)
    if live is not None and _leaves_fields(step):
        body = body_to_apply(body, live, rules=desired.rules, keep=step.keep)
    return orjson.dumps(at_version(body, version))


def _at(step: Step, version: str) -> Step:
    """Return the same decision for a later version of the object, in which its facts are the same."""
    return step if step.live is None else replace(step, live=replace(step.live, resource_version=version))


def _version_of(live: Mapping[str, Any] | None) -> str:
    version = ((live or {}).get("metadata") or {}).get("resourceVersion")
    return version if isinstance(version, str) else ""
