"""One worker per GitRepository: takes triggers, runs syncs one by one, decides when to look again.

It never looks at the cluster or at Git itself; syncs do. Crashes pass to the supervisor.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from nopea.controller.mailbox import Mailbox
from nopea.controller.schedule import Schedule
from nopea.controller.timers import Timers
from nopea.controller.turns import Turns
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.duration import backoff_seconds, parse_duration
from nopea.core.problem import Remedy
from nopea.core.status.report import ReconcileReport, Result
from nopea.core.trigger import ANNOUNCED, URGENT, WATCHED, Trigger
from nopea.reconcile.request import ReconcileRequest

DEFAULT_INTERVAL_SECONDS = 300.0
"""The poll interval of a repository whose spec cannot be read."""

LEAST_INTERVAL_SECONDS = 1.0
"""The CRD's minimum; an object stored before that rule must not make its worker spin."""


SETTLING_SECONDS = 1.0
"""A rollout changes objects many times a second; its health is published once for all of them."""

HEALTH_SECONDS = 10.0
MOST_HEALTH_SECONDS = 160.0
"""How often an unhealthy repository is checked, less and less: its Pods may fail without an event."""

SECOND_LOOKS_SECONDS = (2.0, 10.0)
"""When to ask Git again after a webhook that it does not confirm: a forge may announce too early."""

SECRET_SECONDS = 2.0
MOST_SECRET_SECONDS = 30.0
"""How often Secrets are read again while a sync fails that they may mend: Nopea may not watch them."""

HEAL_SLACK_SECONDS = 0.1
"""Times in the cluster have whole seconds, and a timer may fire a little early."""


def _now() -> datetime:
    return datetime.now(UTC)


class ReconcilePort(Protocol):
    """What a worker asks for; `Reconciler` implements it."""

    async def run(self, request: ReconcileRequest) -> ReconcileReport:
        """Run one whole sync and report it."""
        ...

    def has_changed(self, repository: Repository) -> bool:
        """Ask the watches only: True when an object is not as the last sync left it."""
        ...

    async def follow_health(self, repository: Repository) -> bool:
        """Publish the objects' health; True when it must be checked again without an event."""
        ...

    async def has_new_commit(self, repository: Repository) -> bool:
        """Ask Git only: True when a sync could find something to do."""
        ...

    async def has_new_secrets(self, repository: Repository) -> bool:
        """Ask for the Secrets only: True when one is not as the last sync read it."""
        ...


