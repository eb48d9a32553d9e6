"""How a command reads and annotates its GitRepository."""

from __future__ import annotations

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.object_store import KINDS
from tests.fakes.samples import repository
from tests.unit.cli.conftest import WEB, Commands

from nopea.cli.cluster import CommandError
from nopea.cli.repository import annotate, find_applied, read_repository, refuse_deleting
from nopea.core.objects import RepoKey
from nopea.kube.kinds import repository_target

KEY = RepoKey("shop", "api")


async def test_a_repository_is_read(commands: Commands) -> None:
    """The GitRepository is parsed as in the controller."""
    assert (await read_repository(commands.cluster.client, KEY)).follows == "branch main"


async def test_a_repository_that_does_not_exist_is_an_error() -> None:
    """The hint contains the command that lists the existing ones."""
    with pytest.raises(CommandError, match="GitRepository shop/api does not exist") as caught:
        await read_repository(FakeCluster().client, KEY)

    assert "nopea get -A" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["api", "gr/api", "GitRepository/api", "gitrepositories.nopea.io/api", "shop/api"]
)
async def test_a_name_is_written_in_several_ways(commands: Commands, name: str) -> None:
    """As kubectl takes it, and as Nopea prints it."""
    namespace = "elsewhere" if name == "shop/api" else "shop"

    found = await read_repository(commands.cluster.client, RepoKey(namespace, name))

    assert found.key == KEY


@pytest.mark.parametrize("key", [RepoKey("shop", "apu"), RepoKey("data", "api")])
async def test_a_wrong_name_is_guessed(commands: Commands, key: RepoKey) -> None:
    """Also where it is in another namespace."""
    with pytest.raises(CommandError, match="does not exist") as caught:
        await read_repository(commands.cluster.client, key)

    assert caught.value.hint == "Did you mean `api -n shop`?"


async def test_a_cluster_that_does_not_serve_the_kind_is_an_error() -> None:
    """The hint mentions --context: it may be the wrong cluster."""
    kinds = [kind for kind in KINDS if kind.group != "nopea.io"]

    with pytest.raises(CommandError, match="does not serve the kind GitRepository") as caught:
        await read_repository(FakeCluster(kinds=kinds).client, KEY)

    assert "--context" in caught.value.hint


async def test_an_applied_object_is_found_by_its_plural(commands: Commands) -> None:
    """The kind of a plural name is looked up in the cluster."""
    client = commands.cluster.client
    shop = await read_repository(client, KEY)

    assert str(await find_applied(client, shop, "configmaps/web")) == WEB
    with pytest.raises(CommandError, match="is not an applied object"):
        await find_applied(client, shop, "secrets/web")


async def test_annotations_are_set_and_removed(commands: Commands) -> None:
    """The value None removes an annotation; the others stay."""
    client, target = commands.cluster.client, repository_target(KEY)

    await annotate(client, target, {"a": "1", "b": "2"})
    await annotate(client, target, {"a": None})

    assert (commands.annotation("a"), commands.annotation("b")) == (None, "2")


def test_a_repository_that_is_being_deleted_is_refused() -> None:
    """A GitRepository that is being deleted is an error; any other is not."""
    refuse_deleting(repository())
    with pytest.raises(CommandError, match="is being deleted"):
        refuse_deleting(repository(deleting=True))
