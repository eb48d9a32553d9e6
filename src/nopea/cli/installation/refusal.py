"""What stands in the way of an installation, before anything is written: each function raises CommandError.

Whoever has rights in one namespace only can prepare objects before an administrator installs Nopea. Nothing
that such a user can make counts as an installation, or gets Nopea's rights.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from nopea import __version__
from nopea.cli.cluster import CommandError
from nopea.cli.heartbeat import SYSTEM_NAMESPACE
from nopea.cli.installation.installed import HELM, Installed
from nopea.cli.installation.profiles import Profile
from nopea.core.api.names import INVENTORY_KEY, USERS
from nopea.core.objects import Resource
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import NotFoundError, ServerError
from nopea.kube.kinds import GIT_REPOSITORIES, NAMESPACES, SECRETS, SERVICE_ACCOUNTS
from nopea.kube.requests import Selection

_HARMLESS = ("ConfigMap", "Event", "Ingress", "Lease", "LimitRange", "NetworkPolicy", "ResourceQuota", "Role")
"""Kinds by which nothing runs, nobody has rights, and nothing that is meant for Nopea goes elsewhere."""
_SHOWN = 5


def refuse_foreign(installed: Installed | None, *, force: bool) -> None:
    """Refuse what another tool installed, and a newer version."""
    from semver import Version

    if installed is None:
        return
    how = "`helm upgrade`" if installed.tool == HELM else "what installed it"
    if installed.namespace != SYSTEM_NAMESPACE:
        raise CommandError(
            f"There is {installed.title}.", f"Upgrade it with {how}: two would undo each other's work."
        )
    if force:
        return
    if not installed.is_ours:
        raise CommandError(
            f"There is {installed.title}.", f"Upgrade it with {how}, or give --force to take it over."
        )
    if Version.is_valid(installed.version) and Version.parse(installed.version) > Version.parse(__version__):
        raise CommandError(
            f"Version {installed.version} is installed, newer than this program, {__version__}.",
            "Install that version of this program, or give --force to go back.",
        )


async def refuse_open_namespace(client: KubeClient) -> bool:
    """Refuse a namespace that is there before Nopea, with what may give somebody else Nopea's rights.

    Whoever may create namespaces can be first: with a RoleBinding, a token of the service account, the key of
    the inventories, or with anything that starts a Pod later. Labels prove nothing. Returns whether the
    namespace does not exist. Raises ApiError.
    """
    try:
        await client.get(NAMESPACES.at(name=SYSTEM_NAMESPACE), metadata_only=True)
    except NotFoundError:
        return True
    kinds = {each.group_kind: each for each in await Discovery(client).all()}
    found = [name for resource in kinds.values() async for name in _risks(client, resource)]
    if found:
        raise CommandError(
            f"Namespace {SYSTEM_NAMESPACE} is there before Nopea, with what may give others the rights of "
            f"Nopea: {_first(sorted(found))}.",
            f"`kubectl delete namespace {SYSTEM_NAMESPACE}`, or give --force if all of this is yours.",
        )
    return False


async def refuse_waiting(
    client: KubeClient, installed: Installed | None, profile: Profile, *, force: bool
) -> None:
    """Refuse to give all rights to GitRepositories that name no service account. Raises ApiError.

    Without the profile cluster-admin nothing of them is applied: they may have waited for this moment.
    """
    is_new = installed is None or installed.profile is not Profile.CLUSTER_ADMIN
    if force or profile is not Profile.CLUSTER_ADMIN or not is_new:
        return
    try:
        repositories = [live.json() for live in (await client.list(GIT_REPOSITORIES)).items]
    except NotFoundError:
        return
    found = sorted(
        f"{each['metadata']['namespace']}/{each['metadata']['name']}"
        for each in repositories
        if not (each.get("spec") or {}).get("serviceAccountName")
    )
    if found:
        raise CommandError(
            "With the profile cluster-admin Nopea would apply with all rights what these GitRepositories "
            f"declare: {_first(found)}.",
            "Set their spec.serviceAccountName or delete them, or give --force if you know what is in them.",
        )


def _first(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} others" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


async def _risks(client: KubeClient, resource: Resource) -> AsyncIterator[str]:
    """Yield the objects of a kind in Nopea's namespace that are not harmless."""
    if not resource.namespaced or "list" not in resource.verbs or resource.kind in _HARMLESS:
        return
    place = Selection(namespace=SYSTEM_NAMESPACE, metadata_only=True)
    try:
        names = [live.meta.name for live in (await client.list(resource, place)).items]
    except (NotFoundError, ServerError):
        return  # a kind that nobody serves at the moment
    if resource.group_kind == SERVICE_ACCOUNTS.group_kind:
        names = [name for name in names if name == "nopea"]  # its tokens stay valid
    if resource.group_kind == SECRETS.group_kind:
        tokens = Selection(namespace=SYSTEM_NAMESPACE, fields="type=kubernetes.io/service-account-token")
        listed = (await client.list(resource, tokens)).items
        names = [*{live.meta.name for live in listed}, *{INVENTORY_KEY, USERS}.intersection(names)]
    for name in names:
        yield f"{resource.kind} {name}"
