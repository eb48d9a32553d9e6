"""What `nopea ui` shows and does: GitRepositories by a watch, everything else when asked, as the user."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from contextlib import aclosing

from nopea import tasks
from nopea.cli.cluster import CommandError, without_retry
from nopea.cli.heartbeat import Liveness, liveness
from nopea.cli.inspection import Looks, inspect_repository
from nopea.cli.reported_events import list_events
from nopea.cli.repository import missing, read_state
from nopea.cli.ui_actions import Requests
from nopea.core.api.repository import Repository, parse_repository
from nopea.core.api.tenancy import AS_CALLER
from nopea.core.api.times import format_time
from nopea.core.health.descendants import Descendants
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.plan.object_diff import ObjectDiff
from nopea.core.problem import SyncError, TransientError
from nopea.core.show.yaml_diff import yaml_lines
from nopea.dashboard.pages.difference import MOST_OBJECTS, ComparedObject, Difference, is_worth_showing
from nopea.dashboard.source import AppliedObjects, ControllerState, DashboardError, Reported, Viewer
from nopea.kube.client import KubeClient
from nopea.kube.descendants import read_descendants
from nopea.kube.errors import ApiError, ForbiddenError, NotFoundError
from nopea.kube.kinds import GIT_REPOSITORIES
from nopea.kube.live import LiveObject
from nopea.kube.problems import to_problem
from nopea.kube.requests import Selection
from nopea.kube.watch import Changed, Deleted, Synced, WatchHealth, list_and_watch

LIVENESS_SECONDS = 5.0
"""How long the answer whether a controller runs is used again."""

LIVENESS_WAIT_SECONDS = 2.0
STEPS_OF_ONE = 100
"""What it takes to write an object as YAML, for `tasks.off_loop`."""

READ_SECONDS = 4.0
"""The longest that a page waits for objects or Events; it says what is missing then."""


class WatchedSource:
    """The GitRepositories of a namespace, or of all if it is empty; `run` follows them until cancelled."""

    def __init__(self, client: KubeClient, *, cluster: str, namespace: str, own_namespace: str) -> None:
        self.cluster = cluster
        self._client = client
        self._namespace = namespace
        self._own_namespace = own_namespace
        self._known: dict[RepoKey, Repository] = {}
        self._health = WatchHealth()
        self._liveness: tuple[float, Liveness] | None = None
        self.listed = asyncio.Event()
        """Set once the first list has come."""

    async def run(self) -> None:
        """Follow the GitRepositories."""
        selection = Selection(namespace=self._namespace)
        events = list_and_watch(self._client, GIT_REPOSITORIES, selection, health=self._health)
        async with aclosing(events):
            async for event in events:
                match event:
                    case Synced(objects):
                        self._known = {each.key: each for each in map(_parsed, objects)}
                        self.listed.set()
                    case Changed(live):
                        repository = _parsed(live)
                        self._known[repository.key] = repository
                    case Deleted(live):
                        self._known.pop(RepoKey(live.meta.namespace, live.meta.name), None)

    def repositories(self) -> Iterable[Repository]:
        """Return what the watch has told."""
        return self._known.values()

    def get(self, key: RepoKey) -> Repository | None:
        """Return one of them."""
        return self._known.get(key)

    def why_old(self) -> str:
        """Return why the watch does not work, or that only one namespace is shown."""
        if self._health.lists and not self._health.is_current:
            why = self._health.last_error or "no answer"
            return f"The watch is interrupted, and what is shown may be old: {why}"
        if self._namespace:
            return f"Only the namespace {self._namespace} is shown."
        return ""

    async def controller(self) -> ControllerState:
        """Return what the Leases say."""
        now = asyncio.get_running_loop().time()
        if self._liveness is None or now - self._liveness[0] > LIVENESS_SECONDS:
            try:
                async with asyncio.timeout(LIVENESS_WAIT_SECONDS):
                    found = await liveness(self._client, self._own_namespace)
            except TimeoutError:
                found = Liveness(
                    None, "Whether a controller runs is not known: the API server does not answer."
                )
            self._liveness = now, found
        found = self._liveness[1]
        since = format_time(found.silent_since) if found.silent_since is not None else ""
        return ControllerState(found.running, found.lasting or found.message, since)

    async def applied(self, repository: Repository, viewer: Viewer) -> AppliedObjects:
        """Return the inventory, as the user may read it."""
        del viewer
        try:
            async with asyncio.timeout(READ_SECONDS):
                return AppliedObjects(objects=(await read_state(self._client, repository)).applied)
        except SyncError as error:
            text = f"Not all objects are listed: {error.problems[0].message}"
            return AppliedObjects(objects={}, incomplete=text, again=isinstance(error, TransientError))
        except TimeoutError:
            text = "Not all objects are listed: the API server does not answer."
            return AppliedObjects(objects={}, incomplete=text, again=True)

    async def reported(self, repository: Repository) -> Reported:
        """Return the Events, as the user may read them."""
        key = repository.key
        try:
            async with asyncio.timeout(READ_SECONDS):
                return Reported(events=tuple(await list_events(self._client, key.namespace, name=key.name)))
        except ForbiddenError:
            what = f"You may not list events.events.k8s.io in {key.namespace}"
            return Reported(incomplete=f"{what}; this is what the status remembers.")
        except (ApiError, TimeoutError):
            text = "Events cannot be read now; this is what the status remembers."
            return Reported(incomplete=text, again=True)

    async def owned(self, keys: Collection[ObjectKey], viewer: Viewer) -> Descendants:
        """Return what `nopea tree` shows, as the user may read it."""
        del viewer
        return await read_descendants(self._client, keys)


class UserWorkbench:
    """Compares and acts with the user's own rights."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._requests = Requests(client)

    async def compare(self, key: RepoKey) -> Difference:
        """Return what `nopea diff` shows."""
        try:
            inspected = await inspect_repository(self._client, key.namespace, key.name, looks=Looks())
        except (CommandError, SyncError, ApiError) as error:
            raise told(error, key) from error
        found = inspected.inspection.objects
        shown = {each.step.problem for each in found}
        return Difference(
            commit=inspected.commit,
            objects=await tasks.off_loop(_compared, found, size=len(found) * STEPS_OF_ONE),
            problems=tuple(each for each in inspected.inspection.problems if each not in shown),
        )

    async def act(self, key: RepoKey, action: str, *, object_: str) -> str:
        """Do what the command of this name does."""
        try:
            return await self._requests.do(key, action, object_)
        except (CommandError, SyncError, ApiError) as error:
            raise told(error, key) from error


