"""What the pages ask for, and who answers: the controller's memory, or the API server as a user."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from nopea.core.api.repository import Repository
from nopea.core.health.descendants import Descendants
from nopea.core.objects import ObjectKey, RepoKey, Resource
from nopea.core.plan.model import LastApplied
from nopea.core.status.timeline import ReportedEvent
from nopea.dashboard.pages.difference import Difference

ACTIONS = ("sync", "heal", "suspend", "resume", "confirm-prune")


class DashboardError(Exception):
    """Something cannot be shown or done: `message` says what happened, `hint` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class ControllerState:
    """Whether a controller runs, None if that is not known, and the sentence that says so.

    The sentence has no times: open pages are told when it changes. `since` is when the last heartbeat was of
    one that does not run.
    """

    running: bool | None
    message: str
    since: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedObjects:
    """What was applied; `incomplete` says why not all of it is known, `again` that it may be known soon."""

    objects: Mapping[ObjectKey, LastApplied]
    incomplete: str = ""
    again: bool = False


NOTHING_APPLIED = AppliedObjects(objects={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """The Kubernetes Events about a repository; `incomplete` says why there are none, `again` as above."""

    events: tuple[ReportedEvent, ...] = ()
    incomplete: str = ""
    again: bool = False


NOTHING_REPORTED = Reported()


class Viewer(Protocol):
    """Who looks, and what the cluster lets them see."""

    @property
    def name(self) -> str:
        """Who they are to the cluster; empty if that is not known."""
        ...

    @property
    def csrf(self) -> str:
        """The token that their actions need; empty: they have none."""
        ...

    @property
    def logout(self) -> bool:
        """Whether they have logged in here, and can log out."""
        ...

    async def visible(self, namespaces: Collection[str]) -> Collection[str]:
        """Return the namespaces whose GitRepositories they may list. Raises DashboardError."""
        ...

    async def may_get(self, key: RepoKey, *, exists: bool) -> bool:
        """Return whether they may read this GitRepository, if it exists. Raises DashboardError."""
        ...

    async def may_list(self, resource: Resource, namespace: str) -> bool:
        """Return whether they may list the objects of a kind in a namespace. Raises DashboardError."""
        ...


class DataSource(Protocol):
    """Where the data comes from. `repositories` and `get` answer from memory, the rest may ask."""

    cluster: str
    """The name of the cluster for people."""

    def repositories(self) -> Iterable[Repository]:
        """Return all GitRepositories, in no particular order."""
        ...

    def get(self, key: RepoKey) -> Repository | None:
        """Return one GitRepository."""
        ...

    def why_old(self) -> str:
        """Return why what is shown may be old or incomplete; empty if it is not."""
        ...

    async def controller(self) -> ControllerState:
        """Return whether a controller runs."""
        ...

    async def applied(self, repository: Repository, viewer: Viewer) -> AppliedObjects:
        """Return the objects that were applied."""
        ...

    async def reported(self, repository: Repository) -> Reported:
        """Return the Kubernetes Events about a repository."""
        ...

    async def owned(self, keys: Collection[ObjectKey], viewer: Viewer) -> Descendants:
        """Return what objects own, down to Pods, as far as the viewer may list it. Raises DashboardError."""
        ...


class Workbench(Protocol):
    """What only a user's own rights allow: comparing with Git, and acting. Methods raise DashboardError."""

    async def compare(self, key: RepoKey) -> Difference:
        """Return what a sync would change now."""
        ...

    async def act(self, key: RepoKey, action: str, *, object_: str) -> str:
        """Do one of `ACTIONS`, to one object if `object_` names it; return the sentence that says so."""
        ...
