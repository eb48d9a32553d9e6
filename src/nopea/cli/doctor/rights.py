"""The rights of the controller, by asking the API server for what a role of `deploy/` grants.

The answer is exact, whatever authorizers the cluster has. To ask about others is a right of its own.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from nopea.cli.doctor.deployed import Deployed
from nopea.cli.doctor.finding import Finding, good, problem
from nopea.cli.doctor.references import Reference
from nopea.cli.doctor.troubles import first_of
from nopea.cli.installation.profiles import Manifest, Profile, objects, tenant_roles
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.show.words import count
from nopea.kube.access import Permission, is_allowed
from nopea.kube.client import KubeClient, ServiceAccount

_SHOWN = 5


async def examine_rights(
    client: KubeClient, controller: Deployed, named: Iterable[Reference], repositories: Iterable[Repository]
) -> AsyncIterator[Finding]:
    """Say which rights are missing; `named` is what specs name. Raises ApiError."""
    own = [each async for each in _own_rights(client, controller)]
    delegated = [each async for each in _delegated_rights(client, controller, named, repositories)]
    for finding in (*own, *delegated):
        yield finding
    if not own and not delegated:
        account = controller.account
        text = f"The controller has its rights (service account {account.namespace}/{account.name})."
        yield good("rights", text)


async def _own_rights(client: KubeClient, controller: Deployed) -> AsyncIterator[Finding]:
    """Yield a finding for each role of Nopea itself of which a right is missing."""
    account = controller.account
    for role in own_roles(controller):
        namespace = role["metadata"].get("namespace", "")
        wanted = [each for rule in role["rules"] for each in _permissions(rule, namespace)]
        missing = await missing_rights(client, wanted, account)
        if missing:
            text = f"The controller ({account}) may not {told(missing)}."
            yield problem("rights", text, APPLY, role, binding(role["metadata"], role["kind"], account))


def own_roles(controller: Deployed) -> list[Manifest]:
    """Return the ClusterRole and the Role of Nopea itself.

    One that works in one namespace needs in the whole cluster only what is not in namespaces.
    """
    everywhere, own = (
        each
        for each in objects(Profile.READ_ONLY if controller.reads_as_itself else Profile.TENANTS)
        if each["kind"] in ("ClusterRole", "Role") and each["metadata"]["name"] == "nopea"
    )
    only = controller.option("namespace")
    own["metadata"]["namespace"] = only or controller.namespace
    if only:
        own["rules"] += [rule for rule in everywhere["rules"] if not _CLUSTER_SCOPED & {*rule["resources"]}]
        everywhere["rules"] = [rule for rule in everywhere["rules"] if rule not in own["rules"]]
    return [everywhere, own]


_CLUSTER_SCOPED = frozenset({"customresourcedefinitions", "namespaces"})
APPLY = "`nopea doctor --fix | kubectl apply -f -` grants it."
_LOOK = f"{APPLY} Look first: Nopea may then read all Secrets there"
_PUSHERS = "whoever may push to these repositories then has the rights of these accounts"


def _permissions(rule: Mapping[str, Any], namespace: str) -> Iterator[Permission]:
    """Yield what a rule of a role allows; cluster-scoped kinds are asked for without a namespace."""
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames") or ("",):
                    yield Permission(
                        verb=verb,
                        group=group,
                        resource=resource,
                        namespace="" if resource in _CLUSTER_SCOPED else namespace,
                        name=name,
                    )


def binding(metadata: Mapping[str, Any], kind: str, account: ServiceAccount) -> Manifest:
    """Return the binding of a role of this name to an account."""
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": f"{kind}Binding",
        "metadata": dict(metadata),
        "roleRef": {"apiGroup": group, "kind": kind, "name": metadata["name"]},
        "subjects": [{"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}],
    }


async def _delegated_rights(
    client: KubeClient,
    controller: Deployed,
    named: Iterable[Reference],
    repositories: Iterable[Repository],
) -> AsyncIterator[Finding]:
    """Yield a finding for namespaces in which Nopea may not act as an account or read a Secret."""
    wanted: set[Permission] = set()
    accounts: dict[str, set[str]] = defaultdict(set)
    for repository in repositories:
        spec = repository.spec
        if isinstance(spec, GitRepositorySpec) and (account := account_name(controller, spec)):
            accounts[repository.key.namespace].add(account)
    wanted |= {
        _on("impersonate", "serviceaccounts", namespace, name)
        for namespace, names in accounts.items()
        for name in names
    }
    wanted |= {
        _on("get", "secrets", each.object.namespace, each.object.name)
        for each in named
        if not each.by_account
    }
    missing: dict[str, list[Permission]] = defaultdict(list)
    for permission in await missing_rights(client, sorted(wanted, key=_order), controller.account):
        missing[permission.namespace].append(permission)
    alike: dict[str, dict[str, str]] = defaultdict(dict)
    for namespace, permissions in sorted(missing.items()):
        kinds = told(replace(each, name="") for each in permissions)
        alike[kinds][namespace] = told(permissions)
    for kinds, texts in alike.items():
        exact = set(texts.values())
        roles = [
            role
            for namespace in texts
            for role in tenant_roles(
                namespace, accounts=sorted(accounts[namespace]), controller=controller.account
            )
        ]
        gives = f", and {_PUSHERS}" if any(accounts[namespace] for namespace in texts) else ""
        what = exact.pop() if len(exact) == 1 else kinds
        text = f"Nopea may not {what} in {first_of(texts)}, which GitRepositories there name."
        yield problem("rights", text, f"{_LOOK}{gives}.", *roles)


def _order(permission: Permission) -> tuple[bool, str]:
    """Return the place in a line: to act as accounts comes first."""
    return permission.verb != "impersonate", str(permission)


def _on(verb: str, resource: str, namespace: str, name: str) -> Permission:
    return Permission(verb=verb, group="", resource=resource, namespace=namespace, name=name)


def account_name(controller: Deployed, spec: GitRepositorySpec) -> str:
    """Return the service account that applies the objects of a spec; empty for Nopea's own."""
    if controller.reads_as_itself:
        return ""
    return spec.service_account_name or controller.option("default-service-account")


