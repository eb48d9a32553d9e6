"""The controller: its heartbeat, its version, its Deployment and its Pods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from nopea import __version__
from nopea.cli.doctor.deployed import LABELS, Deployed, Raw
from nopea.cli.doctor.finding import Finding, good, problem, unknown, warning
from nopea.cli.heartbeat import Liveness
from nopea.core.health.pods import pod_trouble
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError
from nopea.kube.kinds import PODS
from nopea.kube.requests import Selection

_RESTARTS = 3


def heartbeat_findings(liveness: Liveness, controller: Deployed | None) -> Iterator[Finding]:
    """Yield whether a controller runs, and whether its version is that of this program."""
    if liveness.running:
        yield good("heartbeat", liveness.message)
        yield from _version_findings(liveness.version)
    elif liveness.running is None:
        yield unknown("heartbeat", liveness.message)
    elif controller is None:
        yield problem("heartbeat", liveness.message, "Start it, or install it with `nopea install`.")
    elif controller.is_ready:
        logs = f"`kubectl -n {controller.namespace} logs deployment/{controller.name} --since=1h`"
        yield problem("heartbeat", liveness.message, f"Its Pod is ready, so its log says why: {logs}.")
    else:
        yield problem("heartbeat", liveness.message, "The lines about its Deployment and Pods say why.")


def _version_findings(version: str) -> Iterator[Finding]:
    from semver import Version

    if version == __version__:
        yield good("version", f"The controller and this program have the same version, {version}.")
    elif not Version.is_valid(version):
        yield unknown("version", "The controller does not say its version.", "`nopea upgrade` upgrades it.")
    elif Version.parse(version) < Version.parse(__version__):
        text = f"The controller has version {version}, older than this program, {__version__}."
        yield warning("version", text, "`nopea upgrade` upgrades the controller.")
    else:
        text = f"The controller has version {version}, newer than this program, {__version__}."
        yield warning("version", text, f"Install version {version} of this program.")


async def examine_deployment(client: KubeClient, controller: Deployed) -> AsyncIterator[Finding]:
    """Say whether the Deployment has its one Pod, and whether that Pod is fine."""
    name = f"{controller.namespace}/{controller.name}"
    wanted = controller.raw["spec"].get("replicas", 1)
    scale = f"`kubectl -n {controller.namespace} scale deployment {controller.name} --replicas=1`."
    try:
        listed = await client.list(PODS, Selection(namespace=controller.namespace, labels=LABELS))
        pods = [live.json() for live in listed.items]
    except ApiError as error:
        pods = []
        yield unknown("pods", f"The Pods of Deployment {name} cannot be read: {error}.")
    if wanted != 1:
        what = "is scaled to 0" if not wanted else f"has {wanted} replicas, which undo each other's work"
        yield problem("deployment", f"Deployment {name} {what}.", f"Scale it to 1: {scale}")
    elif controller.is_ready:
        yield good("deployment", f"Deployment {name} is ready: {controller.container['image']}")
    else:
        why = pod_trouble(pods) or "its Pod is not ready."
        logs = f"`kubectl -n {controller.namespace} logs deployment/{controller.name}` shows what it says."
        yield problem("deployment", f"Deployment {name} is not ready: {why}", _fix_of(why, logs))
    if "memory" not in (controller.container.get("resources") or {}).get("limits", {}):
        text = f"Deployment {name} has no memory limit: a leak or a huge repository harms its node."
        yield warning("deployment", text, "Set resources.limits.memory; the default is 2Gi.")
    for pod in pods:
        for finding in _pod_findings(pod):
            yield finding


def _fix_of(why: str, logs: str) -> str:
    if "ImagePull" in why or "ErrImage" in why or "InvalidImageName" in why:
        return "Name an image that the cluster can pull: `nopea install --image REGISTRY/nopea:TAG`."
    return logs


def _pod_findings(pod: Raw) -> Iterator[Finding]:
    """Yield what ended before, although the Pod may be fine now."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        count = container.get("restartCount", 0)
        last = (container.get("lastState") or {}).get("terminated") or {}
        name = pod["metadata"]["name"]
        if last.get("reason") == "OOMKilled":
            text = f"Pod {name} was ended because it reached its memory limit."
            yield warning("pods", text, "Raise resources.limits.memory, or lower --git-memory.")
        elif count >= _RESTARTS:
            text = f"Pod {name} was restarted {count} times."
            yield warning(
                "pods", text, f"`kubectl -n {pod['metadata']['namespace']} logs {name} -p` says why."
            )
