"""`nopea history` with a cluster in memory."""

from __future__ import annotations

import json

from tests.unit.cli.conftest import COMMIT, NEWER, Commands

from nopea.core.api.names import ROLLBACK_ANNOTATION


def test_the_syncs_are_a_table(commands: Commands) -> None:
    """The newest sync comes first, below a title with the applied commit and the followed branch."""
    result = commands.run("history", "api")

    title, head, newest, older, legend = result.stdout.splitlines()
    assert result.exit_code == 0
    assert title == f"GitRepository shop/api at {NEWER}, follows branch main"
    assert head.split()[:2] == ["COMMIT", "OUTCOME"]
    assert (newest.split()[1], older.split()[0]) == (NEWER[:7], COMMIT[:7])
    assert legend == "* applied now"


def test_json_is_one_document(commands: Commands) -> None:
    """`-o json` prints one JSON document with the history."""
    result = commands.run("history", "api", "-o", "json")

    assert result.exit_code == 0
    assert [sync["commit"] for sync in json.loads(result.stdout)["history"]] == [NEWER, COMMIT]


def test_an_invalid_rollback_is_explained(commands: Commands) -> None:
    """The explanation goes to standard error, so standard output remains valid JSON."""
    commands.store(annotations={ROLLBACK_ANNOTATION: "main"})

    result = commands.run("history", "api", "-o", "json")

    assert result.exit_code == 0
    assert "is not a full commit id" in result.stderr


def test_a_missing_repository_exits_with_3(commands: Commands) -> None:
    """If the GitRepository does not exist, the message says how to list the existing ones."""
    result = commands.run("history", "nobody")

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == (
        "✗ GitRepository shop/nobody does not exist.\n"
        "→ `nopea get -A` lists all GitRepositories; -n selects the namespace.\n"
    )
