"""What a plan that is not carried out says in the status, in Events and to who is on call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from tests.fakes.samples import COMMIT, NOW, problem, report, repository, result_of

from nopea.core.api.conditions import find
from nopea.core.api.entries import DriftEntry, ObjectReference
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.plan.model import Action, Reason
from nopea.core.problem import Code
from nopea.core.status.concerns import ConcernKind, concerns_of
from nopea.core.status.events import event_lines
from nopea.core.status.read_only import is_read_only, planned_line, planned_summary
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.status import reported
from nopea.core.status.transition import Transition

NOTHING = GitRepositoryStatus()
CREATE = replace(result_of("a", Outcome.SKIPPED), planned=Action.CREATE, reason=Reason.READ_ONLY)
CHANGE = replace(result_of("b", Outcome.SKIPPED), planned=Action.APPLY, reason=Reason.READ_ONLY)
DELETE = replace(result_of("c", Outcome.SKIPPED), planned=Action.PRUNE, declared=False)
ADOPT = replace(result_of("d"), reason=Reason.ADOPTED)


def planned(*objects: Any, **changes: Any) -> ReconcileReport:
    """Return the report of a plan of `COMMIT`."""
    return report(Result.PLANNED, objects=objects, read_only=True, **changes)


def after(*reports: ReconcileReport, before: GitRepositoryStatus = NOTHING) -> GitRepositoryStatus:
    """Return the status after these reports."""
    for each in reports:
        before = reported(before, each, now=NOW, retry_at=None)
    return before


def events(before: GitRepositoryStatus, done: ReconcileReport) -> list[tuple[str, str]]:
    """Return the reasons and notes of the Events of a report."""
    step = Transition(
        repository=repository(), before=before, after=after(done, before=before), report=done, at=NOW
    )
    return [(line.reason, line.note) for line in event_lines(step)]


def test_the_sentence_counts_what_would_be_done() -> None:
    """With the commit; an adoption that changes nothing is said beside it."""
    everything = planned(CREATE, CHANGE, DELETE, ADOPT, result_of("e"), revision="main@sha1:c0ffee0")

    assert planned_line(everything) == (
        "Read-only: 1 object would be created, 1 changed, 1 deleted at main@sha1:c0ffee0. "
        "1 object is as in Git and would be adopted."
    )
    assert planned_summary(everything) == "Read-only; would be: 1 created, 1 changed, 1 deleted"
    assert planned_line(planned(result_of("e"))) == "Read-only: nothing would change at c0ffee0."
    assert planned_line(report()) == planned_line(planned(commit=None)) == ""


def test_a_plan_is_no_sync() -> None:
    """The status does not say that anything was applied, and keeps what was."""
    status = after(planned(CREATE, ADOPT), before=after(report(objects=[result_of("d")])))

    ready = find(status.conditions, "Ready")
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "ReadOnly")
    assert find(status.conditions, "Applied") is find(status.conditions, "Watching") is None
    assert is_read_only(status.conditions)
    assert status.last_applied_commit == COMMIT.id
    assert (status.resource_count, status.in_sync_count, status.failures) == (2, 1, 0)
    assert len(status.revisions) == 1


def test_another_sync_after_a_plan_is_in_the_history() -> None:
    """Also if it finds that everything is in sync."""
    status = after(planned(ADOPT), report(objects=[ADOPT]))

    assert [entry.outcome for entry in status.history] == ["synced", "planned"]
    assert status.summary == "1 object in sync"
    assert not is_read_only(status.conditions)


def test_a_failure_does_not_say_that_something_is_applied() -> None:
    """While Git fails as well: nothing was applied that could stay."""
    broken = problem(Code.GIT_UNREACHABLE, "no route")
    status = after(
        report(objects=[result_of("d")]),
        report(Result.FAILED, problems=[broken], read_only=True, commit=None),
    )

    ready = find(status.conditions, "Ready")
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "GitUnreachable")
    assert "is applied" not in ready.message
    assert status.summary == "Read-only; Git cannot be reached"


def test_an_event_names_the_objects_once() -> None:
    """Another is sent only if something else would be done."""
    plan = planned(CREATE, CHANGE, DELETE)
    first = events(NOTHING, plan)

    assert [reason for reason, _ in first] == ["Planned"]
    assert "Would be created: ConfigMap shop/a. Would be changed: ConfigMap shop/b." in first[0][1]
    assert events(after(plan), plan) == []
    assert [reason for reason, _ in events(after(plan), planned(CREATE))] == ["Planned"]


def test_who_was_never_more_than_compared_leaves_nothing_behind() -> None:
    """Objects of other tools are not orphans of a GitRepository that is deleted."""
    before = after(planned(ADOPT))
    gone = report(Result.DELETED, commit=None, why_objects_stay="deletionPolicy")

    step = Transition(repository=repository(), before=before, after=before, report=gone, at=NOW)

    assert list(event_lines(step)) == []


def test_nobody_is_needed() -> None:
    """That Nopea runs read-only is what somebody wants."""
    read = repository()
    (concern,) = concerns_of(replace(read, status=after(planned(CREATE))))

    assert concern.kind is ConcernKind.READ_ONLY
    assert not concern.kind.needs_somebody
    assert "1 object would be created" in concern.message
    (same,) = concerns_of(replace(read, status=after(planned(ADOPT))))
    assert "nothing would change" in same.message


def test_drift_that_nobody_reverts_now_has_no_such_hint() -> None:
    """`nopea heal` asks for what the controller may not do."""
    drift = DriftEntry(
        object=ObjectReference(kind="ConfigMap", name="a", namespace="shop"),
        kind="manual_drift",
        action="left: read-only",
    )
    plain = msgspec.structs.replace(after(planned(CHANGE)), drifts=(drift,))

    found = {each.kind: each for each in concerns_of(replace(repository(), status=plain))}

    assert found[ConcernKind.DRIFTED].hint == "`nopea diff api -n shop` shows the whole difference."
    assert "Nopea runs read-only" in found[ConcernKind.DRIFTED].message
