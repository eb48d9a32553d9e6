"""What one set of receivers gets, and when."""

from __future__ import annotations

from datetime import timedelta

from tests.fakes.samples import NOW, problem, report
from tests.fakes.transitions import History, synced

from nopea.core.api.notify import NotificationKind, Severity
from nopea.core.notify.lane import MessageLane, NotifyFilter
from nopea.core.notify.notification import Notification
from nopea.core.problem import Code
from nopea.core.status.report import Result

DOWN = report(Result.FAILED, problems=[problem(Code.GIT_UNREACHABLE)])


def kinds(lane: MessageLane, *, now: float) -> list[str]:
    """Return the kinds of what may be sent now."""
    released = lane.take(now=now, at=NOW + timedelta(seconds=now))
    return [one.item.kind for one in released if isinstance(one.item, Notification)]


def test_it_wakes_up_for_an_outage() -> None:
    """A failure that lasts is told of without another transition, and its end at once."""
    lane, world = MessageLane(NotifyFilter(), per_minute=30), History()
    lane.observe(world.did(DOWN), now=0, is_first=True)
    assert kinds(lane, now=0) == []
    assert lane.next_at(now=0) == 120
    assert kinds(lane, now=120) == ["failure"]
    lane.observe(world.did(synced()), now=130, is_first=False)
    assert kinds(lane, now=130) == ["recovery"]
    assert lane.next_at(now=130) is None


def test_the_end_of_what_was_not_wanted_is_not_wanted() -> None:
    """With the severity `error`, a failure and its recovery are sent, a change of health is not."""
    lane, world = MessageLane(NotifyFilter(severity=Severity.ERROR), per_minute=30), History()
    for step in (world.did(synced()), world.healthy("False"), world.healthy("True")):
        lane.observe(step, now=0, is_first=False)
    assert kinds(lane, now=0) == []
    lane.observe(world.did(DOWN), now=0, is_first=False)
    assert kinds(lane, now=120) == ["failure"]
    lane.observe(world.did(synced()), now=121, is_first=False)
    assert kinds(lane, now=121) == ["recovery"]


def test_deployments_are_sent_if_asked_for() -> None:
    """By default they are not."""
    step = History().did(synced(id="01A"))
    for wanted, found in (
        (NotifyFilter(), []),
        (NotifyFilter(kinds=frozenset({NotificationKind.DEPLOYMENT})), ["deployment"]),
    ):
        lane = MessageLane(wanted, per_minute=30)
        lane.observe(step, now=0, is_first=True)
        assert kinds(lane, now=0) == found
