"""The GitRepository that a command is about: read once, with what was applied for it, and annotated."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from nopea.cli.cluster import CommandError
from nopea.cli.object_name import NoSuchObjectError, find_object
from nopea.core.api.repository import Repository, parse_repository
from nopea.core.objects import ObjectKey, RepoKey, Target
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import NotFoundError
from nopea.kube.kinds import repository_target
from nopea.reconcile.definitions import is_unserved
from nopea.state.inventory import InventoryStore
from nopea.state.store import RepositoryState

MANAGER = "nopea-cli"
"""The field manager of what a person sets by a command: not the controller's, so that it is told apart."""


async def read_repository(client: KubeClient, key: RepoKey) -> Repository:
    """Return the GitRepository; raises CommandError when there is none."""
    try:
        raw = (await client.get(repository_target(key))).json()
    except NotFoundError as error:
        raise missing(error, key) from error
    return parse_repository(raw, allow_file_urls=True)  # what it may read, the controller decides


def missing(error: NotFoundError, key: RepoKey) -> CommandError:
    """Say that a GitRepository, or the kind, is not there."""
    if is_unserved(error):
        return CommandError(
            "this cluster does not know GitRepositories",
            "choose the cluster with --context or --kubeconfig, or install Nopea: "
            "kubectl apply --server-side -k deploy/",
        )
    return CommandError(
        f"there is no GitRepository {key}",
        "`kubectl get gr -A` lists all of them; -n chooses the namespace",
    )


def refuse_deleting(repository: Repository) -> None:
    """Raise CommandError for a repository whose deletion has begun: nothing is applied to it any more."""
    if repository.deleting:
        raise CommandError(
            f"GitRepository {repository.key} is being deleted: nothing is applied any more",
            "its condition Ready says what holds it",
        )


async def read_state(client: KubeClient, repository: Repository) -> RepositoryState:
    """Return what the status and the inventory say; raises SyncError when it cannot be read."""
    state = RepositoryState(uid=repository.uid, status=repository.status)
    await InventoryStore(client).load(repository, state)
    return state


async def find_applied(client: KubeClient, repository: Repository, text: str) -> ObjectKey:
    """Return the object of the repository that the text means; raises CommandError."""
    state = await read_state(client, repository)
    resources = await Discovery(client).all()
    plurals = {f"{one.plural}.{one.group}": one.group_kind for one in resources}
    try:
        return find_object(text, state.applied, plurals=plurals)
    except NoSuchObjectError as error:
        raise CommandError(
            f"GitRepository {repository.key}: {error}",
            "`nopea diff NAME -o json` and the inventory in its status list its objects",
        ) from error


async def annotate(client: KubeClient, target: Target, annotations: Mapping[str, str | None]) -> None:
    """Set annotations of one object; None takes one away."""
    body = orjson.dumps({"metadata": {"annotations": annotations}})
    await client.patch(target, body, manager=MANAGER)
