"""Objects of plans, for the tests of what is printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nopea.core.manifests.render import Desired
from nopea.core.manifests.stages import Stage
from nopea.core.objects import ObjectKey, Resource
from nopea.core.plan.model import Action, Reason, Step
from nopea.core.plan.object_diff import ObjectDiff
from nopea.core.plan.outcome import change_of
from nopea.core.problem import Code, Problem

GUARD = Problem(code=Code.PRUNE_GUARD, message="Too many.", hint="Run `nopea confirm-prune`.")
MAPS = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)
_REASONS = {
    Action.CREATE: Reason.NOT_THERE, Action.APPLY: Reason.GIT_CHANGE, Action.PRUNE: Reason.GONE_FROM_GIT,
    Action.REFUSE: Reason.REJECTED, Action.LEAVE: Reason.POLICY,
}  # fmt: skip


def manifest(name: str = "web", *, kind: str = "ConfigMap", **data: Any) -> dict[str, Any]:
    """Return a manifest of the core group."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "data": data}


def planned(
    action: Action,
    name: str = "web",
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: Reason | None = None,
    source: str = "",
    problem: Problem | None = None,
    **facts: Any,
) -> ObjectDiff:
    """Return an object of a plan, changed as given."""
    key = ObjectKey("", "ConfigMap", "shop", name)
    desired = Desired(
        key=key, resource=MAPS, source=source, body=b"{}", hash="", stage=Stage.WORKLOADS, wave=0, force=False
    )  # fmt: skip
    step = Step(
        action=action,
        reason=reason or _REASONS[action],
        key=key,
        problem=problem,
        desired=desired if source else None,
    )
    change = None if after is None else change_of(before, after)
    return ObjectDiff(step=step, change=change, **facts)
