"""What is installed in a cluster: which version, with which profile, and by which tool. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nopea.cli.heartbeat import SYSTEM_NAMESPACE
from nopea.cli.installation.profiles import Profile
from nopea.core.api.names import GROUP
from nopea.kube.client import KubeClient
from nopea.kube.errors import ForbiddenError
from nopea.kube.kinds import DEPLOYMENTS
from nopea.kube.requests import Selection

MANAGER = "nopea-install"
"""The field manager of `nopea install` and `upgrade`."""
PROFILE_ANNOTATION = f"{GROUP}/profile"
VERSION_LABEL = "app.kubernetes.io/version"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
LABELS = "app.kubernetes.io/name=nopea"
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

    All namespaces are looked at, or `nopea-system` alone where that is refused.
    """
    try:
        found = (await client.list(DEPLOYMENTS, Selection(labels=LABELS))).items
    except ForbiddenError:
        found = (await client.list(DEPLOYMENTS, Selection(namespace=SYSTEM_NAMESPACE, labels=LABELS))).items
    if not found:
        return None
    each = min(found, key=lambda live: live.meta.namespace != SYSTEM_NAMESPACE)
    return _read(each.json())


def _read(deployment: Mapping[str, Any]) -> Installed:
    metadata = deployment["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    image = str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])
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
