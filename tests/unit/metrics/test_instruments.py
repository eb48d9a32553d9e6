"""The counters of syncs, Git operations and requests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import generate_latest
from tests.fakes.samples import NOW, report, repository, result_of
from tests.unit.metrics.samples import Scraped

from nopea.core.api.status import GitRepositoryStatus
from nopea.core.drift.find import Drift, FieldDrift
from nopea.core.drift.three_way import DriftKind
from nopea.core.plan.model import ObservedDrift, Reason
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result
from nopea.core.status.transition import Transition
from nopea.core.trigger import Trigger
from nopea.metrics.instruments import BY_WEIGHT, Instruments, trigger_label


def step(done: ReconcileReport | None, name: str = "api") -> Transition:
    """Return the transition of a sync."""
    status = GitRepositoryStatus()
    return Transition(repository=repository(name), before=status, after=status, report=done, at=NOW)


def scraped(instruments: Instruments) -> Scraped:
    """Return the series of the instruments."""
    return Scraped(generate_latest(instruments.registry))


def drifted(outcome: Outcome, *, manager: str = "kubectl-edit", **changes: Any) -> ObjectResult:
    """Return the result of an object that a manager changed."""
    field = FieldDrift(
        path=".data.a", keys=(), from_="1", to="2", manager=manager, operation="Update", subresource="",
        changed_at=datetime(2026, 11, 24, tzinfo=UTC),
    )  # fmt: skip
    seen = ObservedDrift(drift=Drift(kind=DriftKind.MANUAL_DRIFT, fields=(field,)), since=NOW)
    return replace(result_of("a", outcome), seen=seen, **changes)


def test_a_sync_is_counted_once_with_its_duration() -> None:
    """It is counted by result and by its most important trigger."""
    instruments = Instruments()
    instruments.on_transition(step(report(triggers=("object change", "poll", "webhook"))))
    instruments.on_transition(step(report(Result.FAILED, triggers=("retry",))))
    instruments.on_transition(step(None))

    found = scraped(instruments)
    assert found.all("nopea_syncs_total") == {
        frozenset({("result", "synced"), ("trigger", "webhook")}): 1.0,
        frozenset({("result", "failed"), ("trigger", "retry")}): 1.0,
    }
    assert found.value("nopea_sync_duration_seconds_sum", result="synced") == 1.5
    assert found.value("nopea_sync_duration_seconds_count", result="failed") == 1.0


def test_plans_of_pull_requests_are_counted_by_result() -> None:
    """Those whose comment was written, and those that have none."""
    instruments = Instruments()
    for result in ("created", "refused", "created"):
        instruments.pull_request_plan(result)

    found = scraped(instruments).all("nopea_pull_request_plans_total")
    assert {dict(labels)["result"]: value for labels, value in found.items()} == {"created": 2, "refused": 1}


def test_every_trigger_has_its_label() -> None:
    """No trigger is counted as unknown, and each has its own label."""
    labels = {trigger_label((trigger,)) for trigger in Trigger}

    assert set(BY_WEIGHT) == set(Trigger)
    assert len(labels) == len(Trigger)
    assert all(label.replace("_", "").isalpha() for label in labels)
    assert trigger_label(()) == "unknown"


def test_objects_are_counted_by_result() -> None:
    """Results that did not occur are counted with 0."""
    instruments = Instruments()
    outcomes = (Outcome.CREATED, Outcome.UNCHANGED, Outcome.UNCHANGED, Outcome.PRUNED)
    instruments.on_transition(step(report(objects=[result_of("a", outcome) for outcome in outcomes])))

    found = scraped(instruments).all("nopea_sync_objects_total")
    counted = {dict(labels)["result"]: value for labels, value in found.items()}
    assert counted == {
        "created": 1, "configured": 0, "unchanged": 2, "skipped": 0, "pruned": 1, "failed": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "action", "tool"),
    [
        (drifted(Outcome.CONFIGURED), "healed", "kubectl"),
        (drifted(Outcome.SKIPPED, reason=Reason.POLICY), "left_policy", "kubectl"),
        (drifted(Outcome.SKIPPED, reason=Reason.GRACE, manager="Mozilla"), "left_grace", "browser"),
        (drifted(Outcome.SKIPPED, reason=Reason.BREAK_GLASS, manager=""), "left_break_glass", "unknown"),
        (drifted(Outcome.SKIPPED, reason=Reason.KEPT, manager="acme-operator"), "left_other", "other"),
        (drifted(Outcome.FAILED), "failed", "kubectl"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_drift_is_counted_by_action(one: ObjectResult, action: str, tool: str) -> None:
    """The labels are kind, action and the tool of the manager."""
    instruments = Instruments()
    instruments.on_transition(step(report(objects=[one, result_of("b", Outcome.CONFIGURED)])))

    assert scraped(instruments).all("nopea_drifts_total") == {
        frozenset({("kind", "manual_drift"), ("action", action), ("tool", tool)}): 1.0
    }


def test_the_last_sync_is_remembered_until_the_repository_is_deleted() -> None:
    """A failed sync does not count."""
    instruments = Instruments()
    instruments.on_transition(step(report(), name="a"))
    instruments.on_transition(step(report(Result.FAILED), name="b"))
    assert instruments.synced_at == {repository("a").key: NOW.timestamp()}

    instruments.on_transition(step(report(Result.DELETED), name="a"))
    assert instruments.synced_at == {}


def test_requests_and_operations_are_counted_with_their_durations() -> None:
    """Each is counted by operation and result."""
    instruments = Instruments()
    instruments.api_request("apply", "200", 0.02)
    instruments.api_request("apply", "409", 0.02)
    instruments.git_operation("sync", "timeout", 30.0)
    instruments.rendering("kustomize", "ok", 0.02)
    instruments.download("registry", "failed", 0.5)
    instruments.webhook("github", "woken", 0.002)

    found = scraped(instruments)
    assert found.value("nopea_api_requests_total", verb="apply", code="409") == 1.0
    assert found.value("nopea_api_request_duration_seconds_count", verb="apply") == 2.0
    assert found.value("nopea_git_operations_total", operation="sync", result="timeout") == 1.0
    assert found.value("nopea_renderings_total", tool="kustomize", result="ok") == 1.0
    assert found.value("nopea_rendering_duration_seconds_count", tool="kustomize") == 1.0
    assert found.value("nopea_downloads_total", source="registry", result="failed") == 1.0
    assert found.value("nopea_download_duration_seconds_count", source="registry") == 1.0
    assert found.value("nopea_webhook_deliveries_total", provider="github", result="woken") == 1.0
    assert found.value("nopea_webhook_answer_duration_seconds_count", result="woken") == 1.0
    assert found.value("nopea_git_operation_duration_seconds_bucket", operation="sync", le="30.0") == 1.0


def test_instruments_share_nothing() -> None:
    """Each instance has its own registry."""
    first, second = Instruments(), Instruments()
    first.api_request("get", "200", 0.01)

    assert scraped(second).value("nopea_api_requests_total", verb="get", code="200") is None
