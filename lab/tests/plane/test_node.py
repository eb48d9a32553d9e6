"""Pods run in a lab that has a node and fail on request, and health reports both."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from nopea.core.health.assess import Health, HealthStatus, assess, pod_trouble
from nopea_lab.binaries import Binaries
from nopea_lab.components import KWOK, SCHEDULER
from nopea_lab.identity import ProcessIdentity
from nopea_lab.lab import Lab
from nopea_lab.layout import LabOptions
from nopea_lab.state import LabState

DEADLINE_SECONDS = 60.0
BACK_OFF = "CrashLoopBackOff: back-off 5m0s restarting failed container; last end: Error (exit code 1)"


class Workloads:
    """Creates workloads in a namespace of the lab with Pods, and assesses their live objects."""

    def __init__(self, lab: Lab, namespace: str) -> None:
        self._lab = lab
        self._namespace = namespace

    def create(self, api: str, kind: str, *, behaviour: str = "", restart: str = "", **spec: Any) -> str:
        """Create a workload with a Pod template of one container; return its path."""
        labels = {"app": kind.lower(), **({"lab.nopea.io/behaviour": behaviour} if behaviour else {})}
        pod: dict[str, Any] = {"containers": [{"name": "web", "image": "acme.example/web:1"}]}
        pod |= {"restartPolicy": restart} if restart else {"initContainers": [{"name": "init", "image": "a"}]}
        selector = {} if kind == "Job" else {"selector": {"matchLabels": {"app": kind.lower()}}}
        spec = {"template": {"metadata": {"labels": labels}, "spec": pod}, **selector, **spec}
        path = f"/apis/{api}/namespaces/{self._namespace}/{kind.lower()}s"
        body = {"apiVersion": api, "kind": kind, "metadata": {"name": "web"}, "spec": spec}
        made = self._lab.request("POST", path, body)
        assert made.status == 201, made.body
        return f"{path}/web"

    def health(self, path: str) -> Health:
        """Return the health of a live object."""
        answer = self._lab.request("GET", path)
        assert answer.status == 200, answer.body
        return assess(answer.body, now=datetime.now(UTC))

    def pods(self, selector: str = "") -> list[Any]:
        """Return the Pods of the namespace, or only those that match a selector."""
        query = f"?labelSelector={quote(selector)}" if selector else ""
        answer = self._lab.request("GET", f"/api/v1/namespaces/{self._namespace}/pods{query}")
        assert answer.status == 200, answer.body
        return list(answer.body["items"])

    def wait(self, path: str, is_wanted: Callable[[Health], bool]) -> Health:
        """Wait until the health satisfies `is_wanted`, and return it."""
        give_up_at = time.monotonic() + DEADLINE_SECONDS
        while not is_wanted(health := self.health(path)):
            assert time.monotonic() < give_up_at, health
            time.sleep(0.1)
        return health


@pytest.fixture
def workloads(pods_lab: Lab, pods_namespace: str) -> Workloads:
    """Return workloads in a namespace that only this test uses."""
    return Workloads(pods_lab, pods_namespace)


def _is(status: HealthStatus) -> Callable[[Health], bool]:
    return lambda health: health.status is status


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"])
def test_a_workload_becomes_healthy(workloads: Workloads, kind: str) -> None:
    """The workload is Progressing until its Pods are scheduled, running and ready; then it is Healthy."""
    spec: dict[str, Any] = {} if kind == "DaemonSet" else {"replicas": 2}
    path = workloads.create("apps/v1", kind, **spec)
    assert workloads.health(path).status is HealthStatus.PROGRESSING

    workloads.wait(path, _is(HealthStatus.HEALTHY))

    pods = workloads.pods()
    assert len(pods) == (1 if kind == "DaemonSet" else 2)
    assert pod_trouble(pods) == ""
    for pod in pods:
        assert assess(pod | {"apiVersion": "v1", "kind": "Pod"}, now=datetime.now(UTC)).status == "Healthy"
        assert pod["status"]["podIP"].startswith("10.244.")
        assert pod["status"]["containerStatuses"][0]["image"] == "acme.example/web:1"


def test_a_crashing_container_fails_its_deployment(workloads: Workloads) -> None:
    """The Deployment fails at its progress deadline; its selector finds the Pod, which has the reason."""
    path = workloads.create("apps/v1", "Deployment", behaviour="crash", progressDeadlineSeconds=4)

    health = workloads.wait(path, _is(HealthStatus.FAILED))

    assert "timed out progressing" in health.message
    assert health.selector == "app=deployment"
    (pod,) = workloads.pods(health.selector)
    assert pod_trouble([pod]) == f"pod {pod['metadata']['name']} container web: {BACK_OFF}"
    pod_health = assess(pod | {"apiVersion": "v1", "kind": "Pod"}, now=datetime.now(UTC))
    assert pod_health == Health(status=HealthStatus.FAILED, message=f"container web: {BACK_OFF}")


def test_a_container_that_is_never_ready_keeps_its_workload_waiting(workloads: Workloads) -> None:
    """The container runs, so the workload is Progressing; the message says that it is not ready."""
    path = workloads.create("apps/v1", "StatefulSet", behaviour="never-ready")

    health = workloads.wait(path, lambda health: bool(pod_trouble(workloads.pods(health.selector))))

    assert health.status is HealthStatus.PROGRESSING
    trouble = pod_trouble(workloads.pods(health.selector))
    assert trouble == "pod web-0 container web: running but not ready"


def test_a_job_is_healthy_when_it_is_complete(workloads: Workloads) -> None:
    """A Job is Progressing until it is complete."""
    path = workloads.create("batch/v1", "Job", restart="Never")
    assert workloads.health(path).status is HealthStatus.PROGRESSING

    assert workloads.wait(path, _is(HealthStatus.HEALTHY)).message == ""


def test_a_job_whose_pod_fails_is_failed(workloads: Workloads) -> None:
    """A Job without retries is Failed when its Pod ends with an error."""
    path = workloads.create("batch/v1", "Job", restart="Never", behaviour="crash", backoffLimit=0)

    health = workloads.wait(path, _is(HealthStatus.FAILED))

    assert "backoff limit" in health.message
    (pod,) = workloads.pods(health.selector)
    assert pod_trouble([pod]) == f"pod {pod['metadata']['name']} container web: Error (exit code 1)"


def test_a_deleted_pod_disappears(pods_lab: Lab, workloads: Workloads) -> None:
    """The simulator ends the Pods of a deleted Deployment, as a kubelet would."""
    path = workloads.create("apps/v1", "Deployment")
    workloads.wait(path, _is(HealthStatus.HEALTHY))

    pods_lab.request("DELETE", f"{path}?propagationPolicy=Foreground")

    give_up_at = time.monotonic() + DEADLINE_SECONDS
    while pods_lab.request("GET", path).status != 404 or workloads.pods():
        assert time.monotonic() < give_up_at, workloads.pods()
        time.sleep(0.1)


def test_a_pod_that_cannot_be_scheduled_has_a_reason(pods_lab: Lab, pods_namespace: str) -> None:
    """The message of the scheduler says why it cannot place the Pod."""
    container = {"name": "web", "image": "a", "resources": {"requests": {"cpu": "1000"}}}
    body = {"metadata": {"name": "huge"}, "spec": {"containers": [container]}}
    path = f"/api/v1/namespaces/{pods_namespace}/pods"
    assert pods_lab.request("POST", path, body).status == 201

    give_up_at = time.monotonic() + DEADLINE_SECONDS
    while not (said := pod_trouble([pods_lab.request("GET", f"{path}/huge").body])):
        assert time.monotonic() < give_up_at
        time.sleep(0.1)

    assert said.startswith("pod huge: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder for a detached lab, which is stopped at the end of the test."""
    yield tmp_path / "lab"
    Lab.open(tmp_path / "lab").stop()


