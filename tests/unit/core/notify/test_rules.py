"""Which transitions cause a notification, and which do not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.fakes.samples import problem, report, result_of
from tests.fakes.transitions import History, edited, synced

from nopea.core.api.notify import DEFAULT_KINDS, NotificationKind, Severity
from nopea.core.notify.notification import Notification, plain
from nopea.core.notify.rate_limit import AlertState
from nopea.core.notify.rules import notifications_of
from nopea.core.plan.model import Reason
from nopea.core.problem import Code
from nopea.core.secret import Secret
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.transition import Transition


def failed(*codes: Code, message: str = "it is wrong") -> ReconcileReport:
    """Return the report of a sync that failed with these codes."""
    return report(Result.FAILED, problems=[problem(code, message) for code in codes])


def one(step: Transition) -> Notification:
    """Return the only notification of a transition."""
    (found,) = (each for each in notifications_of(step) if each.kind in DEFAULT_KINDS)
    return found


def text(notification: Notification) -> str:
    """Return the text of a notification."""
    return "\n".join((notification.title, *(plain(line) for line in notification.lines)))


def kinds(step: Transition) -> list[NotificationKind]:
    """Return the kinds of a transition's notifications."""
    return [each.kind for each in notifications_of(step) if each.kind in DEFAULT_KINDS]


# Drift


def test_drift_is_sent_under_notify() -> None:
    """The notification has object, field, manager and the command to heal it, and no values."""
    world = History(healPolicy="notify")
    world.did(synced())
    notification = one(world.did(synced(edited())))

    assert (notification.kind, notification.severity) == (NotificationKind.DRIFT, Severity.WARNING)
    assert notification.title == "shop/api: ConfigMap shop/web was changed by kubectl-edit"
    assert "`" not in text(notification)
    assert "• .data.greeting" in text(notification)
    assert "Welcome" not in text(notification)
    assert "nopea heal api --namespace shop" in text(notification)
    assert notification.facts["drifts"][0] == {
        "object": "ConfigMap shop/web", "kind": "manual_drift", "manager": "kubectl-edit",
        "operation": "Update", "since": "2026-11-24T05:00:00Z", "deleted": False,
        "fields": [{"path": ".data.greeting"}],
    }  # fmt: skip


@pytest.mark.parametrize("policy", ["auto", "manual"])
def test_other_policies_send_no_drift(policy: str) -> None:
    """Under `auto` drift is healed; under `manual` it is only in the status."""
    world = History(healPolicy=policy)
    assert kinds(world.did(synced(edited()))) == []


def test_drift_under_break_glass_is_not_sent() -> None:
    """Drift of an object under break-glass is intended."""
    world = History(healPolicy="notify")
    assert kinds(world.did(synced(edited(reason=Reason.BREAK_GLASS)))) == []


def test_drift_is_sent_once() -> None:
    """Unchanged drift is not sent again; another value, manager or object is."""
    world = History(healPolicy="notify")
    assert kinds(world.did(synced(edited()))) == [NotificationKind.DRIFT]
    assert kinds(world.did(synced(edited()))) == []
    assert kinds(world.did(synced(edited(to="Open")))) == [NotificationKind.DRIFT]
    assert kinds(world.did(synced(edited(to="Open", manager="k9s")))) == [NotificationKind.DRIFT]
    more = one(world.did(synced(edited(to="Open", manager="k9s"), edited("api"))))
    assert [drift["object"] for drift in more.facts["drifts"]] == ["ConfigMap shop/api"]


def test_a_deleted_object_is_reported_as_deleted() -> None:
    """No manager is named, as Kubernetes does not record who deleted an object."""
    world = History(healPolicy="notify")
    notification = one(world.did(synced(edited(path=".", from_={"kind": "ConfigMap"}, to=None, manager=""))))
    assert notification.title == "shop/api: ConfigMap shop/web was deleted in the cluster"
    assert "Kubernetes does not record by whom" in text(notification)
    assert notification.facts["drifts"][0]["deleted"] is True


def test_much_drift_is_summarized() -> None:
    """The text names the first objects and counts the others; the facts contain the total."""
    world = History(healPolicy="notify")
    notification = one(world.did(synced(*(edited(f"web-{number:02}") for number in range(30)))))
    assert notification.title == "shop/api: 20 objects were changed in the cluster"
    assert "and 15 more objects" in text(notification)
    assert notification.facts["driftedCount"] == 30


# Failures


def test_a_failure_is_sent_once() -> None:
    """Only the first failed sync sends a notification; a retry does so only with another problem."""
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


def test_a_transient_failure_is_left_to_the_outages() -> None:
    """Neither it nor what comes from a Git server is sent at once; `test_outages.py` has them."""
    world = History()
    world.did(synced())
    assert kinds(world.did(failed(Code.GIT_UNREACHABLE))) == []
    assert kinds(world.did(failed(Code.GIT_AUTHENTICATION))) == []


