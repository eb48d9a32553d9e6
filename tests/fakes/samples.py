"""Sample values for tests: a GitRepository, a problem, an object's result and a report."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from nopea.core.api.repository import Repository, parse_repository
from nopea.core.git.source import Commit
from nopea.core.objects import ObjectKey
from nopea.core.problem import Code, Problem
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result

NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
COMMIT = Commit(id="c0ffee0" + "0" * 33, author="Deploy Bot", message="Raise the replicas", committed_at=NOW)

READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Synced",
    "message": "",
    "lastTransitionTime": "2026-11-24T05:00:00Z",
}
"""The condition of a GitRepository of which everything is applied."""


def raw_repository(
    name: str = "api",
    *,
    namespace: str = "shop",
    uid: str = "uid-1",
    generation: int = 1,
    annotations: dict[str, str] | None = None,
    deleting: bool = False,
    status: dict[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Return a GitRepository as the API server sends it; by default it follows the branch main."""
    metadata: dict[str, Any] = {
        "name": name, "namespace": namespace, "uid": uid, "generation": generation, "resourceVersion": "7",
        "annotations": annotations or {},
    }  # fmt: skip
    if deleting:
        metadata["deletionTimestamp"] = "2026-11-24T05:00:00Z"
    return {
        "apiVersion": "nopea.io/v1alpha1",
        "kind": "GitRepository",
        "metadata": metadata,
        "spec": {"url": "https://git.acme.example/shop/api.git", "ref": {"branch": "main"}, **spec},
        "status": status or {},
    }


def repository(name: str = "api", **changes: Any) -> Repository:
    """Return the parsed `raw_repository`."""
    return parse_repository(raw_repository(name, **changes))


def problem(
    code: Code = Code.INVALID, message: str = "it is wrong", *, source: str = "", object: str = ""  # noqa: A002
) -> Problem:  # fmt: skip
    """Return a problem with this code."""
    return Problem(code=code, message=message, hint="Correct it.", source=source, object=object)


def result_of(name: str, outcome: Outcome = Outcome.UNCHANGED, why: Problem | None = None) -> ObjectResult:
    """Return the result of the ConfigMap with this name."""
    return ObjectResult(key=ObjectKey("", "ConfigMap", "shop", name), outcome=outcome, problem=why)


def report(
    result: Result = Result.SYNCED,
    *,
    objects: Iterable[ObjectResult] = (),
    problems: Iterable[Problem] = (),
    commit: Commit | None = COMMIT,
    **changes: Any,
) -> ReconcileReport:
    """Return the report of a sync of `COMMIT` that took 1.5 s."""
    fields: dict[str, Any] = {
        "id": "01JZZZZZZZZZZZZZZZZZZZZZZZ", "generation": 1, "triggers": ("startup",), "started_at": NOW,
        "seconds": 1.5, "handled_sync_at": "",
    }  # fmt: skip
    return ReconcileReport(
        result=result,
        commit=commit,
        objects=tuple(objects),
        problems=tuple(problems),
        **{**fields, **changes},
    )
