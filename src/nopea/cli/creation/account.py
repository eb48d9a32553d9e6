"""Whether somebody will apply what a new GitRepository declares: a service account, or Nopea itself."""

from __future__ import annotations

from nopea.cli.cluster import CommandError
from nopea.cli.doctor.deployed import Deployed, find_controller
from nopea.cli.heartbeat import SYSTEM_NAMESPACE
from nopea.core.objects import RepoKey
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, NotFoundError
from nopea.kube.kinds import SERVICE_ACCOUNTS


async def refuse_without_account(client: KubeClient, key: RepoKey, name: str) -> None:
    """Raise CommandError if nothing would be applied. What this user may not read is not a reason.

    `name` is the service account of the GitRepository, or empty.
    """
    if not name:
        controller = await _controller(client)
        if controller is None or controller.applies_as_itself:
            return
        name = controller.option("default-service-account")
        if not name:
            raise CommandError(
                "The Nopea of this cluster applies nothing without a service account.",
                f"Give --service-account NAME, an account in {key.namespace}; see docs/install.md#rights.",
            )
    try:
        await client.get(SERVICE_ACCOUNTS.at(name=name, namespace=key.namespace), metadata_only=True)
    except NotFoundError as error:
        raise CommandError(
            f"Service account {key.namespace}/{name} does not exist.",
            f"`kubectl -n {key.namespace} create serviceaccount {name}`, and give it rights.",
        ) from error
    except ApiError:
        return


async def _controller(client: KubeClient) -> Deployed | None:
    try:
        return await find_controller(client, SYSTEM_NAMESPACE)
    except ApiError:
        return None
