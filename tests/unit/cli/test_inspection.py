"""Inspections of a folder, alone and on behalf of a GitRepository."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Commands

from nopea.cli.inspection import inspect_folder, inspect_folder_as, looking, references, temporary_fetcher
from nopea.core.api.names import ROLLBACK_ANNOTATION
from nopea.core.api.spec import GitReference
from nopea.core.problem import StalledError

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: api\n"


async def test_a_folder_alone_is_a_new_repository(commands: Commands, tmp_path: Path) -> None:
    """The objects belong to the given namespace, and nothing counts as applied."""
    (tmp_path / "api.yaml").write_text(MAP)

    inspected = await inspect_folder(commands.cluster.client, "shop", tmp_path)

    (created,) = inspected.inspection.objects
    assert (str(created.step.key), str(created.step.action)) == ("ConfigMap shop/api", "create")
    assert inspected.commit == ""


async def test_on_behalf_of_a_repository_its_spec_counts(commands: Commands, tmp_path: Path) -> None:
    """Only files below `spec.path` are inspected."""
    commands.store(path="deploy/", status={"inventory": ""})
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "api.yaml").write_text(MAP)
    (tmp_path / "other.yaml").write_text(MAP.replace("api", "other"))

    inspected = await inspect_folder_as(commands.cluster.client, "shop", "api", tmp_path)

    assert [str(found.step.key) for found in inspected.inspection.objects] == ["ConfigMap shop/api"]


async def test_an_invalid_rollback_stops_the_inspection(commands: Commands, tmp_path: Path) -> None:
    """An invalid rollback annotation is an error, as it is for the controller."""
    commands.store(annotations={ROLLBACK_ANNOTATION: "main"})

    with pytest.raises(StalledError, match="is not a full commit id"):
        await inspect_folder_as(commands.cluster.client, "shop", "api", tmp_path)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_the_fetcher_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fetcher's mirrors are in a temporary folder, which is removed at the end."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    async with temporary_fetcher():
        assert len(_names(tmp_path)) == 1

    assert _names(tmp_path) == []


@pytest.mark.parametrize(
    ("ref", "meant"),
    [
        ("main", [GitReference(branch="main"), GitReference(tag="main")]),
        ("refs/pull/4/merge", [GitReference(name="refs/pull/4/merge")]),
        ("A" * 40, [GitReference(commit="a" * 40)]),
        ("abc1234", [GitReference(branch="abc1234"), GitReference(tag="abc1234")]),
    ],
)
def test_what_the_name_of_a_ref_may_mean(ref: str, meant: list[GitReference]) -> None:
    """A branch before a tag; only a full id is a commit."""
    assert references(ref) == meant


async def test_a_look_tells_how_far_it_is(commands: Commands, tmp_path: Path) -> None:
    """Each object is told; without the server, none is tried."""
    (tmp_path / "api.yaml").write_text(MAP)
    told: list[tuple[int, int]] = []
    with looking(server=False) as looks:
        looks = replace(looks, tell=lambda done, of: told.append((done, of)))
        await inspect_folder(commands.cluster.client, "shop", tmp_path, looks=looks)

    assert told == [(1, 1)]
    assert not [each for each in commands.cluster.requests if each.startswith("dry-run")]
