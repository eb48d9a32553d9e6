"""What a folder and a GitRepository declare."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.cli.conftest import Commands

from nopea.cli.rendering import render_folder, render_repository
from nopea.core.objects import RepoKey
from nopea.core.problem import StalledError

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n"


async def test_a_folder_is_shown_as_it_is(tmp_path: Path) -> None:
    """Its objects have no namespace and no label of an owner, because there is none."""
    (tmp_path / "web.yaml").write_text(MAP)

    (web,) = (await render_folder(tmp_path, None)).manifests

    assert web.source == "web.yaml#1"
    assert web.object == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}
    assert str(web.key) == "ConfigMap web"


async def test_problems_come_with_the_rest(tmp_path: Path) -> None:
    """Those of files, and those of the selection."""
    (tmp_path / "web.yaml").write_text(MAP)
    (tmp_path / "bad.yaml").write_text("a: 1\na: 2\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "kustomization.yaml").write_text("resources: []\n")

    rendered = await render_folder(tmp_path, None)

    assert [each.source for each in rendered.manifests] == ["web.yaml#1"]
    assert {str(problem.code) for problem in rendered.problems} == {"NOPEA-M004", "NOPEA-M015"}


async def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    """Nothing can be shown."""
    with pytest.raises(StalledError, match="cannot be read"):
        await render_folder(tmp_path / "gone", None)


async def test_an_invalid_spec_is_an_error(commands: Commands) -> None:
    """As for the controller."""
    commands.store(interval="often")

    with pytest.raises(StalledError, match="The spec is invalid"):
        await render_repository(commands.cluster.client, RepoKey("shop", "api"))
