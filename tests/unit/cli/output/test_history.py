"""The syncs of a repository as a table and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest
from tests.fakes.samples import repository

from nopea.cli.output.history import age, history_json, history_lines
from nopea.core.api.names import ROLLBACK_ANNOTATION
from nopea.core.api.repository import Repository

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
OLD, NEW = "a" * 40, "b" * 40


def entry(commit: str, number: int, **facts: object) -> dict[str, object]:
    """Return a history entry as the API server stores it."""
    return {
        "id": f"01JZZZZZZZZZZZZZZZZZZZZZZ{number}", "commit": commit, "trigger": "poll", "outcome": "synced",
        "started": "2026-11-24T05:00:00Z", "duration": "1.50s", **facts,
    }  # fmt: skip


def shown(found: Repository) -> list[str]:
    """Return the lines without colours."""
    return [click.unstyle(line) for line in history_lines(found, now=NOW)]


def with_history(
    *entries: dict[str, object], applied: str | None = NEW, pin: str | None = None
) -> Repository:
    """Return a repository with these history entries, newest first."""
    status: dict[str, object] = {"history": list(entries)}
    if applied:
        status["lastAppliedCommit"] = applied
    return repository(annotations={ROLLBACK_ANNOTATION: pin} if pin is not None else {}, status=status)


def test_each_sync_is_a_line() -> None:
    """A line contains commit, outcome, age, time, duration, counts, id and triggers."""
    _, head, line, *_ = shown(
        with_history(entry(NEW, 1, trigger="manual,poll", created=3, changed=2, pruned=1, failed=4))
    )

    assert line.split() == [
        "*", NEW[:7], "synced", "60m", "ago,", "2026-11-24T05:00:00Z", "1.50s", "3", "2", "1", "4",
        "01JZZZZZZZZZZZZZZZZZZZZZZ1", "manual,", "poll",
    ]  # fmt: skip
    assert head.index("COMMIT") == line.index(NEW[:7])
    assert head.index("ID") == line.index("01JZ")
    assert head.index("CREATED") + len("CREATED") - 1 == line.index(" 3 ") + 1


def test_a_narrow_terminal_gets_fewer_columns() -> None:
    """The ids are dropped first, then the times; a sync with one trigger fits into 80 columns."""
    found = with_history(entry(NEW, 1, outcome="failed", trigger="rollback"), entry(OLD, 2))

    def table(width: int) -> list[str]:
        return [click.unstyle(line) for line in history_lines(found, now=NOW, width=width)][1:4]

    assert table(200) == shown(found)[1:4]
    assert "ID" not in table(110)[0]
    assert "60m ago, 2026-11-24T05:00:00Z" in table(110)[1]
    assert [max(map(len, table(width))) <= width for width in (110, 80)] == [True, True]
    assert table(80)[1].split()[1:6] == [NEW[:7], "failed", "60m", "ago", "1.50s"]


def test_the_newest_sync_of_the_applied_commit_is_marked() -> None:
    """A failed sync of that commit is not marked; a sync that read no commit shows a dash."""
    lines = shown(
        with_history(
            entry("", 1, outcome="failed"), entry(NEW, 2, outcome="failed"), entry(NEW, 3), entry(NEW, 4)
        )
    )

    assert [line[:1] for line in lines[2:6]] == [" ", " ", "*", " "]
    assert lines[2].split()[0] == "-"
    assert lines[-1] == "* applied now"


def test_syncs_under_a_rollback_are_marked() -> None:
    """A heal under a rollback is marked as well; the title names the branch that is not followed."""
    lines = shown(
        with_history(
            entry(OLD, 1, trigger="object change,rollback"), entry(OLD, 2, trigger="rollback"), entry(NEW, 3),
            applied=OLD, pin=OLD,
        )
    )  # fmt: skip

    assert lines[0] == (
        f"GitRepository shop/api at {OLD}, rolled back to {OLD[:7]}: branch main is not followed"
    )
    assert [line[:2] for line in lines[2:5]] == ["*↩", " ↩", "  "]
    assert lines[-1] == "* applied now   ↩ applied by a rollback"


def test_an_invalid_rollback_is_in_the_title() -> None:
    """The title says that the rollback annotation is invalid."""
    assert "its rollback annotation is invalid" in shown(with_history(entry(NEW, 1), pin="main"))[0]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({}, "Check that `nopea run` runs"),
        (
            {
                "conditions": [
                    {
                        "type": "Ready", "status": "Unknown", "reason": "Progressing",
                        "message": "fetching and applying", "lastTransitionTime": "2026-11-24T05:00:00Z",
                    }
                ]
            },
            "fetching and applying",
        ),
    ],
)  # fmt: skip
def test_an_empty_history_shows_what_to_check(status: dict[str, object], says: str) -> None:
    """Without syncs, the output shows the Ready condition or says what to check."""
    lines = shown(repository(status=status))

    assert len(lines) == 2
    assert says in lines[1]


def test_json_has_every_field() -> None:
    """JSON contains all fields, including counts of zero and the marks."""
    document = history_json(
        with_history(entry(OLD, 1, trigger="rollback"), entry(NEW, 2), applied=OLD, pin=OLD)
    )

    assert (document["follows"], document["rollbackTo"]) == ("branch main", OLD)
    first, second = document["history"]
    assert set(first) == {
        "id", "commit", "trigger", "outcome", "started", "duration", "created", "changed", "pruned", "failed",
        "current", "rollback",
    }  # fmt: skip
    assert (first["created"], first["current"], first["rollback"]) == (0, True, True)
    assert (second["current"], second["rollback"]) == (False, False)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (172800, "2d")],
)
def test_ages(seconds: float, text: str) -> None:
    """An age has one unit, as in kubectl; a time in the future is 0s."""
    assert age(seconds) == text
