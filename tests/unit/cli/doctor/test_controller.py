"""Examining the controller: heartbeat, version, Deployment, Pods."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster

from nopea import __version__
from nopea.cli.doctor.controller import examine_deployment, heartbeat_findings
from nopea.cli.doctor.deployed import Deployed
from nopea.cli.doctor.finding import Verdict
from nopea.cli.heartbeat import Liveness
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import PODS

LABELS = {"app.kubernetes.io/name": "nopea"}
LIMITS = {"limits": {"memory": "2Gi"}}
NOBODY = Liveness(None, "Not known.")


def deployment(
    *, replicas: int = 1, ready: int = 1, namespace: str = "nopea-system", **container: Any
) -> dict[str, Any]:
    """Return a Deployment of Nopea."""
    container = {"name": "nopea", "image": "nopea:1", "resources": LIMITS, **container}
    pod = {"serviceAccountName": "nopea", "containers": [{"name": "mesh", "image": "m"}, container]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "nopea", "namespace": namespace, "labels": LABELS},
        "spec": {"replicas": replicas, "template": {"spec": pod}},
        "status": {"readyReplicas": ready},
    }


async def found(raw: dict[str, Any], *pods: dict[str, Any]) -> list[tuple[Verdict, str, str]]:
    """Return what is found about a Deployment and its Pods."""
    cluster = FakeCluster(namespaces=("nopea-system",))
    for place, status in enumerate(pods):
        metadata = {"name": f"nopea-{place}", "namespace": "nopea-system", "labels": LABELS}
        cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status})
    findings = examine_deployment(cluster.client, Deployed(raw=raw))
    return [(each.verdict, each.message, each.fix) async for each in findings]


def status(*, restarts: int = 0, last: str = "", waiting: str = "") -> dict[str, Any]:
    """Return the status of a Pod."""
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    ended = {"lastState": {"terminated": {"reason": last, "exitCode": 137}}} if last else {}
    container = {"name": "nopea", "restartCount": restarts, "ready": not waiting, "state": state, **ended}
    return {"phase": "Running", "containerStatuses": [container]}


async def test_a_ready_deployment_is_fine() -> None:
    """The image is named."""
    assert await found(deployment(), status()) == [
        (Verdict.GOOD, "Deployment nopea-system/nopea is ready: nopea:1", "")
    ]


@pytest.mark.parametrize(
    ("raw", "pod", "message", "fix"),
    [
        (deployment(replicas=0, ready=0), None, "is scaled to 0", "--replicas=1"),
        (deployment(replicas=2, ready=2), status(), "has 2 replicas", "--replicas=1"),
        (deployment(ready=0), status(waiting="ImagePullBackOff"), "ImagePullBackOff", "--image"),
        (deployment(ready=0), status(waiting="CrashLoopBackOff"), "CrashLoopBackOff", "logs"),
        (deployment(resources={}), status(), "no memory limit", "2Gi"),
        (deployment(), status(last="OOMKilled"), "memory limit", "limits.memory"),
        (deployment(), status(restarts=5), "restarted 5 times", "logs nopea-0 -p"),
    ],
)
async def test_what_is_wrong_has_a_fix(
    raw: dict[str, Any], pod: dict[str, Any] | None, message: str, fix: str
) -> None:
    """From the Deployment and from its Pods."""
    findings = await found(raw, *([pod] if pod else []))

    assert any(message in text and fix in hint for _, text, hint in findings), findings
    assert any(verdict in (Verdict.PROBLEM, Verdict.WARNING) for verdict, _, _ in findings)


async def test_pods_that_may_not_be_read_are_told() -> None:
    """The Deployment is still examined."""
    cluster = FakeCluster(namespaces=("nopea-system",))
    cluster.fail_next("list", PODS, ForbiddenError(ApiFailure(code=403, message="no")))

    findings = [each async for each in examine_deployment(cluster.client, Deployed(raw=deployment()))]

    assert [each.verdict for each in findings] == [Verdict.UNKNOWN, Verdict.GOOD]


@pytest.mark.parametrize(
    ("version", "verdict", "words"),
    [
        (__version__, Verdict.GOOD, "same version"),
        ("0.0.1", Verdict.WARNING, "older than this program"),
        ("9.0.0", Verdict.WARNING, "newer than this program"),
        ("", Verdict.UNKNOWN, "does not say its version"),
        ("\x1b[31mred", Verdict.UNKNOWN, "does not say its version"),
    ],
)
def test_versions_are_compared(version: str, verdict: Verdict, words: str) -> None:
    """The Lease has the controller's; who may write it can write rubbish."""
    alive = Liveness(True, "It runs.", "nopea-system", version)
    _, finding = heartbeat_findings(alive, Deployed(raw=deployment()))

    assert finding.verdict is verdict
    assert words in finding.message


@pytest.mark.parametrize(
    ("alive", "verdict"),
    [(Liveness(False, "It was stopped."), Verdict.PROBLEM), (NOBODY, Verdict.UNKNOWN)],
)
@pytest.mark.parametrize(
    ("controller", "fix"),
    [
        (None, "install"),
        (Deployed(raw=deployment(ready=0)), "The lines about its Deployment"),
        (Deployed(raw=deployment()), "`kubectl -n nopea-system logs deployment/nopea --since=1h`"),
    ],
)
def test_a_dead_controller_is_a_problem(
    alive: Liveness, verdict: Verdict, controller: Deployed | None, fix: str
) -> None:
    """What is not known is none. A Pod that is ready is not what is wrong: its log says more."""
    (finding,) = heartbeat_findings(alive, controller)

    assert finding.verdict is verdict
    assert verdict is Verdict.UNKNOWN or fix in finding.fix
