"""The sentences about drift in Events and in the condition Drifted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from nopea.core.drift.find import Drift, FieldDrift
from nopea.core.drift.three_way import DriftKind
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import ObservedDrift, Reason
from nopea.core.status.concerns import drift_sentence
from nopea.core.status.drifts import drift_line, drift_of, drifts_of
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
    """Return a changed field."""
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
    """Return the result of an object with drift that was left as it is."""
    seen = ObservedDrift(drift=Drift(kind=DriftKind.MANUAL_DRIFT, fields=fields), since=AT)
    return ObjectResult(key=key, outcome=Outcome.SKIPPED, reason=reason, seen=seen)


def test_a_changed_field() -> None:
    """The sentence contains object, field, both values, manager and time."""
    assert drift_line(result(field("f:spec", "f:colour"))) == (
        "apps/Deployment shop/web: .spec.colour blue → red (changed by kubectl-edit at 2026-11-25T13:11:25Z)"
    )


def test_an_unknown_time_or_manager_is_omitted() -> None:
    """Changes through the scale subresource have no time; removed fields have no manager."""
    scaled = field("f:replicas", from_=6, to=1, manager="kubectl", at=None)
    removed = field("f:colour", to=None, manager="", at=None)

    assert drift_line(result(scaled)).endswith(".replicas 6 → 1 (changed by kubectl)")
    assert drift_line(result(removed)).endswith(".colour blue → (none)")


def test_a_deleted_object() -> None:
    """No manager is named, as Kubernetes does not record who deleted an object."""
    gone = field(from_={"kind": "Deployment"}, to=None, manager="", at=None)

    assert drift_line(result(gone)) == (
        "apps/Deployment shop/web: it was deleted (Kubernetes does not record by whom; the audit log does)"
    )


def test_a_recorded_user_is_named() -> None:
    """Beside the manager, or alone where Kubernetes records nobody; status and sentences agree."""
    changed = replace(field("f:colour"), user="ada", groups=("team",))
    removed = replace(field("f:colour", to=None, manager="", at=None), user="bob", changed_at=AT)
    gone = replace(field(from_={"kind": "Deployment"}, to=None, manager="", at=None), user="ada")

    assert drift_line(result(changed), reverted=True).endswith("(changed by kubectl-edit, user ada)")
    assert drift_line(result(removed)).endswith("→ (none) (changed by user bob at 2026-11-25T13:11:25Z)")
    assert drift_line(result(gone)) == "apps/Deployment shop/web: it was deleted by user ada"
    assert drift_line(result(gone), reverted=True).endswith("web, which was deleted by user ada")
    entry = drift_of(result(changed))
    assert (entry.manager, entry.user, entry.groups) == ("kubectl-edit", "ada", ("team",))
    assert drift_sentence(entry).startswith("Changed by kubectl-edit, user ada: .colour blue → red.")
    assert drift_sentence(drift_of(result(gone))) == (
        "Deleted by user ada. Not reverted: spec.healPolicy leaves it to you."
    )


def test_many_fields_are_counted() -> None:
    """The first three fields are named, the others counted."""
    line = drift_line(result(*(field(f"f:{name}") for name in "abcde")))

    assert ".c blue → red and 2 more fields (changed by" in line
    assert ".d" not in line


def test_values_of_secrets_are_masked_in_sentence_and_status() -> None:
    """Users who may read Events or GitRepositories may not be allowed to read Secrets."""
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

    shown = f"{drift_line(one)} {change.from_} {change.to}"
    assert "aHVzaA" not in shown
    assert "bG91ZA" not in shown
    assert ".data.token" in shown
