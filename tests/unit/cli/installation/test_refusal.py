"""What others may have prepared before Nopea is installed."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.samples import raw_repository

from nopea.cli.cluster import CommandError
from nopea.cli.installation.installed import MANAGER, Installed
from nopea.cli.installation.profiles import Profile
from nopea.cli.installation.refusal import refuse_foreign, refuse_open_namespace, refuse_waiting
from nopea.core.objects import ObjectKey
from nopea.kube.errors import ApiFailure, ServerError
from nopea.kube.kinds import PODS

SYSTEM = "nopea-system"
OURS = {"app.kubernetes.io/name": "nopea", "app.kubernetes.io/part-of": "nopea"}


def installed(**changes: Any) -> Installed:
    """Return an installation of this program."""
    values: dict[str, Any] = {
        "namespace": SYSTEM,
        "image": "nopea:0.0.1",
        "version": "0.0.1",
        "profile": None,
    }
    return Installed(**{**values, "tool": MANAGER, **changes})


@pytest.mark.parametrize(
    ("there", "hint"),
    [
        (installed(tool="Helm"), "`helm upgrade`, or give --force"),
        (installed(tool="argocd"), "what installed it, or give --force"),
        (installed(version="999.0.0"), "give --force to go back"),
    ],
)
def test_what_others_installed_is_refused_unless_forced(there: Installed, hint: str) -> None:
    """So is a newer version."""
    with pytest.raises(CommandError) as refused:
        refuse_foreign(there, force=False)
    assert hint in refused.value.hint
    refuse_foreign(there, force=True)
    refuse_foreign(None, force=False)
    refuse_foreign(installed(), force=False)


def test_two_are_refused_even_if_forced() -> None:
    """What is in another namespace would go on, with its rights."""
    with pytest.raises(CommandError) as refused:
        refuse_foreign(installed(namespace="gitops", tool="Helm"), force=True)
    assert "Nopea 0.0.1 in gitops, installed by Helm" in refused.value.message


def an(kind: str, name: str, api: str = "v1", **fields: Any) -> dict[str, Any]:
    """Return an object in Nopea's namespace with the labels of Nopea's own."""
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "namespace": SYSTEM, "labels": OURS},
        **fields,
    }


@pytest.mark.parametrize(
    ("prepared", "name"),
    [
        (an("RoleBinding", "mine", "rbac.authorization.k8s.io/v1"), "RoleBinding mine"),
        (an("ServiceAccount", "nopea"), "ServiceAccount nopea"),
        (an("Secret", "t", type="kubernetes.io/service-account-token"), "Secret t"),
        (an("Secret", "nopea-inventory-key"), "Secret nopea-inventory-key"),
        (an("Deployment", "nopea", "apps/v1"), "Deployment nopea"),
        (an("Pod", "waits"), "Pod waits"),
    ],
)
async def test_what_may_have_nopeas_rights_is_refused(prepared: dict[str, Any], name: str) -> None:
    """Whatever its labels and its manager say: who was first wrote both."""
    cluster = FakeCluster(namespaces=(SYSTEM,))
    cluster.create(prepared, manager=MANAGER)

    with pytest.raises(CommandError) as refused:
        await refuse_open_namespace(cluster.client)
    assert f"the rights of Nopea: {name}." in refused.value.message


async def test_what_an_administrator_prepares_is_accepted() -> None:
    """Such as the Secrets of webhooks and of the registry."""
    cluster = FakeCluster(namespaces=(SYSTEM, "team"))
    for harmless in (
        an("Secret", "nopea-webhook", type="Opaque"),
        an("Secret", "pull", type="kubernetes.io/dockerconfigjson"),
        an("ServiceAccount", "default"),
        an("ConfigMap", "kube-root-ca.crt"),
    ):
        cluster.create(harmless)
    cluster.create({**an("Pod", "elsewhere"), "metadata": {"name": "elsewhere", "namespace": "team"}})

    assert not await refuse_open_namespace(cluster.client)
    assert await refuse_open_namespace(FakeCluster().client)


async def test_many_are_counted_and_a_kind_that_is_down_is_passed_over() -> None:
    """The message stays short."""
    cluster = FakeCluster(namespaces=(SYSTEM,))
    for number in range(7):
        cluster.create(an("Deployment", f"d{number}", "apps/v1"))
    cluster.fail_next("list", PODS, ServerError(ApiFailure(code=503)))

    with pytest.raises(CommandError) as refused:
        await refuse_open_namespace(cluster.client)
    assert refused.value.message.endswith("Deployment d4 and 2 others.")


async def test_nothing_that_waited_gets_all_rights() -> None:
    """Who gives cluster-admin to Nopea gives it to what names no service account."""
    cluster = FakeCluster()
    for raw in (raw_repository("api"), raw_repository("web", serviceAccountName="deployer")):
        cluster.objects[ObjectKey("nopea.io", "GitRepository", "shop", raw["metadata"]["name"])] = raw
    before = installed(profile=Profile.TENANTS)

    for there in (None, before):
        with pytest.raises(CommandError) as refused:
            await refuse_waiting(cluster.client, there, Profile.CLUSTER_ADMIN, force=False)
        assert refused.value.message.endswith("declare: shop/api.")
    await refuse_waiting(cluster.client, before, Profile.CLUSTER_ADMIN, force=True)
    await refuse_waiting(cluster.client, before, Profile.ANY_NAMESPACE, force=False)
    admin = installed(profile=Profile.CLUSTER_ADMIN)
    await refuse_waiting(cluster.client, admin, Profile.CLUSTER_ADMIN, force=False)
    cluster.kinds = [each for each in cluster.kinds if each.group != "nopea.io"]
    await refuse_waiting(cluster.client, None, Profile.CLUSTER_ADMIN, force=False)
