"""Read the GitRepository that a command is about, find its objects, and annotate it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import orjson

from nopea.cli.cluster import CommandError
from nopea.cli.following import Followed
from nopea.cli.object_reference import UnknownObjectError, find_object
from nopea.cli.output.messages import print_hint
from nopea.cli.progress import show_late_progress
from nopea.cli.repository_name import repository_key
from nopea.core.api.repository import Repository, parse_repository
from nopea.core.api.tenancy import AS_CALLER
from nopea.core.objects import ObjectKey, RepoKey, Target
from nopea.kube.access import may
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError, ForbiddenError, NotFoundError
from nopea.kube.kinds import GIT_REPOSITORIES, repository_target
from nopea.kube.requests import Selection
from nopea.reconcile.definitions import is_unserved
from nopea.state.inventory import InventoryStore
from nopea.state.store import RepositoryState

MANAGER = "nopea-cli"
"""The field manager of what users set by a command; the controller has another."""

READING = "Waiting for the API server."
"""What is shown while an answer takes longer than a second."""

_MOST_NAMES = 3


async def read_repository(client: KubeClient, key: RepoKey) -> Repository:
    """Return the GitRepository; its name may be written as `repository_key` reads it.

    Raises CommandError when there is none, with the names that the user may have meant.
    """
    return parse_repository(await read_raw_repository(client, key), policy=AS_CALLER)


async def read_raw_repository(client: KubeClient, key: RepoKey) -> dict[str, Any]:
    """Return the GitRepository as it is stored; see `read_repository`."""
    key = repository_key(key)
    try:
        with show_late_progress(READING):
            return (await client.get(repository_target(key))).json()
    except NotFoundError as error:
        raise missing(error, key, near=await _near(client, key)) from error


async def _near(client: KubeClient, key: RepoKey) -> list[RepoKey]:
    """Return GitRepositories with such a name; none where they cannot be listed."""
    found: list[RepoKey] = []
    for namespace in ("", key.namespace):
        try:
            listed = await client.list(GIT_REPOSITORIES, Selection(namespace=namespace, metadata_only=True))
        except ApiError:
            continue
        found = [RepoKey(live.meta.namespace, live.meta.name) for live in listed.items]
        break
    names = get_close_matches(key.name, {each.name for each in found}, n=_MOST_NAMES)
    near = [each for each in found if each.name in names]
    near.sort(key=lambda each: (names.index(each.name), each.namespace != key.namespace, each))
    return near[:_MOST_NAMES]


async def list_repositories(
    client: KubeClient, namespace: str, *, everywhere: bool, falls_back: bool = True
) -> list[Repository]:
    """Return the GitRepositories of a namespace or of all, by namespace and name.

    With `falls_back`, who may not list all gets those of the namespace, and a hint that says so. Raises
    CommandError where the cluster does not serve them.
    """
    try:
        found = await list_raw_repositories(client, "" if everywhere else namespace)
    except ForbiddenError:
        if not everywhere or not falls_back:
            raise
        _hint_at_one(namespace)
        found = await list_raw_repositories(client, namespace)
    return [parse_repository(raw, policy=AS_CALLER) for raw in found]


async def may_list_all(client: KubeClient, namespace: str) -> bool:
    """Return whether the user may watch all GitRepositories; if not, a hint says which are shown."""
    if await may(client, "list", GIT_REPOSITORIES) and await may(client, "watch", GIT_REPOSITORIES):
        return True
    _hint_at_one(namespace)
    return False


def _hint_at_one(namespace: str) -> None:
    print_hint(f"You may not list GitRepositories in all namespaces; these are those of {namespace}.")


async def list_raw_repositories(client: KubeClient, namespace: str) -> list[dict[str, Any]]:
    """Return the GitRepositories of a namespace, or of all if it is empty, by namespace and name.

    Raises CommandError where the cluster does not serve them.
    """
    try:
        with show_late_progress(READING):
            listed = await client.list(GIT_REPOSITORIES, Selection(namespace=namespace))
    except NotFoundError as error:
        raise missing(error, RepoKey(namespace, "")) from error
    found = [live.json() for live in listed.items]
    return sorted(found, key=lambda raw: (raw["metadata"]["namespace"], raw["metadata"]["name"]))


async def followed_repositories(client: KubeClient, namespace: str, names: Sequence[str] = ()) -> Followed:
    """Return what to watch: the GitRepositories of a namespace, of all if it is empty, or one of them.

    Raises CommandError for a name that does not exist.
    """
    if not names:
        return Followed(GIT_REPOSITORIES, Selection(namespace=namespace))
    key = repository_key(RepoKey(namespace, names[0]))
    await read_raw_repository(client, key)
    return Followed(GIT_REPOSITORIES, Selection(namespace=key.namespace, fields=f"metadata.name={key.name}"))


def missing(error: NotFoundError, key: RepoKey, *, near: Sequence[RepoKey] = ()) -> CommandError:
    """Return the error for a GitRepository, or the kind itself, that does not exist."""
    if is_unserved(error):
        return CommandError(
            "This cluster does not serve the kind GitRepository.",
            "Select another cluster with --context or --kubeconfig, or install Nopea: `nopea install`.",
        )
    if near:
        meant = " or ".join(f"`{each.arguments}`" for each in near)
        return CommandError(f"GitRepository {key} does not exist.", f"Did you mean {meant}?")
    return CommandError(
        f"GitRepository {key} does not exist.",
        "`nopea get -A` lists all GitRepositories; -n selects the namespace.",
    )


def refuse_deleting(repository: Repository) -> None:
    """Raise CommandError for a repository that is being deleted: nothing is applied any more."""
    if repository.deleting:
        raise CommandError(
            f"GitRepository {repository.key} is being deleted, so nothing is applied any more.",
            "Its condition Ready says what the deletion waits for.",
        )


async def read_state(client: KubeClient, repository: Repository) -> RepositoryState:
    """Return what was applied, from the status and the inventory; raises SyncError if it cannot be read."""
    state = RepositoryState(uid=repository.uid, status=repository.status)
    with show_late_progress(READING):
        await InventoryStore(client).load(repository, state)
    return state


async def find_applied(client: KubeClient, repository: Repository, reference: str) -> ObjectKey:
    """Return the object of the repository that the reference means; raises CommandError."""
    state = await read_state(client, repository)
    resources = await Discovery(client).all()
    try:
        return find_object(reference, state.applied, served=resources)
    except UnknownObjectError as error:
        raise CommandError(
            f"GitRepository {repository.key}: {error}",
            f"`nopea tree {repository.key.arguments}` lists its objects.",
        ) from error


async def annotate(client: KubeClient, target: Target, annotations: Mapping[str, str | None]) -> None:
    """Set annotations of one object; None removes one."""
    body = orjson.dumps({"metadata": {"annotations": annotations}})
    await client.patch(target, body, manager=MANAGER)
