"""A dry run finds what the API server would refuse, and does not take other errors for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.fakes.cluster import FakeCluster
from tests.unit.reconcile.test_observe import desired

from nopea.core.manifests.render import Desired
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Action, ObservedObject, Reason, Step
from nopea.core.plan.object_diff import RIGHTS
from nopea.core.problem import Code, Problem
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

    checked = await DryRun(cluster.client, []).check(_step(), None)

    assert (checked.step.action, checked.step.reason) == (Action.REFUSE, Reason.REJECTED)
    assert checked.step.problem is not None
    assert checked.step.problem.source == "web.yaml#1"


RIGHTS_MISSING = ForbiddenError(
    ApiFailure(
        code=403,
        reason="Forbidden",
        message='configmaps "web" is forbidden: User "ann" cannot patch resource "pods" in API group ""',
    )
)
QUOTA = ForbiddenError(
    ApiFailure(code=403, reason="Forbidden", message='configmaps "web" is forbidden: exceeded quota: small')
)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RIGHTS_MISSING, RIGHTS),
        (NO_NAMESPACE, "its namespace does not exist yet"),
        (
            NotFoundError(ApiFailure(code=404, reason="NotFound", message="could not find the resource")),
            "its kind is not served yet",
        ),
        (
            InvalidError(ApiFailure(code=400, message="admission webhook x does not support dry run")),
            "an admission webhook does not support dry runs",
        ),
        (ConflictError(ApiFailure(code=409, message="it has moved on")), "it has moved on"),
        (UnreachableError("no route"), "no route"),
    ],
)
async def test_what_says_nothing_about_the_write_refuses_nothing(error: ApiError, says: str) -> None:
    """Rights of the viewer, what the same plan creates first, and trouble that passes."""
    cluster = FakeCluster()
    cluster.fail_next("dry-run", CONFIG_MAPS, error)
    step = _step()
    namespace = Step(action=Action.CREATE, reason=Reason.NOT_THERE, key=NAMESPACE)

    checked = await DryRun(cluster.client, [namespace, step]).check(step, None)

    assert checked.step == step
    assert says in checked.unchecked


async def test_what_the_account_of_a_sync_may_not_write_is_refused() -> None:
    """The rights of a user say nothing about a sync; those of its own account do."""
    cluster = FakeCluster()
    cluster.fail_next("dry-run", CONFIG_MAPS, RIGHTS_MISSING)

    checked = await DryRun(cluster.client, [], is_writer=True).check(_step(), None)

    assert (checked.step.action, checked.step.reason) == (Action.REFUSE, Reason.REJECTED)
    assert checked.step.problem is not None
    assert checked.step.problem.code is Code.FORBIDDEN


async def test_what_a_sync_refuses_by_itself_is_not_tried() -> None:
    """The API server would allow it."""
    cluster = FakeCluster()
    problem = Problem(code=Code.FORBIDDEN, message="Git may not write it.", hint="Remove it.")

    async def refuse(one: Desired) -> Problem | None:
        return problem if one.key == WEB.key else None

    checked = await DryRun(cluster.client, [], refuse=refuse).check(_step(), None)

    assert (checked.step.action, checked.step.problem) == (Action.REFUSE, problem)
    assert cluster.requests == []


async def test_a_quota_is_no_lack_of_rights() -> None:
    """It refuses the sync as well."""
    cluster = FakeCluster()
    cluster.fail_next("dry-run", CONFIG_MAPS, QUOTA)

    checked = await DryRun(cluster.client, []).check(_step(), None)

    assert checked.step.problem is not None
    assert checked.step.problem.code is Code.ADMISSION_DENIED


async def test_an_object_that_a_sync_recreates_is_not_refused() -> None:
    """With force, and only if it is the repository's own."""
    cluster = FakeCluster()
    cluster.fail_next("dry-run", CONFIG_MAPS, IMMUTABLE, times=2)
    ours = replace(_step(force=True), live=ObservedObject(owner="shop.web", resource_version="1"))
    dry_run = DryRun(cluster.client, [], owner="shop.web")

    recreated = await dry_run.check(ours, None)
    refused = await dry_run.check(replace(ours, live=None), None)

    assert (recreated.step, recreated.recreated) == (ours, True)
    assert refused.step.action is Action.REFUSE


async def test_a_definition_in_the_same_plan_may_allow_what_the_present_one_refuses() -> None:
    """The field is unknown until the definition is applied."""
    cluster = FakeCluster()
    cluster.fail_next("dry-run", CONFIG_MAPS, INVALID)
    body = {"spec": {"group": "", "names": {"kind": "ConfigMap"}}}
    definition = Step(
        action=Action.APPLY,
        reason=Reason.GIT_CHANGE,
        key=ObjectKey("apiextensions.k8s.io", "CustomResourceDefinition", "", "x"),
        desired=replace(WEB, body=orjson.dumps(body)),
    )

    checked = await DryRun(cluster.client, [definition]).check(_step(), None)

    assert checked.unchecked == "the definition of its kind changes with it"


async def test_a_default_in_the_way_is_removed_by_a_sync_first() -> None:
    """The API server refuses `rollingUpdate` beside `Recreate`; a sync claims it and applies again."""
    manifest = {"spec": {"strategy": {"type": "Recreate"}}}
    fields: dict[str, Any] = {"f:spec": {"f:strategy": {"f:type": {}}}}
    live = {
        "metadata": {
            "resourceVersion": "1",
            "managedFields": [{"manager": "nopea", "operation": "Apply", "fieldsV1": fields}],
        },
        "spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
    }
    cause = Cause("FieldValueForbidden", "may not be specified", "spec.strategy.rollingUpdate")
    cluster = FakeCluster()
    cluster.fail_next(
        "dry-run", CONFIG_MAPS, InvalidError(ApiFailure(code=422, reason="Invalid", causes=(cause,)))
    )
    step = replace(_step(), desired=replace(WEB, body=orjson.dumps(manifest)))

    checked = await DryRun(cluster.client, []).check(step, live)

    assert checked.unchecked == "a default is in the way, which a sync removes first"


async def test_the_time_for_a_plan_is_bounded() -> None:
    """What is left then is not tried; nothing fails."""
    checked = await DryRun(FakeCluster().client, [], seconds=0).check(_step(), None)

    assert checked.unchecked == "the API server took more than 0 s"


@pytest.mark.parametrize("action", [Action.LEAVE, Action.PRUNE, Action.REFUSE])
async def test_only_writes_are_tried(action: Action) -> None:
    """And nothing is stored by it."""
    cluster = FakeCluster()
    dry_run = DryRun(cluster.client, [])

    await dry_run.check(_step(action), None)
    assert cluster.requests == []
    checked = await dry_run.check(_step(Action.CREATE), None)

    assert cluster.requests == ["dry-run configmaps/v1 shop/web"]
    assert cluster.writes == []
    assert WEB.key not in cluster.objects
    assert checked.answer is not None
    assert checked.answer["data"] == {"colour": "red"}
