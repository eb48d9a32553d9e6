"""A GitRepository that nobody would apply is not created."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.object_store import served
from tests.unit.cli.doctor.test_controller import deployment

from nopea.cli.cluster import CommandError
from nopea.cli.creation.account import refuse_without_account
from nopea.core.objects import RepoKey
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import DEPLOYMENTS, SERVICE_ACCOUNTS

KEY = RepoKey("shop", "web")


def cluster(**container: Any) -> FakeCluster:
    """Return a cluster with Nopea, and the account shop/deployer."""
    made = FakeCluster(namespaces=("shop", "nopea-system"))
    made.kinds.append(served(SERVICE_ACCOUNTS))
    made.create(deployment(**container))
    metadata = {"name": "deployer", "namespace": "shop"}
    made.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    return made


@pytest.mark.parametrize(
    ("container", "name"),
    [
        ({}, "deployer"),
        ({"args": ["run", "--default-service-account=deployer"]}, ""),
        ({"args": ["run", "--apply-as-controller"]}, ""),
        ({"env": [{"name": "NOPEA_APPLY_AS_CONTROLLER", "value": "true"}]}, ""),
    ],
)
async def test_somebody_applies_it(container: dict[str, Any], name: str) -> None:
    """The account that it names, the default one, or Nopea itself."""
    await refuse_without_account(cluster(**container).client, KEY, name)


@pytest.mark.parametrize(
    ("container", "name", "text"),
    [
        ({}, "", "applies nothing without a service account"),
        ({"env": [{"name": "NOPEA_APPLY_AS_CONTROLLER", "value": "false"}]}, "", "applies nothing"),
        ({}, "missing", "Service account shop/missing does not exist"),
        ({"args": ["run", "--default-service-account=gone"]}, "", "Service account shop/gone does not exist"),
    ],
)
async def test_nobody_applies_it(container: dict[str, Any], name: str, text: str) -> None:
    """The controller would say so after it was created."""
    with pytest.raises(CommandError) as caught:
        await refuse_without_account(cluster(**container).client, KEY, name)

    assert text in caught.value.message


async def test_what_may_not_be_read_is_no_reason() -> None:
    """A tenant may not read Nopea's Deployment; without one, Nopea may run elsewhere."""
    made = cluster()
    made.fail_next("list", DEPLOYMENTS, ForbiddenError(ApiFailure(code=403)))
    made.fail_next("get", SERVICE_ACCOUNTS, ForbiddenError(ApiFailure(code=403)))

    await refuse_without_account(made.client, KEY, "")
    await refuse_without_account(made.client, KEY, "missing")
    await refuse_without_account(FakeCluster().client, KEY, "")
