"""A dry run finds what the API server would refuse, and does not take other errors for that."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.fakes.cluster import FakeCluster
from tests.unit.reconcile.test_observe import desired

from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Action, Reason, Step
from nopea.kube.errors import (
    ApiError,
    ApiFailure,
    Cause,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnreachableError,
)
from nopea.kube.kinds import CONFIG_MAPS
from nopea.reconcile.dry_run import DryRun

WEB = desired("web", colour="red")
NAMESPACE = ObjectKey("", "Namespace", "", "shop")
INVALID = InvalidError(ApiFailure(code=422, reason="Invalid", message="spec.replica is unknown"))
IMMUTABLE = InvalidError(
    ApiFailure(
        code=422,
        reason="Invalid",
        message="field is immutable",
        causes=(Cause("FieldValueInvalid", "field is immutable", "data"),),
    )
)
NO_NAMESPACE = NotFoundError(
    ApiFailure(
        code=404, reason="NotFound", message='namespaces "shop" not found', kind="namespaces", name="shop"
    )
)


def _step(action: Action = Action.APPLY, *, force: bool = False) -> Step:
    return Step(action=action, reason=Reason.GIT_CHANGE, key=WEB.key, desired=replace(WEB, force=force))


@pytest.mark.parametrize("error", [INVALID, IMMUTABLE, NO_NAMESPACE])
async def test_what_the_server_refuses_is_refused(error: ApiError) -> None:
    """With the file, as the sync would report it."""
    cluster = FakeCluster()
    cluster.fail_next("dry-run", CONFIG_MAPS, error)

    checked = await DryRun(cluster.client, frozenset()).check(_step(), None)

    assert (checked.step.action, checked.step.reason) == (Action.REFUSE, Reason.REJECTED)
    assert checked.step.problem is not None
    assert checked.step.problem.source == "web.yaml#1"


@pytest.mark.parametrize(
    ("error", "force", "unchecked"),
    [
        (
            ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="no")),
            False,
            "you may not apply it",
        ),
        (NO_NAMESPACE, False, "its namespace does not exist yet"),
        (
            InvalidError(ApiFailure(code=400, message="admission webhook x does not support dry run")),
            False,
            "an admission webhook does not support dry runs",
        ),
        (IMMUTABLE, True, ""),
        (ConflictError(ApiFailure(code=409, message="it has moved on")), False, ""),
        (UnreachableError("no route"), False, ""),
    ],
)
async def test_what_says_nothing_about_the_write_refuses_nothing(
    error: ApiError, force: bool, unchecked: str
) -> None:
    """Rights of the viewer, what the same plan creates first, and trouble that passes."""
    cluster = FakeCluster()
    cluster.fail_next("dry-run", CONFIG_MAPS, error)
    step = _step(force=force)

    checked = await DryRun(cluster.client, frozenset({NAMESPACE})).check(step, None)

    assert (checked.step, checked.unchecked) == (step, unchecked)


@pytest.mark.parametrize("action", [Action.LEAVE, Action.PRUNE, Action.REFUSE])
async def test_only_writes_are_tried(action: Action) -> None:
    """And nothing is stored by it."""
    cluster = FakeCluster()
    dry_run = DryRun(cluster.client, frozenset())

    await dry_run.check(_step(action), None)
    assert cluster.requests == []
    await dry_run.check(_step(Action.CREATE), None)

    assert cluster.requests == ["dry-run configmaps/v1 shop/web"]
    assert WEB.key not in cluster.objects
