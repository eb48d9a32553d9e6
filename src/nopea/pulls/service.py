"""Takes pull requests from webhooks, plans each, and comments the plan.

At most `LANES` at a time, in turns of namespaces; no sync waits for one. `core/pulls/` decides which is next
and what is said, `planner.py` plans, `commenter.py` writes.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from cachetools import LRUCache, TTLCache

from nopea import log_events, tasks
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec, Provider
from nopea.core.api.tenancy import violations
from nopea.core.forge.project import REFUSALS, authorization, project_of
from nopea.core.git.source import Remote
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, StalledError, SyncError, TransientError
from nopea.core.pulls.comment import comment_of
from nopea.core.pulls.queue import PlanQueue, PlanRequest
from nopea.core.show.held import held_notes
from nopea.core.webhooks.delivery import PullRequest
from nopea.kube.errors import ApiError
from nopea.kube.events import EventRecorder, regarding
from nopea.kube.problems import to_problem
from nopea.logs import Log
from nopea.pulls.api import ForgeBusyError, ForgeRefusedError
from nopea.pulls.commenter import Commenter
from nopea.pulls.planner import NotThereYetError, PlannedBranch
from nopea.reconcile.credentials import remote_of
from nopea.reconcile.reconciler import Services

log = Log(__name__)

LANES: Final = 2
PLAN_SECONDS: Final = 120.0
TRIES_FOR_A_COMMIT: Final = 2
"""So often, a plan waits for the commit that was announced."""

FIRST_PAUSE_SECONDS: Final = 5.0
MOST_PAUSE_SECONDS: Final = 300.0
REFUSED_SECONDS: Final = 3600.0
"""How long a token that was refused is not sent there again: what it may do can be changed meanwhile."""

_MOST_REMEMBERED: Final = 10_000
_GRANTS: Final = {
    Provider.GITHUB: "Use a token with `Pull requests: write` and `Metadata: read` (classic: `repo`)",
    Provider.GITLAB: "Use a project access token with the scope `api` and the role Reporter",
    Provider.GITEA: "Use a token with the permissions `issue: write`, `repository: read` and `user: read`",
}


class _Result(enum.StrEnum):
    """Why there is no comment."""

    DELAYED = "delayed"
    DROPPED = "dropped"
    REFUSED = "refused"
    CRASHED = "crashed"


_NO_PROVIDER: Final = "Set spec.webhook.provider to github, gitlab or gitea."


class Planner(Protocol):
    """Plans a branch, as `planner.py` does."""

    async def plan(
        self,
        repository: Repository,
        spec: GitRepositorySpec,
        pull_request: PullRequest,
        remote: Remote,
        *,
        any_commit: bool,
    ) -> PlannedBranch:
        """Return the plan. Raises NotThereYetError and TransientError."""
        ...


class PullRequestPlans:
    """Owns the queue and its lanes; `offer` never blocks."""

    def __init__(
        self,
        services: Services,
        planner: Planner,
        commenter: Commenter,
        events: EventRecorder,
        *,
        cluster: str = "",
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`count` is told what became of each plan: see `_Result`, and how its comment was written."""
        self._count = count
        self._services = services
        self._planner = planner
        self._commenter = commenter
        self._events = events
        self._cluster = cluster
        self._queue = PlanQueue()
        self._changed = asyncio.Event()
        self._refused: TTLCache[RepoKey, str] = TTLCache(_MOST_REMEMBERED, REFUSED_SECONDS, timer=_now)
        """The digests of tokens that were refused."""
        self._told: LRUCache[RepoKey, str] = LRUCache(_MOST_REMEMBERED)

    def offer(self, key: RepoKey, pull_request: PullRequest) -> None:
        """Queue a pull request for a GitRepository."""
        request = PlanRequest(repository=key, pull_request=pull_request)
        dropped = self._queue.put(request, now=_now())
        if dropped is not None:
            self._not_planned(dropped, "too many pull requests wait")
        self._changed.set()

    async def run(self) -> None:
        """Plan until cancelled. Run it once."""
        async with asyncio.TaskGroup() as group:
            for number in range(LANES):
                group.create_task(self._lane(), name=f"pull request plans {number}")

    async def _lane(self) -> None:
        while True:
            request = self._queue.take(now=_now())
            if request is None:
                self._changed.clear()
                try:
                    async with asyncio.timeout_at(self._queue.next_at()):
                        await self._changed.wait()
                except TimeoutError:
                    pass
                continue
            try:
                await self._run_one(request)
            finally:
                self._queue.done(request)
                self._changed.set()

    async def _run_one(self, request: PlanRequest) -> None:
        """Plan and comment within the deadline, whatever goes wrong."""
        try:
            async with asyncio.timeout(PLAN_SECONDS):
                await self._plan(request)
        except TimeoutError:
            self._again(request, f"it took more than {PLAN_SECONDS:g} s")
        except (NotThereYetError, TransientError) as error:
            self._again(request, str(error))
        except ForgeBusyError as error:
            self._again(request, str(error), after=error.retry_after_seconds)
        except ApiError as error:
            self._again(request, str(to_problem(error)))
        except SyncError as error:  # of the credentials: the sync reports it too
            self._not_planned(request, str(error))
        except Exception as error:  # noqa: BLE001 - a bug in one plan must not end the process
            self._count(_Result.CRASHED)
            log.crash(log_events.pull_request_plan_crashed, error, repo=request.repository)

    async def _plan(self, request: PlanRequest) -> None:
        services, key = self._services, request.repository
        repository = services.repositories.get(key)
        if repository is None or repository.deleting or repository.suspended:
            return
        spec = repository.spec
        if isinstance(spec, Problem) or not spec.plan_pull_requests:
            return
        project = project_of(spec)
        if project is None:
            self._tell(repository, "The API of the Git server is unknown.", _NO_PROVIDER)
            return
        if refused := violations(key, spec, services.policy):
            raise StalledError(*refused)
        client = services.client.on_behalf(f"{key.namespace}/plans of {key.name}")
        remote = await remote_of(client, key, spec, services.policy)
        token, digest = authorization(project, remote.credentials), remote.credentials.digest()
        if token is None:
            hint = f"{_GRANTS[project.provider]}."
            self._tell(repository, "There is no token for the API of the Git server.", hint)
            return
        if self._refused.get(key) == digest:
            self._count(_Result.REFUSED)
            return
        pull_request, began = request.pull_request, _now()
        planned = await self._planner.plan(
            repository, spec, pull_request, remote, any_commit=request.tries >= TRIES_FOR_A_COMMIT
        )
        write = partial(
            comment_of,
            key,
            planned.inspection,
            merge=planned.merge,
            branch=pull_request.branch,
            cluster=self._cluster,
            secrets=remote.secrets(),
            notes=tuple(held_notes(repository)),
        )
        comment = await tasks.off_loop(write, size=tasks.OFF_LOOP_STEPS)  # differences take seconds
        try:
            written = await self._commenter.write(project, pull_request.number, comment, token)
        except ForgeRefusedError as error:
            hint = "Check spec.url: the repository may have moved. Nopea tries again with the next commit."
            if error.status in (
                401,
                403,
            ):  # a 404 may be about this pull request alone
                self._refused[key] = digest
            if error.status in REFUSALS:
                hint = f"{_GRANTS[project.provider]} in the Secret of spec.secretRef."
            self._tell(repository, f"{error}.", hint)
            return
        self._told.pop(key, None)
        self._count(written)
        log.write(
            log_events.pull_request_planned,
            repo=key,
            number=pull_request.number,
            commit=planned.merge.head if planned.merge else "",
            comment=written,
            seconds=round(_now() - began, 3),
        )

    def _again(self, request: PlanRequest, why: str, *, after: float = 0.0) -> None:
        pause = max(after, min(FIRST_PAUSE_SECONDS * 3**request.tries, MOST_PAUSE_SECONDS))
        if not self._queue.retry(request, now=_now(), after=pause):
            self._not_planned(request, why)
            return
        self._count(_Result.DELAYED)
        log.write(
            log_events.pull_request_waits,
            repo=request.repository,
            number=request.pull_request.number,
            why=why,
            seconds=pause,
        )

    def _not_planned(self, request: PlanRequest, why: str) -> None:
        self._count(_Result.DROPPED)
        number = request.pull_request.number
        log.write(log_events.pull_request_not_planned, repo=request.repository, number=number, why=why)

    def _tell(self, repository: Repository, message: str, hint: str) -> None:
        """Say once what stands in the way of all comments of a repository."""
        self._count(_Result.REFUSED)
        problem = Problem(code=Code.PULL_REQUEST_PLAN, message=f"No plan is commented: {message}", hint=hint)
        if self._told.get(repository.key) == problem.message:
            return
        self._told[repository.key] = problem.message
        log.write(log_events.pull_requests_refused, repo=repository.key, problem=str(problem))
        self._events.record(
            regarding(repository),
            type="Warning",
            reason="PullRequestPlanFailed",
            action="Plan",
            note=str(problem),
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