def test_a_prune_that_waits_is_of_a_kind_of_its_own() -> None:
    """It waits for a person and is no error."""
    found = one(History().did(failed(Code.PRUNE_GUARD)))
    assert (found.kind, found.severity) == (NotificationKind.PRUNE, Severity.WARNING)


def test_a_deployment_is_sent() -> None:
    """The message has the commit and what it changed; the same commit again is no deployment."""
    world = History()
    (found,) = notifications_of(world.did(synced(result_of("web", Outcome.CREATED), id="01A")))
    assert (found.kind, found.title) == (NotificationKind.DEPLOYMENT, "shop/api: deployed c0ffee0")
    assert text(found).endswith("Objects: 1 created.")
    assert found.facts == {"created": 1, "changed": 0, "pruned": 0, "previousCommit": None}
    assert notifications_of(world.did(synced(result_of("web", Outcome.CONFIGURED), id="01B"))) == ()


def test_healed_drift_is_sent_without_values() -> None:
    """The message has the object, the fields and who changed them."""
    world = History()
    world.did(synced())
    healed = replace(edited(), outcome=Outcome.CONFIGURED)
    (found,) = notifications_of(world.did(synced(healed)))
    assert found.title == "shop/api: ConfigMap shop/web was reverted to Git"
    assert text(found).endswith("ConfigMap shop/web .data.greeting, changed by kubectl-edit")
    assert "Welcome" not in str(found.facts)


def test_a_recovery_is_sent() -> None:
    """The notification contains the number of failed attempts and the applied commit."""
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


def test_the_recovery_of_an_unsent_failure_is_resolved_if_firing() -> None:
    """It is delivered only if another failure of the subject was sent."""
    world = History()
    world.did(failed(Code.GIT_UNREACHABLE))
    assert one(world.did(synced())).alert_state is AlertState.RESOLVED_IF_FIRING


def test_a_crashing_worker_is_sent_once_and_so_is_its_recovery() -> None:
    """A crash has no report of a sync."""
    world = History()
    world.did(synced())
    assert one(world.crashed()).title == "shop/api: sync failed (WorkerCrashed)"
    assert kinds(world.crashed()) == []
    assert text(one(world.did(synced()))).endswith("Applied 1 object at c0ffee0.")


def test_a_failure_names_the_applied_commit() -> None:
    """The notification contains the commit that is still applied."""
    world = History()
    world.did(synced())
    assert "Still applied: c0ffee0." in text(one(world.did(failed(Code.FORBIDDEN))))


def test_a_success_and_a_suspension_send_nothing() -> None:
    """Neither a successful sync nor a suspended repository causes a notification."""
    world = History()
    assert kinds(world.did(synced(result_of("web", Outcome.CREATED)))) == []
    assert kinds(world.did(report(Result.SUSPENDED, commit=None))) == []


# Health, contention and rollbacks


def test_health_is_sent_when_it_changes() -> None:
    """Unhealthy and healthy again cause a notification, even with an unknown health in between."""
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


def test_contention_is_sent_under_auto() -> None:
    """An object that is healed repeatedly needs a user; it is sent once."""
    world = History(healPolicy="auto")
    rivals = "ConfigMap shop/web: changed by acme-operator after each of 3 heals in a row"
    notification = one(world.did(synced(rivals=rivals)))
    assert notification.kind is NotificationKind.CONTENTION
    assert "acme-operator" in text(notification)
    assert kinds(world.did(synced(rivals=rivals))) == []


def test_a_rollback_and_its_end_are_sent() -> None:
    """Each is sent once; the notification names the branch that is not followed."""
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


# Masks and limits


def test_texts_are_masked_and_on_one_line() -> None:
    """Credentials in URLs, known secrets and control characters are removed from all texts."""
    world = History()
    message = "https://deploy:hunter2@git.acme.example said\x1b[31m tok-123456\n<!channel>"
    step = world.did(failed(Code.GIT_PROTOCOL, Code.FORBIDDEN, message=message))
    (notification,) = notifications_of(replace(step, hidden=(Secret("tok-123456"),)))
    sent = text(notification) + str(notification.facts)
    assert "hunter2" not in sent
    assert "tok-123456" not in sent
    assert "\x1b" not in sent
    assert "https://***@git.acme.example said [31m *** <!channel>" in text(notification)


def test_a_long_text_is_truncated() -> None:
    """Text and facts are bounded, whatever a server returned."""
    world = History()
    notification = one(world.did(failed(*[Code.FORBIDDEN] * 30, message="x" * 10_000)))
    assert len(text(notification)) < 8_000
    assert len(str(notification.facts)) < 60_000
