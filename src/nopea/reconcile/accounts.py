"""With whose rights a repository's objects are written, who watches them, and who its inputs."""

from __future__ import annotations

from nopea.core.api.references import ReferenceKind
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import TenancyPolicy, account_of, may_apply, violations
from nopea.core.manifests.inputs import references_of
from nopea.core.objects import RepoKey
from nopea.core.problem import Problem, StalledError
from nopea.informers.input_watches import Input
from nopea.informers.object_cache import Watcher
from nopea.kube.client import KubeClient, ServiceAccount
from nopea.kube.kinds import CONFIG_MAPS, SECRETS
from nopea.reconcile.request import ReconcileContext


def client_for(context: ReconcileContext, repository: Repository, spec: GitRepositorySpec) -> KubeClient:
    """Return a client that queues as this repository, or as `context.flow`, and acts as its service account.

    Raises StalledError if nobody may write: what is in Git never acts as Nopea unless the process allows it.
    """
    key = repository.key
    if not may_apply(spec, context.policy):
        raise StalledError(*violations(key, spec, context.policy))
    return context.client.on_behalf(context.flow or str(key), of=service_account(context.policy, key, spec))


def watcher_of(context: ReconcileContext, repository: Repository, spec: GitRepositorySpec) -> Watcher | None:
    """Return the account that watches the repository's objects where Nopea may not; None without one."""
    account = service_account(context.policy, repository.key, spec)
    if account is None:
        return None
    flow = f"{account.namespace}/watches of {account.name}"
    return Watcher(account=str(account), client=context.client.on_behalf(flow, of=account))


def inputs_of(policy: TenancyPolicy, repository: Repository) -> frozenset[Input]:
    """Return what the next sync reads to render, and as whom; nothing while it may not read."""
    spec = repository.spec
    if isinstance(spec, Problem) or spec.suspend or repository.deleting:
        return frozenset()
    references = references_of(spec)
    if not references or violations(repository.key, spec, policy):
        return frozenset()
    account = service_account(policy, repository.key, spec)
    return frozenset(
        Input(
            resource=CONFIG_MAPS if each.kind is ReferenceKind.CONFIG_MAP else SECRETS,
            name=each.name,
            account=None if each.is_key else account,
        )
        for each in references
    )


def service_account(policy: TenancyPolicy, key: RepoKey, spec: GitRepositorySpec) -> ServiceAccount | None:
    """Return whom Nopea acts as for a repository; None to act as itself.

    Who only reads, and may act as itself, does: it then needs no right to act as accounts that may write.
    """
    if policy.read_only and policy.apply_as_controller:
        return None
    name = account_of(spec, policy)
    return ServiceAccount(namespace=key.namespace, name=name) if name else None
