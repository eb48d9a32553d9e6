"""The dashboard's data in the controller: what it has in its memory anyway.

It asks the cluster only for what workloads own, when somebody wants to see that who may list it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

from nopea.core.api.repository import Repository
from nopea.core.health.descendants import Descendants
from nopea.core.objects import ObjectKey, RepoKey
from nopea.dashboard.source import AppliedObjects, ControllerState, Reported, Viewer
from nopea.kube.client import KubeClient
from nopea.kube.descendants import read_descendants
from nopea.kube.kinds import INVENTORIES
from nopea.state.repositories import RepositoryStore
from nopea.state.store import StateStore

MOST_READ: Final = 1_000
"""The most objects of a kind in a namespace that are read, for the memory of the controller."""


class MemorySource:
    """The GitRepositories that the controller watches, and what it has applied."""

    def __init__(
        self,
        repositories: RepositoryStore,
        store: StateStore,
        client: KubeClient,
        *,
        cluster: str,
        why_not_ready: Callable[[], str],
        is_current: Callable[[], bool],
    ) -> None:
        """`is_current` says whether the watch of GitRepositories works."""
        self.cluster = cluster
        self._repositories = repositories
        self._store = store
        self._client = client
        self._why_not_ready = why_not_ready
        self._is_current = is_current

    def repositories(self) -> Iterable[Repository]:
        """Return what the watch has told."""
        return self._repositories.all()

    def get(self, key: RepoKey) -> Repository | None:
        """Return one of them."""
        return self._repositories.get(key)

    def why_old(self) -> str:
        """Return whether the watch is interrupted."""
        if self._is_current():
            return ""
        return "The controller's watch of GitRepositories is interrupted: what is shown may be old."

    async def controller(self) -> ControllerState:
        """Return that it runs: it answers."""
        reason = self._why_not_ready()
        text = f"The controller is not ready: {reason}." if reason else "The controller runs."
        return ControllerState(True, text)

    async def applied(self, repository: Repository, viewer: Viewer) -> AppliedObjects:
        """Return the inventory; what is in Inventory objects only to who may list them."""
        state = self._store.states.get(repository.key)
        if state is None or state.uid != repository.uid or not state.loaded:
            text = "The controller has not read the inventory yet."
            return AppliedObjects(objects={}, incomplete=text, again=True)
        if state.chunks and not await viewer.may_list(INVENTORIES, repository.key.namespace):
            text = "You may not list Inventories here, so only the objects that are not fine are listed."
            return AppliedObjects(objects={}, incomplete=text)
        return AppliedObjects(objects=dict(state.applied))

    async def reported(self, repository: Repository) -> Reported:
        """Return none: the controller writes Events and does not read them."""
        arguments = repository.key.arguments
        return Reported(incomplete=f"This is what the status remembers; `nopea events {arguments}` has more.")

    async def owned(self, keys: Collection[ObjectKey], viewer: Viewer) -> Descendants:
        """Return what both the viewer and the controller may list."""
        may_list = viewer.may_list
        return await read_descendants(self._client, keys, may_list=may_list, reader="Nopea", most=MOST_READ)
