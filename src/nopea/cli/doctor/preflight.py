"""Before Nopea is installed: may this user install it, and what is there already?"""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson

from nopea.cli.doctor.finding import Finding, good, problem, unknown, warning
from nopea.cli.doctor.rights import told
from nopea.cli.installation.installed import MANAGER, find_installed
from nopea.cli.installation.profiles import Manifest, Profile, named, objects
from nopea.core.objects import Resource, Target
from nopea.kube.access import Permission, is_allowed
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError, ConflictError, ForbiddenError, NotFoundError, UnknownKindError
from nopea.kube.kinds import DEFINITIONS, GIT_REPOSITORIES

_VERBS = ("get", "create", "patch")


async def examine_target(client: KubeClient, profile: Profile) -> AsyncIterator[Finding]:
    """Say whether the profile can be installed with the rights of this user; raises ApiError."""
    discovery = Discovery(client)
    manifests = [
        each for each in objects(profile) if each["apiVersion"].partition("/")[0] != GIT_REPOSITORIES.group
    ]
    missing: list[Permission] = []
    resources: dict[tuple[str, str], Resource] = {}
    for manifest in manifests:
        kind = manifest["apiVersion"], manifest["kind"]
        if kind in resources:
            continue
        try:
            resources[kind] = await discovery.find(*kind)
        except UnknownKindError:
            text = f"The cluster does not serve {manifest['kind']} in {manifest['apiVersion']}."
            yield problem("kinds", text, "Upgrade Kubernetes, or enable the API.")
    places = {
        (resources[each["apiVersion"], each["kind"]], each["metadata"].get("namespace", ""))
        for each in manifests
        if (each["apiVersion"], each["kind"]) in resources
    }
    for resource, namespace in sorted(places, key=str):
        for verb in _VERBS:
            access = Permission(
                verb=verb, group=resource.group, resource=resource.plural, namespace=namespace
            )
            if not await is_allowed(client, access):
                missing.append(access)
    if missing:
        yield problem("rights", f"You may not {told(missing)}.", "Install Nopea as a cluster-admin.")
    if not missing:
        escalations = [each async for each in _escalations(client, resources, manifests)]
        for finding in escalations:
            yield finding
        if not escalations:
            yield good("rights", f"You may install the profile {profile}.")


async def _escalations(
    client: KubeClient, resources: dict[tuple[str, str], Resource], manifests: list[Manifest]
) -> AsyncIterator[Finding]:
    """Try the roles on the API server, which lets nobody grant what they do not have; nothing is stored."""
    for manifest in manifests:
        resource = resources.get((manifest["apiVersion"], manifest["kind"]))
        if resource is None or manifest["kind"] not in ("ClusterRole", "ClusterRoleBinding"):
            continue
        target = Target(resource=resource, name=manifest["metadata"]["name"], namespace="")
        try:
            await client.apply_as(target, orjson.dumps(manifest), manager=MANAGER, dry_run=True)
        except ForbiddenError as error:
            text = f"You may not grant what {named(manifest)} grants: {error.message}"
            yield problem("rights", text, "Install Nopea as a cluster-admin.")
        except (ConflictError, NotFoundError):
            continue  # another manager has it: the line about the installation says so


async def examine_earlier(client: KubeClient) -> AsyncIterator[Finding]:
    """Say what of Nopea is in the cluster already."""
    try:
        installed = await find_installed(client)
    except ApiError as error:
        yield unknown("installation", f"Whether Nopea is installed cannot be read: {error}.")
        return
    if installed is not None:
        fix = "`nopea upgrade` upgrades it." if installed.is_ours else f"Upgrade it with {installed.tool}."
        yield warning("installation", f"There is {installed.title} already.", fix)
        return
    try:
        await client.get(DEFINITIONS.at(name=GIT_REPOSITORIES.full_plural), metadata_only=True)
        left = len((await client.list(GIT_REPOSITORIES)).items)
    except NotFoundError:
        yield good("installation", "Nopea is not installed yet.")
    except ApiError as error:
        yield unknown("installation", f"Whether Nopea was installed before cannot be read: {error}.")
    else:
        what = "1 GitRepository" if left == 1 else f"{left} GitRepositories"
        text = f"An earlier installation left its kinds, and {what}, which Nopea will sync when it starts."
        fix = f"`kubectl get {GIT_REPOSITORIES.full_plural} -A` lists them."
        yield (
            warning("installation", text, fix)
            if left
            else good("installation", "Nopea's kinds are there, and nothing else.")
        )
