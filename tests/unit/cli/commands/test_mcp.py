"""`nopea mcp` without its extra; tests/unit/cli/test_mcp_tools.py has the tools."""

from __future__ import annotations

import sys

import pytest
from tests.unit.cli.conftest import Commands


def test_without_the_extra_it_says_how_to_install_it(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one line, and no traceback."""
    monkeypatch.delitem(sys.modules, "nopea.cli.mcp_tools", raising=False)
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)

    result = commands.run("mcp")

    assert (result.exit_code, result.stdout) == (3, "")
    assert "`pip install '.[mcp]'`" in result.stderr
