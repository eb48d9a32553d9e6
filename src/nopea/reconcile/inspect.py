"""A sync that stops before it acts: the same fetch, rendering, observation and plan, and then a comparison.

For `nopea diff` and `nopea plan`, with the caller's own rights, and for plans of pull requests, with those of
a sync. Reads only, and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from nopea.core.api.labels import owner_label
from nopea.core.api.repository import Repository, parse_repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import AS_CALLER, acts_as_controller
from nopea.core.apply.ignore_rules import deployers_of
from nopea.core.git.source import Remote
from nopea.core.plan.inspection import Inspection
from nopea.core.plan.model import Step
from nopea.core.plan.object_diff import ObjectDiff, with_users
from nopea.informers.listed import ListedObjects
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ForbiddenError, NotFoundError
from nopea.kube.kinds import GIT_REPOSITORIES
from nopea.kube.problems import as_reader
from nopea.reconcile.accounts import client_for
from nopea.reconcile.comparison import Comparison, Tell, told_nobody
from nopea.reconcile.dry_run import DryRun
from nopea.reconcile.fetch import Fetcher, Snapshot
from nopea.reconcile.own_kinds import OwnKinds
from nopea.reconcile.request import ReconcileContext
from nopea.reconcile.sync import ClusterSync
from nopea.state.ownership import Ownership
from nopea.state.repositories import RepositoryStore
from nopea.state.store import RepositoryState


class Inspector:
    """Inspects through one connection; every inspection reads the cluster again.

    `within` is the controller that inspects: then it sees what a sync of it would, and with the same rights.
    `repositories` are all of the cluster, if the caller has listed them.
    """

    def __init__(
        self,
        client: KubeClient,
        fetcher: Fetcher,
        *,
        within: ReconcileContext | None = None,
        repositories: RepositoryStore | None = None,
    ) -> None:
        self._client = client
        self._listed = repositories
        self._fetcher = fetcher
        self._within = within
        self._discovery = Discovery(client) if within is None else within.discovery

    async def inspect(
        self,
        repository: Repository,
        spec: GitRepositorySpec,
        state: RepositoryState,
        remote: Remote,
        snapshot: Snapshot,
        *,
        server: bool = True,
        tell: Tell = told_nobody,
    ) -> Inspection:
        """Plan the snapshot and compare what the plan is about; raises SyncError where nothing can be read.

        With `server`, each write is tried on the API server; `tell` hears how far that is. A repository
        without a uid is none: nothing is its own, so that every object is looked at.
        """
        owner = owner_label(repository.key) if repository.uid else ""
        if self._within is None:
            spec = msgspec.structs.replace(spec, service_account_name=None)
        context = await self._context(repository, spec, owner)
        client = client_for(context, repository, spec)
        work = ClusterSync(context, repository, spec, state, remote, keeps_objects=True)
        planned = await work.plan(snapshot)
        dry_run = self._dry_run(client, planned.plan.steps, spec, owner) if server else None
        comparison = Comparison(
            client, work, state, planned, deployers=deployers_of(spec), dry_run=dry_run, tell=tell
        )
        objects = with_users(await comparison.run(), repository.status.drifts)
        problems = planned.problems
        if self._within is None:
            objects = tuple(_as_reader(one) for one in objects)
            problems = tuple(as_reader(problem) for problem in problems)
        said = (one.step.problem for one in objects if one.step.problem is not None)
        return Inspection(objects=objects, problems=tuple(dict.fromkeys((*problems, *said))))

    async def _context(self, repository: Repository, spec: GitRepositorySpec, owner: str) -> ReconcileContext:
        """Return what a sync needs, with a memory of its own: nobody learns from an inspection."""
        within = self._within
        repositories = await self._repositories(repository) if within is None else within.repositories
        context = ReconcileContext(
            client=self._client,
            discovery=self._discovery,
            fetcher=self._fetcher,
            object_cache=ListedObjects(self._client, owner=owner, rules=repositories.rules),
            repositories=repositories,
            ownership=Ownership(),
            policy=AS_CALLER,
        )
        if within is None:
            return context
        key = repository.key
        context = replace(
            context,
            policy=within.policy,
            namespace=within.namespace,
            flow=f"{key.namespace}/plans of {key.name}",  # not in front of a sync
        )
        hash_key = within.object_cache.hash_key
        client = client_for(context, repository, spec)
        listed = ListedObjects(client, owner=owner, rules=repositories.rules, hash_key=hash_key)
        return replace(context, object_cache=listed)

    def _dry_run(
        self, client: KubeClient, steps: Sequence[Step], spec: GitRepositorySpec, owner: str
    ) -> DryRun:
        if self._within is None:
            return DryRun(client, steps, owner=owner)
        is_controller = acts_as_controller(spec, self._within.policy)
        refuse = OwnKinds(client).problem_of if is_controller else None
        return DryRun(client, steps, owner=owner, is_writer=True, refuse=refuse)

    async def _repositories(self, repository: Repository) -> RepositoryStore:
        """Return who may own objects: all GitRepositories where they may be listed, else anybody."""
        if self._listed is not None:
            return self._listed
        try:
            listed = (await self._client.list(GIT_REPOSITORIES)).items
        except ForbiddenError:
            repositories = RepositoryStore(whole_cluster=False)
        except NotFoundError:
            repositories = RepositoryStore()  # the kind is not even served
        else:
            repositories = RepositoryStore()
            for live in listed:
                repositories.put(parse_repository(live.json(), policy=AS_CALLER))
        if repository.uid:
            repositories.put(repository)
        return repositories


def _as_reader(diff: ObjectDiff) -> ObjectDiff:
    """Return the comparison by a user, who reads and does not apply."""
    problem = diff.step.problem
    return diff if problem is None else replace(diff, step=replace(diff.step, problem=as_reader(problem)))
