"""Publish what a sync did: status, Events and one log line, all views of the same report.

Writes nothing when there is nothing to say; never decides what to do about it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from nopea import log_events, tasks
from nopea.core.api import names
from nopea.core.api.repository import Repository
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.health.condition import HealthSummary
from nopea.core.problem import Code, Problem
from nopea.core.secret import mask_url
from nopea.core.status import status as views
from nopea.core.status.events import MOST_OF_A_KIND, event_lines, object_lines
from nopea.core.status.health import is_detail, with_health
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.transition import Transition
from nopea.core.trigger import Trigger
from nopea.ids import new_ulid
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, NotFoundError
from nopea.kube.events import EventRecorder, Regarding, regarding
from nopea.kube.kinds import repository_target
from nopea.logs import Log
from nopea.reconcile.request import ReconcileRequest
from nopea.state.repositories import RepositoryStore
from nopea.state.store import RepositoryState

log = Log(__name__)
DETAILS_SECONDS = 10.0
"""A rollout changes the message of Healthy with each replica; between its ends it is written this often."""

PROGRESS_AFTER_SECONDS = 2.0
"""A sync that ends sooner is reported once: two writes fewer for each of a thousand repositories."""


class Publisher:
    """Writes statuses and Events of all repositories, and reports each step to the listeners.

    A listener must return at once: syncs wait for it. What it raises is logged and touches nobody else.
    """

    def __init__(
        self,
        *,
        client: KubeClient,
        events: EventRecorder,
        repositories: RepositoryStore,
        listeners: Sequence[Callable[[Transition], None]] = (),
    ) -> None:
        self._client = client
        self._events = events
        self._repositories = repositories
        self._listeners = tuple(listeners)

    @asynccontextmanager
    async def progress(
        self, repository: Repository, state: RepositoryState, *, plans: bool = False
    ) -> AsyncIterator[None]:
        """Set Reconciling in the status once a sync, or a plan, has taken `PROGRESS_AFTER_SECONDS`."""
        done = asyncio.Event()

        async def tell() -> None:
            try:
                async with asyncio.timeout(PROGRESS_AFTER_SECONDS):
                    await done.wait()
            except TimeoutError:
                status = views.progressing(
                    state.status,
                    generation=repository.generation,
                    message="Fetching and planning." if plans else "Fetching and applying.",
                    now=datetime.now(UTC),
                )
                await self._write(repository, state, status)

        telling = tasks.spawn(tell(), name=f"progress of {repository.key}")
        try:
            yield
            done.set()
            await telling  # a write under way must reach the server before the final one
        finally:
            await tasks.end(telling)

    async def publish(
        self, request: ReconcileRequest, state: RepositoryState, report: ReconcileReport
    ) -> bool:
        """Publish the report; False when the status could not be written and must be retried."""
        repository = request.repository
        _log_sync(repository, report, known=state.problems)
        state.problems = report.problems
        now = datetime.now(UTC)
        if report.result is Result.DELETED:
            self._tell(repository, state, state.status, state.status, report, at=now)
            return True  # nobody is left to write to
        if report.result is Result.SUPERSEDED:
            if Trigger.SHUTDOWN in request.pending():
                await self._interrupted(repository, state, report, now=now)
            self._tell(repository, state, state.status, state.status, report, at=now)
            return True  # else the next sync follows at once and reports its own
        retry_at = (
            now + timedelta(seconds=request.retry_in(report)) if report.result is Result.FAILED else None
        )
        before = state.status
        status = views.reported(before, report, now=now, retry_at=retry_at, wait=repository.waits_for_health)
        written = status == before or await self._write(repository, state, status)
        self._record_contested(repository, state, report)
        if written:  # else the sync is repeated and reports then
            self._tell(repository, state, before, status, report, at=now)
        return written

    async def health(
        self, repository: Repository, state: RepositoryState, health: HealthSummary | None
    ) -> bool:
        """Publish the objects' health when it has changed; False when that must be tried again later."""
        now = datetime.now(UTC)
        status = with_health(
            state.status,
            health,
            wait=repository.waits_for_health,
            generation=repository.generation,
            now=now,
        )
        before = state.status
        if status == before:
            return True
        is_early = asyncio.get_running_loop().time() < state.written_at + DETAILS_SECONDS
        if is_early and is_detail(before, status):
            return False
        if not await self._write(repository, state, status):
            return False
        self._tell(repository, state, before, status, None, at=now)
        return True

    def gone(self, repository: Repository, state: RepositoryState | None) -> None:
        """Report the removal of a repository that no sync could handle: its objects stay."""
        now = datetime.now(UTC)
        status = repository.status if state is None else state.status
        ended = replace(repository, deleting=True, has_finalizer=False)
        report = ReconcileReport(
            id=new_ulid(),
            generation=repository.generation,
            triggers=(Trigger.DELETION,),
            result=Result.DELETED,
            commit=None,
            objects=(),
            problems=(),
            started_at=now,
            seconds=0.0,
            why_objects_stay=ended.why_objects_stay,
        )
        self._tell(ended, state, status, status, report, at=now)

    async def crashed(self, repository: Repository, state: RepositoryState, *, last_line: str) -> None:
        """Report that the repository's worker keeps crashing."""
        problem = Problem(
            code=Code.WORKER_CRASHED,
            message=f"The worker of this GitRepository keeps crashing: {last_line}.",
            hint="This is a bug in Nopea. Report it with the traceback in the log. "
            "Other GitRepositories are not affected.",
        )
        now = datetime.now(UTC)
        before = state.status
        status = views.crashed(before, problem=problem, generation=repository.generation, now=now)
        if await self._write(repository, state, status):
            self._tell(repository, state, before, status, None, at=now)
        self._events.record(
            regarding(repository), type="Warning", reason="WorkerCrashed", action="Sync", note=str(problem)
        )

    async def _interrupted(
        self, repository: Repository, state: RepositoryState, report: ReconcileReport, *, now: datetime
    ) -> None:
        """Report how far the last sync before a shutdown came."""
        status, note = views.interrupted(state.status, report, now=now)
        status = msgspec.structs.replace(status, inventory=report.inventory)
        await self._write(repository, state, status)
        self._events.record(
            regarding(repository), type="Normal", reason="Interrupted", action="Sync", note=note
        )

    def _tell(
        self,
        repository: Repository,
        state: RepositoryState | None,
        before: GitRepositoryStatus,
        after: GitRepositoryStatus,
        report: ReconcileReport | None,
        *,
        at: datetime,
    ) -> None:
        remote = state.remote if state is not None else None
        step = Transition(
            repository=repository,
            before=before,
            after=after,
            report=report,
            at=at,
            hidden=remote.secrets() if remote is not None else (),
        )
        for line in event_lines(step):
            if line.reason == "Orphaned":
                log.write(log_events.objects_orphaned, repo=repository.key, note=line.note)
            self._events.record(
                regarding(repository), type=line.type, reason=line.reason, action=line.action, note=line.note
            )
        for result, line in object_lines(step):
            if not self._repositories.covers(result.key.namespace):
                continue  # it has no right to Events there
            self._events.record(
                Regarding(
                    api_version=result.api_version,
                    kind=result.key.kind,
                    namespace=result.key.namespace,
                    name=result.key.name,
                    uid=result.uid,
                ),
                type=line.type,
                reason=line.reason,
                action=line.action,
                note=line.note,
                related=regarding(repository),
            )
        for listener in self._listeners:
            try:
                listener(step)
            except Exception as error:  # noqa: BLE001 - a bug in a signal must not stop what it reports
                log.crash(log_events.message_not_made, error, repo=repository.key)

    def _record_contested(
        self, repository: Repository, state: RepositoryState, report: ReconcileReport
    ) -> None:
        """Send one Event for objects that another repository declares too; it reports them in its errors."""
        for key, other in [one for one in report.contested if one not in state.contested][:MOST_OF_A_KIND]:
            note = f"{key} is also declared by the GitRepository {other}. This GitRepository keeps it."
            self._events.record(
                regarding(repository), type="Warning", reason="AlsoDeclared", action="Sync", note=note
            )
        told = frozenset(report.contested)
        state.contested = told if report.result is Result.SYNCED else state.contested | told

    async def _write(
        self, repository: Repository, state: RepositoryState, status: GitRepositoryStatus
    ) -> bool:
        body = msgspec.json.encode(
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": {
                    "name": repository.key.name,
                    "namespace": repository.key.namespace,
                },
                "status": status,
            }
        )
        try:
            await self._client.apply_status(repository_target(repository.key), body)
        except NotFoundError:
            return True  # it was deleted: there is no status to write
        except ApiError as error:
            log.write(log_events.status_not_written, repo=repository.key, error=str(error))
            return False
        state.status, state.written_at = status, asyncio.get_running_loop().time()
        return True


def _log_sync(repository: Repository, report: ReconcileReport, *, known: tuple[Problem, ...]) -> None:
    facts: dict[str, Any] = {
        "repo": repository.key,
        "sync_id": report.id,
        "triggers": report.triggers,
        "result": report.result,
        "commit": report.commit.id if report.commit else None,
        "objects": len(report.objects),
        "created": report.count(Outcome.CREATED),
        "configured": report.count(Outcome.CONFIGURED),
        "pruned": report.count(Outcome.PRUNED),
        "drifted": sum(one.drifts for one in report.objects),
        "failed": report.count(Outcome.FAILED),
        "seconds": round(report.seconds, 3),
    }
    if not report.problems:
        log.write(log_events.sync_finished, **facts)
        return
    if report.problems == known:
        log.write(log_events.sync_failed_again, **facts, codes=report.codes)
        return
    log.write(
        log_events.sync_failed,
        **facts,
        codes=report.codes,
        problems=[str(problem) for problem in report.problems[:10]],
        url="" if isinstance(repository.spec, Problem) else mask_url(repository.spec.url),
    )
