"""The conditions after a sync: what Ready, Fetched and Applied say, and what comes beside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.fakes.samples import NOW, problem, report, repository, result_of

from nopea.core.api.conditions import find
from nopea.core.api.pin import Pin
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.health.condition import HealthSummary
from nopea.core.health.rules import failed as health_failed
from nopea.core.health.rules import progressing
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Reason
from nopea.core.problem import Code, Problem
from nopea.core.status.conditions import applied_line, failure_line, report_line
from nopea.core.status.events import event_lines
from nopea.core.status.health import with_health
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.status import reported
from nopea.core.status.transition import Transition

GIT, LOGIN = problem(Code.GIT_UNREACHABLE, "no route"), problem(Code.GIT_AUTHENTICATION, "no login")
WAITS, WRONG = problem(Code.DEPENDENCY_NOT_READY, "not yet"), problem(Code.INVALID, "no such field")
PIN = Pin(commit="b" * 40, instead_of=None)
SYNCED = report(objects=[result_of("a")])
A = ObjectKey("", "ConfigMap", "shop", "a")
CRASHING = HealthSummary(
    status="False", reason="Unhealthy", message="it crashes", unhealthy={A: health_failed("crash")}
)
ROLLING = HealthSummary(
    status="Unknown", reason="Progressing", message="0 of 1", unhealthy={A: progressing("0 of 1")}
)
HEALTHY = HealthSummary(status="True", reason="Healthy", message="1 object is healthy.")


def after(*reports: ReconcileReport, wait: bool = False) -> GitRepositoryStatus:
    """Return the status after these syncs."""
    status = GitRepositoryStatus()
    for each in reports:
        status = reported(status, each, now=NOW, retry_at=None, wait=wait)
    return status


def failed(*problems: Problem, commit: bool = True, generation: int = 1) -> ReconcileReport:
    """Return a failed sync; with `commit` the last known one was applied."""
    more = {} if commit else {"commit": None}
    objects = [result_of("a", Outcome.FAILED if WRONG in problems else Outcome.UNCHANGED)] if commit else []
    return report(Result.FAILED, problems=problems, objects=objects, generation=generation, **more)


def told(status: GitRepositoryStatus, types: Iterable[str]) -> list[str]:
    """Return the statuses of these conditions; `-` for one that is absent."""
    return [found.status if (found := find(status.conditions, type_)) else "-" for type_ in types]


@pytest.mark.parametrize(
    ("reports", "statuses"),
    [
        ([SYNCED], "True True True - -"),
        ([failed(GIT, commit=False)], "False False - True -"),
        ([failed(LOGIN, commit=False)], "False False - - True"),
        ([SYNCED, failed(GIT)], "True False True - -"),
        ([SYNCED, failed(GIT, commit=False)], "True False True - -"),
        ([SYNCED, failed(LOGIN)], "True False True - True"),
        ([SYNCED, failed(GIT, commit=False, generation=2)], "False False True True -"),
        ([SYNCED, failed(WRONG)], "False True False - True"),
        ([SYNCED, failed(GIT, WRONG)], "False False False - True"),
        ([SYNCED, failed(WRONG), failed(GIT, commit=False)], "False False False True -"),
        ([SYNCED, failed(WAITS)], "False True True True -"),
        ([failed(WAITS, commit=False)], "False - - True -"),
        ([SYNCED, failed(GIT), SYNCED], "True True True - -"),
    ],
)
def test_what_is_ready_fetched_and_applied(reports: list[ReconcileReport], statuses: str) -> None:
    """While only Git fails, Ready stays True for a commit that is applied under the same spec."""
    found = told(after(*reports), ("Ready", "Fetched", "Applied", "Reconciling", "Stalled"))

    assert " ".join(found) == statuses


def test_a_rollback_that_git_cannot_fetch_is_not_ready() -> None:
    """The pinned commit is not applied, however often it is tried; nor is the branch after the rollback."""
    pinned, freed = replace(failed(GIT, commit=False), pin=PIN), failed(GIT, commit=False)

    assert [told(after(SYNCED, *[pinned] * n), ["Ready"]) for n in (1, 2)] == [["False"]] * 2
    held = replace(SYNCED, pin=PIN)
    assert told(after(held, pinned), ["Ready"]) == ["True"]
    assert [told(after(held, *[freed] * n), ["Ready"]) for n in (1, 2)] == [["False"]] * 2


def test_unwatched_kinds_are_named() -> None:
    """The condition is True when every kind is watched."""
    status = after(
        report(objects=[result_of("a")], unwatched={"services in shop": "", "deployments.apps in shop": ""})
    )
    watching = find(status.conditions, "Watching")

    assert watching is not None
    assert (watching.status, watching.reason) == ("False", "NotWatched")
    assert "Changes of services in shop, deployments.apps in shop are noticed only" in watching.message
    assert told(after(SYNCED), ["Watching"]) == ["True"]


def test_a_watch_that_fails_is_told_with_its_reason() -> None:
    """No right is missing where a conversion webhook is down."""
    why = "conversion webhook for a.example/v1, Kind=Gizmo failed"
    unwatched = {"gizmos.a.example": f"{why}.", "widgets.a.example": f"{why}.", "services in shop": ""}
    watching = find(after(report(objects=[result_of("a")], unwatched=unwatched)).conditions, "Watching")

    assert watching is not None
    rights, failure = watching.message.split(" Grant the account these verbs. ")
    assert "services in shop" in rights
    assert failure == (
        "Changes of gizmos.a.example, widgets.a.example are noticed only when all objects are compared: "
        f"{why}."
    )


def test_an_idle_sync_of_an_unhealthy_repository_writes_nothing() -> None:
    """Ready keeps its time, and no Event is sent."""
    crashing = report(objects=[result_of("a")], health=CRASHING)
    before = after(crashing, wait=True)

    same = reported(before, crashing, now=NOW + timedelta(hours=1), retry_at=None, wait=True)

    assert same == before
    step = Transition(repository=repository(), before=before, after=same, report=crashing, at=NOW)
    assert [*event_lines(step)] == []


def test_a_git_failure_does_not_hide_bad_health() -> None:
    """With `wait`, health is a part of Ready in every case."""
    away = replace(failed(GIT), health=CRASHING)
    status = after(SYNCED, away, wait=True)
    assert told(status, ["Ready", "Fetched", "Applied", "Healthy"]) == ["False", "False", "True", "False"]
    assert status.summary == "Git cannot be reached; the last commit stays applied"

    well = with_health(after(SYNCED, failed(GIT), wait=True), CRASHING, wait=True, generation=1, now=NOW)
    assert told(well, ["Ready"]) == ["False"]
    assert told(with_health(well, HEALTHY, wait=True, generation=1, now=NOW), ["Ready"]) == ["True"]


def test_a_folder_that_is_gone_is_no_failure_of_git() -> None:
    """The newest commit was fetched and cannot be applied."""
    gone = problem(Code.GIT_PATH_NOT_FOUND, "no folder deploy")

    found = told(after(SYNCED, failed(gone)), ("Ready", "Fetched", "Applied", "Stalled"))
    assert found == ["False", "True", "False", "True"]


def test_a_report_in_sentences() -> None:
    """Events and commit statuses use them."""
    assert report_line(SYNCED) == applied_line(SYNCED) == "Applied 1 object at c0ffee0."
    protected = replace(result_of("b", Outcome.SKIPPED), reason=Reason.BREAK_GLASS)
    assert applied_line(report(objects=[result_of("a"), protected])) == (
        "Applied 1 of 2 objects at c0ffee0. 1 protected by break-glass."
    )
    wrong = failed(WRONG)
    assert report_line(wrong) == failure_line(wrong, [WRONG])
    assert report_line(wrong).startswith("Applied 0 of 1 objects. NOPEA-K003")


def test_applied_says_what_the_rendering_tells() -> None:
    """Only the condition: an Event for each sync would repeat it."""
    rendered = replace(report(Result.SYNCED), notes=("Left out 1 hook of the chart.",))

    applied = find(after(rendered).conditions, "Applied")
    assert applied is not None
    assert applied.message.endswith(". Left out 1 hook of the chart.")
    assert "hook" not in report_line(rendered)
