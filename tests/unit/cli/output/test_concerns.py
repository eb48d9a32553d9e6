"""`nopea why` and `nopea status` in lines and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from tests.fakes.samples import READY, repository

from nopea.cli.output.concerns import status_json, status_lines, why_json, why_lines
from nopea.core.api.repository import Repository
from nopea.core.status.concerns import Concern, ConcernKind, concerns_of

NOW = datetime(2026, 11, 24, 5, 10, tzinfo=UTC)
ERROR = {
    "code": "NOPEA-K003",
    "message": "spec.replica is unknown.",
    "hint": "Correct the manifest.",
    "source": "api.yaml#1",
}


def _repository(name: str = "api", **status: Any) -> Repository:
    return repository(name=name, status={"conditions": [READY], "revision": "main@sha1:c0ffee0", **status})


def _failing(name: str = "api") -> Repository:
    return _repository(
        name,
        errors=[ERROR],
        errorCount=1,
        failingSince="2026-11-24T05:00:00Z",
        nextSyncTime="2026-11-24T05:13:00Z",
        summary="api.yaml#1: invalid object; next try in 3m",
    )


def _why(found: Repository) -> list[str]:
    return [click.unstyle(line) for line in why_lines(found, concerns_of(found), now=NOW)]


def test_why_says_what_where_and_what_to_do() -> None:
    """And when Nopea tries again."""
    assert _why(_failing()) == [
        "GitRepository shop/api  main@sha1:c0ffee0",
        "✗ failing (for 10m) NOPEA-K003 api.yaml#1: spec.replica is unknown.",
        "  → Correct the manifest.",
        "The next try is in 3m; `nopea sync api -n shop` tries now.",
    ]


def test_why_of_a_repository_that_is_fine() -> None:
    """It says so."""
    assert _why(_repository()) == ["GitRepository shop/api  main@sha1:c0ffee0", "✓ Nothing is wrong."]


def test_status_counts_all_and_lists_who_needs_somebody() -> None:
    """The worst first, within the width."""
    unhealthy = [Concern(kind=ConcernKind.UNHEALTHY, message="It crashes.")]
    found = [
        (_repository("a"), ()),
        (_repository("b", summary="Deployment b: CrashLoopBackOff " + "x" * 80), unhealthy),
        (_failing("c"), concerns_of(_failing("c"))),
        (_repository("d"), [Concern(kind=ConcernKind.HELD, message="It is suspended.")]),
    ]

    lines = [click.unstyle(line) for line in status_lines(found, now=NOW, width=80)]

    assert lines[0] == "4 GitRepositories: 1 fine, 1 failing, 1 unhealthy, 1 held"
    assert lines[1] == "failing    shop/c  10m  api.yaml#1: invalid object; next try in 3m"
    assert lines[2].startswith("unhealthy  shop/b       Deployment b: CrashLoopBackOff xxx")
    assert lines[2].endswith("…")
    assert lines[3] == "`nopea why c -n shop` says what to do about the first."
    assert max(map(len, lines)) <= 80


def test_status_when_all_is_fine() -> None:
    """One line."""
    assert list(status_lines([(_repository(), ())], now=NOW)) == ["1 GitRepository: 1 fine"]
    assert list(status_lines([], now=NOW)) == ["0 GitRepositories: 0 fine"]


def test_json() -> None:
    """It has the fields that a program decides by."""
    found = _failing()
    (told,) = status_json([(found, concerns_of(found))], controller="")["repositories"]

    assert told == why_json(found, concerns_of(found))
    assert (told["repository"], told["nextSyncTime"]) == ("shop/api", "2026-11-24T05:13:00Z")
    assert told["concerns"][0] == {
        "kind": "failing",
        "message": "spec.replica is unknown.",
        "hint": "Correct the manifest.",
        "code": "NOPEA-K003",
        "source": "api.yaml#1",
        "object": "",
        "since": "2026-11-24T05:00:00Z",
    }
    assert status_json([], controller="It is gone.")["controller"] == {
        "running": False,
        "message": "It is gone.",
    }
