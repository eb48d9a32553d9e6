"""One worker in virtual time: when it syncs, when it only polls Git, and when it does nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from tests.fakes.reconciler import FakeReconciler
from tests.fakes.samples import repository

from nopea.controller.mailbox import Mailbox
from nopea.controller.turns import Turns
from nopea.controller.worker import (
    DEFAULT_INTERVAL_SECONDS,
    Worker,
    interval_seconds,
    retry_interval_seconds,
)
from nopea.core.api.repository import Repository
from nopea.core.problem import Code, Problem
from nopea.core.status.report import Result
from nopea.core.trigger import Trigger
from nopea.tasks import end, spawn

pytestmark = pytest.mark.looptime
S, F, X = Result.SYNCED, Result.FAILED, Result.SUPERSEDED
REFUSED_LOGIN = Problem(code=Code.GIT_AUTHENTICATION, message="No.", hint="Log in.")


class Place:
    """A worker with its mailbox and the latest version of its repository, without jitter."""

    def __init__(self, reconciler: FakeReconciler, latest: Repository | None = None) -> None:
        self.mailbox = Mailbox()
        self.turns = Turns(at_once=1)
        self.reconciler = reconciler
        self.latest = latest or repository()
        self.worker = Worker(
            latest=lambda: self.latest,
            mailbox=self.mailbox,
            turns=self.turns,
            reconciler=reconciler,
            random=lambda: 0.5,
        )


@asynccontextmanager
async def working(reconciler: FakeReconciler, latest: Repository | None = None) -> AsyncIterator[Place]:
    """Run a worker while the context is open."""
    place = Place(reconciler, latest)
    running = spawn(place.worker.run(), name="worker")
    try:
        yield place
    finally:
        await end(running)


@pytest.mark.parametrize("result", [Result.SYNCED, Result.PLANNED])
async def test_it_starts_with_a_sync_then_polls_and_reconciles(result: Result) -> None:
    """A poll asks only Git; every second interval there is a full sync, which compares the objects."""
    reconciler = FakeReconciler(last=result)
    async with working(reconciler):
        await asyncio.sleep(1300)

    assert reconciler.started_at == [0, 601, 1202]
    assert reconciler.triggers[0] == {Trigger.STARTUP}
    assert all(Trigger.RECONCILE in triggers for triggers in reconciler.triggers[1:])
    assert reconciler.asked_at[:1] == [301]
    assert all(asked not in (0, 601, 1202) for asked in reconciler.asked_at)


async def test_a_poll_that_finds_a_commit_starts_a_sync() -> None:
    """The next poll comes one interval after the end of the sync."""
    reconciler = FakeReconciler(news=True)
    async with working(reconciler):
        await asyncio.sleep(700)

    assert reconciler.started_at == [0, 301, 602]
    assert reconciler.triggers[1:] == [{Trigger.POLL}, {Trigger.POLL}]


async def test_any_other_trigger_starts_a_sync_at_once() -> None:
    """A sync by request or because of a change in the cluster does not ask Git first."""
    reconciler = FakeReconciler()
    async with working(reconciler) as place:
        await asyncio.sleep(10)
        place.mailbox.put(Trigger.MANUAL)
        await asyncio.sleep(10)
        place.mailbox.put(Trigger.POLL)
        place.mailbox.put(Trigger.OBJECT_CHANGE)
        await asyncio.sleep(10)

    assert reconciler.asked_at == []
    assert reconciler.triggers[1:] == [{Trigger.MANUAL}, {Trigger.POLL, Trigger.OBJECT_CHANGE}]


async def test_a_push_that_git_confirms_starts_a_sync() -> None:
    """Git is asked first; the sync starts at once if there is a new commit."""
    reconciler = FakeReconciler(news=True)
    async with working(reconciler) as place:
        await asyncio.sleep(10)
        place.mailbox.put(Trigger.WEBHOOK)
        await asyncio.sleep(100)

    assert reconciler.started_at == [0, 10]
    assert reconciler.triggers[1:] == [{Trigger.WEBHOOK}]


async def test_a_push_without_a_new_commit_asks_git_three_times() -> None:
    """Not all servers of a provider may have the push yet, so Git is asked twice more; polls stay on time."""
    reconciler = FakeReconciler()
    async with working(reconciler) as place:
        await asyncio.sleep(10)
        place.mailbox.put(Trigger.WEBHOOK)
        await asyncio.sleep(300)

    assert reconciler.asked_at == [10, 12, 22, 301]
    assert reconciler.started_at == [0]


async def test_a_push_that_git_confirms_late_starts_a_sync_then() -> None:
    """The second question, two seconds later, finds the commit; no more questions follow."""
    reconciler = FakeReconciler()
    async with working(reconciler) as place:
        await asyncio.sleep(10)
        place.mailbox.put(Trigger.WEBHOOK)
        await asyncio.sleep(1)
        reconciler.news = True
        await asyncio.sleep(100)

    assert reconciler.started_at == [0, 12]
    assert reconciler.triggers[1:] == [{Trigger.WEBHOOK}]


async def test_each_push_starts_the_repeated_questions_again() -> None:
    """A push between the questions for an earlier push starts them again."""
    reconciler = FakeReconciler()
    async with working(reconciler) as place:
        await asyncio.sleep(10)
        place.mailbox.put(Trigger.WEBHOOK)
        await asyncio.sleep(5)
        place.mailbox.put(Trigger.OBJECT_CHANGE)
        await asyncio.sleep(2)
        place.mailbox.put(Trigger.WEBHOOK)
        await asyncio.sleep(100)

    assert reconciler.asked_at == [10, 12, 17, 19, 29]


async def test_triggers_during_a_sync_are_one_sync_after_it() -> None:
    """Syncs of a repository never run concurrently, and triggers coalesce."""
    reconciler = FakeReconciler(seconds=10, news=True)
    async with working(reconciler) as place:
        for _ in range(5):
            await asyncio.sleep(1)
            place.mailbox.put(Trigger.WEBHOOK)
        await asyncio.sleep(50)

    assert reconciler.started_at == [0, 10]
    assert reconciler.most_running == 1


async def test_a_running_sync_sees_pending_triggers() -> None:
    """A running sync can look at the mailbox, so that it can stop between two objects."""
    reconciler = FakeReconciler(seconds=10)
    async with working(reconciler) as place:
        await asyncio.sleep(1)
        pending = reconciler.requests[0].pending
        assert pending() == frozenset()
        place.mailbox.put(Trigger.SPEC_CHANGE)
        assert pending() == {Trigger.SPEC_CHANGE}


async def test_failures_are_retried_with_backoff_up_to_the_retry_interval() -> None:
    """A repository that is polled rarely can be retried often."""
    reconciler = FakeReconciler(last=F, seconds=0)
    async with working(reconciler, repository(interval="1h", retryInterval="3s")):
        await asyncio.sleep(10)

    assert reconciler.started_at == [0, 1, 3, 6, 9]
    assert [request.retry_seconds for request in reconciler.requests] == [1, 2, 3, 3, 3]


async def test_failures_are_retried_with_backoff_up_to_the_interval() -> None:
    """Pauses are 1, 2, 4, 8, then 10 seconds; there are no polls or scheduled syncs in between."""
    reconciler = FakeReconciler(last=F, seconds=0)
    async with working(reconciler, repository(interval="10s")):
        await asyncio.sleep(40)

    assert reconciler.started_at == [0, 1, 3, 7, 15, 25, 35]
    assert [request.retry_seconds for request in reconciler.requests] == [1, 2, 4, 8, 10, 10, 10]
    assert reconciler.triggers[1:] == [{Trigger.RETRY}] * 6
    assert reconciler.asked_at == []


@pytest.mark.parametrize(
    ("code", "retry_after_seconds", "started_at"),
    [
        (Code.GIT_RATE_LIMITED, 0, [0, 100, 200]),
        (Code.GIT_RATE_LIMITED, 40, [0, 100, 200]),
        (Code.GIT_RATE_LIMITED, 240, [0, 240]),
        (Code.GIT_UNREACHABLE, 110, [0, 110, 220]),
    ],
)
async def test_a_busy_git_server_is_not_asked_more_often_than_a_good_one(
    code: Code, retry_after_seconds: float, started_at: list[float]
) -> None:
    """Of 429 there is at most one request in an interval, and a wait that the server asks for is kept."""
    busy = Problem(code=code, message="Busy.", hint="Wait.", retry_after_seconds=retry_after_seconds)
    reconciler = FakeReconciler(last=F, seconds=0, problems=(busy,))
    async with working(reconciler, repository(interval="100s")):
        await asyncio.sleep(299)

    assert reconciler.started_at == started_at


@pytest.mark.parametrize(
    ("codes", "started_at"),
    [
        ([Code.GIT_AUTHENTICATION], [0, 60, 120]),
        ([Code.GIT_REF_NOT_FOUND], [0, 20, 40, 60, 80, 100, 120]),
        ([Code.GIT_REF_NOT_FOUND, Code.GIT_SECRET_MISSING], [0, 20, 40, 60, 80, 100, 120]),
        ([Code.GIT_AUTHENTICATION, Code.API_BUSY], [0, 1, 3, 7, 15, 31, 51, 71, 91, 111]),
    ],
)
async def test_what_no_retry_mends_is_retried_at_the_slow_end(
    codes: list[Code], started_at: list[float]
) -> None:
    """A login that is refused every few seconds may lock the account; what else is wrong is still retried."""
    said = tuple(Problem(code=code, message="No.", hint="Change it.") for code in codes)
    reconciler = FakeReconciler(last=F, seconds=0, problems=said)
    async with working(reconciler, repository(interval="20s")):
        await asyncio.sleep(129)

    assert reconciler.started_at == started_at
    assert reconciler.secrets_read_at == []


@pytest.mark.parametrize("trigger", [Trigger.WEBHOOK, Trigger.SPEC_CHANGE, Trigger.MANUAL])
async def test_whoever_mends_it_wakes_at_once(trigger: Trigger) -> None:
    """A push, the spec and a request do not wait for the slow end."""
    reconciler = FakeReconciler([F], seconds=0, news=True, problems=(REFUSED_LOGIN,))
    async with working(reconciler, repository(interval="1h")) as place:
        await asyncio.sleep(10)
        place.mailbox.put(trigger)
        await asyncio.sleep(10)

    assert reconciler.started_at == [0, 10]


async def test_a_corrected_secret_wakes_while_git_fails() -> None:
    """Nopea may not watch Secrets, so it reads those of the spec again, less and less often."""
    reconciler = FakeReconciler([F], seconds=0, problems=(REFUSED_LOGIN,))
    async with working(reconciler, repository(interval="1h", secretRef={"name": "git"})):
        await asyncio.sleep(100)
        reconciler.new_secrets = True
        await asyncio.sleep(1000)

    assert reconciler.secrets_read_at == [2, 6, 14, 30, 60, 90, 120]
    assert reconciler.started_at == [0, 120]
    assert reconciler.triggers[1] == {Trigger.SECRET_CHANGE}


@pytest.mark.parametrize("result", [S, F])
async def test_a_changed_input_starts_a_sync_whatever_git_and_the_watches_say(result: Result) -> None:
    """Neither has anything new."""
    reconciler = FakeReconciler([result, S], seconds=0, changed=False, problems=(REFUSED_LOGIN,))
    async with working(reconciler, repository(interval="1h")) as place:
        await asyncio.sleep(1)
        place.mailbox.put(Trigger.INPUT_CHANGE)
        await asyncio.sleep(5)

    assert reconciler.started_at == [0, 1]
    assert reconciler.triggers[1] == {Trigger.INPUT_CHANGE}


async def test_a_look_at_the_secrets_hides_no_other_trigger() -> None:
    """What comes at the same moment is handled, and the Secrets are looked at again later."""
    reconciler = FakeReconciler([F], seconds=0, changed=False, problems=(REFUSED_LOGIN,))
    async with working(reconciler, repository(interval="1h", secretRef={"name": "git"})) as place:
        await asyncio.sleep(1)
        place.mailbox.put(Trigger.OBJECT_CHANGE)
        place.mailbox.put(Trigger.SECRET_CHANGE)
        await asyncio.sleep(5)

    assert reconciler.secrets_read_at == [1, 5]
    assert reconciler.checked_at == [2]
    assert reconciler.started_at == [0]


async def test_success_resets_the_backoff() -> None:
    """The first failure after a success is retried after one second."""
    reconciler = FakeReconciler([F, F, S, F, S], seconds=0)
    async with working(reconciler) as place:
        await asyncio.sleep(5)
        place.mailbox.put(Trigger.MANUAL)
        await asyncio.sleep(5)

    assert reconciler.started_at == [0, 1, 3, 5, 6]


async def test_a_trigger_during_the_backoff_is_not_delayed() -> None:
    """A push is handled at once; its failure increases the backoff."""
    reconciler = FakeReconciler([F, F, F], seconds=0, news=True)
    async with working(reconciler) as place:
        await asyncio.sleep(4)
        place.mailbox.put(Trigger.WEBHOOK)
        await asyncio.sleep(20)

    assert reconciler.started_at == [0, 1, 3, 4]


async def test_a_superseded_sync_starts_again_at_once() -> None:
    """It does not count as a failure and there is no pause."""
    reconciler = FakeReconciler([X, X, F, S], seconds=1)
    async with working(reconciler):
        await asyncio.sleep(20)

    assert reconciler.started_at == [0, 1, 2, 4]


async def test_a_suspended_repository_sets_no_timers() -> None:
    """Only an external trigger starts another sync."""
    reconciler = FakeReconciler(last=Result.SUSPENDED)
    async with working(reconciler) as place:
        await asyncio.sleep(1_000_000)
        assert reconciler.started_at == [0]
        place.mailbox.put(Trigger.SPEC_CHANGE)
        await asyncio.sleep(1_000_000)

    assert len(reconciler.requests) == 2
    assert reconciler.asked_at == []


async def test_suspending_drops_the_timers() -> None:
    """The timers for polls and reconciliations are dropped."""
    reconciler = FakeReconciler([S], last=Result.SUSPENDED)
    async with working(reconciler) as place:
        await asyncio.sleep(10)
        place.mailbox.put(Trigger.SPEC_CHANGE)
        await asyncio.sleep(10_000)

    assert len(reconciler.requests) == 2
    assert reconciler.asked_at == []


async def test_each_sync_gets_the_latest_version() -> None:
    """The GitRepository and its interval are read when a sync starts."""
    reconciler = FakeReconciler()
    async with working(reconciler) as place:
        await asyncio.sleep(10)
        place.latest = repository(generation=2, interval="10s")
        place.mailbox.put(Trigger.SPEC_CHANGE)
        await asyncio.sleep(12)

    assert [request.repository.generation for request in reconciler.requests] == [1, 2]
    assert reconciler.asked_at == [21]


@pytest.mark.parametrize("seconds", [0.0, 10.0])
async def test_shutdown_ends_the_worker_after_the_sync(seconds: float, looptime: Any) -> None:
    """A running sync is not cancelled, and pending triggers are dropped; an idle worker ends at once."""
    reconciler = FakeReconciler(seconds=seconds)
    place = Place(reconciler)
    running = spawn(place.worker.run(), name="worker")
    await asyncio.sleep(5)
    place.mailbox.put(Trigger.WEBHOOK)
    place.mailbox.put(Trigger.SHUTDOWN)
    await running

    assert looptime == max(5, seconds)
    assert reconciler.started_at == [0]
    assert reconciler.cancelled == 0


async def test_shutdown_wins_over_a_superseded_sync() -> None:
    """A sync that stopped because of the shutdown is not started again."""
    reconciler = FakeReconciler([X], seconds=10)
    place = Place(reconciler)
    running = spawn(place.worker.run(), name="worker")
    await asyncio.sleep(5)
    place.mailbox.put(Trigger.SHUTDOWN)
    await running

    assert reconciler.started_at == [0]


async def test_cancellation_cancels_the_sync_and_leaves_no_timer() -> None:
    """The running sync is cancelled, and no timer fires afterwards."""
    reconciler = FakeReconciler(seconds=10)
    async with working(reconciler) as place:
        await asyncio.sleep(15)
        place.mailbox.put(Trigger.MANUAL)
        await asyncio.sleep(5)
    assert reconciler.cancelled == 1

    await asyncio.sleep(10_000)
    assert place.mailbox.pending() == frozenset()


async def test_after_a_crash_the_next_run_starts_with_a_sync() -> None:
    """The error is raised to the supervisor; the mailbox keeps triggers that arrived meanwhile."""
    reconciler = FakeReconciler([RuntimeError("a bug")], seconds=1)
    place = Place(reconciler)
    with pytest.raises(RuntimeError, match="a bug"):
        await place.worker.run()
    place.mailbox.put(Trigger.WEBHOOK)

    running = spawn(place.worker.run(), name="worker")
    await asyncio.sleep(5)
    await end(running)

    assert reconciler.triggers == [{Trigger.STARTUP}, {Trigger.STARTUP, Trigger.WEBHOOK}]


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [
        ({}, 300),
        ({"interval": "1m30s"}, 90),
        ({"interval": "0s"}, 1),
        ({"interval": "1ms"}, 1),
        ({"url": 5}, None),
    ],
)
def test_the_interval_has_a_minimum_and_a_default(spec: dict[str, Any], seconds: float | None) -> None:
    """The minimum applies to objects that older schemas accepted, the default to invalid specs."""
    assert interval_seconds(repository(**spec)) == (seconds or DEFAULT_INTERVAL_SECONDS)


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [
        ({}, None),
        ({"interval": "10m"}, None),
        ({"retryInterval": "1m30s"}, 90),
        ({"retryInterval": "0s"}, 1),
        ({"retryInterval": "2m", "url": 5}, None),
    ],
)
def test_the_retry_interval_is_optional_and_has_a_minimum(
    spec: dict[str, Any], seconds: float | None
) -> None:
    """Without it, or with an invalid spec, retries are limited by the interval."""
    assert retry_interval_seconds(repository(**spec)) == seconds


async def test_an_early_trigger_replaces_its_timer() -> None:
    """A reconcile trigger drops the timer of the same trigger, which would fire during the sync."""
    reconciler = FakeReconciler(seconds=20)
    async with working(reconciler) as place:
        await asyncio.sleep(615)
        place.mailbox.put(Trigger.RECONCILE)  # its timer would fire at 620
        await asyncio.sleep(100)

    assert reconciler.started_at == [0, 615]


async def test_triggers_that_come_while_it_waits_for_its_turn_are_one_sync() -> None:
    """The sync has the newest version of the GitRepository."""
    reconciler = FakeReconciler()
    async with working(reconciler) as place:
        async with place.turns.turn(place.latest.key, is_urgent=lambda: True):
            await asyncio.sleep(0)
            place.latest = replace(repository(), generation=2)
            place.mailbox.put(Trigger.SPEC_CHANGE)
            await asyncio.sleep(1)
            assert reconciler.requests == []
        await asyncio.sleep(0.5)

        (request,) = reconciler.requests
        assert request.triggers == {Trigger.STARTUP, Trigger.SPEC_CHANGE}
        assert request.repository == place.latest


async def test_a_webhook_that_comes_while_it_waits_is_looked_at_twice() -> None:
    """The forge may have announced the push before its server has it: the sync may be too early."""
    reconciler = FakeReconciler()
    async with working(reconciler) as place:
        async with place.turns.turn(place.latest.key, is_urgent=lambda: True):
            await asyncio.sleep(0)
            place.mailbox.put(Trigger.WEBHOOK)
            await asyncio.sleep(1)
        await asyncio.sleep(20)

        assert len(reconciler.requests) == 1
        assert [round(at) for at in reconciler.asked_at] == [4, 14]


async def test_a_shutdown_ends_it_while_it_waits_for_its_turn() -> None:
    """No sync starts."""
    reconciler = FakeReconciler()
    place = Place(reconciler)
    async with place.turns.turn(place.latest.key, is_urgent=lambda: True):
        running = spawn(place.worker.run(), name="worker")
        await asyncio.sleep(1)
        place.mailbox.put(Trigger.SHUTDOWN)
        place.turns.lift()
        async with asyncio.timeout(1):
            await running

    assert reconciler.requests == []


async def test_an_unhealthy_repository_is_checked_less_and_less() -> None:
    """Until an object changes."""
    reconciler = FakeReconciler(is_unhealthy=True)
    async with working(reconciler, repository(interval="8760h")) as place:
        await asyncio.sleep(2)
        place.mailbox.put(Trigger.OBJECT_CHANGE)
        await asyncio.sleep(400)
        checked = [round(at) for at in reconciler.checked_at]
        assert [after - before for before, after in pairwise(checked)] == [10, 20, 40, 80, 160]

        place.mailbox.put(Trigger.OBJECT_CHANGE)
        await asyncio.sleep(13)
        assert len(reconciler.checked_at) == len(checked) + 2
