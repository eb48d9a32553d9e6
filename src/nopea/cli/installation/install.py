"""Apply the objects of an installation, definitions first, and wait until Nopea runs.

It writes by server-side apply as a manager of its own. What other managers have set stays, unless it is
forced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from nopea import __version__
from nopea.cli.cluster import CommandError
from nopea.cli.heartbeat import SYSTEM_NAMESPACE, liveness
from nopea.cli.installation.installed import (
    LABELS,
    MANAGED_BY_LABEL,
    MANAGER,
    PROFILE_ANNOTATION,
    VERSION_LABEL,
)
from nopea.cli.installation.profiles import (
    AS_CONTROLLER,
    READ_ONLY,
    Manifest,
    Profile,
    named,
    objects,
    variables_of,
)
from nopea.core.health.pods import pod_trouble
from nopea.core.objects import Target
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError, ConflictError, NotFoundError
from nopea.kube.kinds import DEFINITIONS, DEPLOYMENTS, NAMESPACES, PODS
from nopea.kube.requests import PatchKind, Preconditions, Selection

ESTABLISHED_SECONDS = 30.0
HEARD_SECONDS = 10.0
POLL_SECONDS = 0.3

_DEPLOYMENT = DEPLOYMENTS.at(name="nopea", namespace=SYSTEM_NAMESPACE)

Show = Callable[[str], None]


def marked(profile: Profile, *, image: str) -> list[Manifest]:
    """Return the objects of a profile; labels say who installed them, and which version and profile."""
    found = objects(profile, image=image)
    for each in found:
        labels = each["metadata"].setdefault("labels", {})
        labels |= {VERSION_LABEL: __version__, MANAGED_BY_LABEL: MANAGER}
    found[-1]["metadata"].setdefault("annotations", {})[PROFILE_ANNOTATION] = profile.value
    return found


async def apply_all(
    client: KubeClient, manifests: Iterable[Manifest], *, force: bool, new_namespace: bool = False
) -> int:
    """Apply the objects in their order; return how many were created. Raises CommandError, ApiError.

    With `new_namespace` it ends if somebody else has created the namespace meanwhile.
    """
    discovery = Discovery(client)
    await _refuse_lost_versions(client, manifests)
    created, conflicts = 0, []
    for manifest in manifests:
        target = await target_of(discovery, manifest)
        try:
            applied = await client.apply_as(target, orjson.dumps(manifest), manager=MANAGER, force=force)
        except ConflictError as error:
            conflicts.append(f"{named(manifest)}: {error.message}")
            continue
        created += applied.created
        if new_namespace and target.resource.group_kind == NAMESPACES.group_kind and not applied.created:
            raise CommandError(
                f"{named(manifest)} was created meanwhile.", "Look who did, and install Nopea again."
            )
        if target.resource.group_kind == DEFINITIONS.group_kind:
            await _wait_established(client, target)
            discovery.invalidate()
    if conflicts:
        raise CommandError(
            f"Others have changed what Nopea installs. {' '.join(conflicts)}",
            "Undo their changes, or give --force to overwrite them.",
        )
    return created


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What another profile granted: what was taken away, and what somebody else has given and still stands.

    `kept` has the commands that take it away.
    """

    deleted: tuple[str, ...]
    kept: tuple[str, ...]


async def remove_leftovers(client: KubeClient, profile: Profile, *, force: bool, show: Show) -> Leftovers:
    """Take away what another profile granted and this one does not, such as the rights of cluster-admin.

    What others have given is taken away only if it is forced. Raises ApiError.
    """
    wanted = {named(each) for each in objects(profile)}
    others = {named(each): each for other in Profile for each in objects(other)}
    discovery, deleted, kept = Discovery(client), list[str](), list[str]()
    for name, manifest in others.items():
        if name in wanted:
            continue
        target = await target_of(discovery, manifest)
        try:
            live = await client.get(target)
        except NotFoundError:
            continue
        if force or live.meta.labels.get(MANAGED_BY_LABEL) == MANAGER:
            show(f"Deleting {name}.")
            await client.delete(target, only_if=Preconditions(uid=live.meta.uid))
            deleted.append(name)
        else:
            kept.append(f"kubectl delete {target.resource.full_plural} {target.name}")
    for variable in sorted({AS_CONTROLLER, READ_ONLY} - {*variables_of(profile)}):
        if not (place := await _place_of(variable, client)):
            continue
        if force:
            patch = [
                {"op": "test", "path": f"{place}/name", "value": variable},
                {"op": "remove", "path": place},
            ]
            await client.patch(_DEPLOYMENT, orjson.dumps(patch), kind=PatchKind.JSON, manager=MANAGER)
            deleted.append(f"{variable} of Deployment {SYSTEM_NAMESPACE}/nopea")
        else:
            kept.append(f"kubectl -n {SYSTEM_NAMESPACE} set env deployment/nopea {variable}-")
    return Leftovers(tuple(deleted), tuple(kept))


