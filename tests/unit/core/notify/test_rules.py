"""What people are told of a step, and what they are not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.fakes.samples import problem, report, result_of
from tests.fakes.transitions import History, edited, synced

from nopea.core.notify.notification import Notification, NotificationKind, Severity, plain
from nopea.core.notify.rate_limit import AlertState
from nopea.core.notify.rules import FAILURES_BEFORE_NOTIFYING, notifications_of
from nopea.core.plan.model import Reason
from nopea.core.problem import Code
from nopea.core.secret import Secret
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.transition import Transition


def failed(*codes: Code, message: str = "it is wrong") -> ReconcileReport:
    """Return the report of a pass that failed with these codes."""
    return report(Result.FAILED, problems=[problem(code, message) for code in codes])


def one(step: Transition) -> Notification:
    """Return the only notification of a step."""
    (found,) = notifications_of(step)
    return found


def text(notification: Notification) -> str:
    """Return all that a reader sees."""
    return "\n".join((notification.title, *(plain(line) for line in notification.lines)))


def kinds(step: Transition) -> list[NotificationKind]:
    """Return the kinds of a step's notices."""
    return [notification.kind for notification in notifications_of(step)]


# drift


def test_drift_that_is_left_under_notify_is_told_with_who_and_what() -> None:
    """The reader learns object, field, both values, manager, and how to put it right."""
    world = History(healPolicy="notify")
    world.did(synced())
    notification = one(world.did(synced(edited())))

    assert (notification.kind, notification.severity) == (NotificationKind.DRIFT, Severity.WARNING)
    assert notification.title == "shop/api: ConfigMap shop/web was changed by kubectl-edit"
    assert "`" not in text(notification)
    assert ".data.greeting: Welcome → Closed" in text(notification)
    assert "nopea heal api --namespace shop" in text(notification)
    assert notification.facts["drifts"][0] == {
        "object": "ConfigMap shop/web", "kind": "manual_drift", "manager": "kubectl-edit",
        "operation": "Update", "since": "2026-11-24T05:00:00Z", "deleted": False,
        "fields": [{"path": ".data.greeting", "from": "Welcome", "to": "Closed"}],
    }  # fmt: skip


@pytest.mark.parametrize("policy", ["auto", "manual"])
def test_other_policies_send_no_drift(policy: str) -> None:
    """Under `auto` it is put right, under `manual` the status tells whoever looks."""
    world = History(healPolicy=policy)
    assert kinds(world.did(synced(edited()))) == []


def test_drift_that_is_meant_is_not_told() -> None:
    """Who protects an object knows that it differs."""
    world = History(healPolicy="notify")
    assert kinds(world.did(synced(edited(reason=Reason.BREAK_GLASS)))) == []


def test_drift_is_told_once() -> None:
    """The next pass finds the same and tells nothing; another value, object or hand is news."""
    world = History(healPolicy="notify")
    assert kinds(world.did(synced(edited()))) == [NotificationKind.DRIFT]
    assert kinds(world.did(synced(edited()))) == []
    assert kinds(world.did(synced(edited(to="Open")))) == [NotificationKind.DRIFT]
    assert kinds(world.did(synced(edited(to="Open", manager="k9s")))) == [NotificationKind.DRIFT]
    more = one(world.did(synced(edited(to="Open", manager="k9s"), edited("api"))))
    assert [drift["object"] for drift in more.facts["drifts"]] == ["ConfigMap shop/api"]


def test_an_object_that_was_deleted_is_told_so() -> None:
    """Nobody is blamed where Kubernetes does not note who it was."""
    world = History(healPolicy="notify")
    notification = one(world.did(synced(edited(path=".", from_={"kind": "ConfigMap"}, to=None, manager=""))))
    assert notification.title == "shop/api: ConfigMap shop/web was deleted in the cluster"
    assert "Kubernetes does not record by whom" in text(notification)
    assert notification.facts["drifts"][0]["deleted"] is True


def test_much_drift_is_summed_up() -> None:
    """The text names the first objects, the facts the first twenty."""
    world = History(healPolicy="notify")
    notification = one(world.did(synced(*(edited(f"web-{number:02}") for number in range(30)))))
    assert notification.title == "shop/api: 20 objects were changed in the cluster"
    assert "and 15 more objects" in text(notification)
    assert notification.facts["driftedCount"] == 30


# failures


def test_a_failure_is_told_once_over_its_retries() -> None:
    """The first pass that failed tells it; the same problem again is no news, another one is."""
    world = History()
    first = one(world.did(failed(Code.YAML_SYNTAX)))
    assert (first.kind, first.severity, first.alert_state) == (
        NotificationKind.FAILURE,
        Severity.ERROR,
        AlertState.FIRING,
    )
    assert first.title == "shop/api: sync failed (YamlSyntax)"
    assert "NOPEA-M001: it is wrong" in text(first)
    assert "→ Correct it." in text(first)

    assert [kinds(world.did(failed(Code.YAML_SYNTAX))) for _ in range(5)] == [[]] * 5
    another = one(world.did(failed(Code.YAML_SYNTAX, Code.FORBIDDEN)))
    assert another.title == "shop/api: sync failed (Forbidden)"


