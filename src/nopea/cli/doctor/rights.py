"""The rights of the controller and of the service accounts that it acts as, by asking the API server.

It asks for what a role of `deploy/` grants, or for the kinds of applied objects. The answer is exact,
whatever authorizers the cluster has. Who may not ask about others gets an unknown finding.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nopea.cli.doctor.controller import Deployed
from nopea.cli.doctor.finding import Finding, good, problem, unknown, warning
from nopea.cli.installation.profiles import Manifest, Profile, objects, tenant_roles
from nopea.cli.repository import read_state
from nopea.core.api.conditions import WATCHING, find
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.objects import Resource
from nopea.core.problem import SyncError
from nopea.core.show.words import count
from nopea.kube.access import Permission, is_allowed
from nopea.kube.client import KubeClient, ServiceAccount
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError, ForbiddenError

_WATCH = ("list", "watch")
_SHOWN = 5


async def examine_rights(
    client: KubeClient, controller: Deployed, repositories: list[Repository]
) -> AsyncIterator[Finding]:
    """Say which rights are missing; raises ApiError."""
    try:
        own = [each async for each in _own_rights(client, controller)]
        delegated = [each async for each in _delegated_rights(client, controller, repositories)]
        watches = [each async for each in _watches(client, controller, repositories)]
    except ForbiddenError:
        text = "You may not ask for the rights of service accounts (create subjectaccessreviews)."
        yield unknown("rights", text, "Ask somebody who may, such as a cluster-admin.")
        for finding in told_watches(repositories):
            yield finding
        return
    for finding in (*own, *delegated, *watches):
        yield finding
    if not own and not delegated:
        account = controller.account
        text = f"The controller has its rights (service account {account.namespace}/{account.name})."
        yield good("rights", text)


async def _own_rights(client: KubeClient, controller: Deployed) -> AsyncIterator[Finding]:
    """Yield a finding for each role of Nopea itself of which a right is missing."""
    account, only = controller.account, controller.option("namespace")
    for role in objects(Profile.TENANTS):
        if role["kind"] not in ("ClusterRole", "Role") or role["metadata"]["name"] != "nopea":
            continue
        own = only or controller.namespace
        namespace = own if role["kind"] == "Role" else only
        wanted = [each for rule in role["rules"] for each in _permissions(rule, namespace)]
        missing = await _missing(client, wanted, account)
        if missing:
            text = f"The controller ({account}) may not {told(missing)}."
            yield problem("rights", text, _APPLY, *_granting(role, account, namespace))


_APPLY = "`nopea doctor --fix | kubectl apply -f -` grants it."
_DELEGATE = (
    f"{_APPLY} Look first: whoever may push to these repositories then has the rights of these accounts."
)


def _permissions(rule: Mapping[str, Any], namespace: str) -> Iterator[Permission]:
    """Yield what a rule of a role allows; cluster-scoped kinds are asked for without a namespace."""
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            is_cluster_scoped = resource in ("customresourcedefinitions", "namespaces")
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames") or ("",):
                    yield Permission(
                        verb=verb,
                        group=group,
                        resource=resource,
                        namespace="" if is_cluster_scoped else namespace,
                        name=name,
                    )


def _granting(role: Manifest, account: ServiceAccount, namespace: str) -> Iterator[Manifest]:
    """Yield the whole role, and its binding to the account."""
    kind = "Role" if namespace else "ClusterRole"
    metadata = dict(role["metadata"]) | ({"namespace": namespace} if namespace else {})
    yield {**role, "kind": kind, "metadata": metadata}
    yield _binding(metadata, kind, account)


def _binding(metadata: Mapping[str, Any], kind: str, account: ServiceAccount) -> Manifest:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": f"{kind}Binding",
        "metadata": dict(metadata),
        "roleRef": {"apiGroup": group, "kind": kind, "name": metadata["name"]},
        "subjects": [{"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}],
    }


async def _delegated_rights(
    client: KubeClient, controller: Deployed, repositories: Iterable[Repository]
) -> AsyncIterator[Finding]:
    """Yield a finding for each namespace in which Nopea may not act as an account or read a Secret."""
    wanted: dict[str, set[Permission]] = defaultdict(set)
    accounts: dict[str, set[str]] = defaultdict(set)
    for repository in repositories:
        namespace, spec = repository.key.namespace, repository.spec
        if not isinstance(spec, GitRepositorySpec):
            continue
        if account := account_name(controller, spec):
            accounts[namespace].add(account)
            wanted[namespace].add(
                Permission(
                    verb="impersonate",
                    group="",
                    resource="serviceaccounts",
                    namespace=namespace,
                    name=account,
                )
            )
        for reference in (spec.secret_ref, spec.proxy_secret_ref):
            if reference is not None:
                wanted[namespace].add(
                    Permission(
                        verb="get", group="", resource="secrets", namespace=namespace, name=reference.name
                    )
                )
    for namespace, permissions in sorted(wanted.items()):
        missing = await _missing(client, sorted(permissions, key=str), controller.account)
        if missing:
            roles = tenant_roles(
                namespace,
                accounts=sorted(accounts[namespace]),
                controller=controller.account,
            )
            text = f"Nopea may not {told(missing)} in {namespace}, which GitRepositories there name."
            yield problem("rights", text, _DELEGATE, *roles)


def account_name(controller: Deployed, spec: GitRepositorySpec) -> str:
    """Return the service account that applies the objects of a spec; empty for Nopea's own."""
    return spec.service_account_name or controller.option("default-service-account")


