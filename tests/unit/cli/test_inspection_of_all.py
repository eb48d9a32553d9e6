"""Many GitRepositories, a few at a time: what fails for one, and what is asked once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.cli.commands.test_diff import MAP, git
from tests.unit.cli.conftest import Commands

from nopea.cli.inspection_of_all import Looked, chosen_repositories, inspect_all
from nopea.core.problem import Code
from nopea.kube.errors import ApiFailure, ForbiddenError, UnreachableError
from nopea.kube.kinds import CONFIG_MAPS, GIT_REPOSITORIES

FORBIDDEN = ForbiddenError(ApiFailure(code=403, message="no"))


@pytest.fixture
def url(tmp_path: Path, commands: Commands) -> str:
    """The URL of a repository with one manifest; six GitRepositories and one without Git."""
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "web.yaml").write_text(MAP)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Add web")
    for number in range(6):
        commands.store(f"r{number}", url=folder.as_uri(), status={"inventory": ""}, uid=f"uid-{number}")
    commands.store("api", url=(tmp_path / "gone").as_uri(), status={"inventory": ""})
    return folder.as_uri()


async def looked(commands: Commands) -> list[Looked]:
    """Inspect all GitRepositories of shop."""
    client = commands.cluster.client
    chosen, known = await chosen_repositories(client, "shop", everywhere=False)
    return [each async for each in inspect_all(client, chosen, known=known, server=False)]


async def test_each_has_its_result_in_order(commands: Commands, url: str) -> None:
    """One without Git does not hold up the others; who may own objects is listed once."""
    del url
    found = await looked(commands)

    assert [each.repository.key.name for each in found] == ["api", *(f"r{number}" for number in range(6))]
    assert [problem.code for problem in found[0].problems] == [Code.GIT_NOT_FOUND]
    assert all(each.inspected is not None for each in found[1:])
    assert sum(each.startswith("list gitrepositories") for each in commands.cluster.requests) == 1


async def test_who_may_list_one_namespace_gets_that(commands: Commands, url: str) -> None:
    """All of the cluster then are not known; with -A it is an error."""
    del url
    client = commands.cluster.client
    commands.cluster.fail_next("list", GIT_REPOSITORIES, FORBIDDEN)
    chosen, known = await chosen_repositories(client, "shop", everywhere=False)
    commands.cluster.fail_next("list", GIT_REPOSITORIES, FORBIDDEN)
    with pytest.raises(ForbiddenError):
        await chosen_repositories(client, "shop", everywhere=True)

    assert len(chosen) == 7
    assert known is None


async def test_what_cannot_be_read_of_one_ends_nothing(commands: Commands, url: str) -> None:
    """All others are looked at, too."""
    del url
    commands.cluster.fail_next("list", CONFIG_MAPS, UnreachableError("gone"), times=99)
    commands.cluster.fail_next("get", CONFIG_MAPS, UnreachableError("gone"), times=99)

    found = await looked(commands)

    assert len(found) == 7
    for each in found[1:]:
        assert each.problems or (each.inspected is not None and each.inspected.inspection.problems)
