"""deploy/ on a real API server: it applies unchanged, its Pod is admitted, its permissions are minimal."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.conftest import CRD_NAMES, DEPLOY
from tests.e2e.tenancy import read_only_account

from nopea.core.api import names
from nopea_lab.kubectl import Kubectl, KubectlError
from nopea_lab.lab import Lab

NAMESPACE = "nopea-system"
_POD_SECONDS = 30.0


@pytest.fixture(scope="session")
def deployed(lab: Lab) -> str:
    """Apply deploy/ to the shared lab and return kubectl's output."""
    arguments = ("apply", "--server-side", "--force-conflicts", "--validate=strict", "-k", str(DEPLOY))
    return lab.run_kubectl(*arguments)


def test_everything_applies(deployed: str) -> None:
    """One command with strict validation applies every object of deploy/."""
    kinds = sorted(line.split("/", 1)[0].split(".", 1)[0] for line in deployed.splitlines())

    assert kinds == sorted(
        ["namespace", "serviceaccount", "service", "deployment", "networkpolicy"]
        + ["validatingadmissionpolicy", "validatingadmissionpolicybinding"] * 2
        + ["customresourcedefinition"] * 2
        + ["clusterrole"] * 3
        + ["clusterrolebinding"]
        + ["role", "rolebinding"] * 2
    )


@pytest.mark.parametrize("name", CRD_NAMES)
def test_crds_are_established_and_structural(lab: Lab, crds: None, name: str) -> None:
    """The API server has established both CRDs, accepted their names and found no fault in their schemas."""
    del crds
    crd = lab.request("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}").body

    conditions = {one["type"]: one["status"] for one in crd["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions["NamesAccepted"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"


def test_the_pod_is_admitted(lab: Lab, deployed: str) -> None:
    """The `restricted` Pod Security level admits the Deployment's Pod with its user and its probes."""
    del deployed
    pod = _wait_for_pod(lab)

    container = pod["spec"]["containers"][0]
    assert pod["spec"]["securityContext"]["runAsUser"] == 65532
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["livenessProbe"]["httpGet"]["path"] == "/health"
    assert container["readinessProbe"]["httpGet"]["path"] == "/ready"


def _wait_for_pod(lab: Lab) -> dict[str, Any]:
    give_up_at = time.monotonic() + _POD_SECONDS
    while not (pods := lab.request("GET", f"/api/v1/namespaces/{NAMESPACE}/pods").body["items"]):
        assert time.monotonic() < give_up_at, lab.run_kubectl("-n", NAMESPACE, "describe", "replicasets")
        time.sleep(0.05)
    pod: dict[str, Any] = pods[0]
    return pod


@pytest.fixture
def least(lab: Lab, namespace: str, deployed: str) -> Iterator[str]:
    """Yield the user name of a service account that has only Nopea's own roles."""
    del deployed
    bindings = [f"nopea-{secrets.token_hex(4)}"]
    for binding in bindings:
        made = lab.request("POST", BINDINGS, _binding(binding, namespace))
        assert made.status == 201, made.body
    yield f"system:serviceaccount:{namespace}:default"
    for binding in bindings:
        lab.request("DELETE", f"{BINDINGS}/{binding}")


@pytest.fixture
def any_namespace(lab: Lab, namespace: str, least: str) -> Iterator[None]:
    """Grant that account what deploy/any-namespace grants Nopea."""
    del least
    lab.run_kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--validate=strict",
        "-k",
        str(DEPLOY / "any-namespace"),
    )
    binding = f"nopea-any-namespace-{secrets.token_hex(4)}"
    made = lab.request("POST", BINDINGS, _binding(binding, namespace))
    assert made.status == 201, made.body
    yield
    lab.request("DELETE", f"{BINDINGS}/{binding}")
    lab.request("DELETE", f"{BINDINGS}/nopea-any-namespace")


BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


def _binding(name: str, namespace: str) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name.rpartition("-")[0]},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
    }


GITREPOSITORIES = f"{names.GROUP}/{names.PLURAL}"
INVENTORIES = f"{names.GROUP}/{names.INVENTORY_PLURAL}"
MAY = [
    *(f"{verb} {GITREPOSITORIES}" for verb in ("get", "list", "watch", "patch")),
    f"patch {GITREPOSITORIES}/status",
    f"update {GITREPOSITORIES}/finalizers",
    *(f"{verb} {INVENTORIES}" for verb in ("get", "list", "watch", "create", "patch", "delete")),
    "create events.k8s.io/events",
    "patch events.k8s.io/events",
    "list apiextensions.k8s.io/customresourcedefinitions",
    "watch apiextensions.k8s.io/customresourcedefinitions",
]
MAY_NOT = [
    f"create {GITREPOSITORIES}",
    f"delete {GITREPOSITORIES}",
    "get /secrets",
    "impersonate /serviceaccounts",
    "list /secrets",
    "watch /secrets",
    "patch /secrets",
    "list /configmaps",
    "patch apps/deployments",
    "delete /namespaces",
    "patch apiextensions.k8s.io/customresourcedefinitions",
    "impersonate /users",
    "impersonate /groups",
    "create /serviceaccounts/token",
    "patch rbac.authorization.k8s.io/clusterrolebindings",
]


