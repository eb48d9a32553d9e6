"""The chart with watchNamespace: a controller whose only rights on objects are Roles in that namespace."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.deploy.chart import render
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.tenancy import Tenant, tenant
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster
from tests.gitserver import GitServer

from nopea.core.api import names

MAPS = "v1 configmaps"
RIGHTS = {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}


@pytest.fixture
def shop(cluster: Cluster, git_server: GitServer, namespace: str) -> Iterator[Tenant]:
    """The namespace that is watched, with the account that applies its objects."""
    made = tenant(cluster, git_server, namespace)
    yield made
    made.clear()


@pytest.fixture
def controller(shop: Tenant, tmp_path: Path) -> Iterator[Nopea]:
    """A controller as the chart's service account, which lives in another namespace."""
    lab, home = shop.cluster.lab, f"nopea-{secrets.token_hex(4)}"
    objects = render(
        release=home, namespace=home, name=home, watchNamespace=shop.namespace, profile="any-namespace"
    )
    manifest = tmp_path / "rights.yaml"
    manifest.write_text(yaml.safe_dump_all(one for one in objects if one["kind"] in RIGHTS))
    lab.run_kubectl("create", "namespace", home)
    lab.run_kubectl("apply", "--server-side", "--validate=strict", "-f", str(manifest))
    kubeconfig = tmp_path / "kubeconfig"
    lab.write_kubeconfig(kubeconfig, token=lab.run_kubectl("-n", home, "create", "token", home).strip())
    options = (
        f"--namespace={shop.namespace}",
        "--default-service-account=deployer",
        "--allow-http-credentials",
    )
    folder = tmp_path / "nopea"
    running = Nopea(kubeconfig=kubeconfig, folder=folder, arguments=options, as_controller=False)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.kill()
        lab.run_kubectl("delete", "-f", str(manifest), "--wait=false")
        lab.run_kubectl("delete", "namespace", home, "--wait=false")


def folder_of(*maps: str) -> dict[str, str]:
    """Return a folder of ConfigMaps."""
    return {f"{name}.yaml": yamls.text(yamls.config_map(name, colour="blue")) for name in maps}


def test_everything_works_with_the_rights_of_the_chart(shop: Tenant, controller: Nopea) -> None:
    """Sync, healing, pruning, the finalizer, Events, the heartbeat and the key need no right elsewhere."""
    repo = shop.sync("app", folder_of("one", "two"), deletionPolicy="Delete", pruneLimit="100%")

    change = ("patch", "configmap", "one", "--type=merge", "-p", '{"data":{"colour":"red"}}')
    shop.cluster.lab.run_kubectl("-n", shop.namespace, *change)
    eventually(lambda: _assert_blue(shop))
    commit = repo.git.commit(folder_of("one"))
    repo.sync_now()
    repo.wait_synced(commit)
    assert shop.cluster.get(shop.place(MAPS, "two")) is None
    eventually(lambda: shop.cluster.must_get(shop.place("coordination.k8s.io/v1 leases", names.LEASE)))
    assert shop.cluster.get(shop.place("v1 secrets", names.INVENTORY_KEY)) is not None
    events = shop.cluster.lab.run_kubectl("-n", shop.namespace, "get", "events", "-o", "name")
    assert events.strip()

    shop.cluster.lab.run_kubectl("-n", shop.namespace, "delete", "gitrepositories.nopea.io", "app")
    assert shop.cluster.get(shop.place(MAPS, "one")) is None
    # Nopea tries to watch a kind in the whole cluster before the account does so in the namespace.
    loud = [line for line in controller.logs() if line["level"] in ("warning", "error")]
    assert [line for line in loud if line["message"] != "watch interrupted"] == []


def _assert_blue(shop: Tenant) -> None:
    assert shop.cluster.must_get(shop.place(MAPS, "one"))["data"] == {"colour": "blue"}
