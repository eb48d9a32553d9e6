"""Remove Nopea from a cluster; what GitRepositories applied stays.

While the controller runs, it lets go of each GitRepository itself. Where it does not run, its finalizer is
removed here, with the same effect: no object is deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from nopea.cli.heartbeat import SYSTEM_NAMESPACE
from nopea.cli.installation.install import target_of
from nopea.cli.installation.profiles import Manifest, Profile, named, objects
from nopea.cli.repository import MANAGER, annotate
from nopea.core.api import names
from nopea.core.api.times import format_time
from nopea.core.objects import RepoKey, Target
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError, ConflictError, InvalidError, NotFoundError, UnknownKindError
from nopea.kube.kinds import (
    CLUSTER_ROLE_BINDINGS,
    DEFINITIONS,
    GIT_REPOSITORIES,
    INVENTORIES,
    ROLE_BINDINGS,
    repository_target,
)
from nopea.kube.requests import PatchKind, Selection

GRACE_SECONDS = 20.0
"""How long the controller has to let go of its GitRepositories."""
GONE_SECONDS = 90.0
"""How long what was deleted has to be gone: mostly seconds; a Pod may take half a minute to end."""
RETRY_SECONDS = 5.0
"""How often what is not gone is tried again."""
POLL_SECONDS = 0.3
_TRIES = 5
_SHOWN = 3
_ACCOUNT = {"kind": "ServiceAccount", "name": "nopea", "namespace": SYSTEM_NAMESPACE}
_TRIED_ANNOTATION = f"{names.GROUP}/removal-tried-at"

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What there is to remove."""

    objects: tuple[tuple[Manifest, Target], ...]
    """In the order of deletion: the Deployment first, definitions last."""
    repositories: tuple[RepoKey, ...]

    def lines(self) -> list[str]:
        """Return what would be deleted."""
        found = [f"GitRepository {key}" for key in self.repositories]
        return [*found, *(named(manifest) for manifest, _ in self.objects)]


async def find_removal(client: KubeClient, *, keeps_definitions: bool) -> Removal:
    """Return what of Nopea is in the cluster; raises ApiError."""
    discovery = Discovery(client)
    manifests = {named(each): each for profile in Profile for each in objects(profile)}
    found: list[tuple[Manifest, Target]] = []
    for manifest in reversed(list(manifests.values())):
        if keeps_definitions and manifest["kind"] == DEFINITIONS.kind:
            continue
        try:
            target = await target_of(discovery, manifest)
            await client.get(target, metadata_only=True)
        except (NotFoundError, UnknownKindError):
            continue
        found.append((manifest, target))
    order = ("Deployment", "Namespace", DEFINITIONS.kind)
    found.sort(key=lambda each: order.index(each[0]["kind"]) if each[0]["kind"] in order else 0.5)
    repositories = [] if keeps_definitions else await _repositories(client)
    return Removal(objects=tuple(found), repositories=tuple(repositories))


async def release(client: KubeClient, keys: Iterable[RepoKey], *, is_running: bool, show: Show) -> None:
    """Delete GitRepositories and keep what they applied; raises ApiError."""
    waiting = set(keys)
    for key in sorted(waiting):
        await _release(client, key)
    if is_running and waiting:
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                while waiting := waiting.intersection(await _repositories(client)):
                    show(f"Waiting until the controller lets go of {min(waiting)}.")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            show("The controller does not let go; its finalizers are removed.")
    for key in sorted(waiting):
        await _remove_finalizer(client, key)


async def delete_objects(client: KubeClient, removal: Removal) -> None:
    """Delete the objects of the installation in their order; raises ApiError."""
    for _, target in removal.objects:
        try:
            await client.delete(target)
        except NotFoundError:
            continue  # deleted with its namespace, or by somebody else


async def wait_gone(client: KubeClient, removal: Removal, *, show: Show) -> list[str]:
    """Wait until the objects are gone; return what still exists after the time. Raises ApiError."""
    loop = asyncio.get_running_loop()
    waiting = [(named(manifest), target) for manifest, target in removal.objects]
    tries_at = loop.time()
    try:
        async with asyncio.timeout(GONE_SECONDS):
            while waiting := [each for each in waiting if await _exists(client, each[1])]:
                show(f"Waiting until {waiting[0][0]} is gone.")
                if loop.time() >= tries_at:
                    await _try_again(client, [target for _, target in waiting])
                    tries_at = loop.time() + RETRY_SECONDS
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return [name for name, _ in waiting]
    return []


