"""The dashboard's data in the controller: what it has in its memory anyway. Asks the cluster for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nopea.core.api.repository import Repository
from nopea.core.objects import RepoKey
from nopea.dashboard.source import AppliedObjects, ControllerState, Reported, Viewer
from nopea.state.repositories import RepositoryStore
from nopea.state.store import StateStore


class MemorySource:
    """The GitRepositories that the controller watches, and what it has applied."""

    def __init__(
        self,
        repositories: RepositoryStore,
        store: StateStore,
        *,
        cluster: str,
        why_not_ready: Callable[[], str],
        is_current: Callable[[], bool],
    ) -> None:
        """`is_current` says whether the watch of GitRepositories works."""
        self.cluster = cluster
        self._repositories = repositories
        self._store = store
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
        if state.chunks and not await viewer.may_list_inventories(repository.key.namespace):
            text = "You may not list Inventories here, so only the objects that are not fine are listed."
            return AppliedObjects(objects={}, incomplete=text)
        return AppliedObjects(objects=dict(state.applied))

    async def reported(self, repository: Repository) -> Reported:
        """Return none: the controller writes Events and does not read them."""
        arguments = repository.key.arguments
        return Reported(incomplete=f"This is what the status remembers; `nopea events {arguments}` has more.")