def test_the_roles_grant_least_privilege(lab: Lab, least: str) -> None:
    """Nopea's own roles allow what it needs and nothing else: no Secret, no other object or account."""
    allowed = {right for right in (*MAY, *MAY_NOT) if _is_allowed(lab, least, right)}

    assert allowed == set(MAY)


def test_any_namespace_adds_secrets_and_accounts_and_nothing_else(
    lab: Lab, least: str, any_namespace: None
) -> None:
    """Its ClusterRole has the two rights that deploy/tenant grants in one namespace."""
    del any_namespace
    allowed = {right for right in (*MAY, *MAY_NOT) if _is_allowed(lab, least, right)}

    assert allowed == {*MAY, "get /secrets", "impersonate /serviceaccounts"}


def test_the_heartbeat_is_written_by_nopea_and_read_by_all(lab: Lab, deployed: str) -> None:
    """Nopea may write Leases in its own namespace only; any user may read its one."""
    del deployed
    rights = {
        (f"system:serviceaccount:{NAMESPACE}:nopea", "patch", NAMESPACE, "nopea"): True,
        ("somebody", "get", NAMESPACE, "nopea"): True,
        ("somebody", "get", NAMESPACE, "other"): False,
        ("somebody", "patch", NAMESPACE, "nopea"): False,
    }
    for (user, verb, namespace, name), expected in rights.items():
        attributes = {"group": "coordination.k8s.io", "resource": "leases", "verb": verb, "name": name}
        answer = lab.request(
            "POST",
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            {
                "spec": {
                    "user": user,
                    "groups": ["system:authenticated"],
                    "resourceAttributes": {**attributes, "namespace": namespace},
                }
            },
        )
        assert answer.body["status"]["allowed"] is expected, (user, verb, name)


def test_the_key_of_the_hashes_is_nopeas_alone(lab: Lab, least: str, namespace: str) -> None:
    """Nopea may create a Secret in its own namespace and nowhere else, and change none."""
    binding = _binding(f"nopea-{secrets.token_hex(4)}", namespace)
    binding["roleRef"]["kind"] = "Role"
    place = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings"
    made = lab.request("POST", place, binding)
    assert made.status == 201, made.body
    rights = {
        ("create", NAMESPACE, ""): True,
        ("get", NAMESPACE, names.INVENTORY_KEY): True,
        ("create", "default", ""): False,
        ("patch", NAMESPACE, names.INVENTORY_KEY): False,
        ("delete", NAMESPACE, names.INVENTORY_KEY): False,
        ("list", NAMESPACE, ""): False,
    }
    for (verb, where, name), expected in rights.items():
        attributes = {"group": "", "resource": "secrets", "verb": verb, "name": name, "namespace": where}
        answer = lab.request(
            "POST",
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            {"spec": {"user": least, "resourceAttributes": attributes}},
        )
        assert answer.body["status"]["allowed"] is expected, (verb, where, name)
    lab.request("DELETE", f"{place}/{binding['metadata']['name']}")


def test_cluster_admin_lets_it_apply_anything(lab: Lab, deployed: str) -> None:
    """With its overlay, the account of the Deployment may apply any kind, and the process knows it."""
    del deployed
    overlay = str(DEPLOY / "cluster-admin")
    lab.run_kubectl("apply", "--server-side", "--force-conflicts", "--validate=strict", "-k", overlay)
    user = f"system:serviceaccount:{NAMESPACE}:nopea"

    assert _is_allowed(lab, user, "patch apps/deployments")
    assert _is_allowed(lab, user, "delete rbac.authorization.k8s.io/clusterroles")
    deployment = lab.request("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/nopea").body
    environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "NOPEA_APPLY_AS_CONTROLLER", "value": "true"} in environment


