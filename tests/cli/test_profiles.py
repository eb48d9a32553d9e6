"""The profiles in the package beside deploy/, as kustomize builds it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from tests.deploy.conftest import DEPLOY

from nopea.cli.installation.profiles import Profile, objects, tenant_roles
from nopea.kube.client import ServiceAccount
from nopea_lab.lab import Lab


@pytest.mark.parametrize("profile", list(Profile))
def test_a_profile_is_the_folder_of_deploy(lab: Lab, profile: Profile) -> None:
    """The package has exactly what `kubectl apply -k` applies."""
    built = list(yaml.safe_load_all(lab.run_kubectl("kustomize", str(DEPLOY / profile))))

    def by_name(found: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
        return {(each["kind"], each["metadata"]["name"]): each for each in found}

    ours = by_name([yaml.safe_load(yaml.safe_dump(each)) for each in map(_plain, objects(profile))])
    assert ours == by_name(built)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def test_nobody_may_act_as_all_accounts_of_a_tenant() -> None:
    """A rule without names would be about all of them, so there is none where no account is named."""
    nopea = ServiceAccount(namespace="gitops", name="two")

    role, binding = tenant_roles("shop", accounts=[], controller=nopea)
    named, _ = tenant_roles("shop", accounts=["deployer"], controller=nopea)

    assert [rule["resources"] for rule in role["rules"]] == [["secrets"]]
    assert [rule.get("resourceNames") for rule in named["rules"]] == [["deployer"], None]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "two", "namespace": "gitops"}]
