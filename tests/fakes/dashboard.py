"""A source and a viewer of the dashboard in memory, and what a page of a user may do."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from aiohttp import web
from tests.fakes.samples import READY, repository

from nopea.core.api.repository import Repository
from nopea.core.health.descendants import Descendants
from nopea.core.objects import ObjectKey, RepoKey, Resource
from nopea.core.plan.model import LastApplied
from nopea.dashboard.pages.difference import Difference
from nopea.dashboard.source import AppliedObjects, ControllerState, DashboardError, Reported, Viewer

CSRF = "csrf-of-the-page"
NOTHING_DIFFERS = Difference(commit="c0ffee", objects=(), problems=())
RUNS = ControllerState(True, "The controller runs.")


@dataclass
class KnownViewer:
    """Sees these namespaces; None is all."""

    namespaces: set[str] | None = None
    name: str = "ada"
    csrf: str = CSRF
    logout: bool = False

    async def visible(self, namespaces: Collection[str]) -> Collection[str]:
        """Return those of them that are seen."""
        return namespaces if self.namespaces is None else self.namespaces.intersection(namespaces)

    async def may_get(self, key: RepoKey, *, exists: bool) -> bool:
        """Return whether the namespace is seen."""
        del exists
        return bool(await self.visible({key.namespace}))

    async def may_list(self, resource: Resource, namespace: str) -> bool:
        """Return whether the namespace is seen."""
        del resource
        return bool(await self.visible({namespace}))


@dataclass
class KnownSource:
    """Has what a test puts into it."""

    known: dict[RepoKey, Repository] = field(default_factory=dict)
    objects: Mapping[ObjectKey, LastApplied] = field(default_factory=dict)
    cluster: str = "test"
    old: str = ""
    incomplete: str = ""
    descendants: Descendants | None = field(default_factory=Descendants)
    state: ControllerState = RUNS

    def put(self, *repositories: Repository) -> None:
        """Add or change repositories; each gets a new version."""
        for each in repositories:
            before = self.known.get(each.key)
            version = str(int(before.resource_version) + 1) if before else each.resource_version
            self.known[each.key] = replace(each, resource_version=version)

    def repositories(self) -> Iterable[Repository]:
        """Return all of them."""
        return self.known.values()

    def get(self, key: RepoKey) -> Repository | None:
        """Return one of them."""
        return self.known.get(key)

    def why_old(self) -> str:
        """Return what the test says."""
        return self.old

    async def controller(self) -> ControllerState:
        """Return what the test says."""
        return self.state

    async def applied(self, repository: Repository, viewer: Viewer) -> AppliedObjects:
        """Return the objects of the test, for every repository."""
        del repository, viewer
        return AppliedObjects(objects=self.objects, incomplete=self.incomplete, again=bool(self.incomplete))

    async def owned(self, keys: Collection[ObjectKey], viewer: Viewer) -> Descendants:
        """Return what the test says; it may wait for ever."""
        del keys, viewer
        if self.descendants is None:
            await asyncio.Event().wait()
        assert self.descendants is not None
        return self.descendants

    async def reported(self, repository: Repository) -> Reported:
        """Return no Events."""
        del repository
        return Reported(incomplete="Events cannot be read here.")


@dataclass
class KnownWorkbench:
    """Notes the actions; each fails if the test says so."""

    done: list[tuple[RepoKey, str, str]] = field(default_factory=list)
    failure: DashboardError | None = None
    difference: Difference = NOTHING_DIFFERS

    async def compare(self, key: RepoKey) -> Difference:
        """Return what the test says."""
        del key
        if self.failure is not None:
            raise self.failure
        return self.difference

    async def act(self, key: RepoKey, action: str, *, object_: str) -> str:
        """Note an action."""
        if self.failure is not None:
            raise self.failure
        self.done.append((key, action, object_))
        return f"Requested {action}."


async def admit_all(request: web.Request) -> Viewer:
    """Admit everybody as one who sees everything."""
    del request
    return KnownViewer()


def fine(name: str = "api", *, namespace: str = "shop", **status: object) -> Repository:
    """Return a repository of which everything is applied; `status` adds to its status."""
    base = {"conditions": [READY], "revision": "main@sha1:c0ffee0", "summary": "2 objects in sync"}
    return repository(name, namespace=namespace, uid=f"uid-{name}", status={**base, **status})


def failing(name: str = "web", *, namespace: str = "shop", message: str = "It is wrong.") -> Repository:
    """Return a repository whose last sync failed."""
    error = {"code": "NOPEA-K003", "message": message, "hint": "Correct `web.yaml`.", "source": "web.yaml#1"}
    since = "2026-11-24T05:00:00Z"
    return fine(name, namespace=namespace, errors=[error], errorCount=1, failingSince=since, summary=message)


def drifted(
    name: str = "web", *, namespace: str = "shop", to: str = "5", manager: str = "kubectl", **status: object
) -> Repository:
    """Return a repository with a Deployment that somebody changed; `status` adds to its status."""
    drift = {
        "object": {"group": "apps", "kind": "Deployment", "namespace": namespace, "name": "web"},
        "kind": "manual_drift",
        "manager": manager,
        "operation": "Update",
        "since": "2026-11-24T05:00:00Z",
        "action": "left: policy",
        "fields": [{"path": ".spec.replicas", "from": "2", "to": to}],
    }
    rest = {"drifts": [drift], "driftedCount": 1, "summary": "1 object drifted", **status}
    return fine(name, namespace=namespace, **rest)
