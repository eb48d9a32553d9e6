"""`nopea confirm-prune` with a cluster in memory."""

from __future__ import annotations

from typing import Any

from tests.unit.cli.conftest import COMMIT, Commands

from nopea.core.api.names import CONFIRM_PRUNE_ANNOTATION

HELD: dict[str, Any] = {
    "lastAttemptedCommit": COMMIT,
    "errors": [
        {
            "code": "NOPEA-K013",
            "message": "5 of 8 objects were removed from Git, and spec.pruneLimit (25%) allows 2 at once.",
            "hint": "Restore them.",
        }
    ],
}


def test_a_held_prune_is_confirmed_at_its_commit(commands: Commands) -> None:
    """The annotation names the commit in full; the output repeats what was confirmed."""
    commands.store(status=HELD)

    result = commands.run("confirm-prune", "api")

    assert result.exit_code == 0
    assert result.stdout == (
        "Confirmed for GitRepository shop/api at aaaaaaa: "
        "5 of 8 objects were removed from Git, and spec.pruneLimit (25%) allows 2 at once.\n"
    )
    assert commands.annotation(CONFIRM_PRUNE_ANNOTATION) == COMMIT


def test_a_suspended_repository_prunes_later(commands: Commands) -> None:
    """The confirmation is stored; the hint says what else is needed."""
    commands.store(status=HELD)
    commands.run("suspend", "api")

    result = commands.run("confirm-prune", "api")

    assert commands.annotation(CONFIRM_PRUNE_ANNOTATION) == COMMIT
    assert "nopea resume api -n shop" in result.stderr


def test_without_a_held_prune_nothing_is_confirmed(commands: Commands) -> None:
    """A confirmation in advance would allow what nobody has seen."""
    result = commands.run("confirm-prune", "api")

    assert result.exit_code == 1
    assert result.stdout == "The prune guard of GitRepository shop/api holds nothing back.\n"
    assert commands.annotation(CONFIRM_PRUNE_ANNOTATION) is None