async def _place_of(name: str, client: KubeClient) -> str:
    """Return the JSON pointer to a variable of the Deployment; empty if it is not set."""
    containers = (await client.get(_DEPLOYMENT)).json()["spec"]["template"]["spec"]["containers"]
    for number, container in enumerate(containers):
        for place, variable in enumerate(container.get("env") or ()):
            if variable["name"] == name and variable.get("value") != "false":
                return f"/spec/template/spec/containers/{number}/env/{place}"
    return ""


async def wait_rolled_out(client: KubeClient, *, seconds: float, show: Show) -> str:
    """Wait until the Deployment has its new Pod; return why it has not after the time, empty if it has."""
    why = ""
    try:
        async with asyncio.timeout(seconds):
            while why := await _why_not_ready(client):
                show(why)
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return why
    return ""


async def wait_heard(client: KubeClient, *, show: Show) -> None:
    """Wait for the first heartbeat of the new Pod: until then the Lease is that of the Pod before it."""
    show("Waiting for the first heartbeat.")
    try:
        async with asyncio.timeout(HEARD_SECONDS):
            while True:
                alive = await liveness(client, SYSTEM_NAMESPACE, anywhere=False)
                if alive.running:
                    return
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return  # the doctor says what is wrong


async def _why_not_ready(client: KubeClient) -> str:
    try:
        found = (await client.get(_DEPLOYMENT)).json()
        pods = (await client.list(PODS, Selection(namespace=SYSTEM_NAMESPACE, labels=LABELS))).items
    except ApiError as error:
        if not error.retryable:
            raise
        return f"The API server does not answer: {error}"
    status: dict[str, Any] = found.get("status") or {}
    wanted = found["spec"].get("replicas", 1)
    is_seen = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
    if is_seen and status.get("updatedReplicas", 0) == status.get("availableReplicas", 0) == wanted:
        return ""
    for condition in status.get("conditions") or ():
        if (condition["type"], condition["status"]) == ("ReplicaFailure", "True"):
            return f"Deployment nopea cannot create its Pod: {condition.get('message', '')}"
    return pod_trouble(live.json() for live in pods) or "Waiting for the Pod of Deployment nopea."


async def target_of(discovery: Discovery, manifest: Manifest) -> Target:
    """Return where an object of the installation is; raises ApiError."""
    resource = await discovery.find(manifest["apiVersion"], manifest["kind"])
    metadata = manifest["metadata"]
    return resource.at(name=metadata["name"], namespace=metadata.get("namespace", ""))


async def _refuse_lost_versions(client: KubeClient, manifests: Iterable[Manifest]) -> None:
    """Raise CommandError if objects may be stored in a version that the new definition does not have."""
    for manifest in manifests:
        if manifest["kind"] != DEFINITIONS.kind:
            continue
        name = manifest["metadata"]["name"]
        try:
            found = (await client.get(DEFINITIONS.at(name=name))).json()
        except NotFoundError:
            continue
        known = {version["name"] for version in manifest["spec"]["versions"]}
        stored = (found.get("status") or {}).get("storedVersions") or ()
        if lost := [version for version in stored if version not in known]:
            raise CommandError(
                f"Objects of {name} may be stored as {', '.join(lost)}, which this version does not have.",
                f"Use a version of `nopea` that has it, or write each object again and remove {lost[0]} from "
                "status.storedVersions of the CustomResourceDefinition.",
            )


async def _wait_established(client: KubeClient, target: Target) -> None:
    status: dict[str, Any] = {}
    try:
        async with asyncio.timeout(ESTABLISHED_SECONDS):
            while True:
                status = (await client.get(target)).json().get("status") or {}
                conditions = {each["type"]: each["status"] for each in status.get("conditions") or ()}
                if conditions.get("Established") == "True":
                    return
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        messages = [each["message"] for each in status.get("conditions") or () if each["status"] == "False"]
        raise CommandError(
            f"CustomResourceDefinition {target.name} is not established after {ESTABLISHED_SECONDS:.0f} s. "
            f"{' '.join(messages)}".rstrip(),
            "Remove the CustomResourceDefinition that has its names.",
        ) from error
