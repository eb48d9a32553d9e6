"""Options that several commands have."""

from __future__ import annotations

import pytest
from tests.unit.cli.conftest import Commands


@pytest.mark.parametrize("path", ["/etc", "../base", "a/../.."])
def test_a_path_stays_below_the_folder(commands: Commands, path: str) -> None:
    """Another one is wrong usage."""
    result = commands.run("render", ".", "--path", path)

    assert result.exit_code == 2
    assert "must be relative to the folder" in result.output
