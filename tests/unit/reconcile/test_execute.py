"""The execution of one step, with changes between the plan and the write."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.fakes.object_store import CONFIG_MAPS
from tests.unit.reconcile.acting import DELETE, GET, KEY, PROTECTED, Acting, acting

from nopea.core.health.assess import HealthStatus
from nopea.core.plan.model import Action, LastApplied, ObservedObject, Reason, Step
from nopea.core.problem import Code
from nopea.core.status.report import Outcome
from nopea.kube.errors import ApiFailure, ForbiddenError, UnreachableError

pytestmark = pytest.mark.looptime


def prune_of(live: ObservedObject) -> Step:
    """Return the step that deletes the ConfigMap as observed."""
    return Step(action=Action.PRUNE, reason=Reason.GONE_FROM_GIT, key=KEY, live=live)


async def test_an_apply_is_recorded_with_its_baseline() -> None:
    """The object cache contains the result before the watch event arrives."""
    async with acting() as actor:
        execution = await actor.execute(actor.step(actor.live()))
        live = actor.live()
        assert execution.results[KEY].outcome is Outcome.CONFIGURED
        assert execution.applied == {KEY: LastApplied(hash="h", projection=live.projection, commit="c0ffee")}
        assert actor.object_cache.get(CONFIG_MAPS, KEY) == live


async def test_break_glass_after_the_plan_stops_the_write() -> None:
    """A long reconciliation does not overwrite an object that was just protected."""
    async with acting() as actor:
        planned = actor.live()
        actor.annotate(PROTECTED)
        await actor.settle()
        execution = await actor.execute(actor.step(planned))
        result = execution.results[KEY]
        assert (result.outcome, result.reason) == (Outcome.SKIPPED, Reason.BREAK_GLASS)
        assert execution.applied == {}
        assert execution.left == {KEY: actor.live()}
        assert actor.data() == {"colour": "blue"}


async def test_a_refusal_has_the_object_and_its_file() -> None:
    """The record of the last apply stays as it was."""
    async with acting() as actor:
        actor.cluster.fail_next("apply", CONFIG_MAPS, ForbiddenError(ApiFailure(code=403, message="no")))
        execution = await actor.execute(actor.step(actor.live()))
        problem = execution.results[KEY].problem
        assert problem is not None
        assert (problem.code, problem.object, problem.source) == (
            Code.FORBIDDEN, "ConfigMap shop/web", "web.yaml#1",
        )  # fmt: skip
        assert execution.applied == {}
        assert not execution.went_well
        assert actor.unclaimed == [KEY]  # only who has written an object owns it


async def test_without_an_api_server_the_execution_stops() -> None:
    """No object counts as failed."""
    async with acting() as actor:
        actor.cluster.fail_next("apply", CONFIG_MAPS, UnreachableError("no route"))
        execution = await actor.execute(actor.step(actor.live()))
        assert execution.stopped
        assert execution.halt is not None
        assert execution.results == {}


async def test_a_prune_names_the_version_of_the_decision() -> None:
    """An object that changes before the request is not deleted."""
    async with acting() as actor:
        actor.cluster.before("delete", KEY, actor.move_on)
        execution = await actor.execute(prune_of(actor.live()))
        assert actor.cluster.requests == [DELETE]
        assert KEY in actor.cluster.objects
        assert execution.results[KEY].reason is Reason.KEPT

        await actor.settle()
        execution = await actor.execute(prune_of(actor.live()))
        assert KEY not in actor.cluster.objects
        assert execution.gone == {KEY}
        assert actor.object_cache.get(CONFIG_MAPS, KEY) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda actor: actor.annotate(PROTECTED),
        lambda actor: actor.annotate({"nopea.io/prune": "false"}),
        Acting.give_away,
    ],
)
async def test_a_prune_is_not_executed_if_a_safeguard_applies_now(
    change: Callable[[Acting], object],
) -> None:
    """Break-glass, the prune annotation and another owner count until the request is sent."""
    async with acting() as actor:
        planned = actor.live()
        change(actor)
        await actor.settle()
        execution = await actor.execute(prune_of(planned))
        assert actor.cluster.requests == []
        assert execution.results[KEY].reason is Reason.KEPT
        assert execution.results[KEY].retry_at is not None
        assert KEY in actor.cluster.objects


async def test_an_object_with_a_finalizer_is_not_gone() -> None:
    """The object counts as pruned, stays recorded until it is gone, and is not healthy meanwhile."""
    async with acting() as actor:
        actor.cluster.change(KEY, {"metadata": {"finalizers": ["example.com/hold"]}})
        await actor.settle()
        actor.cluster.fail_next("watch", CONFIG_MAPS, UnreachableError("gone"), times=9)
        actor.cluster.end_watches()
        execution = await actor.execute(prune_of(actor.live()))
        assert execution.results[KEY].outcome is Outcome.PRUNED
        assert execution.gone == set()
        known = actor.object_cache.get(CONFIG_MAPS, KEY)  # no watch has said so
        assert known is not None
        assert known.terminating
        assert known.health.status is HealthStatus.TERMINATING


async def test_an_object_that_is_already_gone_is_pruned() -> None:
    """A 404 for the deletion means that the object is gone."""
    async with acting() as actor:
        actor.cluster.before("delete", KEY, lambda: actor.cluster.delete(KEY))
        execution = await actor.execute(prune_of(actor.live()))
        assert execution.gone == {KEY}
        assert GET not in actor.cluster.requests


async def test_a_refused_deletion_is_a_problem_of_the_object() -> None:
    """The object stays recorded, so that the next sync tries again."""
    async with acting() as actor:
        error = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="a policy says no"))
        actor.cluster.fail_next("delete", CONFIG_MAPS, error)
        execution = await actor.execute(prune_of(actor.live()))
        result = execution.results[KEY]
        assert result.outcome is Outcome.FAILED
        assert result.problem is not None
        assert result.problem.object == "ConfigMap shop/web"
        assert execution.gone == set()
        assert KEY in actor.cluster.objects
