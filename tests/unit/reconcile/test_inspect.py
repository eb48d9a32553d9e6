"""The plan behind `nopea diff` and `nopea plan`, with the differences of each object; nothing is written."""

from __future__ import annotations

import copy

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.git import FakeGit
from tests.fakes.installation import Installation, config_map, installed
from tests.fakes.object_store import CONFIG_MAPS
from tests.unit.reconcile.inspecting import diff_of, inspect, inspect_within

from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.plan.model import Action, Reason
from nopea.core.problem import Code, StalledError
from nopea.kube.errors import ApiFailure, ForbiddenError

pytestmark = pytest.mark.looptime

FILES = {"a.yaml": config_map("a", colour="blue"), "b.yaml": config_map("b", colour="blue")}
FORBIDDEN = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="a policy says no"))


async def test_a_cluster_in_sync_has_no_differences() -> None:
    """Every object is left as it is, and nothing is written."""
    async with installed(FILES) as place:
        await place.sync()

        inspection = await inspect(place)

        assert not inspection.differs
        assert inspection.is_complete
        assert {diff.step.action for diff in inspection.objects} == {Action.LEAVE}
        assert place.cluster.writes == []


async def test_drift_is_shown_with_both_values_and_the_manager() -> None:
    """A drifted field has the value in Git, the live value and the manager that changed it."""
    async with installed(FILES) as place:
        await place.sync()
        place.edit("a", {"colour": "red"})

        inspection = await inspect(place)

        (field,) = diff_of(inspection, "a").fields
        assert (field.path, field.git, field.live, field.manager) == (
            ".data.colour",
            "blue",
            "red",
            "kubectl-edit",
        )
        assert inspection.differs
        assert place.cluster.writes == []


async def test_a_new_commit_is_shown_before_it_is_applied() -> None:
    """The plan contains a change, a new object and an object to prune."""
    async with installed(FILES, pruneLimit=1) as place:
        await place.sync()
        place.git.push({"a.yaml": config_map("a", colour="green"), "b.yaml": None, "c.yaml": config_map("c")})

        inspection = await inspect(place)

        assert {diff.step.key.name: diff.step.action for diff in inspection.objects} == {
            "a": Action.APPLY,
            "b": Action.PRUNE,
            "c": Action.CREATE,
        }
        (field,) = diff_of(inspection, "a").fields
        assert (field.last, field.git, field.live) == ("blue", "green", "blue")


async def test_an_object_that_may_not_be_read_is_refused_with_its_problem() -> None:
    """The others are compared; the inspection is not complete."""
    async with installed(FILES) as place:
        await place.sync()
        place.edit("a", {"colour": "red"})
        place.cluster.fail_next("list", CONFIG_MAPS, FORBIDDEN, times=2)
        place.cluster.fail_next("get", CONFIG_MAPS, FORBIDDEN)

        inspection = await inspect(place)

        step = diff_of(inspection, "a").step
        assert (step.action, step.reason) == (Action.REFUSE, Reason.UNREADABLE)
        assert [problem.object for problem in inspection.problems] == ["ConfigMap shop/a"]
        assert not inspection.is_complete


async def test_who_may_not_read_needs_no_right_to_write() -> None:
    """The hint of a sync gives all rights to manage the object; a user of `diff` only looks."""
    message = (
        'x is forbidden: User "ann" cannot get resource "configmaps" in API group "" in the namespace "shop"'
    )
    error = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message=message))
    async with installed(FILES) as place:
        await place.sync()
        place.edit("a", {"colour": "red"})
        place.cluster.fail_next("list", CONFIG_MAPS, error, times=2)
        place.cluster.fail_next("get", CONFIG_MAPS, error)

        (problem,) = (inspection := await inspect(place)).problems

        assert 'Grant ann in a Role in shop: apiGroups: [""], resources: ["configmaps"], verbs: ["get"].' in (
            problem.hint
        )
        assert "serviceAccountName" not in problem.hint
        assert diff_of(inspection, "a").step.problem == problem
        assert not inspection.is_complete


async def test_break_glass_shows_the_differences_that_it_keeps() -> None:
    """A protected object that matches Git has no differences."""
    async with installed(FILES) as place:
        await place.sync()
        for name in ("a", "b"):
            place.annotate(name, {"nopea.io/suspend-heal": "true"})
        place.git.push({"a.yaml": config_map("a", colour="green")})

        inspection = await inspect(place)

        assert {diff.step.reason for diff in inspection.objects} == {Reason.BREAK_GLASS}
        (field,) = diff_of(inspection, "a").fields
        assert (field.git, field.live) == ("green", "blue")
        assert diff_of(inspection, "b").fields == ()


async def test_the_controller_inspects_with_the_rights_that_its_settings_give() -> None:
    """By default as an account; without one, nothing is looked at."""
    default = TenancyPolicy(default_service_account="deployer")
    for policy, error in ((default, None), (TenancyPolicy(), Code.ACCOUNT_MISSING)):
        place = Installation(FakeCluster(), FakeGit(FILES), policy)
        place.declare()
        place.cluster.requests.clear()
        try:
            if error is None:
                inspection = await inspect_within(place)
                assert {diff.step.action for diff in inspection.objects} == {Action.REFUSE}
            else:
                with pytest.raises(StalledError) as caught:
                    await inspect_within(place)
                assert [problem.code for problem in caught.value.problems] == [error]
                assert [each for each in place.cluster.requests if "configmaps" in each] == []
        finally:
            await place.end()


async def test_the_controller_inspects_as_the_account_of_the_repository() -> None:
    """With nobody else's rights, and without a change of what the process knows or of an object."""
    async with installed(FILES, serviceAccountName="deployer") as place:
        place.cluster.allowed.add("system:serviceaccount:shop:deployer")
        await place.sync()
        place.git.push({"a.yaml": config_map("a", colour="green")})
        state = place.services.store.states[place.repository().key]
        before = copy.deepcopy(state.applied)
        place.cluster.requests.clear()

        allowed = await inspect_within(place)
        read = [request for request in place.cluster.requests if request.startswith("get ")]
        place.cluster.allowed.clear()
        forbidden = await inspect_within(place)

        assert diff_of(allowed, "a").step.action is Action.APPLY
        assert read == ["get configmaps/v1 shop/a"]  # what is as it was applied is in the list
        assert {diff.step.action for diff in forbidden.objects} == {Action.REFUSE}
        assert place.cluster.writes == []
        assert state.applied == before
