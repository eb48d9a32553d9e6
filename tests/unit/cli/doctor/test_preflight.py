"""Before an installation: what is there already. Rights: tests/cli/test_doctor.py."""

from __future__ import annotations

from tests.fakes.cluster import FakeCluster
from tests.fakes.samples import raw_repository
from tests.unit.cli.installation.test_installed import bind, store

from nopea.cli.doctor.finding import Finding, Verdict
from nopea.cli.doctor.preflight import examine_earlier, examine_target
from nopea.cli.installation.installed import MANAGER
from nopea.cli.installation.profiles import Profile, definitions
from nopea.core.objects import ObjectKey
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import CLUSTER_ROLE_BINDINGS, DEPLOYMENTS


async def earlier(cluster: FakeCluster) -> Finding:
    """Return what is found."""
    (found,) = [each async for each in examine_earlier(cluster.client)]
    return found


async def test_an_empty_cluster_is_fine() -> None:
    """Nothing is there."""
    assert (await earlier(FakeCluster())).message == "Nopea is not installed yet."


async def test_an_installation_is_named_with_its_tool() -> None:
    """Ours is upgraded, another one by what installed it."""
    for manager, fix in ((MANAGER, "`nopea upgrade` upgrades it."), ("argocd", "Upgrade it with argocd.")):
        cluster = FakeCluster(namespaces=("nopea-system",))
        bind(cluster)
        store(cluster, manager)

        assert (await earlier(cluster)).fix == fix


async def test_what_is_left_of_an_earlier_one_is_counted() -> None:
    """Nopea would sync these GitRepositories as soon as it starts."""
    cluster = FakeCluster()
    for definition in definitions():
        name = definition["metadata"]["name"]
        cluster.objects[ObjectKey("apiextensions.k8s.io", "CustomResourceDefinition", "", name)] = definition
    assert (await earlier(cluster)).verdict is Verdict.GOOD
    cluster.objects[ObjectKey("nopea.io", "GitRepository", "shop", "api")] = raw_repository("api")

    found = await earlier(cluster)

    assert found.verdict is Verdict.WARNING
    assert "1 GitRepository, which Nopea will sync" in found.message


async def test_what_may_not_be_read_is_not_known() -> None:
    """It is not "not installed"."""
    cluster = FakeCluster()
    cluster.fail_next("list", CLUSTER_ROLE_BINDINGS, ForbiddenError(ApiFailure(code=403)))
    cluster.fail_next("list", DEPLOYMENTS, ForbiddenError(ApiFailure(code=403)))

    assert (await earlier(cluster)).verdict is Verdict.UNKNOWN


async def test_kinds_that_are_missing_are_named() -> None:
    """An API server without admission policies cannot keep tenants apart."""
    found = [each async for each in examine_target(FakeCluster().client, Profile.TENANTS)]

    assert any("does not serve ValidatingAdmissionPolicy" in each.message for each in found)
