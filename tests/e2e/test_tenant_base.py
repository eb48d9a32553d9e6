"""deploy/ with deploy/tenant: everything works in the tenant's namespace, and nothing outside of one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.tenancy import DEPLOY, OWN, least_rights
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Site
from tests.gitserver import Access, GitServer

MAPS = "v1 configmaps"
PASSWORD = "correct-horse-battery"


@pytest.fixture(scope="module")
def system() -> str:
    """The namespace of the module's controller."""
    return f"nopea-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def controller(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, system: str) -> Iterator[Nopea]:
    """A controller whose account has the ClusterRole of deploy/base alone."""
    folder = tmp_path_factory.mktemp("base")
    arguments = ("--allow-http-credentials",)
    with least_rights(cluster.lab, folder, *arguments, roles=(OWN,), mark=system) as running:
        yield running


@pytest.fixture
def tenant(
    cluster: Cluster, git_server: GitServer, namespace: str, system: str, controller: Nopea, tmp_path: Path
) -> Iterator[Site]:
    """A namespace to which deploy/tenant is applied, for the account of the module's controller.

    The policy and the quota are left out: the Git server has plain http, and tests/deploy tests both.
    """
    del controller
    (tmp_path / "tenant").symlink_to(DEPLOY / "tenant")
    (tmp_path / "kustomization.yaml").write_text(f"resources: [tenant]\nnamespace: {namespace}\n")
    built = cluster.lab.run_kubectl("kustomize", str(tmp_path)).split("\n---\n")
    kept = [
        text for text in built if "\nkind: Namespace\n" not in f"\n{text}" and "ResourceQuota" not in text
    ]
    manifest = "\n---\n".join(kept)
    manifest = manifest.replace(
        "  name: nopea\n  namespace: nopea-system", f"  name: default\n  namespace: {system}"
    )
    (tmp_path / "built.yaml").write_text(manifest)
    cluster.lab.run_kubectl("apply", "--server-side", "-f", str(tmp_path / "built.yaml"))
    made = Site(cluster, git_server, namespace)
    yield made
    git_server.access = Access()
    made.clear()


def folder(*names: str) -> dict[str, str]:
    """Return a folder of ConfigMaps."""
    return {f"{name}.yaml": yamls.text(yamls.config_map(name, colour="blue")) for name in names}


def test_a_tenant_has_everything(tenant: Site) -> None:
    """A private repository is synced as the tenant's account; drift is healed and what left Git is pruned."""
    tenant.server.access = Access(username="acme", password=PASSWORD)
    tenant.cluster.lab.run_kubectl(
        "-n", tenant.namespace, "create", "secret", "generic", "git", "--from-literal=username=acme",
        f"--from-literal=password={PASSWORD}",
    )  # fmt: skip
    account = {"serviceAccountName": "deployer", "secretRef": {"name": "git"}, "pruneLimit": "100%"}
    repo = tenant.sync("app", folder("one", "two"), **account)

    tenant.cluster.lab.run_kubectl(
        "-n", tenant.namespace, "patch", "configmap", "one", "--type=merge", "-p", '{"data":{"colour":"red"}}'
    )
    eventually(lambda: _assert_blue(tenant))
    commit = repo.git.commit(folder("one"))
    repo.sync_now()
    repo.wait_synced(commit)
    assert tenant.cluster.get(tenant.place(MAPS, "two")) is None
    assert repo.condition("Watching")["status"] == "True"


def _assert_blue(tenant: Site) -> None:
    assert tenant.cluster.must_get(tenant.place(MAPS, "one"))["data"] == {"colour": "blue"}


def test_nothing_works_without_the_tenants_role(cluster: Cluster, tenant: Site) -> None:
    """In another namespace Nopea can neither read a Secret nor act as an account, and says what to apply."""
    other = Site(cluster, tenant.server, f"{tenant.namespace}-other")
    cluster.lab.run_kubectl("create", "namespace", other.namespace)
    cluster.lab.run_kubectl("-n", other.namespace, "create", "serviceaccount", "deployer")
    cluster.lab.run_kubectl(
        "-n", other.namespace, "create", "secret", "generic", "git", "--from-literal=token=x"
    )
    for name in ("app", "private"):
        other.origin(name, folder("one"))
    app = other.follow("app", serviceAccountName="deployer")
    private = other.follow("private", serviceAccountName="deployer", secretRef={"name": "git"})

    for repo in (app, private):
        (error, *_) = repo.wait_failed("NOPEA-K002")["status"]["errors"]
        assert "deploy/tenant" in error["hint"]
    assert cluster.get(other.place(MAPS, "one")) is None
    other.clear()
    cluster.delete(f"v1 namespaces /{other.namespace}")
