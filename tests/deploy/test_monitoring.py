"""deploy/monitoring as kubectl builds it; a lab does not serve the kinds of the Prometheus Operator."""

from __future__ import annotations

import json

import yaml
from tests.deploy.conftest import DEPLOY

from nopea_lab.lab import Lab


def test_monitoring_builds(lab: Lab) -> None:
    """It has a PodMonitor, the rules, and the dashboard in a ConfigMap for Grafana's sidecar."""
    built = list(yaml.safe_load_all(lab.run_kubectl("kustomize", str(DEPLOY / "monitoring"))))

    kinds = sorted(one["kind"] for one in built)
    assert kinds == ["ConfigMap", "PodMonitor", "PrometheusRule"]
    assert {one["metadata"]["namespace"] for one in built} == {"nopea-system"}
    (dashboard,) = (one for one in built if one["kind"] == "ConfigMap")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["dashboard.json"])["uid"] == "nopea"
    assert len(dashboard["data"]["dashboard.json"]) < 1024**2