READS = [
    f"get {GITREPOSITORIES}",
    f"watch {INVENTORIES}",
    "get /configmaps",
    "list apps/deployments",
    "watch networking.k8s.io/ingresses",
    "get rbac.authorization.k8s.io/clusterroles",
    "list apiextensions.k8s.io/customresourcedefinitions",
    "get admissionregistration.k8s.io/validatingwebhookconfigurations",
    "get /namespaces",
]
WRITES = [
    f"patch {GITREPOSITORIES}/status",
    "create events.k8s.io/events",
    "patch events.k8s.io/events",
]
REFUSED = [
    *(f"{verb} {GITREPOSITORIES}" for verb in ("create", "update", "patch", "delete")),
    f"update {GITREPOSITORIES}/finalizers",
    *(f"{verb} {INVENTORIES}" for verb in ("create", "patch", "delete")),
    *(
        f"{verb} {kind}"
        for verb in ("create", "update", "patch", "delete", "deletecollection")
        for kind in (
            "/configmaps",
            "/secrets",
            "/serviceaccounts",
            "/pods",
            "/namespaces",
            "apps/deployments",
            "batch/jobs",
            "coordination.k8s.io/leases",
            "rbac.authorization.k8s.io/clusterroles",
            "rbac.authorization.k8s.io/rolebindings",
            "apiextensions.k8s.io/customresourcedefinitions",
            "admissionregistration.k8s.io/validatingadmissionpolicies",
        )
    ),
    "get /secrets",
    "list /secrets",
    "impersonate /serviceaccounts",
    "impersonate /users",
    "create /serviceaccounts/token",
    "create /pods/exec",
    "bind rbac.authorization.k8s.io/clusterroles",
    "escalate rbac.authorization.k8s.io/clusterroles",
]
"""What the profile must not allow in a namespace that is not Nopea's own."""


@pytest.fixture
def only_reading(lab: Lab, crds: None, tmp_path: Path) -> Iterator[str]:
    """The user name of an account with the rights of deploy/read-only."""
    del crds
    with read_only_account(lab, tmp_path) as account:
        yield f"system:serviceaccount:{account.replace('/', ':')}"


def test_read_only_may_write_nothing_of_git(lab: Lab, only_reading: str) -> None:
    """It may read what is compared, but no Secret, and write what it reports, and nothing else."""
    asked = (*READS, *WRITES, *REFUSED)
    allowed = {right for right in asked if _is_allowed(lab, only_reading, right)}

    assert allowed == {*READS, *WRITES}


def _is_allowed(lab: Lab, user: str, right: str) -> bool:
    verb, _, target = right.partition(" ")
    group, resource, subresource = (*target.split("/"), "")[:3]
    attributes = {"verb": verb, "group": group, "resource": resource, "subresource": subresource}
    answer = lab.request(
        "POST",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        {"spec": {"user": user, "resourceAttributes": {**attributes, "namespace": "shop"}}},
    )
    assert answer.status == 201, answer.body
    return bool(answer.body["status"]["allowed"])


def test_impersonation_includes_the_groups(
    lab: Lab, any_namespace: None, namespace: str, tmp_path: Path
) -> None:
    """Permission to impersonate a service account includes the groups of that account."""
    del any_namespace
    kubectl = _as_default_account(lab, namespace, tmp_path)

    answer = kubectl("auth", "whoami", "-o", "json", "--as", "system:serviceaccount:shop:deployer")

    user = json.loads(answer)["status"]["userInfo"]
    assert user["username"] == "system:serviceaccount:shop:deployer"
    assert {"system:serviceaccounts", "system:serviceaccounts:shop"} <= set(user["groups"])


@pytest.mark.parametrize("who", [("--as", "admin"), ("--as", "x", "--as-group", "system:masters")], ids=str)
def test_impersonation_is_limited_to_service_accounts(
    lab: Lab, any_namespace: None, namespace: str, tmp_path: Path, who: tuple[str, ...]
) -> None:
    """Nopea can impersonate neither users nor groups such as system:masters."""
    del any_namespace
    with pytest.raises(KubectlError, match="Forbidden"):
        _as_default_account(lab, namespace, tmp_path)("get", "--raw", "/version", *who)


def _as_default_account(lab: Lab, namespace: str, folder: Path) -> Kubectl:
    kubeconfig = folder / "kubeconfig"
    lab.write_kubeconfig(
        kubeconfig, token=lab.run_kubectl("-n", namespace, "create", "token", "default").strip()
    )
    return Kubectl(binary=lab.kubectl, kubeconfig=kubeconfig)


def test_egress_can_be_limited(lab: Lab, tmp_path: Path) -> None:
    """The component adds one policy to each variant, which a strict API server accepts."""
    for variant in (".", "tenants", "any-namespace", "cluster-admin", "read-only"):
        own = tmp_path / f"own-{variant}"
        own.mkdir()
        (own / "deploy").symlink_to(DEPLOY)
        (own / "kustomization.yaml").write_text(
            f"resources: [deploy/{variant}]\ncomponents: [deploy/egress-policy]\n"
        )
        applied = lab.run_kubectl(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--validate=strict",
            "--dry-run=server",
            "-k",
            str(own),
        )
        assert "networkpolicy.networking.k8s.io/nopea-egress serverside-applied" in applied
