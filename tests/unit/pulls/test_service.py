"""Pull requests from the webhook to the comment: turns, deadlines, retries, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.fakes.installation import Installation, config_map, installed, key_of
from tests.unit.cli.output.inspections import planned
from tests.unit.pulls.forging import MemoryApi

from nopea import tasks
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.merge import Merge
from nopea.core.git.source import Remote
from nopea.core.objects import RepoKey
from nopea.core.plan.inspection import Inspection
from nopea.core.plan.model import Action
from nopea.core.problem import Code, Problem, TransientError
from nopea.core.pulls.queue import MOST_TRIES
from nopea.core.webhooks.delivery import PullRequest
from nopea.kube.errors import UnreachableError
from nopea.pulls.commenter import Commenter
from nopea.pulls.planner import NotThereYetError, PlannedBranch
from nopea.pulls.service import LANES, PLAN_SECONDS, TRIES_FOR_A_COMMIT, PullRequestPlans

pytestmark = pytest.mark.looptime

KEY = RepoKey("shop", "web")
OUTAGE = TransientError(Problem(code=Code.GIT_UNREACHABLE, message="It is away.", hint="Wait."))
MERGE = Merge(branch="more", base="main", head="9f" * 20, onto="1e" * 20, commit="2d" * 20)
PLAN = PlannedBranch(merge=MERGE, inspection=Inspection(objects=(planned(Action.PRUNE),), problems=()))
SPEC = {
    "url": "https://git.acme.example/shop/web.git", "planPullRequests": True, "secretRef": {"name": "git"},
    "webhook": {"secretRef": {"name": "hook"}, "provider": "gitea"},
}  # fmt: skip


@dataclass
class FakePlanner:
    """Returns a plan, unless `fails` says what happens at a call."""

    fails: Callable[[int], object] = lambda _: None
    hangs: bool = False
    asked: list[tuple[int, bool]] = field(default_factory=list)
    running: int = 0
    most: int = 0

    async def plan(
        self,
        repository: Repository,
        spec: GitRepositorySpec,
        pull_request: PullRequest,
        remote: Remote,
        *,
        any_commit: bool,
    ) -> PlannedBranch:
        """Plan a branch."""
        del repository, spec, remote
        self.asked.append((pull_request.number, any_commit))
        call = len(self.asked)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(10_000 if self.hangs else 1)
        finally:
            self.running -= 1
        if isinstance(error := self.fails(call), Exception):
            raise error
        return PLAN


@dataclass
class Service:
    """A running service with its surroundings."""

    place: Installation
    plans: PullRequestPlans
    planner: FakePlanner
    api: MemoryApi
    counted: list[str]

    def offer(self, number: int = 7, key: RepoKey = KEY) -> None:
        """Announce a pull request."""
        self.plans.offer(key, PullRequest(number, "more", "main", "9f" * 20))

    def comments(self, number: int = 7) -> list[str]:
        """Return the comments on a pull request."""
        return [each.body for each in self.api.discussions.of(number)]

    async def notes(self) -> list[str]:
        """Return what Events say, after they were written."""
        await asyncio.sleep(10)
        return [
            str(raw["note"]) for key, raw in self.place.cluster.objects.items()
            if key.kind == "Event" and raw["reason"] == "PullRequestPlanFailed"
        ]  # fmt: skip


@asynccontextmanager
async def _running(planner: FakePlanner | None = None, **spec: Any) -> AsyncIterator[Service]:
    async with installed({"a.yaml": config_map("a")}, **{**SPEC, **spec}) as place:
        secret = key_of("git", "Secret")
        place.cluster.objects[secret] = {
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "git", "namespace": "shop", "resourceVersion": "1", "uid": "u"},
            "data": {"token": "dG9r"},
        }  # fmt: skip
        place.repository()
        made, api = planner or FakePlanner(), MemoryApi()
        counted: list[str] = []
        plans = PullRequestPlans(place.services, made, Commenter(api), place.events, count=counted.append)
        running = [tasks.spawn(plans.run(), name="plans"), tasks.spawn(place.events.run(), name="events")]
        try:
            yield Service(place, plans, made, api, counted)
        finally:
            await tasks.end(*running)


async def test_a_pull_request_is_planned_and_commented() -> None:
    """Once, until the next commit."""
    async with _running() as service:
        service.offer()
        await asyncio.sleep(10)

        assert len(service.comments()) == 1
        assert service.comments()[0].startswith("<!-- nopea-plan shop/web -->\n### Nopea plan: 1 to delete\n")
        assert service.planner.asked == [(7, False)]
        assert service.counted == ["created"]


async def test_only_so_many_are_planned_at_a_time() -> None:
    """Syncs need the processes too; one that hangs is given up after its time."""
    async with _running(FakePlanner(hangs=True)) as service:
        for number in range(1, 6):
            service.offer(number)
        await asyncio.sleep(PLAN_SECONDS * 3 + 1)

        assert service.planner.most == LANES
        assert {number for number, _ in service.planner.asked} == {1, 2, 3, 4, 5}


async def test_an_outage_is_waited_for_and_a_long_one_given_up() -> None:
    """The tries are spread over some minutes."""
    async with _running(FakePlanner(fails=lambda call: OUTAGE if call < 3 else None)) as service:
        service.offer()
        await asyncio.sleep(60)
        assert (len(service.planner.asked), len(service.comments())) == (3, 1)
    async with _running(FakePlanner(fails=lambda _: OUTAGE)) as service:
        service.offer()
        await asyncio.sleep(3600)
        assert (len(service.planner.asked), service.comments()) == (MOST_TRIES, [])
        assert service.counted == ["delayed"] * (MOST_TRIES - 1) + ["dropped"]


async def test_a_commit_that_does_not_arrive_is_not_waited_for_for_long() -> None:
    """Then the commit that is there is planned."""
    late = FakePlanner(fails=lambda call: NotThereYetError("not yet") if call <= 2 else None)
    async with _running(late) as service:
        service.offer()
        await asyncio.sleep(60)

        assert late.asked == [(7, False)] * TRIES_FOR_A_COMMIT + [(7, True)]


async def test_a_bug_costs_one_plan() -> None:
    """The service continues."""
    async with _running(
        FakePlanner(fails=lambda call: RuntimeError("a bug") if call == 1 else None)
    ) as service:
        service.offer(1)
        service.offer(2)
        await asyncio.sleep(60)

        assert [len(service.comments(number)) for number in (1, 2)].count(1) == 1
        assert sorted(service.counted) == ["crashed", "created"]


async def test_a_refusal_is_told_once_with_what_to_grant() -> None:
    """And the token is not sent there for an hour, in which the right may be granted."""
    async with _running() as service:
        service.api.refuses["/comments"] = 403
        for number in (1, 2):
            service.offer(number)
            await asyncio.sleep(60)
        sent = len(service.api.sent)
        service.api.refuses.clear()
        await asyncio.sleep(3600)
        service.offer(3)

        (note,) = await service.notes()
        assert note.startswith("NOPEA-N002: No plan is commented: the server answered 403.")
        assert "`issue: write`" in note
        assert sent == 2
        assert len(service.comments(3)) == 1
        assert service.counted == ["refused", "refused", "created"]


async def test_a_pull_request_that_is_lost_stops_no_other() -> None:
    """The server answers 404 to it, as it may to a token without rights: that is told too."""
    async with _running() as service:
        service.api.refuses["/7/comments"] = 404
        service.offer(7)
        await asyncio.sleep(60)
        service.offer(8)

        assert "the server answered 404. Use a token" in (await service.notes())[0]
        assert len(service.comments(8)) == 1


async def test_an_api_server_that_fails_is_tried_again() -> None:
    """It is not a bug."""
    error = UnreachableError("no route to the API server")
    async with _running(FakePlanner(fails=lambda call: error if call == 1 else None)) as service:
        service.offer()
        await asyncio.sleep(60)

        assert (len(service.planner.asked), len(service.comments())) == (2, 1)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"webhook": None}, "The API of the Git server is unknown. Set spec.webhook.provider"),
        ({"secretRef": None}, "There is no token for the API of the Git server. Use a token"),
    ],
)
async def test_what_is_missing_is_told(spec: dict[str, Any], why: str) -> None:
    """Nothing is planned then."""
    given = {name: value for name, value in {**SPEC, **spec}.items() if value is not None}
    async with _running(**{name: given.get(name) for name in SPEC}) as service:
        service.offer()

        assert why in (await service.notes())[0]
        assert service.planner.asked == []


@pytest.mark.parametrize("spec", [{"planPullRequests": False}, {"suspend": True}])
async def test_what_has_changed_since_the_webhook_counts(spec: dict[str, Any]) -> None:
    """A repository that does not ask for plans any more, is suspended or is gone."""
    async with _running(**spec) as service:
        service.offer()
        service.offer(key=RepoKey("shop", "gone"))
        await asyncio.sleep(60)

        assert service.planner.asked == []
