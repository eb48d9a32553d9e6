"""`nopea rollback` with a cluster in memory."""

from __future__ import annotations

from tests.unit.cli.conftest import COMMIT, NEWER, Commands

from nopea.core.api.names import ROLLBACK_ANNOTATION


def test_the_default_is_the_previous_commit(commands: Commands) -> None:
    """The output names the branch that is not followed and the command that ends the rollback."""
    result = commands.run("rollback", "api")

    assert result.exit_code == 0, result.output
    assert commands.annotation(ROLLBACK_ANNOTATION) == COMMIT
    assert result.stdout == (
        f"GitRepository shop/api is pinned to {COMMIT} (applied now: {NEWER[:7]}).\n"
        "→ branch main is not followed until `nopea rollback api -n shop --resume`.\n"
    )


def test_a_short_id_is_completed(commands: Commands) -> None:
    """A short commit id is completed from the history."""
    assert commands.run("rollback", "api", COMMIT[:7]).exit_code == 0
    assert commands.annotation(ROLLBACK_ANNOTATION) == COMMIT


def test_the_same_pin_again_is_reported(commands: Commands) -> None:
    """A rollback to the pinned commit is not an error; the output says that it is already pinned."""
    commands.store(annotations={ROLLBACK_ANNOTATION: COMMIT})

    assert "is already pinned to" in commands.run("rollback", "api", COMMIT).stdout


def test_an_unknown_commit_changes_nothing(commands: Commands) -> None:
    """A commit that is not in the history ends with exit code 3 and writes nothing."""
    result = commands.run("rollback", "api", "cafecafe")

    assert (result.exit_code, commands.cluster.writes) == (3, [])
    assert "No commit in its history starts with cafecafe." in result.stderr


def test_resume_removes_the_pin(commands: Commands) -> None:
    """`--resume` removes the annotation and names the branch that is followed again."""
    commands.store(annotations={ROLLBACK_ANNOTATION: COMMIT})

    result = commands.run("rollback", "api", "--resume")

    assert (result.exit_code, result.stdout) == (0, "GitRepository shop/api follows branch main again.\n")
    assert commands.annotation(ROLLBACK_ANNOTATION) is None


def test_resume_without_a_pin_writes_nothing(commands: Commands) -> None:
    """`--resume` without a rollback succeeds and writes nothing."""
    result = commands.run("rollback", "api", "--resume")

    assert (result.exit_code, commands.cluster.writes) == (0, [])
    assert "is not rolled back: it follows branch main." in result.stdout


def test_a_suspended_repository_applies_it_later(commands: Commands) -> None:
    """A suspended repository can be pinned, but `--wait` ends with exit code 1."""
    commands.store(suspend=True)

    assert commands.run("rollback", "api").exit_code == 0
    result = commands.run("rollback", "api", "--wait")
    assert result.exit_code == 1
    assert "this is applied after `nopea resume api -n shop`." in result.stderr
