"""Fixtures for commands that install and examine Nopea: a cluster without it, and a stand-in for nodes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.commands import say
from tests.e2e.conftest import cluster, git_server, mode, nopea, site

from nopea_lab.lab import Lab

SYSTEM = "nopea-system"
MERGE_PATCH = "application/merge-patch+json"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/nopea"
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gitrepositories.nopea.io"
REPOSITORIES = "/apis/nopea.io/v1alpha1/namespaces/default/gitrepositories"
PODS = f"/api/v1/namespaces/{SYSTEM}/pods"
UNINSTALL_SECONDS = 150.0
"""The command waits for 90 s until all is gone, and for 20 s until a controller lets go."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests below this folder the time that two removals may take."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(900))


class Kubelet(threading.Thread):
    """Reports Nopea's Pods as ready, as the kubelet of a node does, or as waiting for a reason."""

    def __init__(self, lab: Lab, *, waiting: str = "") -> None:
        super().__init__(daemon=True)
        self._lab = lab
        self._waiting = waiting
        self._ends = threading.Event()

    def run(self) -> None:
        """Report until it is stopped."""
        while not self._ends.wait(0.1):
            for pod in self._lab.request("GET", PODS).body.get("items") or ():
                self._report(pod)

    def stop(self) -> None:
        """End the thread."""
        self._ends.set()
        self.join()

    def _report(self, pod: dict[str, Any]) -> None:
        state = {"waiting": {"reason": self._waiting}} if self._waiting else {"running": {}}
        ready = not self._waiting
        image = pod["spec"]["containers"][0]["image"]
        container = {
            "name": "nopea", "ready": ready, "restartCount": 0, "image": image, "imageID": "", "state": state,
        }  # fmt: skip
        status = {
            "phase": "Running" if ready else "Pending",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [container],
        }
        path = f"{PODS}/{pod['metadata']['name']}/status"
        self._lab.request("PATCH", path, {"status": status}, content_type=MERGE_PATCH)


@pytest.fixture
def kubelet(bare_lab: Lab) -> Iterator[Kubelet]:
    """A kubelet that lets Nopea's Pod run."""
    running = Kubelet(bare_lab)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def clean(bare_lab: Lab) -> Iterator[Lab]:
    """The control plane; whatever is installed is removed afterwards."""
    yield bare_lab
    done = say(bare_lab, "uninstall", "--yes", "--force", seconds=UNINSTALL_SECONDS)
    assert done.code == 0, done.err


def repository(name: str = "web", **metadata: Any) -> dict[str, Any]:
    """Return a GitRepository that has been applied once."""
    return {
        "apiVersion": "nopea.io/v1alpha1",
        "kind": "GitRepository",
        "metadata": {"name": name, "finalizers": ["nopea.io/finalizer"], **metadata},
        "spec": {"url": "https://git.acme.example/web", "deletionPolicy": "Delete"},
    }


__all__ = ["cluster", "git_server", "mode", "nopea", "site"]
