"""Play the kubelet: end the Pods that wait for a node."""

from __future__ import annotations

from tests.e2e.world import Site

PODS = "v1 pods"


def end_pods(site: Site, phase: str) -> None:
    """End all pending Pods of the namespace; fails while there is none."""
    pods = [pod for pod in site.cluster.list(site.place(PODS)) if pod["status"].get("phase") == "Pending"]
    assert pods, "no Pod is pending"
    for pod in pods:
        answer = site.cluster.lab.request(
            "PATCH",
            f"/api/v1/namespaces/{site.namespace}/pods/{pod['metadata']['name']}/status",
            {"status": {"phase": phase}},
            content_type="application/merge-patch+json",
        )
        assert answer.status == 200, answer.body
