"""The sentences about drift: what a person reads in Events and in the condition Drifted."""

from __future__ import annotations

from datetime import UTC, datetime

from nopea.core.drift.find import Drift, FieldDrift
from nopea.core.drift.three_way import DriftKind
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import ObservedDrift, Reason
from nopea.core.status.drifts import drift_line, drifts_of
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result

AT = datetime(2026, 11, 25, 13, 11, 25, tzinfo=UTC)
WEB = ObjectKey("apps", "Deployment", "shop", "web")


def field(
    *keys: str,
    from_: object = "blue",
    to: object = "red",
    manager: str = "kubectl-edit",
    at: datetime | None = AT,
) -> FieldDrift:
    """Make a changed field."""
    return FieldDrift(
        path="".join(f".{key[2:]}" for key in keys),
        keys=keys,
        from_=from_,
        to=to,
        manager=manager,
        operation="Update" if manager else "",
        subresource="",
        changed_at=at,
    )


def result(*fields: FieldDrift, key: ObjectKey = WEB, reason: Reason = Reason.POLICY) -> ObjectResult:
    """Make the result of an object with that drift, which was left."""
    seen = ObservedDrift(drift=Drift(kind=DriftKind.MANUAL_DRIFT, fields=fields), since=AT)
    return ObjectResult(key=key, outcome=Outcome.SKIPPED, reason=reason, seen=seen)


def test_a_changed_field_is_told_with_both_values_and_who_and_when() -> None:
    """One sentence holds all that a person asks first."""
    assert drift_line(result(field("f:spec", "f:colour"))) == (
        "apps/Deployment shop/web: .spec.colour blue → red (changed by kubectl-edit at 2026-11-25T13:11:25Z)"
    )


def test_a_change_without_a_time_or_an_owner_says_no_more_than_is_known() -> None:
    """The scale subresource has no time; a removed field has no owner."""
    scaled = field("f:replicas", from_=6, to=1, manager="kubectl", at=None)
    removed = field("f:colour", to=None, manager="", at=None)

    assert drift_line(result(scaled)).endswith(".replicas 6 → 1 (changed by kubectl)")
    assert drift_line(result(removed)).endswith(".colour blue → (none)")


def test_a_deleted_object_is_told_as_one() -> None:
    """Nobody is named, for Kubernetes does not note who deleted it."""
    gone = field(from_={"kind": "Deployment"}, to=None, manager="", at=None)

    assert drift_line(result(gone)) == (
        "apps/Deployment shop/web was deleted (Kubernetes does not record by whom; the audit log does)"
    )


def test_many_fields_are_counted() -> None:
    """The first three are told, the others counted."""
    line = drift_line(result(*(field(f"f:{name}") for name in "abcde")))

    assert ".c blue → red and 2 more fields (changed by" in line
    assert ".d" not in line


def test_values_of_secrets_are_masked_in_sentence_and_status() -> None:
    """A Secret's value is not told to whoever may read Events or the GitRepository."""
    one = result(
        field("f:data", "f:token", from_="aHVzaA==", to="bG91ZA=="),
        key=ObjectKey("", "Secret", "shop", "git"),
    )
    report = ReconcileReport(
        id="1",
        generation=1,
        triggers=(),
        result=Result.SYNCED,
        commit=None,
        objects=(one,),
        problems=(),
        started_at=AT,
        seconds=0.0,
    )

    change = drifts_of(report)[0].fields[0]

    told = f"{drift_line(one)} {change.from_} {change.to}"
    assert "aHVzaA" not in told
    assert "bG91ZA" not in told
    assert ".data.token" in told
