"""The controller: its heartbeat, its version, its Deployment and its Pods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nopea import __version__
from nopea.cli.doctor.finding import Finding, good, problem, unknown, warning
from nopea.cli.heartbeat import Liveness
from nopea.core.health.pods import pod_trouble
from nopea.kube.client import KubeClient, ServiceAccount
from nopea.kube.errors import ApiError
from nopea.kube.kinds import DEPLOYMENTS, PODS
from nopea.kube.requests import Selection

LABELS = "app.kubernetes.io/name=nopea"
_RESTARTS = 3

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The Deployment of the controller."""

    raw: Raw

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.raw["metadata"]["namespace"])

    @property
    def container(self) -> Raw:
        """The container of Nopea; the first one if none has its name."""
        containers = list(self.raw["spec"]["template"]["spec"]["containers"])
        return next((each for each in containers if each["name"] == "nopea"), containers[0])

    @property
    def account(self) -> ServiceAccount:
        """The service account whose rights it has."""
        pod = self.raw["spec"]["template"]["spec"]
        return ServiceAccount(namespace=self.namespace, name=pod.get("serviceAccountName") or "default")

    @property
    def applies_as_itself(self) -> bool:
        """Whether it applies what names no service account with its own rights."""
        is_flag = "--apply-as-controller" in (self.container.get("args") or ())
        return is_flag or self.option("apply-as-controller").lower() in ("true", "1", "yes", "on", "t", "y")

    def option(self, name: str) -> str:
        """Return the value of an option of `nopea run`, from its arguments or environment; empty if unset."""
        arguments = [str(each) for each in self.container.get("args") or ()]
        for place, argument in enumerate(arguments):
            if argument == f"--{name}" and arguments[place + 1 :]:
                return arguments[place + 1]
            if argument.startswith(f"--{name}="):
                return argument.partition("=")[2]
        variable = f"NOPEA_{name.upper().replace('-', '_')}"
        for each in self.container.get("env") or ():
            if each["name"] == variable:
                return str(each.get("value", ""))
        return ""


async def find_controller(client: KubeClient, namespace: str) -> Deployed | None:
    """Return the Deployment of the controller in this namespace, None if there is none. Raises ApiError.

    No other namespace is looked at: a tenant could make one that looks like it, and be granted its rights.
    """
    listed = await client.list(DEPLOYMENTS, Selection(namespace=namespace, labels=LABELS))
    return Deployed(raw=listed.items[0].json()) if listed.items else None


async def elsewhere(client: KubeClient) -> list[str]:
    """Return the namespaces with a Deployment that looks like Nopea; none where they cannot be listed."""
    try:
        listed = await client.list(DEPLOYMENTS, Selection(labels=LABELS, metadata_only=True))
    except ApiError:
        return []
    return sorted({live.meta.namespace for live in listed.items})


def heartbeat_findings(liveness: Liveness, *, is_installed: bool) -> Iterator[Finding]:
    """Yield whether a controller runs, and whether its version is that of this program."""
    if liveness.running:
        yield good("heartbeat", liveness.message)
        yield from _version_findings(liveness.version)
    elif liveness.running is None:
        yield unknown("heartbeat", liveness.message)
    elif is_installed:
        yield problem("heartbeat", liveness.message, "The lines about its Deployment and Pods say why.")
    else:
        yield problem("heartbeat", liveness.message, "Start it, or install it with `nopea install`.")


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
    name = f"{controller.namespace}/{controller.raw['metadata']['name']}"
    wanted = controller.raw["spec"].get("replicas", 1)
    ready = (controller.raw.get("status") or {}).get("readyReplicas", 0)
    scale = f"`kubectl -n {controller.namespace} scale deployment nopea --replicas=1`."
    try:
        listed = await client.list(PODS, Selection(namespace=controller.namespace, labels=LABELS))
        pods = [live.json() for live in listed.items]
    except ApiError as error:
        pods = []
        yield unknown("pods", f"The Pods of Deployment {name} cannot be read: {error}.")
    if wanted != 1:
        what = "is scaled to 0" if not wanted else f"has {wanted} replicas, which undo each other's work"
        yield problem("deployment", f"Deployment {name} {what}.", f"Scale it to 1: {scale}")
    elif ready:
        yield good("deployment", f"Deployment {name} is ready: {controller.container['image']}")
    else:
        why = pod_trouble(pods) or "its Pod is not ready."
        logs = f"`kubectl -n {controller.namespace} logs deployment/nopea` shows what it says."
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
