"""The lines of a finished sync."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click
from tests.fakes.samples import COMMIT, NOW, problem, report, repository, result_of

from nopea.cli.output.sync import failed_line, may_have_more, synced_lines
from nopea.core.api.entries import DriftEntry, ObjectReference, StatusError
from nopea.core.api.names import ROLLBACK_ANNOTATION
from nopea.core.api.repository import Repository
from nopea.core.api.status import MAX_ERRORS, GitRepositoryStatus
from nopea.core.health.condition import HealthSummary
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.status import reported


def after(result: ReconcileReport, **options: Any) -> Repository:
    """Return the repository with the status after the sync."""
    status = reported(GitRepositoryStatus(), result, now=NOW, retry_at=None)
    return replace(repository(**options), status=status)


def lines(found: Repository) -> list[str]:
    """Return the lines without colours."""
    return [click.unstyle(line) for line in synced_lines(found)]


def test_a_sync_with_changes() -> None:
    """The lines contain the counts, the commit, its message and its author."""
    done = [result_of("a", Outcome.CREATED), result_of("b", Outcome.CONFIGURED), result_of("c")]

    assert lines(after(report(objects=done))) == [
        "✓ GitRepository shop/api synced in 1.50s: 3 objects; 1 created, 1 changed",
        f"  commit {COMMIT.id}  Raise the replicas, Deploy Bot",
    ]


def test_a_sync_without_changes() -> None:
    """The line says that there was nothing to change."""
    assert lines(after(report(objects=[result_of("a")])))[0].endswith("1 object; nothing to change")


def test_a_rolled_back_repository_names_the_branch_that_is_not_followed() -> None:
    """The last line names the branch that is not followed and the command that ends the rollback."""
    found = after(report(), annotations={ROLLBACK_ANNOTATION: COMMIT.id})

    assert lines(found)[-1] == (
        "  rolled back: branch main is not followed until `nopea rollback api -n shop --resume`"
    )


def test_an_unhealthy_object_is_not_hidden_by_a_sync() -> None:
    """What was applied may crash: the health is told with the result."""
    crash = HealthSummary(status="False", reason="Unhealthy", message="Deployment shop/web: it crashes")

    assert lines(after(replace(report(), health=crash)))[-1] == "  unhealthy: Deployment shop/web: it crashes"


def config_map(name: str) -> ObjectReference:
    """Return the reference to a ConfigMap."""
    return ObjectReference(kind="ConfigMap", namespace="shop", name=name)


def test_drift_that_was_left() -> None:
    """Each drifted object has a line with the reason and, if known, the manager."""
    found = after(report(objects=[result_of("a")]))
    drifts = (
        DriftEntry(
            object=config_map("a"), kind="manual_drift", manager="kubectl-edit", action="left: policy"
        ),
        DriftEntry(object=config_map("b"), kind="manual_drift", action="left: policy"),
    )
    status = GitRepositoryStatus(history=found.status.history, drifted_count=2, drifts=drifts)

    output = lines(replace(found, status=status))

    assert "2 drifted" in output[0]
    assert output[2:] == [
        "  drifted: ConfigMap shop/a  left: policy  by kubectl-edit",
        "  drifted: ConfigMap shop/b  left: policy",
    ]


def test_a_failed_sync_has_its_progress() -> None:
    """The line contains the commit and the counts, or says that no commit was read."""
    some = report(
        Result.FAILED,
        objects=[result_of("a"), result_of("b", Outcome.FAILED, problem())],
        problems=[problem()],
    )
    none = report(Result.FAILED, commit=None, problems=[problem()])

    assert failed_line(after(some)) == (
        "GitRepository shop/api: the sync of c0ffee0 failed. 1 of 2 objects in sync; 1 failed."
    )
    assert failed_line(after(none)) == "GitRepository shop/api: the sync failed before it read a commit."


def test_a_full_list_of_errors_may_be_incomplete() -> None:
    """The status holds a limited number of errors, so a full list may have been truncated."""
    error = StatusError(
        code="NOPEA-K003", message="bad", hint="Correct it.", object=config_map("b"), source="x:1"
    )

    assert not may_have_more(GitRepositoryStatus(errors=(error,)))
    assert may_have_more(GitRepositoryStatus(errors=(error,) * MAX_ERRORS))
