"""The table of the last revisions."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tests.fakes.samples import repository

from nopea.cli.output.revisions import revision_lines

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
NEW = {
    "commit": "c" * 40, "message": "Raise the replicas", "author": "Deploy Bot <bot@acme.example>",
    "time": "2026-11-24T04:00:00Z", "applied": "2026-11-24T05:00:00Z", "changed": 2,
    "reverted": ["apps/Deployment shop/web: .spec.replicas, by kubectl-scale"],
}  # fmt: skip
OLD = {**NEW, "commit": "a" * 40, "message": "Open\nthe shop", "rollback": True, "reverted": []}
BROKEN = {**OLD, "commit": "b" * 40, "rollback": False, "applied": None, "failed": 1}


def lines(*revisions: object, width: int | None = None) -> list[str]:
    """Return the table of a repository with these revisions."""
    status = {"revisions": [*revisions], "lastAppliedCommit": "c" * 40}
    return [*revision_lines(repository(status=status), now=NOW, width=width)]


def test_each_revision_is_a_row() -> None:
    """It shows who changed what in Git; the changes that were reverted follow."""
    title, *table, reverted = lines(NEW, BROKEN, OLD)

    assert title == f"GitRepository shop/api at {'c' * 40}, follows branch main"
    assert [re.split(r" {2,}", row) for row in table] == [
        ["COMMIT", "APPLIED", "CREATED", "CHANGED", "PRUNED", "FAILED", "REVERTED", "AUTHOR", "MESSAGE"],
        ["ccccccc", "60m ago", "0", "2", "0", "0", "1", "Deploy Bot", "Raise the replicas"],
        ["bbbbbbb", "not in full", "0", "2", "0", "1", "0", "Deploy Bot", "Open the shop"],
        ["aaaaaaa (rollback)", "60m ago", "0", "2", "0", "0", "0", "Deploy Bot", "Open the shop"],
    ]
    assert len({row.index("Deploy Bot") for row in table[1:]}) == 1
    assert reverted == "reverted: apps/Deployment shop/web: .spec.replicas, by kubectl-scale"


def test_the_message_is_cut_to_the_terminal() -> None:
    """The other columns stay whole."""
    table = lines({**NEW, "message": "x" * 90, "reverted": []}, width=100)[1:]

    assert [len(line) <= 100 for line in table] == [True, True]
    assert table[1].endswith("x…")
    assert all("REVERTED" in line for line in lines(NEW, width=20)[1:2])


def test_without_a_revision_the_reason_is_shown() -> None:
    """An empty table would look like an error."""
    assert lines()[1].startswith("No sync yet.")
