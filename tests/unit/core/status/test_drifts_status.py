"""Drift in the status and in sentences: masked and bounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.fakes.samples import NOW, report
from tests.unit.core.plan.planning import WEB

from nopea.core.api.entries import MAX_DRIFT_FIELDS, DriftEntry, FieldChange, ObjectReference
from nopea.core.api.status import MAX_DRIFTS
from nopea.core.drift.find import Drift, FieldDrift
from nopea.core.drift.three_way import DriftKind
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import ObservedDrift, Reason
from nopea.core.status.drifts import drift_line, drift_of, drifts_of
from nopea.core.status.report import ObjectResult, Outcome

SECRET = ObjectKey("", "Secret", "shop", "key")
HOUR = timedelta(hours=1)


def field(path: str = "spec.replicas", from_: Any = 2, to: Any = 5, **owner: Any) -> FieldDrift:
    """Return a field that a user changed an hour ago."""
    facts = {"manager": "kubectl-edit", "operation": "Update", "changed_at": NOW - HOUR, **owner}
    keys = tuple(f"f:{name}" for name in path.split(".")) if path else ()
    return FieldDrift(path=path, keys=keys, from_=from_, to=to, subresource="", **facts)


def gone() -> FieldDrift:
    """Return the drift of an object that was deleted."""
    return field("", {"kind": "Deployment"}, None, manager="", operation="", changed_at=None)


def result(
    *fields: FieldDrift,
    key: ObjectKey = WEB,
    outcome: Outcome = Outcome.SKIPPED,
    reason: Reason = Reason.POLICY,
    kind: DriftKind = DriftKind.MANUAL_DRIFT,
) -> ObjectResult:
    """Return the result of an object with drift in these fields."""
    look = ObservedDrift(drift=Drift(kind=kind, fields=fields), since=NOW - HOUR)
    return ObjectResult(key=key, outcome=outcome, reason=reason, seen=look)


def test_an_entry_of_the_status() -> None:
    """An entry has object, fields with both values, manager, operation, start and action."""
    assert drifts_of(report(objects=[result(field())])) == (
        DriftEntry(
            object=ObjectReference(group="apps", kind="Deployment", namespace="shop", name="web"),
            kind="manual_drift",
            fields=(FieldChange(path="spec.replicas", from_="2", to="5"),),
            manager="kubectl-edit",
            operation="Update",
            since="2026-11-24T04:00:00Z",
            action="left: policy",
        ),
    )


def test_absent_values_and_unknown_managers_are_omitted() -> None:
    """An added field has no value in Git, a removed one no live value and no manager."""
    added, lost = field("data.a", None, "x"), field("data.b", "y", None, manager="", operation="")
    (line,) = drifts_of(report(objects=[result(lost, added)]))
    assert line.fields == (
        FieldChange(path="data.b", from_="y", to=None),
        FieldChange(path="data.a", from_=None, to="x"),
    )
    assert (line.manager, line.operation) == ("kubectl-edit", "Update")
    (line,) = drifts_of(report(objects=[result(lost)]))
    assert (line.manager, line.operation) == (None, None)
    (line,) = drifts_of(report(objects=[result(field(operation=""))]))
    assert (line.manager, line.operation) == ("kubectl-edit", None)


@pytest.mark.parametrize(
    ("outcome", "reason", "action"),
    [
        (Outcome.SKIPPED, Reason.POLICY, "left: policy"),
        (Outcome.SKIPPED, Reason.GRACE, "left: inside the grace period"),
        (Outcome.SKIPPED, Reason.BREAK_GLASS, "left: break-glass"),
        (Outcome.FAILED, Reason.MANUAL_DRIFT, "revert failed"),
        (Outcome.FAILED, Reason.OWNED_BY_OTHER, "revert failed"),
        (Outcome.CONFIGURED, Reason.MANUAL_DRIFT, None),
        (Outcome.CREATED, Reason.MANUAL_DRIFT, None),
        (Outcome.UNCHANGED, Reason.IGNORED, None),
    ],
)
def test_reverted_drift_is_not_in_the_status(outcome: Outcome, reason: Reason, action: str | None) -> None:
    """The status contains only remaining drift, with the action."""
    lines = drifts_of(report(objects=[result(field(), outcome=outcome, reason=reason)]))
    assert [line.action for line in lines] == ([] if action is None else [action])


def test_no_action_is_truncated() -> None:
    """The action for every reason fits into the field."""
    for reason in Reason:
        (line,) = drifts_of(report(objects=[result(field(), reason=reason)]))
        assert line.action is not None
        assert len(line.action) <= 32
        assert reason in (Reason.OWNED_BY_OTHER, Reason.NOT_RECORDED) or line.action == f"left: {reason}"


def test_a_conflict_has_its_own_kind() -> None:
    """If Git and the cluster both changed, the kind is conflict."""
    (line,) = drifts_of(report(objects=[result(field(), kind=DriftKind.CONFLICT)]))
    assert line.kind == "conflict"


def test_a_secrets_values_are_shown_nowhere() -> None:
    """Status and sentences contain only the size of a value."""
    one = result(field("data.password", "aHVudGVyMg==", "aHVudGVyMQ==", manager="kubectl-patch"), key=SECRET)
    whole = result(field("", {"apiVersion": "v1", "kind": "Secret", "data": {"p": "aHVudGVyMg=="}}, None))
    (line, of_whole) = drifts_of(report(objects=[one, whole]))
    assert line.fields[0] == FieldChange(path="data.password", from_="***", to="***")
    assert "data.password *** → ***" in drift_line(one)
    for text in (str(line), str(of_whole), drift_line(one), drift_line(whole)):
        assert "aHVudGVy" not in text
        assert "hunter" not in text


def test_the_status_has_bounds() -> None:
    """The number of objects and fields is limited, and long texts are truncated."""
    many = [field(f"data.k{number}") for number in range(MAX_DRIFT_FIELDS + 1)]
    lines = drifts_of(report(objects=[result(*many)] * (MAX_DRIFTS + 1)))
    assert len(lines) == MAX_DRIFTS
    assert [change.path for change in lines[0].fields] == [one.path for one in many[:MAX_DRIFT_FIELDS]]
    key = ObjectKey("", "ConfigMap", "shop", "n" * 600)
    huge = field("data." + "k" * 600, "a" * 1000, "\x1b" * 1000, manager="m" * 200)
    (line,) = drifts_of(report(objects=[result(huge, key=key)]))
    (change,) = line.fields
    assert [len(text or "") for text in (line.object.name, line.manager, change.path)] == [253, 128, 448]
    assert [len(text or "") for text in (change.from_, change.to)] == [256, 256]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([field()], "spec.replicas 2 → 5 (changed by kubectl-edit at 2026-11-24T04:00:00Z)"),
        ([field(changed_at=None)], "spec.replicas 2 → 5 (changed by kubectl-edit)"),
        ([field(to=None, manager="")], "spec.replicas 2 → (none)"),
        ([field("data.a", None, "x", manager="")], "data.a (none) → x"),
        (
            [field("data.a", manager=""), field("data.b", changed_at=None)],
            "data.a 2 → 5, data.b 2 → 5 (changed by kubectl-edit)",
        ),
        (
            [field(f"data.{name}", manager="") for name in "abc"],
            "data.a 2 → 5, data.b 2 → 5, data.c 2 → 5",
        ),
        (
            [field(f"data.{name}", manager="") for name in "abcd"],
            "data.a 2 → 5, data.b 2 → 5, data.c 2 → 5 and 1 more field",
        ),
        (
            [field(f"data.{name}", manager="") for name in "abcde"],
            "data.a 2 → 5, data.b 2 → 5, data.c 2 → 5 and 2 more fields",
        ),
    ],
)
def test_a_sentence(fields: list[FieldDrift], said: str) -> None:
    """It contains the object, up to three fields, the count of the others, and manager and time if known."""
    assert drift_line(result(*fields)) == f"apps/Deployment shop/web: {said}"


def test_long_values_are_truncated_in_a_sentence() -> None:
    """A value has at most 60 characters."""
    said = drift_line(result(field("data.a", "a" * 61, "b" * 60, changed_at=None)))
    assert f"data.a {'a' * 59}… → {'b' * 60} (changed by" in said


def test_undated_drift_keeps_its_first_time() -> None:
    """After a restart the process sees a deletion at a later time, but keeps the time in the status."""
    (known,) = drifts_of(report(objects=[result(gone())]))
    later = replace(
        result(gone()),
        seen=ObservedDrift(drift=Drift(kind=DriftKind.MANUAL_DRIFT, fields=(gone(),)), since=NOW),
    )

    assert drifts_of(report(objects=[later]), known=[known]) == (known,)
    assert drifts_of(report(objects=[later]))[0].since == "2026-11-24T05:00:00Z"


def test_another_change_has_another_time() -> None:
    """Only the same drift by the same manager keeps the time in the status."""
    (known,) = drifts_of(report(objects=[result(field())]))
    for other in (field("data.colour"), field(manager="helm")):
        look = ObservedDrift(drift=Drift(kind=DriftKind.MANUAL_DRIFT, fields=(other,)), since=NOW)

        (now,) = drifts_of(report(objects=[replace(result(field()), seen=look)]), known=[known])
        assert now.since == "2026-11-24T05:00:00Z"


def test_a_time_that_is_not_known_is_absent() -> None:
    """When it was found would be taken for when it began."""
    look = ObservedDrift(
        drift=Drift(kind=DriftKind.MANUAL_DRIFT, fields=(gone(),)), since=NOW, is_dated=False
    )

    (drift,) = drifts_of(report(objects=[replace(result(gone()), seen=look)]))
    assert drift.since is None


def test_the_action_of_reverted_drift() -> None:
    """Reverted drift is not in the status, but in events."""
    assert drift_of(result(field(), outcome=Outcome.CONFIGURED)).action == "reverted"
