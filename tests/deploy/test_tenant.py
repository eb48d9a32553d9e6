"""deploy/tenant on a real API server: what it lets Nopea and the tenant do, and what stays forbidden."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.conftest import DEPLOY

from nopea.core.api import names
from nopea_lab.api import ApiAnswer
from nopea_lab.kubectl import Kubectl, KubectlError
from nopea_lab.lab import Lab

NOPEA = "system:serviceaccount:nopea-system:nopea"
MERGE_PATCH = "application/merge-patch+json"
SPEC = {"url": "https://git.example/acme/web", "serviceAccountName": "deployer"}
QUOTA = 20
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Tenant:
    """One namespace to which deploy/tenant was applied, and the kubectl of the controller's account."""

    lab: Lab
    namespace: str
    nopea: Kubectl

    def create(
        self, spec: dict[str, Any], *, name: str = "web", namespace: str = "", dry_run: bool = False
    ) -> ApiAnswer:
        """Create a GitRepository as an administrator."""
        body = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": name}, "spec": spec}
        query = "?dryRun=All" if dry_run else ""
        return self.lab.request("POST", f"{self.path(namespace)}{query}", body)

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of the GitRepositories in a namespace, or of one."""
        path = f"/apis/{names.API_VERSION}/namespaces/{namespace or self.namespace}/{names.PLURAL}"
        return f"{path}/{name}" if name else path


@pytest.fixture
def tenant(lab: Lab, crds: None, tmp_path: Path) -> Iterator[Tenant]:
    """Apply deploy/, and deploy/tenant with a namespace of its own, as docs/security.md describes."""
    del crds
    lab.run_kubectl("apply", "--server-side", "--force-conflicts", "-k", str(DEPLOY))
    lab.run_kubectl(
        "delete", "--ignore-not-found", "clusterrolebinding", "nopea-cluster-admin", "nopea-any-namespace"
    )
    namespace = f"tenant-{secrets.token_hex(4)}"
    apply_tenant(lab, tmp_path, namespace)
    kubeconfig = tmp_path / "nopea-kubeconfig"
    token = lab.run_kubectl("-n", "nopea-system", "create", "token", "nopea").strip()
    lab.write_kubeconfig(kubeconfig, token=token)
    made = Tenant(lab, namespace, Kubectl(binary=lab.kubectl, kubeconfig=kubeconfig))
    _wait_until_enforced(made)
    yield made
    lab.run_kubectl("delete", "namespace", namespace, "--wait=false")


def apply_tenant(lab: Lab, folder: Path, namespace: str) -> None:
    """Apply deploy/tenant by a kustomization that sets the namespace."""
    own = folder / namespace
    own.mkdir()
    (own / "tenant").symlink_to(DEPLOY / "tenant")
    (own / "kustomization.yaml").write_text(f"resources: [tenant]\nnamespace: {namespace}\n")
    lab.run_kubectl("apply", "--server-side", "--validate=strict", "-k", str(own))


def _wait_until_enforced(tenant: Tenant) -> None:
    """Wait until the policy refuses a spec and the quota is counted.

    Kubernetes counts a quota when it is made or changed, and then every five minutes; and every 30 s
    it looks for kinds that are new to it. In a new lab, the quota is made again until the kind is known.
    """
    quota = f"/api/v1/namespaces/{tenant.namespace}/resourcequotas"
    made = tenant.lab.request("GET", f"{quota}/gitrepositories").body
    give_up_at = time.monotonic() + _SECONDS
    while "used" not in tenant.lab.request("GET", f"{quota}/gitrepositories").body.get("status", {}):
        assert time.monotonic() < give_up_at
        tenant.lab.request("DELETE", f"{quota}/gitrepositories")
        tenant.lab.request("POST", quota, {"metadata": {"name": "gitrepositories"}, "spec": made["spec"]})
        time.sleep(1)
    refused = {"url": SPEC["url"]}
    while "spec.serviceAccountName" not in str(tenant.create(refused, dry_run=True).body.get("message")):
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


def test_nopea_acts_as_the_account_of_the_tenant_and_as_no_other(tenant: Tenant) -> None:
    """Impersonation is authorized in the account's namespace, so that a Role can grant it for one account."""
    account = f"system:serviceaccount:{tenant.namespace}:deployer"
    tenant.nopea("-n", tenant.namespace, "create", "configmap", "web", "--as", account)
    others = [
        f"system:serviceaccount:{tenant.namespace}:default",
        "system:serviceaccount:kube-system:deployer",
        "system:serviceaccount:kube-system:namespace-controller",
        "admin",
    ]
    for other in others:
        with pytest.raises(KubectlError, match=r"\(Forbidden\)"):
            tenant.nopea("-n", tenant.namespace, "get", "configmaps", "--as", other)
    with pytest.raises(KubectlError, match=r"\(Forbidden\)"):
        tenant.nopea("get", "--raw", "/version", "--as", account, "--as-group", "system:masters")


