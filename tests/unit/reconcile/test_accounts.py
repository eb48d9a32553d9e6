"""With whose rights a repository's objects are written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.installation import config_map, installed
from tests.fakes.object_store import CONFIG_MAPS
from tests.fakes.samples import raw_repository

from nopea.core.api.repository import parse_repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.problem import StalledError
from nopea.informers.input_watches import Input
from nopea.kube.client import ServiceAccount
from nopea.kube.errors import ForbiddenError
from nopea.kube.kinds import CONFIG_MAPS as MAPS
from nopea.kube.kinds import SECRETS
from nopea.reconcile.accounts import client_for, inputs_of, watcher_of

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


REFERENCES: dict[str, Any] = {
    "substituteFrom": [{"kind": "ConfigMap", "name": "cluster"}, {"kind": "Secret", "name": "keys"}],
    "helm": {"chart": "chart", "valuesFrom": [{"kind": "ConfigMap", "name": "cluster"}]},
    "decryption": {"provider": "sops", "secretRef": {"name": "keys"}},
}


def _followed(*, policy: TenancyPolicy | None = None, **fields: Any) -> frozenset[Input]:
    return inputs_of(policy or TenancyPolicy(), parse_repository(raw_repository(**fields)))


async def test_inputs_are_followed_as_whoever_reads_them() -> None:
    """Values and variables as the account, keys as Nopea; each once."""
    account = ServiceAccount(namespace="shop", name="deployer")

    assert _followed(serviceAccountName="deployer", **REFERENCES) == {
        Input(resource=MAPS, name="cluster", account=account),
        Input(resource=SECRETS, name="keys", account=account),
        Input(resource=SECRETS, name="keys"),
    }
    as_controller = TenancyPolicy(apply_as_controller=True)
    assert _followed(policy=as_controller, **REFERENCES) == {
        Input(resource=MAPS, name="cluster"),
        Input(resource=SECRETS, name="keys"),
    }


@pytest.mark.parametrize(
    "fields",
    [
        {**REFERENCES},
        {**REFERENCES, "serviceAccountName": "deployer", "suspend": True},
        {**REFERENCES, "serviceAccountName": "deployer", "deleting": True},
        {**REFERENCES, "serviceAccountName": "deployer", "url": 5},
        {"serviceAccountName": "deployer"},
    ],
)
async def test_nothing_is_followed_that_no_sync_reads(fields: dict[str, Any]) -> None:
    """Without an account, suspended, deleting, invalid, or without references."""
    assert _followed(**fields) == frozenset()


async def test_who_only_reads_needs_no_account() -> None:
    """With its own rights; without them, it reads as the account as always."""
    async with installed(FILES) as place:
        repository = place.repository()
        as_itself = replace(place.services, policy=TenancyPolicy(apply_as_controller=True, read_only=True))
        assert watcher_of(as_itself, repository, _spec("deployer")) is None
        await client_for(as_itself, repository, _spec("deployer")).list(CONFIG_MAPS)

        tenants = replace(place.services, policy=TenancyPolicy(read_only=True))
        assert watcher_of(tenants, repository, _spec("deployer")) is not None
        with pytest.raises(StalledError):
            client_for(tenants, repository, _spec())