def _nopea(*arguments: str) -> str:
    command = [sys.executable, "-m", "nopea", "lab", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pods_are_added_to_a_running_lab(pods_binaries: Binaries, folder: Path) -> None:
    """A second `up --pods` adds them; an `up` without the flag repairs them, and `down` ends everything."""
    del pods_binaries
    _nopea("up", "--dir", str(folder))
    lab = Lab.open(folder)
    before = {row.name: row.pid for row in lab.status()}

    _nopea("up", "--pods", "--dir", str(folder))

    rows = _nopea("status", "--dir", str(folder)).splitlines()[1:]
    assert [row.split()[0] for row in rows][3:] == ["kwok", "kube-scheduler"]
    after = {row.name: row.pid for row in lab.status()}
    assert before.items() <= after.items()
    node = json.loads(lab.run_kubectl("get", "node", "lab-node", "-o", "json"))
    assert "taints" not in node["spec"]
    assert {"type": "Ready", "status": "True"}.items() <= node["status"]["conditions"][0].items()

    lab.kill(KWOK)
    assert not lab.is_running()
    _nopea("up", "--dir", str(folder))
    assert lab.is_running()

    everyone = LabState.read(folder / "state.json").survivors()
    assert {"kwok", "kube-scheduler", "keeper"} <= set(everyone)
    _nopea("down", "--dir", str(folder))
    assert not any(process.is_alive() for process in everyone.values())


def test_nothing_outlives_the_keeper(pods_binaries: Binaries, make_lab: Callable[[LabOptions], Lab]) -> None:
    """The kernel ends the simulator and the scheduler too when the keeper is killed."""
    del pods_binaries
    lab = make_lab(LabOptions(pods=True))
    state = LabState.read(lab.folder / "state.json")
    assert isinstance(state.keeper, ProcessIdentity)

    state.keeper.send(signal.SIGKILL)

    for name in (KWOK.name, SCHEDULER.name):
        assert state.processes[name].wait_gone(deadline_seconds=10), name
