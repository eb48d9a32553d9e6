"""`nopea sync` with a cluster in memory."""

from __future__ import annotations

from tests.unit.cli.conftest import Commands

from nopea.core.api.names import SYNC_REQUESTED_ANNOTATION


def test_a_sync_is_requested(commands: Commands) -> None:
    """The only write is the annotation that requests the sync."""
    result = commands.run("sync", "api")

    assert (result.exit_code, result.stdout) == (0, "Requested a sync of GitRepository shop/api.\n")
    assert commands.annotation(SYNC_REQUESTED_ANNOTATION)
    assert len(commands.cluster.writes) == 1


def test_a_suspended_repository_is_not_synced(commands: Commands) -> None:
    """The exit code is 1, and no request is left on the GitRepository."""
    commands.store(suspend=True)

    result = commands.run("sync", "api")

    assert (result.exit_code, commands.cluster.writes) == (1, [])
    assert "GitRepository shop/api is suspended" in result.stderr
    assert "`nopea resume api -n shop`" in result.stderr


def test_a_repository_that_is_being_deleted_is_not_synced(commands: Commands) -> None:
    """The exit code is 3, and nothing is written."""
    commands.store(deleting=True)

    result = commands.run("sync", "api")

    assert (result.exit_code, commands.cluster.writes) == (3, [])
    assert "GitRepository shop/api is being deleted" in result.stderr


def test_waiting_exits_with_1_when_no_controller_answers(commands: Commands) -> None:
    """The message says that no controller has handled the request."""
    result = commands.run("sync", "api", "--wait", "--timeout", "0.01s")

    assert result.exit_code == 1
    assert "no controller has handled the request within" in result.stderr