async def watched_source(
    client: KubeClient, namespace: str, *, cluster: str, everywhere: bool, falls_back: bool
) -> WatchedSource:
    """Return the source, whose scope is what the user may list. Raises ApiError, CommandError."""
    scope = "" if everywhere else namespace
    try:
        await client.list(GIT_REPOSITORIES, Selection(namespace=scope, metadata_only=True))
    except NotFoundError as error:
        raise missing(error, RepoKey(namespace, "")) from error
    except ForbiddenError:
        if not falls_back:
            raise
        scope = namespace
        await client.list(GIT_REPOSITORIES, Selection(namespace=scope, metadata_only=True))
    return WatchedSource(client, cluster=cluster, namespace=scope, own_namespace=namespace)


def told(error: CommandError | SyncError | ApiError, key: RepoKey) -> DashboardError:
    """Return the error of a command for a page."""
    match error:
        case CommandError():
            return DashboardError(error.message, error.hint)
        case SyncError():
            first = error.problems[0]
            return DashboardError(f"{first.code}: {first.message}", without_retry(first.hint))
        case ApiError():
            problem = to_problem(error, object=str(key))
            return DashboardError(f"{problem.code}: {problem.message}", without_retry(problem.hint))


def _compared(diffs: Sequence[ObjectDiff]) -> tuple[ComparedObject, ...]:
    """Return the objects, with the lines of those that a page shows."""
    shown = [each for each in diffs if is_worth_showing(each)][:MOST_OBJECTS]
    has_lines = {each.step.key for each in shown if each.change is not None}
    return tuple(
        _with_lines(each) if each.step.key in has_lines else ComparedObject(diff=each) for each in diffs
    )


def _with_lines(diff: ObjectDiff) -> ComparedObject:
    change = diff.change
    if change is None:
        return ComparedObject(diff=diff)
    before = [] if change.before is None else yaml_lines(change.before)
    return ComparedObject(diff=diff, before=before, after=yaml_lines(change.after))


def _parsed(live: LiveObject) -> Repository:
    return parse_repository(live.json(), policy=AS_CALLER)
