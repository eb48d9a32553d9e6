"""With whose rights a repository's objects are written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.fakes.installation import config_map, installed
from tests.fakes.object_store import CONFIG_MAPS

from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.problem import StalledError
from nopea.kube.errors import ForbiddenError
from nopea.reconcile.accounts import client_for, watcher_of

pytestmark = pytest.mark.looptime
FILES = {"a.yaml": config_map("a", colour="blue")}


def _spec(account: str | None = None) -> GitRepositorySpec:
    return GitRepositorySpec(url="https://git.example/shop.git", service_account_name=account)


async def test_nothing_in_git_acts_as_nopea_without_permission() -> None:
    """A repository without a service account is refused where the process requires one."""
    async with installed(FILES) as place:
        strict = replace(place.services, policy=TenancyPolicy())
        with pytest.raises(StalledError):
            client_for(strict, place.repository(), _spec())


async def test_the_service_account_is_that_of_the_namespace() -> None:
    """It writes, and watches where Nopea may not; without one, Nopea does both."""
    async with installed(FILES) as place:
        repository = place.repository()
        watcher = watcher_of(place.services, repository, _spec("deployer"))
        assert watcher is not None
        assert watcher.account == "system:serviceaccount:shop:deployer"
        assert watcher_of(place.services, repository, _spec()) is None
        writer = client_for(place.services, repository, _spec("deployer"))
        with pytest.raises(ForbiddenError):
            await writer.list(CONFIG_MAPS)
        place.cluster.allowed.add(watcher.account)
        assert (await writer.list(CONFIG_MAPS)).items == ()