async def holders(client: KubeClient) -> list[str]:
    """Return, in words, some objects of Nopea's kinds whose finalizers keep the definitions."""
    found: list[str] = []
    for resource in (GIT_REPOSITORIES, INVENTORIES):
        try:
            listed = (await client.list(resource, Selection(metadata_only=True))).items
        except ApiError:
            continue  # the kind is gone, or about to be
        found += [
            f"{resource.kind} {live.meta.namespace}/{live.meta.name} ({', '.join(live.meta.finalizers)})"
            for live in listed
            if live.meta.finalizers
        ]
    return found[:_SHOWN]


async def dangling(client: KubeClient) -> list[str]:
    """Return the bindings that still give rights to Nopea's service account, such as those of tenants.

    Whoever creates the namespace again would have these rights. Where they cannot be listed there are none.
    """
    found: list[str] = []
    for resource in (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS):
        try:
            listed = (await client.list(resource)).items
        except ApiError:
            continue
        found += [
            f"{resource.kind} {live.meta.namespace}/{live.meta.name}".replace(" /", " ")
            for live in listed
            if any(_ACCOUNT.items() <= subject.items() for subject in live.json().get("subjects") or ())
        ]
    return found


async def _try_again(client: KubeClient, waiting: Iterable[Target]) -> None:
    """Do again what may not have worked for the definitions, if there are some.

    Others may have made GitRepositories meanwhile, and a controller that is about to end may have put its
    finalizer back. An API server that cannot list the objects while their storage starts again tries the
    definition again after minutes, or as soon as it changes.
    """
    definitions = [each for each in waiting if each.resource.group_kind == DEFINITIONS.group_kind]
    try:
        for key in await _repositories(client) if definitions else ():
            await _release(client, key)
            await _remove_finalizer(client, key)
        for target in definitions:
            if await _has_failed(client, target):
                await annotate(client, target, {_TRIED_ANNOTATION: format_time(datetime.now(UTC))})
    except ApiError as error:
        if not (error.retryable or isinstance(error, NotFoundError)):
            raise


async def _has_failed(client: KubeClient, target: Target) -> bool:
    """Return whether the API server has given up for now; while it is at work, a change would stop it."""
    conditions = ((await client.get(target)).json().get("status") or {}).get("conditions") or ()
    reasons = {each.get("reason") for each in conditions if each["type"] == "Terminating"}
    return bool(reasons & {"InstanceDeletionFailed", "InstanceDeletionCheck"})


async def _repositories(client: KubeClient) -> list[RepoKey]:
    """Return all GitRepositories; none where the kind is not served. Raises ApiError."""
    try:
        listed = (await client.list(GIT_REPOSITORIES, Selection(metadata_only=True))).items
    except NotFoundError:
        return []
    return sorted(RepoKey(live.meta.namespace, live.meta.name) for live in listed)


async def _release(client: KubeClient, key: RepoKey) -> None:
    target = repository_target(key)
    try:
        await annotate(client, target, {names.ABANDON_ANNOTATION: "true"})
        await client.delete(target)
    except NotFoundError:
        return
    except InvalidError:
        # Its annotations are full, perhaps because somebody wants it to stay. It is deleted with its kind:
        # the controller keeps what it applied then too.
        return


async def _exists(client: KubeClient, target: Target) -> bool:
    """Return whether the object is there; what does not answer at the moment may be."""
    try:
        await client.get(target, metadata_only=True)
    except NotFoundError:
        return False
    except ApiError as error:
        if not error.retryable:
            raise
    return True


async def _remove_finalizer(client: KubeClient, key: RepoKey) -> None:
    """Remove Nopea's finalizer only; a finalizer of somebody else is theirs.

    Who changes the GitRepository all the time keeps it, and nothing else.
    """
    target = repository_target(key)
    for _ in range(_TRIES):
        try:
            metadata = (await client.get(target, metadata_only=True)).json()["metadata"]
            finalizers = metadata.get("finalizers") or []
            if names.FINALIZER not in finalizers:
                return
            place = f"/metadata/finalizers/{finalizers.index(names.FINALIZER)}"
            patch = [
                {"op": "test", "path": place, "value": names.FINALIZER},
                {"op": "remove", "path": place},
            ]
            await client.patch(target, orjson.dumps(patch), kind=PatchKind.JSON, manager=MANAGER)
        except NotFoundError:
            return
        except (ConflictError, InvalidError):
            continue
        else:
            return
