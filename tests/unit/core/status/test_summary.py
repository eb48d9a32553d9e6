"""The column STATUS: one short sentence for each state that a user may meet."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.samples import NOW, problem, report, result_of
from tests.fakes.transitions import edited

from nopea.core.api.pin import Pin
from nopea.core.api.status import MAX_SUMMARY, GitRepositoryStatus
from nopea.core.health.condition import HealthSummary
from nopea.core.health.rules import failed as health_failed
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Reason
from nopea.core.problem import Code, Problem
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.status import crashed, progressing, reported
from nopea.core.status.summary import problem_line, short_object, shown_revision

CRASH = HealthSummary(
    status="False",
    reason="Unhealthy",
    message="…",
    unhealthy={
        ObjectKey("apps", "Deployment", "shop", "api"): health_failed("CrashLoopBackOff (exit code 1)")
    },
)
GIT = problem(Code.GIT_UNREACHABLE, "cannot resolve https://git.acme.example")
SYNCED = report(objects=[result_of("a"), result_of("b")], health=None)
RETRY = NOW + timedelta(minutes=3)


def after(*reports: ReconcileReport) -> GitRepositoryStatus:
    """Return the status after these syncs; failed ones are tried again in three minutes."""
    status = GitRepositoryStatus()
    for each in reports:
        retry_at = RETRY if each.result is Result.FAILED else None
        status = reported(status, each, now=NOW, retry_at=retry_at)
    return status


def failed(*problems: Problem, commit: bool = True) -> ReconcileReport:
    """Return a failed sync with these problems."""
    failure = report(Result.FAILED, problems=problems)
    return failure if commit else replace(failure, commit=None)


def in_file(source: str, code: Code = Code.YAML_SYNTAX) -> Problem:
    """Return a problem in a file."""
    return problem(code, "wrong", source=source)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (GitRepositoryStatus(), None),
        (
            progressing(after(), generation=1, message="Fetching and applying", now=NOW),
            "Fetching and applying",
        ),
        (after(SYNCED), "2 objects in sync"),
        (after(report(objects=[result_of("a")])), "1 object in sync"),
        (
            after(
                report(
                    objects=[
                        result_of("a"),
                        replace(result_of("b", Outcome.SKIPPED), reason=Reason.BREAK_GLASS),
                    ]
                )
            ),
            "1 object in sync, 1 protected by break-glass",
        ),
        (after(replace(SYNCED, health=CRASH)), "Deployment api: CrashLoopBackOff (exit code 1)"),
        (after(report(objects=[edited()])), "ConfigMap web changed by kubectl-edit, not reverted"),
        (
            after(SYNCED, failed(GIT)),
            "Git cannot be reached; next try 05:03:00Z; the last commit stays applied",
        ),
        (
            after(failed(problem(Code.GIT_AUTHENTICATION, "no"), commit=False)),
            "Git login refused; next try 05:03:00Z",
        ),
        (
            after(failed(in_file("a.yaml:7"), in_file("a.yaml:9"), in_file("b/c.yaml#2"))),
            "3 problems in 2 files; first a.yaml:7: invalid YAML",
        ),
        (
            after(
                failed(problem(Code.IMMUTABLE, "no", object="apps/Deployment shop/api", source="a.yaml#1"))
            ),
            "Deployment api: immutable field changed",
        ),
        (after(report(Result.SUSPENDED, commit=None)), "Suspended; nothing is applied or reverted"),
        (
            after(SYNCED, failed(GIT), report(Result.SUSPENDED, commit=None)),
            "Suspended; before that: Git cannot be reached; the last commit stays applied",
        ),
        (
            after(failed(in_file("a.yaml:7")), *[report(Result.SUSPENDED, commit=None)] * 2),
            "Suspended; before that: a.yaml:7: invalid YAML",
        ),
        (
            after(replace(SYNCED, health=CRASH), report(Result.SUSPENDED, commit=None)),
            "Suspended; Deployment api: CrashLoopBackOff (exit code 1)",
        ),
        (
            after(report(objects=[edited()], pin=Pin(commit="a" * 40, instead_of=None))),
            "ConfigMap web changed by kubectl-edit, not reverted; rolled back",
        ),
        (
            after(replace(SYNCED, pin=Pin(commit="c0ffee0" + "0" * 33, instead_of=None))),
            "Rolled back; new commits are not applied",
        ),
        (
            after(
                failed(
                    problem(Code.DEPENDENCY_NOT_READY, "no", object="GitRepository infra/base"), commit=False
                )
            ),
            "Waiting for GitRepository infra/base",
        ),
        (
            after(report(objects=[edited(), edited("api")])),
            "2 objects drifted, not reverted; first ConfigMap web, changed by kubectl-edit",
        ),
        (
            after(report(objects=[edited(reason=Reason.GRACE)])),
            "ConfigMap web changed by kubectl-edit; reverted after the grace period",
        ),
        (
            after(report(objects=[edited(reason=Reason.BREAK_GLASS)])),
            "ConfigMap web changed by kubectl-edit; protected by break-glass",
        ),
        (
            after(replace(SYNCED, health=CRASH, pin=Pin(commit="a" * 40, instead_of=None))),
            "Deployment api: CrashLoopBackOff (exit code 1); rolled back",
        ),
        (
            after(SYNCED, replace(failed(GIT, commit=False), generation=2)),
            "Git cannot be reached; next try 05:03:00Z; the new spec is not applied",
        ),
        (
            after(
                failed(problem(Code.DEPENDENCY_MISSING, "no", object="GitRepository shop/base"), commit=False)
            ),
            "Waiting for GitRepository shop/base, which does not exist",
        ),
        (
            after(
                failed(
                    *[problem(Code.DEPENDENCY_NOT_READY, "no", object=f"GitRepository a/{n}") for n in "bc"]
                )
            ),
            "Waiting for 2 GitRepositories; first GitRepository a/b",
        ),
        (
            after(SYNCED, failed(problem(Code.DEPENDENCY_NOT_READY, "no", object="GitRepository a/b"), GIT)),
            "2 problems; first Git cannot be reached",
        ),
        (
            crashed(after(SYNCED), problem=problem(Code.WORKER_CRASHED, "ValueError"), generation=1, now=NOW),
            "Worker keeps crashing",
        ),
    ],
)
def test_each_state_is_one_sentence(status: GitRepositoryStatus, line: str | None) -> None:
    """A user reads it in the table of `kubectl get gr`."""
    assert status.summary == line


@pytest.mark.parametrize("code", list(Code))
def test_no_code_and_no_url(code: Code) -> None:
    """Each error has words of its own; the details are in the conditions."""
    if code.startswith("NOPEA-W"):
        return  # about a webhook's sender, never in a status
    line = problem_line([problem(code, "see https://git.acme.example/shop")])

    assert "NOPEA" not in line
    assert "//" not in line
    assert not re.search("[a-z][A-Z]", line.replace("GitRepository", ""))
    assert len(line) < 60


def test_a_problem_that_only_a_user_can_solve_has_no_next_try() -> None:
    """It is tried again all the same, but waiting does not help."""
    assert problem_line([problem(Code.INVALID, "no")], retry_at=RETRY) == "Invalid"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (GitRepositoryStatus(revision="main@sha1:c0ffee0", in_sync_count=1), "main@sha1:c0ffee0"),
        (GitRepositoryStatus(in_sync_count=1), "(no commit applied in full)"),
        (GitRepositoryStatus(in_sync_count=0), "(nothing applied)"),
        (GitRepositoryStatus(), "(nothing applied)"),
    ],
)
def test_a_first_commit_that_is_applied_in_part_is_not_nothing(
    status: GitRepositoryStatus, told: str
) -> None:
    """Its valid objects are in the cluster."""
    assert shown_revision(status) == told


def test_objects_are_named_briefly() -> None:
    """Group and namespace are left out."""
    assert short_object(ObjectKey("apps", "Deployment", "shop", "api")) == "Deployment api"
    assert short_object(ObjectKey("", "Namespace", "", "shop")) == "Namespace shop"
    assert problem_line([problem(Code.INVALID, "no", object="odd")]) == "odd: invalid"


@given(st.lists(st.builds(Problem, code=st.sampled_from(Code), message=st.text(), hint=st.text(),
                          source=st.text(), object=st.text()), min_size=1, max_size=30))  # fmt: skip
def test_any_problems_are_one_bounded_line(problems: list[Problem]) -> None:
    """The CRD bounds the field."""
    line = problem_line(problems, retry_at=RETRY)

    assert 0 < len(line) <= MAX_SUMMARY
    assert not re.search(r"[\r\n\t]", line)
