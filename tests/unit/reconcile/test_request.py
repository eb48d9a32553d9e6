"""When a newer request stops a running sync between two objects, and how often the sync asks Git."""

from __future__ import annotations

import pytest
from tests.fakes.samples import problem

from nopea.core.problem import Code, TransientError
from nopea.core.trigger import Trigger
from nopea.reconcile.request import Supersede

OLD, NEW = "a" * 40, "b" * 40


class Question:
    """A mailbox with pending triggers and a Git server that counts how often it is asked."""

    def __init__(self, *pending: Trigger, newest: str | Exception = OLD) -> None:
        self.pending = set(pending)
        self.newest = newest
        self.asked = 0
        self.supersede = Supersede(lambda: frozenset(self.pending), self._answer, commit=OLD)

    async def _answer(self) -> str:
        self.asked += 1
        if isinstance(self.newest, Exception):
            raise self.newest
        return self.newest


@pytest.mark.parametrize("trigger", [Trigger.SPEC_CHANGE, Trigger.ROLLBACK, Trigger.RESUME, Trigger.SHUTDOWN])
async def test_a_new_spec_and_the_shutdown_stop_a_sync_without_asking_git(trigger: Trigger) -> None:
    """The trigger stops the sync even if a webhook is pending as well."""
    question = Question(Trigger.WEBHOOK, trigger)

    assert await question.supersede.now()
    assert question.asked == 0


@pytest.mark.parametrize("trigger", [Trigger.WEBHOOK, Trigger.POLL, Trigger.MANUAL])
async def test_git_is_asked_after_triggers_that_may_mean_a_new_commit(trigger: Trigger) -> None:
    """The sync stops only if Git has a new commit."""
    assert await Question(trigger, newest=NEW).supersede.now()
    assert not await Question(trigger, newest=OLD).supersede.now()


@pytest.mark.parametrize(
    "trigger", [Trigger.OBJECT_CHANGE, Trigger.RECONCILE, Trigger.RETRY, Trigger.KIND_CHANGE, Trigger.STARTUP]
)
async def test_all_other_triggers_wait_for_the_next_sync(trigger: Trigger) -> None:
    """A change in the cluster does not stop a running sync, and Git is not asked."""
    question = Question(trigger, newest=NEW)

    assert not await question.supersede.now()
    assert question.asked == 0


async def test_git_is_asked_once_for_a_thousand_objects() -> None:
    """A pending webhook causes one question to Git, not one for each object."""
    question = Question()
    for _ in range(1000):
        assert not await question.supersede.now()
    question.pending.add(Trigger.WEBHOOK)
    for _ in range(1000):
        assert not await question.supersede.now()

    assert question.asked == 1


async def test_a_superseded_sync_stays_superseded() -> None:
    """The sync stays superseded even if the mailbox has been emptied meanwhile."""
    question = Question(Trigger.WEBHOOK, newest=NEW)
    assert await question.supersede.now()
    question.pending.clear()

    assert await question.supersede.now()
    assert question.asked == 1


async def test_a_failing_git_server_does_not_stop_the_sync() -> None:
    """The sync continues with its commit, and Git is not asked again."""
    question = Question(Trigger.WEBHOOK, newest=TransientError(problem(Code.GIT_TIMEOUT)))

    assert not await question.supersede.now()
    assert not await question.supersede.now()
    assert question.asked == 1


async def test_a_new_spec_stops_a_sync_after_git_was_asked() -> None:
    """Git is asked once, but a new spec still stops the sync afterwards."""
    question = Question(Trigger.WEBHOOK)
    assert not await question.supersede.now()

    question.pending.add(Trigger.SPEC_CHANGE)

    assert await question.supersede.now()