async def missing_rights(
    client: KubeClient, wanted: Iterable[Permission], account: ServiceAccount
) -> list[Permission]:
    """Return what the account may not do; raises ApiError.

    What it may do in all namespaces, or to all objects of one, is asked once.
    """
    left = list(wanted)
    for widest in ({"namespace": "", "name": ""}, {"name": ""}):
        wider: dict[Permission, list[Permission]] = defaultdict(list)
        for each in left:
            wider[replace(each, **widest)].append(each)
        several = [each for each, narrower in wider.items() if len(narrower) > 1]
        allowed = {*several} - {*await _refused(client, several, account)}
        left = [each for each in left if replace(each, **widest) not in allowed]
    return await _refused(client, left, account)


async def _refused(client: KubeClient, asked: list[Permission], account: ServiceAccount) -> list[Permission]:
    answers = await asyncio.gather(*(is_allowed(client, each, to=account) for each in asked))
    return [access for access, allowed in zip(asked, answers, strict=True) if not allowed]


def told(missing: Iterable[Permission]) -> str:
    """Return missing rights by kind: `list and watch configmaps`, `get secrets/login`, `get secrets a, b`."""
    verbs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for access in missing:
        what = f"{access.resource}.{access.group}" if access.group else access.resource
        verbs[what, access.name].append(access.verb)
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (what, name), each in verbs.items():
        names[_and(dict.fromkeys(each)), what].append(name)
    texts = [
        f"{verb} {what}/{named[0]}".rstrip("/") if len(named) == 1 else f"{verb} {what} {first_of(named)}"
        for (verb, what), named in names.items()
    ]
    if len(texts) > _SHOWN:
        return f"{', '.join(texts[:_SHOWN])} and {count(len(texts) - _SHOWN, 'other')}"
    return _and(texts)


def _and(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