@dataclass(frozen=True, slots=True, order=True)
class _Blind:
    """Somebody who may not watch objects where they are: in a namespace, or cluster-wide if it is empty."""

    namespace: str
    account_namespace: str
    account_name: str


def _not_watching(repositories: Iterable[Repository]) -> list[Repository]:
    found = []
    for repository in repositories:
        watching = find(repository.status.conditions, WATCHING)
        if watching is not None and watching.status == "False":
            found.append(repository)
    return found


def told_watches(repositories: Iterable[Repository]) -> Iterator[Finding]:
    """Yield what the statuses say of objects that are not watched."""
    for repository in _not_watching(repositories):
        watching = find(repository.status.conditions, WATCHING)
        assert watching is not None  # noqa: S101 - it was found just now
        yield warning("watches", f"GitRepository {repository.key}: {watching.message}")


async def _watches(
    client: KubeClient, controller: Deployed, repositories: Iterable[Repository]
) -> AsyncIterator[Finding]:
    """Yield who may not list and watch which kinds where, for repositories that are not watched whole."""
    blind: dict[_Blind, dict[Resource, set[str]]] = defaultdict(lambda: defaultdict(set))
    unexplained: list[Repository] = []
    discovery = Discovery(client)
    for repository in _not_watching(repositories):
        found = False
        async for who, resource in _blind_spots(client, discovery, controller, repository):
            blind[who][resource].add(str(repository.key))
            found = True
        if not found:
            unexplained.append(repository)
    for who, kinds in sorted(blind.items()):
        account = ServiceAccount(namespace=who.account_namespace, name=who.account_name)
        names = ", ".join(sorted(each.full_plural for each in kinds))
        owners = sorted(set().union(*kinds.values()))
        where = f"in {who.namespace}" if who.namespace else "in the cluster"
        text = f"{account} may not list and watch {names} {where}: drift of {_first(owners)} is noticed late."
        yield problem("watches", text, _APPLY, *_watch_roles(account, who.namespace, kinds))
    for finding in told_watches(unexplained):
        yield finding


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
        if not await _missing(client, _watching(resource, ""), controller.account):
            continue
        # The inventory is in the namespace of a tenant, who may write it: what is granted must not go beyond
        # what the account may read anyway.
        if await _missing(client, [_reading(resource, namespace)], account):
            continue
        if await _missing(client, _watching(resource, namespace), account):
            yield _Blind(namespace, account.namespace, account.name), resource


def _reading(resource: Resource, namespace: str) -> Permission:
    return Permission(verb="get", group=resource.group, resource=resource.plural, namespace=namespace)


def _watching(resource: Resource, namespace: str) -> list[Permission]:
    return [
        Permission(verb=verb, group=resource.group, resource=resource.plural, namespace=namespace)
        for verb in _WATCH
    ]


def _watch_roles(account: ServiceAccount, namespace: str, kinds: Iterable[Resource]) -> Iterator[Manifest]:
    """Yield a role with the missing rights only, and its binding."""
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
    yield _binding(metadata, kind, account)


async def _missing(
    client: KubeClient, wanted: Iterable[Permission], account: ServiceAccount
) -> list[Permission]:
    """Return what the account may not do; raises ApiError."""
    asked = list(wanted)
    answers = await asyncio.gather(*(is_allowed(client, each, to=account) for each in asked))
    return [access for access, allowed in zip(asked, answers, strict=True) if not allowed]


def told(missing: Iterable[Permission]) -> str:
    """Return missing rights by kind, such as `list and watch configmaps`."""
    verbs: dict[str, list[str]] = defaultdict(list)
    for access in missing:
        what = f"{access.resource}.{access.group}" if access.group else access.resource
        verbs[f"{what}/{access.name}".rstrip("/")].append(access.verb)
    texts = [f"{_and(dict.fromkeys(each))} {what}" for what, each in verbs.items()]
    return _first(texts, last=" and ")


def _and(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _first(texts: list[str], *, last: str = ", ") -> str:
    more = len(texts) - _SHOWN
    if more > 0:
        return f"{', '.join(texts[:_SHOWN])} and {count(more, 'other')}"
    return last.join(filter(None, (", ".join(texts[:-1]), texts[-1])))
