"""Newest wins: when a running pass stops between two objects, and how seldom it asks Git."""

from __future__ import annotations

import pytest
from tests.fakes.samples import problem

from nopea.core.problem import Code, TransientError
from nopea.core.trigger import Trigger
from nopea.reconcile.request import Supersede

OLD, NEW = "a" * 40, "b" * 40


class Question:
    """What waits in the mailbox, what Git answers, and how often it was asked."""

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
async def test_a_new_spec_and_the_end_stop_a_pass_without_asking(trigger: Trigger) -> None:
    """Also when something else came first."""
    question = Question(Trigger.WEBHOOK, trigger)

    assert await question.supersede.now()
    assert question.asked == 0


@pytest.mark.parametrize("trigger", [Trigger.WEBHOOK, Trigger.POLL, Trigger.MANUAL])
async def test_what_may_mean_a_commit_is_asked_about(trigger: Trigger) -> None:
    """The pass stops only if there is one."""
    assert await Question(trigger, newest=NEW).supersede.now()
    assert not await Question(trigger, newest=OLD).supersede.now()


@pytest.mark.parametrize(
    "trigger", [Trigger.OBJECT_CHANGE, Trigger.RECONCILE, Trigger.RETRY, Trigger.KIND_CHANGE, Trigger.STARTUP]
)
async def test_everything_else_waits_for_the_next_pass(trigger: Trigger) -> None:
    """A change in the cluster does not stop the repair of another."""
    question = Question(trigger, newest=NEW)

    assert not await question.supersede.now()
    assert question.asked == 0


async def test_git_is_asked_once_for_a_thousand_objects() -> None:
    """However often the pass looks up between them."""
    question = Question()
    for _ in range(1000):
        assert not await question.supersede.now()
    question.pending.add(Trigger.WEBHOOK)
    for _ in range(1000):
        assert not await question.supersede.now()

    assert question.asked == 1


async def test_once_superseded_always_superseded() -> None:
    """The mailbox may have been emptied meanwhile."""
    question = Question(Trigger.WEBHOOK, newest=NEW)
    assert await question.supersede.now()
    question.pending.clear()

    assert await question.supersede.now()
    assert question.asked == 1


async def test_a_git_server_that_fails_stops_nothing() -> None:
    """The pass goes on with what it has; the next one meets the failure and reports it."""
    question = Question(Trigger.WEBHOOK, newest=TransientError(problem(Code.GIT_TIMEOUT)))

    assert not await question.supersede.now()
    assert not await question.supersede.now()
    assert question.asked == 1


async def test_a_new_spec_stops_a_pass_after_git_was_asked() -> None:
    """The one question does not make it deaf."""
    question = Question(Trigger.WEBHOOK)
    assert not await question.supersede.now()

    question.pending.add(Trigger.SPEC_CHANGE)

    assert await question.supersede.now()