def test_the_account_of_the_tenant_stays_in_its_namespace(tenant: Tenant) -> None:
    """What is in Git can neither leave the namespace nor change its rights, quota or label."""
    account = f"system:serviceaccount:{tenant.namespace}:deployer"
    for arguments in (
        ("-n", "default", "create", "configmap", "web"),
        ("-n", tenant.namespace, "create", "rolebinding", "x", "--clusterrole=admin", "--user=mallory"),
        ("-n", tenant.namespace, "delete", "resourcequota", "gitrepositories"),
        ("label", "namespace", tenant.namespace, "nopea.io/tenant-"),
    ):
        with pytest.raises(KubectlError, match=r"forbidden|cannot"):
            tenant.nopea(*arguments, "--as", account)


def test_edit_does_not_include_gitrepositories(tenant: Tenant) -> None:
    """Who has `edit` in a namespace may read GitRepositories and Inventories there, and write neither."""
    account = f"system:serviceaccount:{tenant.namespace}:deployer"
    for verb, allowed in (("get", True), ("create", False), ("patch", False), ("delete", False)):
        for plural in (names.PLURAL, names.INVENTORY_PLURAL):
            attributes = {
                "verb": verb,
                "group": names.GROUP,
                "resource": plural,
                "namespace": tenant.namespace,
            }
            answer = tenant.lab.request(
                "POST",
                "/apis/authorization.k8s.io/v1/subjectaccessreviews",
                {
                    "spec": {
                        "user": account,
                        "resourceAttributes": attributes,
                    }
                },
            )
            assert answer.body["status"]["allowed"] is allowed, (verb, plural)


def test_nopea_reads_secrets_of_tenants_only(tenant: Tenant) -> None:
    """One Secret by name in the tenant's namespace; no list, no write, and nothing in other namespaces."""
    tenant.lab.run_kubectl(
        "-n", tenant.namespace, "create", "secret", "generic", "git", "--from-literal=token=x"
    )

    assert "git" in tenant.nopea("-n", tenant.namespace, "get", "secret", "git", "-o", "name")
    for arguments in (
        ("-n", tenant.namespace, "get", "secrets"),
        ("-n", tenant.namespace, "delete", "secret", "git"),
        ("-n", "default", "get", "secret", "git"),
        ("-n", "kube-system", "get", "secret", "git"),
        ("-n", "nopea-system", "get", "secret", "nopea-webhook"),
    ):
        with pytest.raises(KubectlError, match="forbidden"):
            tenant.nopea(*arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"serviceAccountName": None}, "set spec.serviceAccountName to the service account of namespace"),
        ({"url": "http://git.example/acme/web"}, "plain http can be changed on its way"),
        ({"url": "HTTP://git.example/acme/web"}, "plain http can be changed on its way"),
        ({"url": "file:///srv/git/web"}, "plain http can be changed on its way"),
    ],
    ids=str,
)
def test_the_policy_refuses(tenant: Tenant, changes: dict[str, Any], message: str) -> None:
    """A spec that breaks the rules is refused when it is created and when it is changed, and says why."""
    wrong = {key: value for key, value in {**SPEC, **changes}.items() if value is not None}

    created = tenant.create(wrong)
    assert created.status in (403, 422)
    assert message in created.body["message"] or "spec.url" in created.body["message"]

    assert tenant.create(SPEC).status == 201
    changed = tenant.lab.request(
        "PATCH", tenant.path(name="web"), {"spec": changes}, content_type=MERGE_PATCH
    )
    assert changed.status in (403, 422), changed.body
    assert message in changed.body["message"] or "spec.url" in changed.body["message"]


@pytest.mark.parametrize(
    "url", ["https://git.example/acme/web", "ssh://git@git.example/web", "git@git.example:web"]
)
def test_the_policy_accepts(tenant: Tenant, url: str) -> None:
    """HTTPS and SSH are encrypted."""
    assert tenant.create({**SPEC, "url": url}).status == 201


def test_the_policy_does_not_touch_others(tenant: Tenant, namespace: str) -> None:
    """Without the label, the rules of the process decide alone."""
    assert tenant.create({"url": "http://git.example/acme/web"}, namespace=namespace).status == 201


def test_what_existed_before_can_be_handled_and_deleted(tenant: Tenant, namespace: str) -> None:
    """Nopea's writes and a deletion pass for a GitRepository that is older than the label."""
    assert tenant.create({"url": "http://git.example/acme/web"}, namespace=namespace).status == 201
    tenant.lab.run_kubectl("label", "namespace", namespace, "nopea.io/tenant=true")
    path = tenant.path(namespace, "web")

    held = tenant.lab.request(
        "PATCH", path, {"metadata": {"finalizers": [names.FINALIZER]}}, content_type=MERGE_PATCH
    )
    assert held.status == 200, held.body
    assert tenant.lab.request("DELETE", path).status == 200
    freed = tenant.lab.request("PATCH", path, {"metadata": {"finalizers": []}}, content_type=MERGE_PATCH)
    assert freed.status == 200, freed.body
    assert tenant.lab.request("GET", path).status == 404


def test_the_quota_limits_the_gitrepositories(tenant: Tenant) -> None:
    """The one after the last is refused."""
    created = [tenant.create(SPEC, name=f"web-{number}") for number in range(QUOTA + 1)]

    assert [answer.status for answer in created] == [201] * QUOTA + [403]
    assert "exceeded quota: gitrepositories" in created[-1].body["message"]
