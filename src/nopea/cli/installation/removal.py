"""Remove Nopea from a cluster; what GitRepositories applied stays.

While the controller runs, it lets go of each GitRepository itself. Where it does not run, its finalizer is
removed here, with the same effect: no object is deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import orjson

from nopea.cli.installation.install import target_of
from nopea.cli.installation.profiles import Manifest, Profile, named, objects
from nopea.cli.repository import MANAGER, annotate
from nopea.core.api import names
from nopea.core.objects import RepoKey, Target
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ConflictError, InvalidError, NotFoundError, UnknownKindError
from nopea.kube.kinds import DEFINITIONS, GIT_REPOSITORIES, repository_target
from nopea.kube.requests import PatchKind, Selection

GRACE_SECONDS = 20.0
"""How long the controller has to let go of its GitRepositories."""
GONE_SECONDS = 300.0
"""How long what was deleted has to be gone: mostly seconds. A Pod may take half a minute to end, and a busy
API server tries to finalize a definition again only after a minute."""
POLL_SECONDS = 0.3
_TRIES = 5

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
    repositories: list[RepoKey] = []
    if not keeps_definitions:
        try:
            listed = await client.list(GIT_REPOSITORIES, Selection(metadata_only=True))
            repositories = [RepoKey(live.meta.namespace, live.meta.name) for live in listed.items]
        except NotFoundError:
            pass  # the kind is not served
    return Removal(objects=tuple(found), repositories=tuple(sorted(repositories)))


async def release(client: KubeClient, keys: Iterable[RepoKey], *, is_running: bool, show: Show) -> None:
    """Delete GitRepositories and keep what they applied; raises ApiError."""
    waiting = list(keys)
    for key in waiting:
        await _release(client, key)
    if is_running:
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                while waiting := [key for key in waiting if await _exists(client, repository_target(key))]:
                    show(f"Waiting until the controller lets go of {waiting[0]}.")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            show("The controller does not let go; its finalizers are removed.")
    for key in waiting:
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
    waiting = [(named(manifest), target) for manifest, target in removal.objects]
    try:
        async with asyncio.timeout(GONE_SECONDS):
            while waiting := [each for each in waiting if await _exists(client, each[1])]:
                show(f"Waiting until {waiting[0][0]} is gone.")
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return [name for name, _ in waiting]
    return []


async def _release(client: KubeClient, key: RepoKey) -> None:
    target = repository_target(key)
    try:
        await annotate(client, target, {names.ABANDON_ANNOTATION: "true"})
        await client.delete(target)
    except NotFoundError:
        return


async def _exists(client: KubeClient, target: Target) -> bool:
    try:
        await client.get(target, metadata_only=True)
    except NotFoundError:
        return False
    return True


async def _remove_finalizer(client: KubeClient, key: RepoKey) -> None:
    """Remove Nopea's finalizer only; a finalizer of somebody else is theirs."""
    target = repository_target(key)
    for tries_left in reversed(range(_TRIES)):
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
            if not tries_left:
                raise
        else:
            return
