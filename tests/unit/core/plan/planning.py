"""Helpers for the tests of the plan: desired and live objects, last applied states and drift."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.fakes.samples import NOW

from nopea.core.api.spec import HealPolicy
from nopea.core.drift.find import Drift, FieldDrift
from nopea.core.drift.three_way import DriftKind
from nopea.core.manifests.render import Desired
from nopea.core.manifests.stages import stage_of
from nopea.core.objects import ObjectKey, Resource
from nopea.core.plan.model import (
    Action,
    ClusterState,
    LastApplied,
    ObservedDrift,
    ObservedObject,
    Policy,
    Reason,
    Step,
)
from nopea.core.plan.plan import plan

OWNER = "shop.web"
WEB = ObjectKey("apps", "Deployment", "shop", "web")
API = ObjectKey("apps", "Deployment", "shop", "api")
MINUTE = timedelta(minutes=1)
REPLICAS = ("f:spec", "f:replicas")
LABEL = ("f:metadata", "f:labels", "f:team")

AUTO, MANUAL, NOTIFY = HealPolicy.AUTO, HealPolicy.MANUAL, HealPolicy.NOTIFY

LIVE = ObservedObject(owner=OWNER, resource_version="7", uid="u-1", projection="p1")
LAST = LastApplied(hash="h1", projection="p1", commit="c0ffee")
BEFORE = replace(LAST, hash="h0")
"""What was applied before Git changed."""


def wish(key: ObjectKey = WEB, *, hash_: str = "h1", wave: int = 0) -> Desired:
    """Return a desired object."""
    endpoint = Resource(
        group=key.group, version="v1", kind=key.kind, plural=f"{key.kind.lower()}s", namespaced=True
    )
    return Desired(
        key=key,
        resource=endpoint,
        source=f"{key.name}.yaml#1",
        body=b"{}",
        hash=hash_,
        stage=stage_of(key.group_kind),
        wave=wave,
        force=False,
    )


def changed(path: tuple[str, ...] = REPLICAS, *, to: Any = 5) -> FieldDrift:
    """Return a field that a user changed a minute ago."""
    return FieldDrift(
        path=".".join(part[2:] for part in path), keys=path, from_=2, to=to, manager="kubectl-edit",
        operation="Update", subresource="", changed_at=NOW - MINUTE,
    )  # fmt: skip


def seen(*fields: FieldDrift, since: datetime = NOW - MINUTE, **more: Any) -> ObservedDrift:
    """Return observed drift of these fields."""
    kind = DriftKind.MANUAL_DRIFT if fields else DriftKind.NO_DRIFT
    return ObservedDrift(drift=Drift(kind=kind, fields=fields), since=since, **more)


DRIFTED = seen(changed())
GONE = seen(changed((), to=None))
KEPT = seen(changed(), changed(LABEL), kept=(LABEL,))


def decide(
    live: ObservedObject | None = LIVE,
    last: LastApplied | None = LAST,
    look: ObservedDrift | None = None,
    *,
    world: ClusterState | None = None,
    now: datetime = NOW,
    **policy: Any,
) -> Step:
    """Return the only step, about the Deployment; `policy` are fields of `Policy`."""
    observed = {} if live is None else {WEB: live}
    known = {} if last is None else {WEB: last}
    around = ClusterState(observed=observed, last_applied=known, seen={} if look is None else {WEB: look})
    made = plan(desired=[wish()], cluster=world or around, policy=Policy(owner=OWNER, **policy), now=now)
    (step,) = made.steps
    return step


def prune(key: ObjectKey) -> Step:
    """Return the step for an object that was removed from Git."""
    return Step(action=Action.PRUNE, reason=Reason.GONE_FROM_GIT, key=key, live=LIVE)