def test_what_may_go_away_by_itself_is_told_when_it_does_not() -> None:
    """A server that is away for a moment wakes nobody; neither does its coming back."""
    world = History()
    world.did(synced())
    told = [kinds(world.did(failed(Code.GIT_UNREACHABLE))) for _ in range(FAILURES_BEFORE_NOTIFYING + 2)]
    assert told == [[]] * (FAILURES_BEFORE_NOTIFYING - 1) + [[NotificationKind.FAILURE], [], []]


def test_a_recovery_is_told_when_its_failure_was() -> None:
    """It says how long it took and what is applied now."""
    world = History()
    for _ in range(4):
        world.did(failed(Code.YAML_SYNTAX))
    notification = one(world.did(synced()))
    assert (notification.kind, notification.severity, notification.alert_state) == (
        NotificationKind.RECOVERY,
        Severity.INFO,
        AlertState.RESOLVED,
    )
    assert text(notification) == (
        "shop/api: sync works again\nApplied 1 object at c0ffee0. Recovered after 4 failed attempts."
    )
    assert kinds(world.did(synced())) == []


def test_a_short_trouble_ends_for_those_who_heard_of_it_only() -> None:
    """A recovery of what no notification told goes only where something else of it was told."""
    world = History()
    world.did(failed(Code.GIT_UNREACHABLE))
    assert one(world.did(synced())).alert_state is AlertState.RESOLVED_IF_FIRING


def test_a_worker_that_crashes_is_told_once_and_so_is_its_end() -> None:
    """No pass reports it, so its step has no report."""
    world = History()
    world.did(synced())
    assert one(world.crashed()).title == "shop/api: sync failed (WorkerCrashed)"
    assert kinds(world.crashed()) == []
    assert text(one(world.did(synced()))).endswith("Applied 1 object at c0ffee0.")


def test_a_failure_says_what_runs_meanwhile() -> None:
    """The reader wants to know whether the shop is open."""
    world = History()
    world.did(synced())
    assert "Still applied: c0ffee0." in text(one(world.did(failed(Code.FORBIDDEN))))


def test_a_success_and_a_suspension_are_silent() -> None:
    """What went as it should is nobody's news here."""
    world = History()
    assert kinds(world.did(synced(result_of("web", Outcome.CREATED)))) == []
    assert kinds(world.did(report(Result.SUSPENDED, commit=None))) == []


# health and fights


def test_health_is_told_when_it_turns_bad_and_when_it_is_good_again() -> None:
    """Also when it was in between first: the reader who heard of the one hears of the other."""
    world = History()
    world.did(synced())
    assert kinds(world.healthy("Unknown")) == []
    bad = one(world.healthy("False", "Deployment shop/web: web: ImagePullBackOff; and 2 more"))
    assert (bad.kind, bad.severity, bad.alert_state) == (
        NotificationKind.HEALTH,
        Severity.WARNING,
        AlertState.FIRING,
    )
    assert "ImagePullBackOff" in text(bad)
    assert kinds(world.healthy("False", "Deployment shop/web: web: CrashLoopBackOff")) == []
    assert one(world.healthy("True")).alert_state is AlertState.RESOLVED

    world.healthy("False")
    world.healthy("Unknown")
    assert one(world.healthy("True")).alert_state is AlertState.RESOLVED_IF_FIRING


def test_a_fight_is_told_under_auto() -> None:
    """What is healed again and again needs a person."""
    world = History(healPolicy="auto")
    rivals = "ConfigMap shop/web: changed by acme-operator after each of 3 heals in a row"
    notification = one(world.did(synced(rivals=rivals)))
    assert notification.kind is NotificationKind.CONTENTION
    assert "acme-operator" in text(notification)
    assert kinds(world.did(synced(rivals=rivals))) == []


def test_a_rollback_is_told_and_so_is_its_end() -> None:
    """Who waits for a commit to be applied learns why it is not, once."""
    world = History()
    world.did(synced())
    held = one(world.rolled_back_to("d" * 40))
    assert (held.kind, held.severity, held.alert_state) == (
        NotificationKind.ROLLBACK,
        Severity.WARNING,
        AlertState.FIRING,
    )
    assert held.title == "shop/api: rolled back to ddddddd"
    assert "instead of branch main" in text(held)
    assert kinds(world.rolled_back_to("d" * 40)) == []
    over = one(world.rolled_back_to(""))
    assert (over.title, over.alert_state) == ("shop/api: follows branch main again", AlertState.RESOLVED)


# masks and bounds


def test_texts_are_masked_and_on_one_line() -> None:
    """Neither a URL's user nor a known secret nor a control character gets out, whoever wrote the text."""
    world = History()
    message = "https://deploy:hunter2@git.acme.example said\x1b[31m tok-123456\n<!channel>"
    step = world.did(failed(Code.GIT_PROTOCOL, Code.FORBIDDEN, message=message))
    (notification,) = notifications_of(replace(step, hidden=(Secret("tok-123456"),)))
    told = text(notification) + str(notification.facts)
    assert "hunter2" not in told
    assert "tok-123456" not in told
    assert "\x1b" not in told
    assert "https://***@git.acme.example said[31m *** <!channel>" in text(notification)


def test_a_long_text_is_cut() -> None:
    """Whatever a server said, a message stays readable."""
    world = History()
    notification = one(world.did(failed(*[Code.FORBIDDEN] * 30, message="x" * 10_000)))
    assert len(text(notification)) < 8_000
    assert len(str(notification.facts)) < 60_000
