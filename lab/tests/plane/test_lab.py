"""A lab behaves as a normal cluster's control plane does."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any

import pytest

from nopea_lab.api import ApiAnswer
from nopea_lab.errors import LabError
from nopea_lab.kubectl import Kubectl, KubectlError
from nopea_lab.lab import Lab
from nopea_lab.layout import ORDINARY
from nopea_lab.programs import KUBERNETES_VERSION

READER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: deployer}]
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: acme/web}]}
"""
DEADLINE_SECONDS = 20.0


def _wait_for(kubectl: Kubectl, *arguments: str, wanted: str) -> None:
    give_up_at = time.monotonic() + DEADLINE_SECONDS
    while (said := kubectl(*arguments)) != wanted:
        assert time.monotonic() < give_up_at, said
        time.sleep(0.1)


def test_the_lab_runs_the_pinned_version(kubectl: Kubectl) -> None:
    """The client and the server report the pinned version."""
    versions = json.loads(kubectl("version", "-o", "json"))

    assert versions["serverVersion"]["gitVersion"] == KUBERNETES_VERSION
    assert versions["clientVersion"]["gitVersion"] == KUBERNETES_VERSION


def test_a_service_account_can_do_what_it_is_granted(
    lab: Lab, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    """Its token authenticates; without a RoleBinding it gets 403, with one it can read but not write."""
    kubectl("create", "serviceaccount", "deployer", "-n", namespace)
    token = kubectl("create", "token", "deployer", "-n", namespace).strip()
    lab.write_kubeconfig(tmp_path / "kubeconfig", token=token)
    deployer = Kubectl(binary=lab.kubectl, kubeconfig=tmp_path / "kubeconfig")
    assert f"system:serviceaccount:{namespace}:deployer" in deployer("auth", "whoami")
    with pytest.raises(KubectlError, match="orbidden"):
        deployer("get", "configmaps", "-n", namespace)

    kubectl("apply", "-n", namespace, "-f", "-", stdin=READER)

    _wait_for(deployer, "auth", "can-i", "list", "configmaps", "-n", namespace, wanted="yes\n")
    assert "kube-root-ca.crt" in deployer("get", "configmaps", "-n", namespace)
    with pytest.raises(KubectlError, match="orbidden"):
        deployer("create", "configmap", "mine", "-n", namespace)


def test_controllers_work(kubectl: Kubectl, namespace: str) -> None:
    """A Deployment gets its ReplicaSet and Pods; without a node, the Pods stay Pending."""
    kubectl("apply", "-n", namespace, "-f", "-", stdin=DEPLOYMENT)

    phases = ("get", "pods", "-n", namespace, "-o", "jsonpath={.items[*].status.phase}")
    _wait_for(kubectl, *phases, wanted="Pending Pending")


def test_admission_is_that_of_a_normal_cluster(kubectl: Kubectl, namespace: str) -> None:
    """A Pod gets its service account and the default priority; a Pod in a missing namespace is refused."""
    kubectl("run", "one", "--image=acme/web", "-n", namespace)
    pod = json.loads(kubectl("get", "pod", "one", "-n", namespace, "-o", "json"))
    assert (pod["spec"]["serviceAccountName"], pod["spec"]["priority"]) == ("default", 0)
    with pytest.raises(KubectlError, match="not found"):
        kubectl("run", "two", "--image=acme/web", "-n", f"{namespace}-gone")


def test_a_defined_kind_is_served_when_define_returns(lab: Lab) -> None:
    """Objects of the kind can be listed at once; defining it again changes nothing."""
    group = f"{secrets.token_hex(4)}.acme.example"

    for _ in range(2):
        lab.define([_shops(group)])

        assert lab.request("GET", f"/apis/{group}/v1/shops").status == 200


class _SlowLab(Lab):
    """A lab whose new definition has `conditions: null` at first, as on a real API server."""

    asked = 0

    def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> ApiAnswer:
        del body, content_type
        if method == "GET" and "customresourcedefinitions" in path:
            self.asked += 1
            established = [{"type": "Established", "status": "True"}]
            return ApiAnswer(200, {"status": {"conditions": established if self.asked > 2 else None}})
        return ApiAnswer(200, {})


def test_a_definition_without_conditions_is_waited_for(tmp_path: Path) -> None:
    """`status.conditions` is null for a moment after creation; `define` waits, but `kubectl wait` fails."""
    lab = _SlowLab(tmp_path, options=ORDINARY, binaries=None)

    lab.define([_shops("acme.example")])

    assert lab.asked == 3


def test_a_definition_that_the_api_server_refuses_is_named(lab: Lab) -> None:
    """An unknown field is refused, and the error has the API server's answer."""
    definition = _shops("acme.example")
    definition["spec"]["colour"] = "red"

    with pytest.raises(LabError, match=r"(?s)shops\.acme\.example.*spec\.colour"):
        lab.define([definition])


def _shops(group: str) -> dict[str, Any]:
    version = {
        "name": "v1", "served": True, "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }  # fmt: skip
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"shops.{group}"},
        "spec": {
            "group": group, "scope": "Namespaced", "versions": [version],
            "names": {"plural": "shops", "kind": "Shop"},
        },
    }  # fmt: skip


def test_a_lab_has_one_owner(lab: Lab) -> None:
    """Another `Lab` for the same folder finds the running lab, but cannot become its owner."""
    other = Lab.open(lab.folder)
    assert other.is_running()
    assert other.api_url == lab.api_url

    with pytest.raises(LabError, match="has no owner"):
        other.start(owned=True)


def test_strangers_get_no_access(lab: Lab) -> None:
    """Only the user can access the folder, and an unknown token is rejected with 401."""
    assert lab.folder.stat().st_mode & 0o077 == 0
    lab.write_kubeconfig(lab.folder / "stranger.kubeconfig", token="guessed")
    stranger = Kubectl(binary=lab.kubectl, kubeconfig=lab.folder / "stranger.kubeconfig")

    with pytest.raises(KubectlError, match="Unauthorized"):
        stranger("get", "secrets")
