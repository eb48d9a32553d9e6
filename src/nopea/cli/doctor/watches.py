"""Objects that are not watched: which kinds where, and what to grant to whom.

Asked is for the kinds of applied objects, of the account that applies them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

from nopea.cli.doctor.deployed import Deployed
from nopea.cli.doctor.finding import Finding, problem, warning
from nopea.cli.doctor.rights import APPLY, account_name, binding, missing_rights
from nopea.cli.doctor.troubles import MOST_LINES, first_of, repositories_named
from nopea.cli.installation.profiles import Manifest
from nopea.cli.repository import read_state
from nopea.core.api.conditions import WATCHING, find
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.objects import RepoKey, Resource
from nopea.core.problem import SyncError
from nopea.kube.access import Permission
from nopea.kube.client import KubeClient, ServiceAccount
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError

MOST = 50
"""GitRepositories whose objects are asked about; of others the condition is told."""
_WATCH = ("list", "watch")


@dataclass(frozen=True, slots=True, order=True)
class _Blind:
    """Somebody who may not watch objects where they are: in a namespace, or cluster-wide if it is empty."""

    namespace: str
    account_namespace: str
    account_name: str

    @property
    def account(self) -> ServiceAccount:
        """The account."""
        return ServiceAccount(namespace=self.account_namespace, name=self.account_name)


def _not_watching(repositories: Iterable[Repository]) -> list[Repository]:
    found = []
    for repository in repositories:
        watching = find(repository.status.conditions, WATCHING)
        if watching is not None and watching.status == "False":
            found.append(repository)
    return found


def told_watches(repositories: Iterable[Repository]) -> Iterator[Finding]:
    """Yield what the statuses say of objects that are not watched."""
    by_message: dict[str, list[RepoKey]] = defaultdict(list)
    for repository in _not_watching(repositories):
        watching = find(repository.status.conditions, WATCHING)
        assert watching is not None  # noqa: S101 - it was found just now
        by_message[watching.message].append(repository.key)
    ordered = list(by_message.items())
    for message, keys in ordered[:MOST_LINES]:
        who = f"GitRepository {keys[0]}" if len(keys) == 1 else repositories_named(keys)
        yield warning("watches", f"{who}: {message}")
    if left := [key for _, keys in ordered[MOST_LINES:] for key in keys]:
        yield warning("watches", f"The objects of {repositories_named(left)} are not all watched, either.")


async def examine_watches(
    client: KubeClient, controller: Deployed, repositories: Iterable[Repository]
) -> AsyncIterator[Finding]:
    """Yield who may not list and watch which kinds where, for repositories that are not watched whole."""
    blind: dict[_Blind, dict[Resource, set[str]]] = defaultdict(lambda: defaultdict(set))
    discovery = Discovery(client)
    blinded = _not_watching(repositories)
    unexplained = blinded[MOST:]
    for repository in blinded[:MOST]:
        found = False
        async for who, resource in _blind_spots(client, discovery, controller, repository):
            blind[who][resource].add(str(repository.key))
            found = True
        if not found:
            unexplained.append(repository)
    alike: dict[tuple[str, str, str], list[_Blind]] = defaultdict(list)
    for who, kinds in sorted(blind.items()):
        names = ", ".join(sorted(each.full_plural for each in kinds))
        own = who.account_name if who.namespace == who.account_namespace else ""
        alike[names, own, "" if own else str(who)].append(who)
    for (names, *_), group in alike.items():
        owners = sorted({name for who in group for found in blind[who].values() for name in found})
        text = f"{_whose(group)} may not list and watch {names} {_where(group)}"
        roles = [role for who in group for role in _watch_roles(who, blind[who])]
        yield problem("watches", f"{text}: drift of {first_of(owners)} is noticed late.", APPLY, *roles)
    for finding in told_watches(unexplained):
        yield finding


def _whose(group: list[_Blind]) -> str:
    """Return who may not watch: one account, or those of one name in several namespaces."""
    first = group[0]
    if len(group) == 1:
        return str(first.account)
    return f"The service accounts {first.account_name} of {first_of(who.namespace for who in group)}"


def _where(group: list[_Blind]) -> str:
    if len(group) > 1:
        return "in their namespaces"
    return f"in {group[0].namespace}" if group[0].namespace else "in the cluster"


async def _blind_spots(
    client: KubeClient, discovery: Discovery, controller: Deployed, repository: Repository
) -> AsyncIterator[tuple[_Blind, Resource]]:
    spec = repository.spec
    if not isinstance(spec, GitRepositorySpec):
        return
    try:
        applied = (await read_state(client, repository)).applied
    except SyncError:
        return
    account = controller.account
    if name := account_name(controller, spec):
        account = ServiceAccount(namespace=repository.key.namespace, name=name)
    places: set[tuple[Resource, str]] = set()
    for key in applied:
        try:
            places.add((await discovery.find_preferred(key.group_kind), key.namespace))
        except ApiError:
            continue  # a kind that is gone
    for resource, namespace in sorted(places, key=str):
        if not await missing_rights(client, _watching(resource, ""), controller.account):
            continue
        # The inventory is in the namespace of a tenant, who may write it: what is granted must not go beyond
        # what the account may read anyway.
        if await missing_rights(client, [_reading(resource, namespace)], account):
            continue
        if await missing_rights(client, _watching(resource, namespace), account):
            yield _Blind(namespace, account.namespace, account.name), resource


def _reading(resource: Resource, namespace: str) -> Permission:
    return Permission(verb="get", group=resource.group, resource=resource.plural, namespace=namespace)


def _watching(resource: Resource, namespace: str) -> list[Permission]:
    return [
        Permission(verb=verb, group=resource.group, resource=resource.plural, namespace=namespace)
        for verb in _WATCH
    ]


def _watch_roles(who: _Blind, kinds: Iterable[Resource]) -> Iterator[Manifest]:
    """Yield a role with the missing rights only, and its binding."""
    account, namespace = who.account, who.namespace
    groups: dict[str, list[str]] = defaultdict(list)
    for resource in sorted(kinds, key=str):
        groups[resource.group].append(resource.plural)
    name = f"nopea-watch-{account.name}" if namespace else f"nopea-watch-{account.namespace}-{account.name}"
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    kind = "Role" if namespace else "ClusterRole"
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        "rules": [
            {"apiGroups": [group], "resources": plurals, "verbs": list(_WATCH)}
            for group, plurals in sorted(groups.items())
        ],
    }
    yield binding(metadata, kind, account)
