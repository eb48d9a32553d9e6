"""Apply one object: leave what is left to others, recreate it where that is allowed."""

from __future__ import annotations

import asyncio

import orjson

from nopea.core.adoption import adopt
from nopea.core.api import names
from nopea.core.applybody import body_to_apply
from nopea.core.desired import CRD, Desired
from nopea.core.objects import GroupKind
from nopea.core.plan import Reason, Step
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ConflictError, NotFoundError, is_immutable
from nopea.kube.live import Applied
from nopea.kube.requests import PatchKind, Preconditions
from nopea.kube.resource import Target
from nopea.sync.definitions import is_unserved, pauses, wait_until_served
from nopea.sync.places import target_of

RECREATE_SECONDS = 30.0
_ADOPT_TRIES = 5
_MAY_HOLD_CLAIMS = frozenset(
    {Reason.ADOPTED, Reason.NOT_RECORDED, Reason.MANUAL_DRIFT, Reason.CONFLICT}
)  # a mere git change found the object as we left it
NEVER_RECREATED = frozenset(
    {CRD, GroupKind("", "Namespace"), GroupKind("", "PersistentVolumeClaim")}
)  # recreating one destroys what is inside it


class Applier:
    """Applies for one repository, through a client that acts for it. Raises ApiError."""

    def __init__(self, *, client: KubeClient, owner: str, defined_here: frozenset[GroupKind]) -> None:
        self._client = client
        self._owner = owner
        self._defined_here = defined_here

    async def apply(self, step: Step, desired: Desired) -> Applied:
        """Apply what Git wants and return the object as stored."""
        target = target_of(desired)
        if step.reason in _MAY_HOLD_CLAIMS and step.live is not None and not step.keep:
            await self._adopt(desired, target)
        body = await self._body(step, desired, target)
        try:
            return await self._client.apply(target, body)
        except NotFoundError as error:
            if desired.key.group_kind not in self._defined_here or not is_unserved(error):
                raise
            await wait_until_served(self._client, target.resource)
            return await self._client.apply(target, body)
        except ApiError as error:
            if not (is_immutable(error) and desired.force) or desired.key.group_kind in NEVER_RECREATED:
                raise
            return await self._recreate(target, desired)

    async def _adopt(self, desired: Desired, target: Target) -> None:
        """Make people's claims in the object ours, so that the apply removes what Git does not want.

        The body comes fresh: a race with another writer is told by 409 and tried again.
        """
        for attempt in range(_ADOPT_TRIES):
            patch = adopt((await self._client.get(target)).json(), rules=desired.rules)
            if patch is None:
                return
            try:
                await self._client.patch(target, patch, kind=PatchKind.JSON)
            except ConflictError:
                if attempt == _ADOPT_TRIES - 1:
                    raise
            else:
                return

    async def _body(self, step: Step, desired: Desired, target: Target) -> bytes:
        if step.live is None or not (step.keep or desired.rules.pointers or desired.rules.managers):
            return desired.body
        live = (await self._client.get(target)).json()
        body = body_to_apply(orjson.loads(desired.body), live, rules=desired.rules, keep=step.keep)
        return orjson.dumps(body)

    async def _recreate(self, target: Target, desired: Desired) -> Applied:
        """Delete and apply anew; only an object that carries our label, only the one that was looked at."""
        live = await self._client.get(target)
        if live.meta.labels.get(names.REPOSITORY_LABEL) != self._owner:
            return await self._client.apply(target, desired.body)  # raises what the server said before
        await self._client.delete(target, only_if=Preconditions(uid=live.meta.uid))
        await self._wait_until_gone(target, live.meta.uid)
        return await self._client.apply(target, desired.body)

    async def _wait_until_gone(self, target: Target, uid: str) -> None:
        """Return when the object is gone or another, or in time: the next apply says what is wrong."""
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
