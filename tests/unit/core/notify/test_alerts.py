"""What an Alertmanager is sent: everything that is wrong, again and again, and each end once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from tests.fakes.samples import NOW, problem, report
from tests.fakes.transitions import History, edited, synced

from nopea.core.notify.alerts import AGAIN_SECONDS, MAX_ALERTS, PER_MESSAGE, AlertBoard, alerts_of
from nopea.core.objects import RepoKey
from nopea.core.problem import Code
from nopea.core.status.report import Result


def names(*steps: Any) -> list[str]:
    """Return the names of the alerts after the last transition."""
    return [dict(alert.labels)["alertname"] for alert in alerts_of(steps[-1], cluster="c")]


def sent(board: AlertBoard, *, after: float = 0.0) -> list[dict[str, Any]]:
    """Return the alerts of all messages that are due some seconds later."""
    at = NOW + timedelta(seconds=after)
    return [alert for body in board.messages(at=at) for alert in json.loads(body)]


def test_every_wrong_thing_is_an_alert() -> None:
    """Failures, unhealthy objects, contention, drift under `notify` and rollbacks have one each."""
    world = History(healPolicy="notify")
    assert names(world.did(synced())) == []
    assert names(world.did(report(Result.FAILED, problems=[problem(Code.FORBIDDEN)]))) == ["NopeaSyncFailed"]
    guard = report(Result.FAILED, problems=[problem(Code.PRUNE_GUARD)])
    assert names(world.did(guard)) == ["NopeaPruneHeldBack"]
    assert names(world.did(synced(edited()))) == ["NopeaDrift"]
    assert names(world.did(synced(rivals="ConfigMap shop/web: changed back"))) == ["NopeaContended"]
    world = History()
    world.did(synced())
    assert names(world.healthy("False")) == ["NopeaUnhealthy"]
    assert names(world.rolled_back_to("d" * 40)) == ["NopeaRolledBack"]


def test_an_outage_carries_the_host_and_waits() -> None:
    """Alertmanager can group by the host; the alert does not fire before the time is over."""
    board = AlertBoard()
    step = History().did(report(Result.FAILED, problems=[problem(Code.GIT_UNREACHABLE)]))
    board.observe(RepoKey("shop", "api"), alerts_of(step, cluster=""))
    assert sent(board) == []
    assert board.next_at(at=NOW) == NOW + timedelta(seconds=120)
    (alert,) = sent(board, after=120)
    assert alert["labels"]["git_host"] == "git.acme.example"
    assert alert["startsAt"] == "2026-11-24T05:00:00Z"


def test_alerts_are_sent_again_until_they_end() -> None:
    """Each message says how long the alert lives without another one; the end is sent once."""
    board, key = AlertBoard(), RepoKey("shop", "api")
    step = History().did(report(Result.FAILED, problems=[problem(Code.FORBIDDEN)]))
    assert board.observe(key, alerts_of(step, cluster=""))
    assert not board.observe(key, alerts_of(step, cluster=""))
    (first,) = sent(board)
    (second,) = sent(board, after=AGAIN_SECONDS)
    assert (first["endsAt"], second["endsAt"]) == ("2026-11-24T05:04:00Z", "2026-11-24T05:05:00Z")
    assert board.next_at(at=NOW) == NOW + timedelta(seconds=AGAIN_SECONDS)
    board.observe(key, ())
    (ended,) = sent(board, after=90)
    assert (ended["labels"], ended["endsAt"]) == (first["labels"], "2026-11-24T05:01:30Z")
    assert sent(board, after=100) == []
    assert board.next_at(at=NOW) is None


def test_a_namespace_with_many_leaves_room_for_others() -> None:
    """Beyond the bound, each namespace has its share; messages are of bounded size."""
    board = AlertBoard()
    failed = report(Result.FAILED, problems=[problem(Code.FORBIDDEN)])
    for number in range(MAX_ALERTS + 10):
        world = History(name=f"r{number}", namespace="noisy")
        board.observe(world.repository.key, alerts_of(world.did(failed), cluster=""))
    quiet = History(name="api", namespace="quiet")
    board.observe(quiet.repository.key, alerts_of(quiet.did(failed), cluster=""))
    bodies = [json.loads(body) for body in board.messages(at=NOW)]
    alerts = [alert for body in bodies for alert in body]
    assert len(alerts) == MAX_ALERTS
    assert max(map(len, bodies)) == PER_MESSAGE
    assert "quiet" in {alert["labels"]["namespace"] for alert in alerts}


def test_beyond_the_bound_nothing_ends_that_is_still_wrong() -> None:
    """A retry does not lose its place, and what is left out is not told as ended."""
    board = AlertBoard()
    failed = report(Result.FAILED, problems=[problem(Code.FORBIDDEN)])
    worlds = [History(name=f"r{number}") for number in range(MAX_ALERTS + 1)]
    for world in worlds:
        board.observe(world.repository.key, alerts_of(world.did(failed), cluster=""))
    first = sent(board)
    board.observe(worlds[0].repository.key, alerts_of(worlds[0].did(failed), cluster=""))
    again = sent(board, after=AGAIN_SECONDS)

    assert len(first) == MAX_ALERTS
    assert [each["labels"] for each in again] == [each["labels"] for each in first]
    assert {each["endsAt"] for each in again} == {"2026-11-24T05:05:00Z"}


def test_an_alert_of_drift_names_the_user() -> None:
    """As the other notifications do."""
    world = History(healPolicy="notify")
    step = world.did(synced(edited(user="ada")))
    (alert,) = alerts_of(step, cluster="")
    assert alert.summary.endswith(", user ada.")
