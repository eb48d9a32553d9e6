"""`nopea ui`: its arguments; a whole run is in tests/e2e/test_ui.py."""

from __future__ import annotations

from tests.unit.cli.conftest import Commands


def test_cluster_without_nopea_is_said(commands: Commands) -> None:
    """Before anything listens."""
    commands.cluster.kinds.clear()
    result = commands.run("ui", "--no-browser")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "does not serve the kind GitRepository" in result.stderr
