"""All of an examination, in the order in which its findings are read."""

from __future__ import annotations

from collections.abc import Callable

from nopea.cli.cluster import CommandError
from nopea.cli.doctor.api_server import (
    NOT_INSTALLED,
    examine_definitions,
    examine_neighbours,
    examine_version,
)
from nopea.cli.doctor.commit_statuses import status_findings
from nopea.cli.doctor.controller import examine_deployment, heartbeat_findings
from nopea.cli.doctor.deployed import Deployed, bound_namespace, elsewhere, find_controller
from nopea.cli.doctor.finding import Finding, problem, unknown
from nopea.cli.doctor.git_servers import git_findings, repository_findings
from nopea.cli.doctor.preflight import examine_earlier, examine_target
from nopea.cli.doctor.receivers import examine_receivers
from nopea.cli.doctor.references import Reference, references_of
from nopea.cli.doctor.rights import examine_rights
from nopea.cli.doctor.secrets import read_references, secret_findings
from nopea.cli.doctor.troubles import first_of
from nopea.cli.doctor.watches import examine_watches, told_watches
from nopea.cli.doctor.webhooks import examine_webhooks
from nopea.cli.heartbeat import SYSTEM_NAMESPACE, Liveness, liveness, liveness_in
from nopea.cli.installation.profiles import Profile
from nopea.cli.repository import list_repositories
from nopea.core.api.repository import Repository
from nopea.core.api.tenancy import AS_CALLER
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ForbiddenError

Show = Callable[[str], None]


async def examine_before(client: KubeClient, profile: Profile, *, show: Show) -> list[Finding]:
    """Return what stands in the way of an installation; raises ApiError if the cluster cannot be asked."""
    found = [each async for each in examine_version(client)]
    show("Looking for what is installed.")
    found += [each async for each in examine_earlier(client)]
    found += [each async for each in examine_neighbours(client)]
    show("Asking for your rights.")
    return [*found, *[each async for each in examine_target(client, profile)]]


async def examine(client: KubeClient, namespace: str, *, system: str | None, show: Show) -> list[Finding]:
    """Return what there is to say of an installation; raises ApiError if the cluster cannot be asked.

    What this user may not read is a finding. Who may not list GitRepositories in all namespaces gets those of
    `namespace`; `system` is the namespace of the controller, None for the usual one.
    """
    found = [each async for each in examine_version(client)]
    found += [each async for each in examine_definitions(client)]
    show("Looking at the controller.")
    controller: Deployed | None = None
    try:
        controller = await _controller(client, system)
    except ForbiddenError as error:
        alive = await liveness(client, system or namespace)
        installed = [unknown("deployment", f"You may not read the Deployment of Nopea: {error.message}")]
    else:
        alive = await _alive(client, controller, system or namespace)
        if controller is None and not alive.running and any(each.subject == NOT_INSTALLED for each in found):
            return [*found, *[each async for each in examine_neighbours(client)]]
        installed = await _installed(client, controller, alive, system or SYSTEM_NAMESPACE)
    found += [*heartbeat_findings(alive, controller), *installed]
    show("Looking at GitRepositories.")
    try:
        repositories = await list_repositories(client, namespace, everywhere=True)
    except (CommandError, ForbiddenError) as error:
        repositories = []
        found.append(unknown("repositories", f"GitRepositories cannot be read: {error}"))
    show("Looking at what GitRepositories name.")
    policy = controller.policy if controller is not None else AS_CALLER
    living = [each for each in repositories if not each.deleting]
    references = [reference for each in living for reference in references_of(each, policy)]
    named = await read_references(client, references)
    show("Asking for rights.")
    found += await _rights(client, controller, repositories, references)
    found += secret_findings(named)
    show("Looking at webhooks and receivers.")
    found += [each async for each in examine_webhooks(client, controller, repositories, named)]
    found += [each async for each in examine_receivers(client, living, named)]
    if controller is not None and controller.flag("commit-status"):
        found += status_findings(living, named)
    found += [*git_findings(repositories, told=named.told), *repository_findings(repositories)]
    return [*found, *[each async for each in examine_neighbours(client)]]


async def _controller(client: KubeClient, system: str | None) -> Deployed | None:
    """Return the Deployment in the namespace of the controller, which only the user or the cluster names."""
    found = await find_controller(client, system or SYSTEM_NAMESPACE)
    if found is None and system is None and (bound := await bound_namespace(client)):
        found = await find_controller(client, bound)
    return found


async def _alive(client: KubeClient, controller: Deployed | None, namespace: str) -> Liveness:
    """Return whether this controller runs; without a Deployment or its Lease, whether any does."""
    found = None
    if controller is not None:
        found = await liveness_in(client, controller.lease_namespace)
    return found or await liveness(client, namespace)


async def _installed(
    client: KubeClient, controller: Deployed | None, alive: Liveness, system: str
) -> list[Finding]:
    if controller is not None:
        return [each async for each in examine_deployment(client, controller)]
    if places := await elsewhere(client):
        text = f"Nopea is not in {system}, but Deployments that look like it are in {first_of(places)}."
        return [unknown("deployment", text, "--system-namespace names the namespace of the controller.")]
    if alive.running:
        text = "There is no Deployment of Nopea: the controller runs elsewhere, as after `nopea run`."
        return [unknown("deployment", text)]
    return [problem("deployment", "Nopea is not installed.", "`nopea install` installs it.")]


async def _rights(
    client: KubeClient,
    controller: Deployed | None,
    repositories: list[Repository],
    references: list[Reference],
) -> list[Finding]:
    if controller is None:
        text = "With which rights the controller works is not known without its Deployment."
        return [unknown("rights", text), *told_watches(repositories)]
    try:
        return [
            *[each async for each in examine_rights(client, controller, references, repositories)],
            *[each async for each in examine_watches(client, controller, repositories)],
        ]
    except ForbiddenError:
        text = "You may not ask for the rights of service accounts (create subjectaccessreviews)."
        asks = "Ask somebody who may, such as a cluster-admin."
        return [unknown("rights", text, asks), *told_watches(repositories)]
    except ApiError as error:
        return [unknown("rights", f"The rights of the controller cannot be asked for: {error}.")]
