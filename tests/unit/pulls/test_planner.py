"""The plan of a branch: as a sync of it would go, and nothing of it stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.fakes.installation import Installation, config_map, installed

from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.source import Ref, RefKind, Remote
from nopea.core.plan.model import Action
from nopea.core.problem import Code, TransientError
from nopea.core.webhooks.delivery import PullRequest
from nopea.pulls.planner import NotThereYetError, PlannedBranch, PullRequestPlanner

pytestmark = pytest.mark.looptime

FILES = {"a.yaml": config_map("a", colour="blue")}
CHANGED = {"a.yaml": config_map("a", colour="green"), "b.yaml": config_map("b")}


async def _plan(place: Installation, commit: str = "", *, any_commit: bool = False) -> PlannedBranch:
    await place.settle()
    repository = place.repository()
    spec = repository.spec
    assert isinstance(spec, GitRepositorySpec)
    pull_request = PullRequest(7, "more", "main", commit or place.git.commit.id)
    planner = PullRequestPlanner(place.services, place.services.fetcher)
    return await planner.plan(repository, spec, pull_request, Remote(spec.url), any_commit=any_commit)


def _actions(planned: PlannedBranch) -> dict[str, Action]:
    return {each.step.key.name: each.step.action for each in planned.inspection.objects}


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_branch_is_planned_and_nothing_remembered(restarted: bool) -> None:
    """Neither in the cluster nor in the process, which may not have synced the repository yet."""
    async with installed(FILES, timeout="10m") as place:
        await place.sync()
        if restarted:
            await place.restart()
        known = repr(place.services.store.states)
        commit = place.git.push(CHANGED)
        place.git.timeouts.clear()
        place.cluster.requests.clear()

        planned = await _plan(place)

        assert planned.merge is not None
        assert (planned.merge.head, _actions(planned)) == (
            commit.id, {"a": Action.APPLY, "b": Action.CREATE},
        )  # fmt: skip
        assert place.cluster.writes == []
        assert repr(place.services.store.states) == known
        assert place.git.refs[-2:] == [Ref(RefKind.BRANCH, "more"), Ref(RefKind.BRANCH, "main")]
        assert place.git.timeouts == {60.0}


async def test_what_a_plan_finds_is_for_syncs_to_find() -> None:
    """Here: that a hash was made with another key."""
    async with installed(FILES) as place:
        await place.sync()
        place.edit("a", {"colour": "red"})
        state = place.services.store.states[place.repository().key]
        state.applied = {key: replace(last, hash="") for key, last in state.applied.items()}

        planned = await _plan(place)

        assert _actions(planned) == {"a": Action.APPLY}
        assert {last.hash for last in state.applied.values()} == {""}


async def test_the_announced_commit_is_waited_for() -> None:
    """A server may not have it yet. In the end, the commit that is there is planned."""
    async with installed(FILES) as place:
        await place.sync()

        with pytest.raises(NotThereYetError):
            await _plan(place, "f" * 40)
        planned = await _plan(place, "f" * 40, any_commit=True)

        assert planned.merge is not None
        assert (planned.merge.head, planned.inspection.would_change) == (place.git.commit.id, False)


async def test_an_outage_is_no_plan() -> None:
    """It is tried again later."""
    async with installed(FILES) as place:
        await place.sync()
        place.git.down = True

        with pytest.raises(TransientError):
            await _plan(place)


async def test_what_cannot_be_planned_is_said() -> None:
    """In the comment, since its author can do something about it."""
    async with installed({"a.yaml": "kind: ["}) as place:
        planned = await _plan(place)

        assert [problem.code for problem in planned.inspection.problems] == [Code.YAML_SYNTAX]


async def test_what_is_rendered_with_a_secret_is_not_even_fetched() -> None:
    """Nor is the Secret read."""
    async with installed(FILES, substituteFrom=[{"kind": "Secret", "name": "vars"}]) as place:
        place.cluster.requests.clear()

        planned = await _plan(place)

        assert [problem.code for problem in planned.inspection.problems] == [Code.PULL_REQUEST_PLAN]
        assert (place.git.refs, place.cluster.requests) == ([], [])
