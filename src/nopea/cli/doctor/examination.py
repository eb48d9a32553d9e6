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
from nopea.cli.doctor.controller import (
    Deployed,
    elsewhere,
    examine_deployment,
    find_controller,
    heartbeat_findings,
)
from nopea.cli.doctor.finding import Finding, problem, unknown
from nopea.cli.doctor.git_servers import git_findings, repository_findings
from nopea.cli.doctor.preflight import examine_earlier, examine_target
from nopea.cli.doctor.rights import examine_rights, told_watches
from nopea.cli.heartbeat import Liveness, liveness
from nopea.cli.installation.profiles import Profile
from nopea.cli.repository import list_repositories
from nopea.core.api.repository import Repository
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ForbiddenError

_MOST = 3
Show = Callable[[str], None]


async def examine_before(client: KubeClient, profile: Profile, *, show: Show) -> list[Finding]:
    """Return what stands in the way of an installation; raises ApiError if the cluster cannot be asked."""
    found = [each async for each in examine_version(client)]
    show("Looking for what is installed.")
    found += [each async for each in examine_earlier(client)]
    found += [each async for each in examine_neighbours(client)]
    show("Asking for your rights.")
    return [*found, *[each async for each in examine_target(client, profile)]]


async def examine(client: KubeClient, namespace: str, *, system: str, show: Show) -> list[Finding]:
    """Return what there is to say of an installation; raises ApiError if the cluster cannot be asked.

    What this user may not read is a finding. Who may not list GitRepositories in all namespaces gets those of
    `namespace`; `system` is the namespace of the controller.
    """
    found = [each async for each in examine_version(client)]
    found += [each async for each in examine_definitions(client)]
    show("Looking at the controller.")
    alive = await liveness(client, namespace)
    controller: Deployed | None = None
    try:
        controller = await find_controller(client, system)
    except ForbiddenError as error:
        installed = [unknown("deployment", f"You may not read the Deployment of Nopea: {error.message}")]
    else:
        if controller is None and not alive.running and any(each.subject == NOT_INSTALLED for each in found):
            return [*found, *[each async for each in examine_neighbours(client)]]
        installed = await _installed(client, controller, alive, system)
    found += [*heartbeat_findings(alive, is_installed=controller is not None), *installed]
    show("Looking at GitRepositories.")
    try:
        repositories = await list_repositories(client, namespace, everywhere=True)
    except (CommandError, ForbiddenError) as error:
        repositories = []
        found.append(unknown("repositories", f"GitRepositories cannot be read: {error}"))
    show("Asking for rights.")
    found += await _rights(client, controller, repositories)
    found += [*git_findings(repositories), *repository_findings(repositories)]
    return [*found, *[each async for each in examine_neighbours(client)]]


async def _installed(
    client: KubeClient, controller: Deployed | None, alive: Liveness, system: str
) -> list[Finding]:
    if controller is not None:
        return [each async for each in examine_deployment(client, controller)]
    if places := await elsewhere(client):
        text = (
            f"Nopea is not in {system}, but Deployments that look like it are in {', '.join(places[:_MOST])}."
        )
        return [unknown("deployment", text, "--system-namespace names the namespace of the controller.")]
    if alive.running:
        text = "There is no Deployment of Nopea: the controller runs elsewhere, as after `nopea run`."
        return [unknown("deployment", text)]
    return [problem("deployment", "Nopea is not installed.", "`nopea install` installs it.")]


async def _rights(
    client: KubeClient, controller: Deployed | None, repositories: list[Repository]
) -> list[Finding]:
    if controller is None:
        text = "With which rights the controller works is not known without its Deployment."
        return [unknown("rights", text), *told_watches(repositories)]
    try:
        return [each async for each in examine_rights(client, controller, repositories)]
    except ApiError as error:
        return [unknown("rights", f"The rights of the controller cannot be asked for: {error}.")]
