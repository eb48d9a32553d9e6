"""`nopea ui`: its arguments; a whole run is in tests/e2e/test_ui.py."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.cli.conftest import Commands

from nopea.cli.commands import ui as module
from nopea.cli.ui_source import WatchedSource


def test_cluster_without_nopea_is_said(commands: Commands) -> None:
    """Before anything listens."""
    commands.cluster.kinds.clear()
    result = commands.run("ui", "--no-browser")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "does not serve the kind GitRepository" in result.stderr


def test_list_that_does_not_come_is_said(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a time, and without anything that listens."""
    monkeypatch.setattr(module, "LIST_SECONDS", 0.0)
    result = commands.run("ui", "--no-browser")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "The list of GitRepositories has not come in time." in result.stderr


def test_another_deadline_is_not_taken_for_the_list(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as that of the end of the server: its cause must be seen."""

    async def late(following: asyncio.Task[None]) -> None:
        del following
        raise TimeoutError

    monkeypatch.setattr(module, "_until_interrupted", late)
    result = commands.run("ui", "--no-browser")
    assert isinstance(result.exception, TimeoutError)


def test_watch_that_ends_by_a_bug_ends_the_command(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages that are never current again must not look as if they were."""

    async def broken(self: WatchedSource) -> None:
        self.listed.set()
        await asyncio.sleep(0)
        raise LookupError

    monkeypatch.setattr(WatchedSource, "run", broken)
    result = commands.run("ui", "--no-browser")
    assert isinstance(result.exception, LookupError)
