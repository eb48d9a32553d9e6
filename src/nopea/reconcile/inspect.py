"""A sync that stops before it acts: the same fetch, rendering, observation and plan, and then a comparison.

For `nopea diff` and `nopea plan`. Reads only, with the caller's own rights, and keeps nothing.
"""

from __future__ import annotations

import msgspec

from nopea.core.api.labels import owner_label
from nopea.core.api.repository import Repository, parse_repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import AS_CALLER
from nopea.core.apply.ignore_rules import deployers_of
from nopea.core.git.source import Remote
from nopea.core.plan.inspection import Inspection
from nopea.core.plan.object_diff import with_users
from nopea.informers.listed import ListedObjects
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ForbiddenError, NotFoundError
from nopea.kube.kinds import GIT_REPOSITORIES
from nopea.reconcile.comparison import Comparison, Tell, told_nobody
from nopea.reconcile.dry_run import DryRun
from nopea.reconcile.fetch import Fetcher, Snapshot
from nopea.reconcile.request import ReconcileContext
from nopea.reconcile.sync import ClusterSync
from nopea.state.ownership import Ownership
from nopea.state.repositories import RepositoryStore
from nopea.state.store import RepositoryState


class Inspector:
    """Inspects through one connection; every inspection reads the cluster again."""

    def __init__(self, client: KubeClient, fetcher: Fetcher) -> None:
        self._client = client
        self._fetcher = fetcher
        self._discovery = Discovery(client)

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
        repositories = await self._repositories(repository)
        owner = owner_label(repository.key) if repository.uid else ""
        context = ReconcileContext(
            client=self._client,
            discovery=self._discovery,
            fetcher=self._fetcher,
            object_cache=ListedObjects(self._client, owner=owner, rules=repositories.rules),
            repositories=repositories,
            ownership=Ownership(),
            policy=AS_CALLER,
        )
        spec = msgspec.structs.replace(spec, service_account_name=None)
        work = ClusterSync(context, repository, spec, state, remote, keeps_objects=True)
        planned = await work.plan(snapshot)
        dry_run = DryRun(self._client, planned.plan.steps, owner=owner) if server else None
        comparison = Comparison(
            self._client, work, state, planned, deployers=deployers_of(spec), dry_run=dry_run, tell=tell
        )
        objects = with_users(await comparison.run(), repository.status.drifts)
        said = (one.step.problem for one in objects if one.step.problem is not None)
        return Inspection(objects=objects, problems=tuple(dict.fromkeys((*planned.problems, *said))))

    async def _repositories(self, repository: Repository) -> RepositoryStore:
        """Return who may own objects: all GitRepositories where they may be listed, else anybody."""
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
