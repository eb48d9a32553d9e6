"""What is installed in a cluster: which version, with which profile, and by which tool. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nopea import __version__
from nopea.cli.cluster import CommandError
from nopea.cli.heartbeat import SYSTEM_NAMESPACE
from nopea.cli.installation.profiles import DEFAULT_IMAGE, Profile
from nopea.core.api.names import GROUP
from nopea.kube.client import KubeClient
from nopea.kube.errors import ForbiddenError
from nopea.kube.kinds import CLUSTER_ROLE_BINDINGS, DEPLOYMENTS
from nopea.kube.live import LiveObject
from nopea.kube.requests import Selection

MANAGER = "nopea-install"
"""The field manager of `nopea install` and `upgrade`."""
PROFILE_ANNOTATION = f"{GROUP}/profile"
VERSION_LABEL = "app.kubernetes.io/version"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
LABELS = "app.kubernetes.io/name=nopea"
PART_OF = "app.kubernetes.io/part-of=nopea"
"""A label that all objects of `deploy/` and of the chart have."""
HELM = "Helm"
KUBECTL = "kubectl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An installation; `version` and `profile` are empty if nothing says them."""

    namespace: str
    image: str
    version: str
    profile: Profile | None
    tool: str
    """MANAGER if this program installed it, else HELM, or the field manager of what did."""

    @property
    def is_ours(self) -> bool:
        """Whether this program installed it."""
        return self.tool == MANAGER

    @property
    def title(self) -> str:
        """What it is, for a sentence."""
        version = f" {self.version}" if self.version else ""
        return f"Nopea{version} in {self.namespace}, installed by {self.tool}"


async def find_installed(client: KubeClient) -> Installed | None:
    """Return what is installed, None without a Deployment of Nopea; raises ApiError.

    It runs as a service account to which a ClusterRoleBinding gives Nopea's rights: anybody can make a
    Deployment with the same labels in a namespace of their own, but no ClusterRoleBinding. Who may not list
    these gets what is in `nopea-system`.
    """
    try:
        accounts = _accounts((await client.list(CLUSTER_ROLE_BINDINGS, Selection(labels=PART_OF))).items)
    except ForbiddenError:
        listed = await client.list(DEPLOYMENTS, Selection(namespace=SYSTEM_NAMESPACE, labels=LABELS))
        return _read(listed.items[0].json()) if listed.items else None
    for namespace in sorted(accounts, key=lambda each: (each != SYSTEM_NAMESPACE, each)):
        for live in (await client.list(DEPLOYMENTS, Selection(namespace=namespace, labels=PART_OF))).items:
            deployment = live.json()
            if deployment["spec"]["template"]["spec"].get("serviceAccountName") in accounts[namespace]:
                return _read(deployment)
    return None


def _accounts(bindings: Iterable[LiveObject]) -> dict[str, set[str]]:
    """Return the service accounts that ClusterRoleBindings name, by namespace."""
    found: dict[str, set[str]] = defaultdict(set)
    for binding in bindings:
        for subject in binding.json().get("subjects") or ():
            if subject["kind"] == "ServiceAccount":
                found[subject["namespace"]].add(subject["name"])
    return found


def _read(deployment: Mapping[str, Any]) -> Installed:
    metadata = deployment["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    containers = deployment["spec"]["template"]["spec"]["containers"]
    image = str(next((each for each in containers if each["name"] == "nopea"), containers[0])["image"])
    profile = str(annotations.get(PROFILE_ANNOTATION, ""))
    return Installed(
        namespace=metadata["namespace"],
        image=image,
        version=str(labels.get(VERSION_LABEL) or tag_of(image)),
        profile=Profile(profile) if profile in {*Profile} else None,
        tool=_tool(metadata, labels),
    )


def _tool(metadata: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    if labels.get(MANAGED_BY_LABEL) == HELM:
        return HELM
    managers = [
        str(each.get("manager", ""))
        for each in metadata.get("managedFields") or ()
        if each.get("subresource") != "status"
    ]
    return MANAGER if MANAGER in managers else next(iter(managers), KUBECTL)


def tag_of(image: str) -> str:
    """Return the tag of an image; empty without one."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2]


def with_tag(image: str, tag: str) -> str | None:
    """Return the image with another tag; None for one that is named by its digest."""
    if "@" in image:
        return None
    path, slash, name = image.rpartition("/")
    return f"{path}{slash}{name.partition(':')[0]}:{tag}"


def image_for(installed: Installed | None) -> str:
    """Return the image to install if none is named: the same, with the tag of this version.

    Raises CommandError if another version is named by its digest.
    """
    if installed is None:
        return DEFAULT_IMAGE
    new = installed.image if installed.version == __version__ else with_tag(installed.image, __version__)
    if new is None:
        raise CommandError(
            f"The image is named by its digest: {installed.image}", "Name the new one with --image."
        )
    return new
