"""`nopea why` and `nopea status` in lines and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from tests.fakes.samples import READY, repository

from nopea.cli.heartbeat import Liveness
from nopea.cli.output.concerns import Concerns, status_json, status_lines, why_json, why_lines
from nopea.core.api.repository import Repository
from nopea.core.status.concerns import Concern, ConcernKind, concerns_of

ALIVE = Liveness(True, "The controller nopea-7d9f runs: last heartbeat 2s ago.")
DEAD = Liveness(False, "The controller was stopped 5m ago (Lease nopea-system/nopea).")
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


def _why(found: Repository, controller: Liveness = ALIVE, width: int | None = None) -> list[str]:
    lines = why_lines(found, concerns_of(found), controller=controller, now=NOW, width=width)
    return [click.unstyle(line) for line in lines]


def test_why_says_what_where_and_what_to_do() -> None:
    """And when Nopea tries again."""
    assert _why(_failing()) == [
        "GitRepository shop/api  main@sha1:c0ffee0",
        "✗ failing (for 10m) NOPEA-K003 api.yaml#1: spec.replica is unknown.",
        "  → Correct the manifest.",
        "The next try is in 3m; `nopea sync api -n shop` tries now.",
    ]


def test_why_says_that_it_is_being_deleted() -> None:
    """Then there is nothing to sync."""
    deleted = repository(
        deleting=True,
        status={
            "errors": [ERROR],
            "errorCount": 1,
            "nextSyncTime": "2026-11-24T05:13:00Z",
            "conditions": [READY],
        },
    )

    lines = _why(deleted)

    assert lines[0] == "GitRepository shop/api  (nothing applied)  being deleted"
    assert lines[-1] == "The next try is in 3m."


def test_why_says_that_a_try_is_late() -> None:
    """It runs now, or no controller does."""
    late = _repository(errors=[ERROR], errorCount=1, nextSyncTime="2026-11-24T05:05:00Z")

    assert _why(late)[-1] == "The next try was due 5m ago; `nopea sync api -n shop` tries now."


def test_why_leaves_out_times_that_cannot_be_read() -> None:
    """Another version may have written them."""
    odd = _repository(errors=[ERROR], errorCount=1, failingSince="long ago", nextSyncTime="soon")

    assert _why(odd)[1:] == [
        "✗ failing NOPEA-K003 api.yaml#1: spec.replica is unknown.",
        "  → Correct the manifest.",
    ]


def test_why_of_a_repository_that_is_fine() -> None:
    """It says so."""
    assert _why(_repository()) == ["GitRepository shop/api  main@sha1:c0ffee0", "✓ Nothing is wrong."]


def test_why_without_a_controller() -> None:
    """Nobody knows whether something is wrong now."""
    _, dead, last = _why(_repository(), DEAD)

    assert dead == f"✗ {DEAD.message} What follows may be old."
    assert last == "Nothing was wrong when the controller looked last."


def test_why_fits_the_terminal() -> None:
    """Lines break between words; what several problems share is told once."""
    errors = [{**ERROR, "message": "word " * 30}] * 2
    lines = _why(_repository(errors=errors, errorCount=24), width=80)

    assert max(map(len, lines)) <= 80
    assert lines[2].startswith("  word word")
    assert [line for line in lines if "→" in line] == ["  → Correct the manifest."]
    assert lines[-1] == "✗ failing: 22 more problems are not listed."


def _status(concerns: Concerns, controller: Liveness = ALIVE, width: int | None = None) -> list[str]:
    lines = status_lines(concerns, controller=controller, now=NOW, width=width)
    return [click.unstyle(line) for line in lines]


def test_status_counts_all_and_lists_who_needs_somebody() -> None:
    """The worst first, within the width."""
    unhealthy = [Concern(kind=ConcernKind.UNHEALTHY, message="It crashes.")]
    found = [
        (_repository("a"), ()),
        (_repository("b", summary="Deployment b: CrashLoopBackOff " + "x" * 80), unhealthy),
        (_failing("c"), concerns_of(_failing("c"))),
        (_repository("d"), [Concern(kind=ConcernKind.SUSPENDED, message="It is suspended.")]),
    ]

    lines = _status(found, width=80)

    assert lines.pop(0) == ALIVE.message
    assert lines[0] == "4 GitRepositories: 1 fine, 1 failing, 1 unhealthy, 1 suspended"
    assert lines[1] == "failing    shop/c  10m  api.yaml#1: invalid object; next try in 3m"
    assert lines[2].startswith("unhealthy  shop/b       Deployment b: CrashLoopBackOff xxx")
    assert lines[2].endswith("…")
    assert lines[3] == "`nopea why c -n shop` says what to do about the first."
    assert max(map(len, lines)) <= 80


def test_status_when_all_is_fine() -> None:
    """One line."""
    assert _status([(_repository(), ())]) == [ALIVE.message, "1 GitRepository: 1 fine"]
    assert _status([]) == [ALIVE.message, "0 GitRepositories: 0 fine"]


def test_status_begins_with_the_controller() -> None:
    """Without one, all that follows may be old."""
    unknown = Liveness(None, "Whether a controller runs is not known.")

    assert _status([], DEAD)[0] == f"✗ {DEAD.message}"
    assert _status([], unknown)[0] == f"? {unknown.message}"


def test_status_of_long_names() -> None:
    """The summary has a line of its own where there is no room beside the name."""
    found = _repository("a" * 60, summary="x" * 150)

    (line, summary, _) = _status([(found, [Concern(kind=ConcernKind.DRIFTED, message="")])], width=80)[2:]

    assert line == f"drifted  shop/{'a' * 60}"
    assert summary == f"  {'x' * 77}…"


def test_json() -> None:
    """It has the fields that a program decides by."""
    found = _failing()
    (told,) = status_json([(found, concerns_of(found))], controller=ALIVE)["repositories"]

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
    assert status_json([], controller=DEAD)["controller"] == {
        "running": False,
        "message": DEAD.message,
    }
