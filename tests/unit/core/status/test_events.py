"""Which Kubernetes Events a transition causes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.fakes.samples import NOW, problem, report, repository, result_of
from tests.fakes.transitions import edited

from nopea.core.api.pin import Pin
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.drift.find import Drift, FieldDrift
from nopea.core.drift.three_way import DriftKind
from nopea.core.git.source import Ref, RefKind
from nopea.core.health.condition import HealthSummary
from nopea.core.objects import ObjectKey
from nopea.core.plan.inventory import pack
from nopea.core.plan.model import LastApplied, ObservedDrift, Reason
from nopea.core.plan.prune import PruneReason
from nopea.core.problem import Code
from nopea.core.status.events import EventLine, event_lines
from nopea.core.status.health import with_health
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result
from nopea.core.status.status import progressing, reported
from nopea.core.status.transition import Transition

FIRST = report(objects=[result_of("a", Outcome.CREATED)])
FAILED = report(Result.FAILED, objects=[result_of("a", Outcome.FAILED, problem())], problems=[problem()])


def inventory(*names: str) -> str:
    """Return the packed inventory of these ConfigMaps."""
    return pack(
        {ObjectKey("", "ConfigMap", "shop", name): LastApplied(hash="h", projection=None) for name in names}
    )


def lines(before: GitRepositoryStatus, done: ReconcileReport) -> list[EventLine]:
    """Return the Events of a sync after this status."""
    after = reported(before, done, now=NOW, retry_at=None)
    step = Transition(repository=repository(), before=before, after=after, report=done, at=NOW)
    return list(event_lines(step))


def after(*passes: ReconcileReport) -> GitRepositoryStatus:
    """Return the status after these syncs."""
    status = GitRepositoryStatus()
    for done in passes:
        status = reported(status, done, now=NOW, retry_at=None)
    return status


def test_the_first_sync_is_one_event() -> None:
    """The first sync causes a single Event, without one for the created objects."""
    (line,) = lines(GitRepositoryStatus(), FIRST)

    assert (line.type, line.reason) == ("Normal", "Synced")
    assert line.note == "Applied 1 object at c0ffee0."


def test_a_change_names_the_objects() -> None:
    """The Event contains the commit and the first objects of each outcome."""
    done = report(
        objects=[
            result_of("a", Outcome.CONFIGURED),
            *(result_of(f"new-{number}", Outcome.CREATED) for number in range(7)),
            result_of("same"),
        ]
    )
    (line,) = lines(after(FIRST), done)

    assert (line.reason, line.action) == ("Changed", "Apply")
    assert line.note == (
        "Applied c0ffee0: created ConfigMap shop/new-0, ConfigMap shop/new-1, ConfigMap shop/new-2, "
        "ConfigMap shop/new-3, ConfigMap shop/new-4 and 2 more; configured ConfigMap shop/a."
    )


def test_an_adoption_names_what_it_removed() -> None:
    """Also in the first sync; beyond five paths the number is enough."""
    paths = tuple(f".data.k{number}" for number in range(7))
    adopted = replace(result_of("a", Outcome.CONFIGURED), reason=Reason.ADOPTED, removed=paths)
    _, event = lines(GitRepositoryStatus(), report(objects=[adopted]))
    assert (event.type, event.reason) == ("Normal", "Adopted")
    assert event.note == (
        "Adopted ConfigMap shop/a. These fields are not in Git and were removed or reset: "
        ".data.k0, .data.k1, .data.k2, .data.k3, .data.k4 and 2 more."
    )


def test_what_admission_changed_is_an_event() -> None:
    """It is normal, and the object is not named again in later syncs."""
    told = replace(result_of("a", Outcome.UNCHANGED), admission=(".data.image a → b",))
    (event,) = lines(after(FIRST), report(objects=[told]))
    assert (event.type, event.reason) == ("Normal", "ChangedAtAdmission")
    assert event.note == "Admission changed ConfigMap shop/a: .data.image a → b."


def test_a_field_that_stays_is_named_with_the_change() -> None:
    """Git dropped it, and another manager owns it too."""
    left = replace(result_of("a", Outcome.CONFIGURED), leftovers=((".data.a", "helm"),))
    (event,) = lines(after(FIRST), report(objects=[left]))
    assert event.reason == "Changed"
    told = " ConfigMap shop/a keeps fields that were removed from Git, because helm owns them too: .data.a."
    assert event.note.endswith(told)


def test_a_sync_without_changes_has_no_event() -> None:
    """An idle cluster gets no Events."""
    assert lines(after(FIRST), report(objects=[result_of("a")])) == []


def test_a_failure_has_the_reason_of_its_code_and_recovery_is_sent_once() -> None:
    """The Event of the recovery contains the number of failed attempts; the next sync has no Event."""
    (failure,) = lines(after(FIRST), FAILED)
    status = after(FIRST, FAILED, FAILED)
    (recovered,) = lines(status, report(objects=[result_of("a")]))
    status = reported(status, FIRST, now=NOW, retry_at=None)

    assert (failure.type, failure.reason) == ("Warning", Code.INVALID.reason)
    assert recovered.reason == "Recovered"
    assert recovered.note == "Recovered after 2 failed attempts. Applied 1 object at c0ffee0."
    assert lines(status, report(objects=[result_of("a")])) == []


def test_a_first_sync_after_failures_is_a_recovery() -> None:
    """A single Event reports both."""
    assert [line.reason for line in lines(after(FAILED), FIRST)] == ["Recovered"]


def test_progress_alone_has_no_event() -> None:
    """A slow sync shows its progress in the status before it ends; this alone causes no Event."""
    status = reported(GitRepositoryStatus(), FIRST, now=NOW, retry_at=None)
    slow = progressing(status, generation=1, message="Fetching and applying", now=NOW)
    assert lines(slow, report(objects=[result_of("a")])) == []


def test_prunes_have_their_own_event() -> None:
    """Deleted objects are not in the Event about changed objects."""
    done = report(objects=[result_of("a"), result_of("old", Outcome.PRUNED)])
    (line,) = lines(after(FIRST), done)

    assert line.reason == "Pruned"
    assert line.note == "Deleted 1 object removed in c0ffee0: ConfigMap shop/old."


def test_the_same_change_healed_again_is_the_same_event() -> None:
    """The text does not contain the time of the change, so the recorder counts the Events as a series."""
    once = replace(edited(), outcome=Outcome.CONFIGURED, reason=Reason.MANUAL_DRIFT)
    assert once.seen is not None
    (field,) = once.seen.drift.fields
    later = replace(field, changed_at=NOW + timedelta(hours=1))
    again = replace(once, seen=replace(once.seen, drift=replace(once.seen.drift, fields=(later,))))

    (first,), (second,) = (lines(after(FIRST), report(objects=[one])) for one in (once, again))

    assert first.reason == "DriftHealed"
    assert first.note.startswith("Reverted ConfigMap shop/web: ")
    assert first == second


def test_drift_that_stays_beside_a_change_is_not_healed() -> None:
    """The Events report the change from Git and the remaining drift."""
    half = replace(edited(), outcome=Outcome.CONFIGURED, left=True)

    assert [line.reason for line in lines(after(FIRST), report(objects=[half]))] == [
        "Changed",
        "DriftDetected",
    ]


@pytest.mark.parametrize("result", [Result.SYNCED, Result.SUSPENDED])
def test_a_rollback_has_an_event_at_its_start_and_end(result: Result) -> None:
    """The Event is sent once, not with each sync under the rollback."""
    pin = Pin(commit="c0ffee0" + "0" * 33, instead_of=Ref(RefKind.BRANCH, "main"))
    held = report(result, objects=[result_of("a")], pin=pin)
    free = report(result, objects=[result_of("a")])
    synced = after(FIRST)
    pinned = reported(synced, held, now=NOW, retry_at=None)

    begins = [line for line in lines(synced, held) if line.action == "Rollback"]
    goes_on = [line for line in lines(pinned, held) if line.action == "Rollback"]
    ends = [line for line in lines(pinned, free) if line.action == "Rollback"]

    assert [line.reason for line in begins] == ["RolledBack"]
    assert "instead of branch main" in begins[0].note
    assert goes_on == []
    assert [line.reason for line in ends] == ["Resumed"]
    assert "Follows branch main again" in ends[0].note


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({}, "spec.deletionPolicy was not Delete"),
        ({"deletionPolicy": "Delete", "suspend": True}, "spec.suspend was true"),
        ({"deletionPolicy": "Delete"}, "somebody removed the finalizer"),
        (
            {"deletionPolicy": "Delete", "annotations": {"nopea.io/abandon": "true"}},
            "nopea.io/abandon was set",
        ),
    ],
)
def test_objects_that_a_deleted_repository_leaves_are_named(changes: dict[str, Any], because: str) -> None:
    """The Event says why they stay."""
    status = GitRepositoryStatus(inventory=inventory(*"abcdefg"))
    owner = repository(deleting=True, **changes)
    ended = Transition(
        repository=owner,
        before=status,
        after=status,
        report=report(Result.DELETED, commit=None, why_objects_stay=owner.why_objects_stay),
        at=NOW,
    )

    (line,) = event_lines(ended)

    named = ", ".join(f"ConfigMap shop/{name}" for name in "abcde")
    assert (line.type, line.reason, line.action) == ("Normal", "Orphaned", "Delete")
    assert line.note == (
        f"The GitRepository was deleted. 7 objects stay in the cluster ({named} and 2 more): {because}."
    )


def test_a_repository_that_deleted_its_objects_left_none() -> None:
    """There is nothing to report, nor is there if it never applied an object."""
    owner = replace(repository(deleting=True, deletionPolicy="Delete"), has_finalizer=True)
    status = GitRepositoryStatus(inventory=inventory("a"))
    deleted = report(Result.DELETED, commit=None)

    for gone, left in ((owner, status), (repository(deleting=True), GitRepositoryStatus())):
        assert [
            *event_lines(Transition(repository=gone, before=left, after=left, report=deleted, at=NOW))
        ] == []


def test_what_a_repository_leaves_that_deleted_its_objects_is_named() -> None:
    """Protected objects stay; the Event says so once, with the reason."""
    owner = replace(repository(deleting=True, deletionPolicy="Delete"), has_finalizer=True)
    space = ObjectKey("", "Namespace", "", "shop")
    stays = ObjectResult(key=space, outcome=Outcome.SKIPPED, declared=False, kept=PruneReason.PROTECTED_KIND)
    status = GitRepositoryStatus()
    deleted = report(Result.DELETED, commit=None, objects=[stays])

    (line,) = event_lines(Transition(repository=owner, before=status, after=status, report=deleted, at=NOW))

    assert (line.type, line.reason) == ("Normal", "Orphaned")
    assert line.note == (
        "The GitRepository was deleted. 1 object stays in the cluster (Namespace shop): "
        "objects of this kind are deleted only on request."
    )


def test_an_object_that_is_kept_is_an_event_once() -> None:
    """It is Normal: nothing failed."""
    space = ObjectKey("", "Namespace", "", "shop")
    stays = ObjectResult(key=space, outcome=Outcome.SKIPPED, declared=False, kept=PruneReason.PROTECTED_KIND)
    done = report(objects=[stays])

    (line,) = (line for line in lines(after(report()), done) if line.reason == "Kept")
    assert line.type == "Normal"
    assert line.note.startswith("Namespace shop: Removed from Git but not deleted: ")
    assert [line for line in lines(after(report(), done), done) if line.reason == "Kept"] == []


def test_unhealthy_objects_and_their_recovery_are_events() -> None:
    """The steps of a rollout are not, nor is a first rollout."""
    rolling = HealthSummary(status="Unknown", reason="Progressing", message="0 of 1 replicas exist")
    crashing = HealthSummary(status="False", reason="Unhealthy", message="Deployment api: CrashLoopBackOff")
    healthy = HealthSummary(status="True", reason="Healthy", message="1 object is healthy.")
    status, found = after(FIRST), []
    for health in (rolling, healthy, rolling, crashing, rolling, healthy, rolling, healthy):
        later = with_health(status, health, generation=1, now=NOW)
        step = Transition(repository=repository(), before=status, after=later, report=None, at=NOW)
        found += [(line.type, line.reason, line.note) for line in event_lines(step)]
        status = later

    assert found == [
        ("Warning", "Unhealthy", "Deployment api: CrashLoopBackOff"),
        ("Normal", "Healthy", "1 object is healthy."),
    ]


def test_a_sync_that_failed_in_part_names_what_it_changed() -> None:
    """The refusal alone would hide that the cluster has changed; the sync that recovers does the same."""
    objects = [result_of("a", Outcome.CONFIGURED), result_of("b", Outcome.FAILED, problem())]
    half = report(Result.FAILED, objects=objects, problems=[problem()])
    rest = report(objects=[result_of("a"), result_of("b", Outcome.CREATED)])

    assert [line.reason for line in lines(after(FIRST), half)] == ["Changed", "Invalid"]
    assert [line.reason for line in lines(after(FIRST, half), rest)] == ["Recovered", "Changed"]


def test_a_deletion_that_takes_a_moment_is_no_warning() -> None:
    """The objects of a deleted GitRepository that the first attempt leaves are often gone at the next."""
    blocked = replace(problem(), code=Code.PRUNE_BLOCKED)
    done = report(Result.FAILED, problems=[blocked])
    synced = after(FIRST)
    assert lines(synced, done) == []
    assert [line.reason for line in lines(after(FIRST, done), done)] == ["PruneBlocked"]


def test_drift_that_could_not_be_reverted_says_so() -> None:
    """The Event names the code of the failure, whose own Event has the message."""
    field = FieldDrift(
        path=".data", keys=("data",), from_="1", to="2", manager="kubectl-edit", operation="Update",
        subresource="", changed_at=None,
    )  # fmt: skip
    seen = ObservedDrift(drift=Drift(kind=DriftKind.MANUAL_DRIFT, fields=(field,)), since=NOW)
    failed = replace(result_of("a", Outcome.FAILED, problem()), reason=Reason.MANUAL_DRIFT, seen=seen)
    done = report(Result.FAILED, objects=[failed], problems=[problem()])
    (drift, *_) = lines(after(FIRST), done)
    assert (drift.reason, drift.note.rpartition("Not reverted: ")[2]) == (
        "DriftDetected",
        f"the attempt failed with {problem().code}.",
    )
