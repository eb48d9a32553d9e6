"""Watches GitRepositories, and starts, wakes and stops their workers; never syncs anything itself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from contextlib import aclosing

from nopea import log_events
from nopea.controller.mailbox import Mailboxes
from nopea.controller.supervisor import Crash, RestartPolicy, Supervisor
from nopea.controller.turns import Turns
from nopea.controller.worker import ReconcilePort, Worker
from nopea.core.api.repository import Repository, parse_repository
from nopea.core.api.tenancy import LEAST, TenancyPolicy
from nopea.core.objects import RepoKey
from nopea.core.trigger import Trigger
from nopea.informers.input_watches import InputWatches
from nopea.kube.client import KubeClient
from nopea.kube.errors import NotFoundError
from nopea.kube.kinds import GIT_REPOSITORIES
from nopea.kube.live import LiveObject
from nopea.kube.requests import Selection
from nopea.kube.watch import Changed, Deleted, Synced, WatchHealth, list_and_watch
from nopea.logs import Log
from nopea.reconcile.accounts import inputs_of
from nopea.reconcile.reconciler import Services

log = Log(__name__)

CLOSE_SECONDS = 2.0
"""How long cancelled workers may clean up; part of the time that the drain reserves."""


class Controller:
    """Owns the workers: one per GitRepository that exists and is not being deleted."""

    def __init__(
        self,
        *,
        client: KubeClient,
        services: Services,
        reconciler: ReconcilePort,
        mailboxes: Mailboxes,
        inputs: InputWatches,
        namespace: str | None = None,
        policy: TenancyPolicy = LEAST,
        restarts: RestartPolicy | None = None,
    ) -> None:
        self._client = client
        self._services = services
        self._reconciler = reconciler
        self._namespace = namespace
        self._policy = policy
        self._mailboxes = mailboxes
        self._inputs = inputs
        self._turns = Turns()
        self._supervisor: Supervisor[RepoKey] = Supervisor(
            policy=restarts or RestartPolicy(), on_crash=self._on_crash
        )
        self.health = WatchHealth()

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return len(self._supervisor)

    @property
    def restarts(self) -> int:
        """How many workers were restarted after a crash, since the start."""
        return self._supervisor.restarts

    @property
    def pending(self) -> int:
        """How many triggers wait in the mailboxes."""
        return self._mailboxes.pending

    @property
    def waiting(self) -> int:
        """How many syncs wait for their turn."""
        return self._turns.waiting

    def why_not_ready(self) -> str:
        """Return why the controller is not ready; empty once it has had its first list."""
        if self.health.lists:
            return ""
        error = self.health.last_error
        if isinstance(error, NotFoundError):
            return "the API server does not know GitRepositories: apply deploy/base/crds"
        return (
            f"the list of GitRepositories failed: {error}"
            if error
            else "waiting for the list of GitRepositories"
        )

    async def run(self) -> None:
        """Follow the GitRepositories until cancelled; the workers live on until `drain`."""
        selection = Selection(namespace=self._namespace or "")
        events = list_and_watch(self._client, GIT_REPOSITORIES, selection, health=self.health)
        async with aclosing(events):
            async for event in events:
                match event:
                    case Synced(objects):
                        self._replace_all([self._parse(live) for live in objects])
                    case Changed(live):
                        self._changed(self._parse(live))
                    case Deleted(live):
                        self._gone(RepoKey(live.meta.namespace, live.meta.name))

    async def drain(self, *, seconds: float) -> None:
        """Let every sync stop between two objects and report; cancel what takes longer."""
        self._mailboxes.put_all(Trigger.SHUTDOWN)
        self._turns.lift()
        try:
            async with asyncio.timeout(seconds):
                await self._supervisor.finished()
        except TimeoutError:
            log.write(log_events.syncs_interrupted, workers=self._supervisor.running)
        finally:
            await self._supervisor.close(seconds=CLOSE_SECONDS)

    def wake(self, trigger: Trigger) -> None:
        """Put a trigger into every mailbox."""
        self._mailboxes.put_all(trigger)

    def webhook_received(self, keys: Iterable[RepoKey]) -> tuple[RepoKey, ...]:
        """Wake these repositories because a push was announced; returns those that have a worker."""
        woken = tuple(key for key in keys if key in self._mailboxes)
        for key in woken:
            self._mailboxes.put(key, Trigger.WEBHOOK)
        return woken

    def kinds_changed(self) -> None:
        """Wake the repositories whose last sync met a kind that was not served."""
        for key in self._mailboxes:
            state = self._services.store.states.get(key)
            if state is not None and state.unknown_kinds:
                self._mailboxes.put(key, Trigger.KIND_CHANGE)

    def _parse(self, live: LiveObject) -> Repository:
        return parse_repository(live.json(), policy=self._policy)

    def _replace_all(self, repositories: list[Repository]) -> None:
        for key in self._services.repositories.keys() - {repository.key for repository in repositories}:
            self._gone(key)
        for repository in repositories:  # no sync starts before all are known: it asks who else exists
            self._changed(repository)

    def _changed(self, repository: Repository) -> None:
        key = repository.key
        before = self._services.repositories.get(key)
        if before is not None and before.uid != repository.uid:
            self._gone(key)
        if repository.deleting and not repository.has_finalizer:
            self._gone(key)
            return
        was = self._services.repositories.dependency(key)
        self._services.repositories.put(repository)
        self._inputs.follow(key, inputs_of(self._policy, repository))
        if self._services.repositories.dependency(key) != was:
            self._wake_dependants(key)
        if key not in self._mailboxes:
            self._start(key)
        elif before is not None and (before.deleting, before.abandoned) != (
            repository.deleting,
            repository.abandoned,
        ):
            self._mailboxes.put(key, Trigger.DELETION)
        elif before is not None and before.generation != repository.generation:
            self._mailboxes.put(key, Trigger.SPEC_CHANGE)
        elif before is not None and (before.pin, before.pin_problem) != (
            repository.pin,
            repository.pin_problem,
        ):
            is_held = repository.pin or repository.pin_problem
            self._mailboxes.put(key, Trigger.ROLLBACK if is_held else Trigger.RESUME)
        elif before is not None and _requests(before) != _requests(repository):
            self._mailboxes.put(key, Trigger.MANUAL)

    def _wake_dependants(self, key: RepoKey) -> None:
        for other, depends_on in self._services.repositories.dependencies().items():
            if key in depends_on:
                self._mailboxes.put(other, Trigger.DEPENDENCY)

    def _start(self, key: RepoKey) -> None:
        worker = Worker(
            latest=self._services.repositories.reader(key),
            mailbox=self._mailboxes.open(key),
            turns=self._turns,
            reconciler=self._reconciler,
            random=random.random,
        )
        self._supervisor.start(key, worker.run)

    def _gone(self, key: RepoKey) -> None:
        known = self._services.repositories.get(key)
        if self._mailboxes.close(key):
            log.write(log_events.repository_deleted, repo=key)
            if known is not None and not known.deleting:  # else a sync handles the deletion and reports it
                self._services.publisher.gone(known, self._services.store.states.get(key))
        self._supervisor.stop(key)
        self._inputs.follow(key, ())
        self._services.repositories.remove(key)
        for waiting in self._services.ownership.release(key):
            self._mailboxes.put(waiting, Trigger.RETRY)
        self._services.store.forget(key)

    async def _on_crash(self, key: RepoKey, crash: Crash) -> None:
        repository = self._services.repositories.get(key)
        if crash.stalled and repository is not None:
            state = self._services.store.state(key, uid=repository.uid, status=repository.status)
            await self._services.publisher.crashed(repository, state, last_line=crash.last_line)


def _requests(repository: Repository) -> tuple[str, ...]:
    """What users request by annotations."""
    return (repository.sync_requested_at, repository.heal_requested, repository.confirm_prune)
