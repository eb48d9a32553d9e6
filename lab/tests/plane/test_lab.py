"""A lab behaves as a normal cluster's control plane does."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from nopea_lab.errors import LabError
from nopea_lab.kubectl import Kubectl, KubectlError
from nopea_lab.lab import Lab
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


def test_it_is_the_pinned_version(kubectl: Kubectl) -> None:
    """Client and server are of one build, and say so."""
    versions = json.loads(kubectl("version", "-o", "json"))

    assert versions["serverVersion"]["gitVersion"] == KUBERNETES_VERSION
    assert versions["clientVersion"]["gitVersion"] == KUBERNETES_VERSION


def test_a_service_account_may_do_what_it_is_granted(
    lab: Lab, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    """Its token logs in; without a grant it gets 403, with one it reads, and still cannot write."""
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
    """A Deployment gets its ReplicaSet and Pods; nobody runs them, so they stay Pending."""
    kubectl("apply", "-n", namespace, "-f", "-", stdin=DEPLOYMENT)

    phases = ("get", "pods", "-n", namespace, "-o", "jsonpath={.items[*].status.phase}")
    _wait_for(kubectl, *phases, wanted="Pending Pending")


def test_admission_is_that_of_a_normal_cluster(kubectl: Kubectl, namespace: str) -> None:
    """A Pod gets its service account and default priority, and nothing is put into a dying namespace."""
    kubectl("run", "one", "--image=acme/web", "-n", namespace)
    pod = json.loads(kubectl("get", "pod", "one", "-n", namespace, "-o", "json"))
    assert (pod["spec"]["serviceAccountName"], pod["spec"]["priority"]) == ("default", 0)
    with pytest.raises(KubectlError, match="not found"):
        kubectl("run", "two", "--image=acme/web", "-n", f"{namespace}-gone")


def test_it_has_one_owner(lab: Lab) -> None:
    """Another object for the same folder finds the lab, and cannot become its owner."""
    other = Lab.open(lab.folder)
    assert other.is_running()
    assert other.api_url == lab.api_url

    with pytest.raises(LabError, match="has no owner"):
        other.start(owned=True)


def test_strangers_get_nothing(lab: Lab) -> None:
    """The folder is the user's alone, and an unknown token is 401."""
    assert lab.folder.stat().st_mode & 0o077 == 0
    lab.write_kubeconfig(lab.folder / "stranger.kubeconfig", token="guessed")
    stranger = Kubectl(binary=lab.kubectl, kubeconfig=lab.folder / "stranger.kubeconfig")

    with pytest.raises(KubectlError, match="Unauthorized"):
        stranger("get", "secrets")
