"""Nopea without its controller: what a reconciliation needs, on a fake cluster and a fake Git.

A test creates it, changes the cluster or Git, and runs one reconciliation after another.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
from tests.fakes.cluster import FakeCluster
from tests.fakes.field_management import Json
from tests.fakes.git import FakeGit
from tests.fakes.renderer import renderings

from nopea import tasks
from nopea.core.api import names
from nopea.core.api.repository import Repository, parse_repository
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.plan.inventory import unpack
from nopea.core.status.report import Outcome, ReconcileReport
from nopea.core.status.transition import Transition
from nopea.core.trigger import Trigger
from nopea.informers.object_cache import ObjectCache
from nopea.kube.discovery import Discovery, Pace
from nopea.kube.events import EventRecorder
from nopea.reconcile.fetch import Fetcher
from nopea.reconcile.publish import Publisher
from nopea.reconcile.reconciler import Reconciler, Services
from nopea.reconcile.request import ReconcileRequest
from nopea.state.inventory_key import InventoryKey
from nopea.state.ownership import Ownership
from nopea.state.repositories import RepositoryStore
from nopea.state.store import RepositoryState, StateStore

NAMESPACE = "shop"
SETTLING_SECONDS = 1.0
"""Virtual time, which passes as soon as every task is idle."""


def config_map(name: str, *, metadata: Json | None = None, **data: str) -> str:
    """Return the text of a file with a ConfigMap."""
    return manifest("v1", "ConfigMap", name, metadata=metadata, data=data)


def manifest(api_version: str, kind: str, name: str, *, metadata: Json | None = None, **fields: Any) -> str:
    """Return the text of a file with one object."""
    head = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **(metadata or {})}}
    return orjson.dumps({**head, **fields}).decode()


def key_of(name: str, kind: str = "ConfigMap", *, group: str = "", namespace: str = NAMESPACE) -> ObjectKey:
    """Return the key of an object, by default a ConfigMap."""
    return ObjectKey(group, kind, namespace, name)


def repository_key(name: str = "web") -> ObjectKey:
    """Return the key of a GitRepository as an object."""
    return ObjectKey(names.GROUP, names.KIND, NAMESPACE, name)


AS_CONTROLLER = TenancyPolicy(apply_as_controller=True, cross_namespace_refs=True)


class Installation:
    """One Nopea process; `restart` replaces it by a new one, which knows only what is in the cluster.

    Each reconciliation reads its GitRepository from the cluster, as the controller's watch would.
    """

    def __init__(self, cluster: FakeCluster, git: FakeGit, policy: TenancyPolicy = AS_CONTROLLER) -> None:
        self.cluster = cluster
        self.git = git
        self.woken: list[str] = []
        self.transitions: list[Transition] = []
        self._following: asyncio.Task[None] | None = None
        self._policy = policy
        self._begin()

    def _begin(self) -> None:
        client = self.cluster.client
        repositories = RepositoryStore()
        self.events = EventRecorder(client)
        inventory_key = InventoryKey(client, namespace=NAMESPACE, creates=not self._policy.read_only)
        self.services = Services(
            client=client,
            discovery=Discovery(client, pace=Pace(calm_seconds=0.0, eager_seconds=0.0)),
            fetcher=Fetcher(self.git, StateStore().manifests, renderings()),
            object_cache=ObjectCache(
                client, rules=repositories.rules, wake=self.woken.append, hash_key=inventory_key.current
            ),
            publisher=Publisher(
                client=client,
                events=self.events,
                repositories=repositories,
                listeners=[self.transitions.append],
            ),
            repositories=repositories,
            store=StateStore(),
            ownership=Ownership(),
            inventory_key=inventory_key,
            policy=self._policy,
            namespace="nopea-system",
            wake=self.woken.append,
        )
        self.reconciler = Reconciler(self.services)
        self._following = tasks.spawn(self.services.object_cache.run(), name="object cache")

    async def restart(self, policy: TenancyPolicy | None = None) -> None:
        """Kill this process and start another, with other flags if they are given."""
        await self.end()
        self._policy = policy or self._policy
        self._begin()

    async def end(self) -> None:
        """End this process."""
        await tasks.end(self._following)

    def declare(self, name: str = "web", **spec: Any) -> None:
        """Create a GitRepository that follows the branch main."""
        self.cluster.create(
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"url": "https://git.example/shop.git", "ref": {"branch": "main"}, **spec},
            }
        )

    def configure(
        self, name: str = "web", *, annotations: Mapping[str, str | None] | None = None, **spec: Any
    ) -> None:
        """Change a GitRepository's spec and annotations."""
        patch = {"metadata": {"annotations": annotations or {}}, "spec": spec}
        self.cluster.change(repository_key(name), patch)

    def repository(self, name: str = "web") -> Repository:
        """Return the current GitRepository and put it into the process's RepositoryStore."""
        repository = parse_repository(self.cluster.objects[repository_key(name)])
        self.services.repositories.put(repository)
        return repository

    async def sync(
        self, *triggers: Trigger, name: str = "web", pending: Iterable[Trigger] = ()
    ) -> ReconcileReport:
        """Wait until the watches have caught up, then run one reconciliation."""
        await self.settle()
        request = ReconcileRequest(
            repository=self.repository(name),
            triggers=frozenset(triggers or {Trigger.RECONCILE}),
            pending=lambda: frozenset(pending),
            retry_seconds=10.0,
        )
        return await self.reconciler.run(request)

    async def settle(self) -> None:
        """Wait until every task is idle."""
        await asyncio.sleep(SETTLING_SECONDS)

    def state(self, name: str = "web") -> RepositoryState:
        """Return what the process remembers of a repository."""
        return self.services.store.states[RepoKey(NAMESPACE, name)]

    def status(self, name: str = "web") -> GitRepositoryStatus:
        """Return a repository's status as stored."""
        return parse_repository(self.cluster.objects[repository_key(name)]).status

    def inventory(self, name: str = "web") -> set[str]:
        """Return the names of the objects in the stored inventory."""
        return {str(key) for key in unpack(self.status(name).inventory)}

    def condition(self, type_: str, name: str = "web") -> tuple[str, str]:
        """Return a condition's stored status and reason; empty strings if it is absent."""
        found = [one for one in self.status(name).conditions if one.type == type_]
        return (found[0].status, found[0].reason) if found else ("", "")

    def data(self, name: str, *, namespace: str = NAMESPACE) -> Json | None:
        """Return a ConfigMap's data; None if the ConfigMap does not exist."""
        found = self.cluster.objects.get(key_of(name, namespace=namespace))
        return None if found is None else found.get("data", {})

    def edit(self, name: str, data: Mapping[str, str | None], *, manager: str = "kubectl-edit") -> None:
        """Change a ConfigMap's data as another manager."""
        self.cluster.change(key_of(name), {"data": data}, manager=manager)

    def annotate(self, name: str, annotations: Mapping[str, str | None]) -> None:
        """Annotate a ConfigMap as another manager."""
        self.cluster.change(key_of(name), {"metadata": {"annotations": annotations}})


def outcomes(report: ReconcileReport) -> dict[str, Outcome]:
    """Return each object's outcome by name."""
    return {result.key.name: result.outcome for result in report.objects}


@asynccontextmanager
async def installed(files: Mapping[str, str], **spec: Any) -> AsyncIterator[Installation]:
    """Yield an installation with the GitRepository `shop/web`; its Git repository holds these files."""
    installation = Installation(FakeCluster(), FakeGit(files))
    installation.declare(**spec)
    try:
        yield installation
    finally:
        await installation.end()


def status_writes(place: Installation) -> int:
    """Return how many status writes were sent, for a GitRepository without a finalizer."""
    return sum(request.startswith("apply gitrepositories") for request in place.cluster.writes)