class Worker:
    """Keeps one repository synced until cancelled or shut down."""

    def __init__(
        self,
        *,
        latest: Callable[[], Repository],
        mailbox: Mailbox,
        turns: Turns,
        reconciler: ReconcilePort,
        random: Callable[[], float],
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._latest = latest
        self._mailbox = mailbox
        self._turns = turns
        self._reconciler = reconciler
        self._random = random
        self._now = now
        self._failures = 0
        self._looks = 0
        self._checks = 0
        self._secret_looks = 0

    async def run(self) -> None:
        """Run until a `SHUTDOWN` trigger or cancellation; the first sync starts at once."""
        self._mailbox.put(Trigger.STARTUP)
        timers = Timers(self._mailbox)
        try:
            while True:
                triggers = await self._mailbox.take()
                if Trigger.SHUTDOWN in triggers:
                    return
                await self._handle(triggers, timers)
        finally:
            timers.clear()

    async def _handle(self, triggers: frozenset[Trigger], timers: Timers) -> None:
        repository = self._latest()
        schedule = self._schedule(repository)
        if Trigger.WEBHOOK in triggers and not timers.is_due(Trigger.WEBHOOK):
            self._looks = 0
        timers.drop(triggers)
        if Trigger.SECRET_CHANGE in triggers and not await self._reconciler.has_new_secrets(repository):
            self._set_secret_timer(timers)
            triggers -= {Trigger.SECRET_CHANGE}
            if not triggers:
                return
        if triggers <= ANNOUNCED and not await self._reconciler.has_new_commit(repository):
            timers.keep(Trigger.POLL, schedule.poll_seconds())
            if Trigger.WEBHOOK in triggers and self._looks < len(SECOND_LOOKS_SECONDS):
                timers.set(Trigger.WEBHOOK, SECOND_LOOKS_SECONDS[self._looks])
                self._looks += 1
            return
        if triggers <= WATCHED and not self._reconciler.has_changed(repository):
            if Trigger.HEALTH not in triggers:
                self._checks = 0
                timers.no_later(Trigger.HEALTH, SETTLING_SECONDS)
            elif await self._reconciler.follow_health(repository):
                self._set_health_timer(timers)
            return
        is_urgent = not URGENT.isdisjoint(triggers)
        async with self._turns.turn(
            repository.key, is_urgent=lambda: is_urgent or not URGENT.isdisjoint(self._mailbox.pending())
        ):
            late = self._mailbox.take_now()
            await self._sync(triggers | late, timers)
        if Trigger.WEBHOOK in late:  # as above, a forge may have announced too early
            timers.no_later(Trigger.WEBHOOK, SECOND_LOOKS_SECONDS[0])
            self._looks = 1

    async def _sync(self, triggers: frozenset[Trigger], timers: Timers) -> None:
        """Run a sync for what was triggered until its turn came, and set the timers by its report."""
        if Trigger.SHUTDOWN in triggers:
            self._mailbox.put(Trigger.SHUTDOWN)
            return
        repository = self._latest()
        schedule = self._schedule(repository)
        request = ReconcileRequest(
            repository=repository,
            triggers=triggers,
            pending=self._mailbox.pending,
            retry_seconds=schedule.retry_seconds(self._failures + 1),
            slow_retry_seconds=schedule.slow_retry_seconds(),
            stalled_retry_seconds=schedule.stalled_retry_seconds(),
        )
        report = await self._reconciler.run(request)
        timers.drop(set(Trigger) - ANNOUNCED if report.without_git else Trigger)
        if report.result is Result.SUPERSEDED:
            self._mailbox.put(Trigger.RETRY)
        elif report.result is Result.FAILED:
            self._failures += 1
            timers.set(Trigger.RETRY, request.retry_in(report))
            if _waits_for_secrets(repository, report):
                self._secret_looks = 0
                self._set_secret_timer(timers)
        else:
            self._failures = 0
        if report.retry_at is not None:
            timers.set(
                Trigger.HEAL, max((report.retry_at - self._now()).total_seconds(), 0.0) + HEAL_SLACK_SECONDS
            )
        if report.health is not None and not report.health.is_settled:
            self._checks = 0
            self._set_health_timer(timers)
        if report.result in (Result.SYNCED, Result.PLANNED):
            timers.keep(Trigger.POLL, schedule.poll_seconds())
            timers.set(Trigger.RECONCILE, schedule.reconcile_seconds())

    def _schedule(self, repository: Repository) -> Schedule:
        return Schedule(interval_seconds(repository), self._random, retry_interval_seconds(repository))

    def _set_health_timer(self, timers: Timers) -> None:
        self._checks += 1
        seconds = backoff_seconds(self._checks, first=HEALTH_SECONDS, most=MOST_HEALTH_SECONDS)
        timers.set(Trigger.HEALTH, seconds)

    def _set_secret_timer(self, timers: Timers) -> None:
        self._secret_looks += 1
        seconds = backoff_seconds(self._secret_looks, first=SECRET_SECONDS, most=MOST_SECRET_SECONDS)
        timers.set(Trigger.SECRET_CHANGE, seconds)


def _waits_for_secrets(repository: Repository, report: ReconcileReport) -> bool:
    spec = repository.spec
    if not isinstance(spec, GitRepositorySpec) or not (spec.secret_ref or spec.proxy_secret_ref):
        return False
    return any(each.code.is_of_source and each.remedy is Remedy.SETTING for each in report.problems)


def interval_seconds(repository: Repository) -> float:
    """Return the repository's poll interval."""
    if isinstance(repository.spec, GitRepositorySpec):
        return max(parse_duration(repository.spec.interval).total_seconds(), LEAST_INTERVAL_SECONDS)
    return DEFAULT_INTERVAL_SECONDS


def retry_interval_seconds(repository: Repository) -> float | None:
    """Return the repository's longest wait before a retry; None if its spec does not set one."""
    spec = repository.spec
    if not isinstance(spec, GitRepositorySpec) or spec.retry_interval is None:
        return None
    return max(parse_duration(spec.retry_interval).total_seconds(), LEAST_INTERVAL_SECONDS)
