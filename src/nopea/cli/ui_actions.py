"""What the buttons of `nopea ui` do: the same as the commands of their names, with the user's rights."""

from __future__ import annotations

from nopea.cli.cluster import CommandError
from nopea.cli.commands.confirm_prune import confirm_prune, nothing_held
from nopea.cli.commands.heal import request_heal
from nopea.cli.commands.suspend import set_suspended
from nopea.cli.commands.sync import request_sync
from nopea.cli.repository import read_repository, refuse_deleting
from nopea.core.objects import RepoKey
from nopea.kube.client import KubeClient


class Requests:
    """Makes the requests of users through one connection."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def do(self, key: RepoKey, action: str, object_: str) -> str:
        """Do an action, to one object if that is named, and return the sentence that says so.

        The GitRepository is read again first. Raises CommandError, SyncError, ApiError.
        """
        client, repository = self._client, await read_repository(self._client, key)
        match action:
            case "sync":
                refuse_deleting(repository)
                if repository.suspended:
                    raise CommandError(
                        f"GitRepository {key} is suspended.", "Resume it first: that syncs, too."
                    )
                await request_sync(client, repository)
                return f"Requested a sync of GitRepository {key}."
            case "heal":
                _, said = await request_heal(client, repository, object_)
                return (
                    f"{said} It is suspended: nothing is written until then."
                    if repository.suspended
                    else said
                )
            case "suspend" | "resume":
                return await set_suspended(client, repository, object_, suspend=action == "suspend")
            case "confirm-prune":
                said = await confirm_prune(client, repository)
                if not said:
                    raise CommandError(nothing_held(repository))
                return said
        raise CommandError(f"{action!r} is not an action.")
