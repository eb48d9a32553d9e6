"""From watch events to workers, in virtual time: which are started, triggered and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.reconciler import FakeReconciler
from tests.fakes.samples import raw_repository
from tests.fakes.watch import FakeWatch

from nopea.controller.controller import Controller
from nopea.controller.mailbox import Mailboxes
from nopea.controller.supervisor import RestartPolicy
from nopea.core.api.repository import Repository
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.api.tenancy import AS_CALLER
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.status.report import ReconcileReport
from nopea.core.trigger import Trigger
from nopea.informers.input_watches import InputWatches
from nopea.reconcile.reconciler import Services
from nopea.reconcile.request import ReconcileRequest
from nopea.state.ownership import Ownership
from nopea.state.repositories import RepositoryStore
from nopea.state.store import RepositoryState, StateStore
from nopea.tasks import end, spawn

pytestmark = pytest.mark.looptime
API, WEB = RepoKey("shop", "api"), RepoKey("shop", "web")
STARTUP = frozenset({Trigger.STARTUP})


@dataclass
class Told:
    """A publisher that records the crashes and the deletions that it must report."""

    crashes: list[tuple[RepoKey, str]] = field(default_factory=list)
    ends: list[RepoKey] = field(default_factory=list)

    async def crashed(self, repository: Repository, state: RepositoryState, *, last_line: str) -> None:
        """Record the crash."""
        del state
        self.crashes.append((repository.key, last_line))

    def gone(self, repository: Repository, state: RepositoryState | None) -> None:
        """Record the deletion."""
        del state
        self.ends.append(repository.key)


class Place:
    """A controller with the state that it shares with reconciliations."""

    def __init__(self, watch: FakeWatch, reconciler: FakeReconciler, **options: Any) -> None:
        self.watch, self.reconciler, self.told = watch, reconciler, Told()
        self.repositories, self.store, self.ownership = RepositoryStore(), StateStore(), Ownership()
        shared = SimpleNamespace(
            repositories=self.repositories, store=self.store, ownership=self.ownership, publisher=self.told
        )
        self.inputs = InputWatches(FakeCluster().client, wake=lambda _: None)
        self.controller = Controller(
            client=watch.client,
            services=cast("Services", shared),
            reconciler=reconciler,
            mailboxes=Mailboxes(),
            inputs=self.inputs,
            **options,
        )

    def woken(self, key: RepoKey) -> list[frozenset[Trigger]]:
        """Return the triggers of each sync of a repository."""
        return [one.triggers for one in self.reconciler.requests if one.repository.key == key]

    def remember(self, key: RepoKey, *, uid: str = "uid-1") -> RepositoryState:
        """Create the state that a sync of the repository leaves behind."""
        self.ownership.claim(ObjectKey("", "ConfigMap", "shop", key.name), key)
        return self.store.state(key, uid=uid, status=GitRepositoryStatus())


@asynccontextmanager
async def controlling(
    *objects: dict[str, Any], reconciler: FakeReconciler | None = None, **options: Any
) -> AsyncIterator[Place]:
    """Run a controller over these GitRepositories while the context is open."""
    place = Place(FakeWatch(objects), reconciler or FakeReconciler(seconds=0), **options)
    running = spawn(place.controller.run(), name="controller")
    try:
        await asyncio.sleep(1)
        yield place
    finally:
        await end(running)
        await place.controller.drain(seconds=0)


async def test_each_repository_has_a_worker() -> None:
    """New GitRepositories get a worker too, and so do those with an invalid spec."""
    async with controlling(raw_repository("api"), raw_repository("web", url=5)) as place:
        place.watch.put(raw_repository("new"))
        await asyncio.sleep(1)

        assert (place.controller.workers, place.controller.restarts, place.controller.pending) == (3, 0, 0)
        assert place.repositories.keys() == {API, WEB, RepoKey("shop", "new")}
        assert place.woken(API) == place.woken(WEB) == place.woken(RepoKey("shop", "new")) == [STARTUP]


async def test_a_new_spec_triggers_a_sync_of_the_same_worker() -> None:
    """The sync gets the new version of the GitRepository."""
    async with controlling(raw_repository("api"), raw_repository("web")) as place:
        place.watch.put(raw_repository("api", generation=2, path="deploy"))
        await asyncio.sleep(1)

        assert place.woken(API) == [STARTUP, {Trigger.SPEC_CHANGE}]
        assert place.reconciler.requests[-1].repository.generation == 2
        assert place.woken(WEB) == [STARTUP]


async def test_a_request_by_annotation_triggers_a_sync() -> None:
    """Each new value of the annotation triggers one sync."""
    asked = raw_repository("api", annotations={"nopea.io/sync-requested-at": "now"})
    async with controlling(raw_repository("api")) as place:
        place.watch.put(asked)
        place.watch.put(asked)
        await asyncio.sleep(1)

        assert place.woken(API) == [STARTUP, {Trigger.MANUAL}]


async def test_a_status_write_triggers_nothing() -> None:
    """The watch also shows the controller's own status writes, which must not trigger a sync."""
    async with controlling(raw_repository("api")) as place:
        place.watch.put(raw_repository("api", status={"phase": "Synced"}))
        await asyncio.sleep(1)

        assert place.woken(API) == [STARTUP]


@pytest.mark.parametrize("how", ["deleted", "deleting"])
async def test_a_deleted_repository_is_forgotten(how: str) -> None:
    """Its sync is cancelled and its state and claims are released; other repositories are not affected."""
    slow = FakeReconciler(seconds=100)
    async with controlling(raw_repository("api"), raw_repository("web"), reconciler=slow) as place:
        place.remember(API)
        place.remember(WEB)
        if how == "deleted":
            place.watch.delete(raw_repository("api"))
        else:
            place.watch.put(raw_repository("api", deleting=True))
        await asyncio.sleep(1)

        assert place.controller.workers == 1
        assert slow.cancelled == 1
        assert place.repositories.keys() == set(place.store.states) == {WEB}
        assert place.ownership.claim(ObjectKey("", "ConfigMap", "shop", "api"), WEB) == WEB
        assert place.told.ends == [API]


async def test_a_deletion_with_a_finalizer_is_reported_by_the_sync() -> None:
    """The sync that removes the finalizer reports the deletion, so the controller does not."""
    held = raw_repository("api", deleting=True)
    held["metadata"]["finalizers"] = ["nopea.io/finalizer"]
    async with controlling(raw_repository("api")) as place:
        place.watch.put(held)
        await asyncio.sleep(1)
        place.watch.delete(held)
        await asyncio.sleep(1)

        assert place.woken(API) == [STARTUP, {Trigger.DELETION}]
        assert place.told.ends == []


async def test_a_deletion_is_reported_once() -> None:
    """Later versions of the deleted object do not report it again."""
    async with controlling(raw_repository("api")) as place:
        place.watch.put(raw_repository("api", deleting=True))
        place.watch.put(raw_repository("api", deleting=True, generation=2))
        place.watch.delete(raw_repository("api", deleting=True))
        await asyncio.sleep(1)

        assert place.told.ends == [API]


async def test_a_recreated_repository_starts_without_state() -> None:
    """A GitRepository with a new uid does not inherit the state of the old one."""
    async with controlling(raw_repository("api")) as place:
        place.remember(API).complete = True
        place.watch.put(raw_repository("api", uid="uid-2"))
        await asyncio.sleep(1)

        assert place.controller.workers == 1
        assert API not in place.store.states
        assert place.woken(API) == [STARTUP, STARTUP]
        assert place.reconciler.requests[-1].repository.uid == "uid-2"


async def test_after_an_outage_only_changes_are_handled() -> None:
    """After a new list, missing repositories are stopped, new ones started and changed ones triggered."""
    kept, changed, gone = raw_repository("kept"), raw_repository("changed"), raw_repository("gone")
    async with controlling(kept, changed, gone) as place:
        place.watch.change_unseen(
            raw_repository("changed", generation=2), raw_repository("new"), deleted=[gone]
        )
        place.watch.forget_history()
        await asyncio.sleep(60)

        assert place.repositories.keys() == {RepoKey("shop", name) for name in ("kept", "changed", "new")}
        assert place.controller.workers == 3
        assert place.woken(RepoKey("shop", "kept")) == [STARTUP]
        assert place.woken(RepoKey("shop", "changed")) == [STARTUP, {Trigger.SPEC_CHANGE}]
        assert place.woken(RepoKey("shop", "new")) == [STARTUP]


async def test_every_repository_is_known_before_the_first_sync() -> None:
    """A sync takes over objects of owners that do not exist, so all owners must be known first."""
    seen: list[int] = []

    class Looking(FakeReconciler):
        async def run(self, request: ReconcileRequest) -> ReconcileReport:
            seen.append(len(place.repositories))
            return await super().run(request)

    watch = FakeWatch([raw_repository(f"r{number}") for number in range(10)])
    place = Place(watch, Looking(seconds=0))
    running = spawn(place.controller.run(), name="controller")
    await asyncio.sleep(1)

    assert seen == [10] * 10
    await end(running)
    await place.controller.drain(seconds=0)


async def test_ready_since_the_first_list() -> None:
    """Before the first list the reason is reported; a later outage does not make the process unready."""
    place = Place(FakeWatch([raw_repository()]), FakeReconciler(seconds=0))
    assert place.controller.why_not_ready() == "waiting for the list of GitRepositories"
    place.watch.down = True
    running = spawn(place.controller.run(), name="controller")
    await asyncio.sleep(5)
    assert "no route to the API server" in place.controller.why_not_ready()

    place.watch.down = False
    await asyncio.sleep(60)
    assert place.controller.why_not_ready() == ""

    place.watch.down = True
    place.watch.forget_history()
    await asyncio.sleep(60)
    assert place.controller.why_not_ready() == ""
    assert place.controller.workers == 1
    await end(running)
    await place.controller.drain(seconds=0)


async def test_one_namespace_is_watched_if_configured() -> None:
    """Without a namespace the whole cluster is watched."""
    async with controlling(namespace="shop") as place:
        assert place.watch.selections[0].namespace == "shop"
    async with controlling() as place:
        assert place.watch.selections[0].namespace == ""


async def test_a_new_kind_triggers_the_repositories_that_wait_for_one() -> None:
    """Repositories without unknown kinds are not triggered."""
    async with controlling(raw_repository("api"), raw_repository("web")) as place:
        place.remember(API).unknown_kinds = True
        place.remember(WEB)
        place.controller.kinds_changed()
        await asyncio.sleep(1)

        assert place.woken(API) == [STARTUP, {Trigger.KIND_CHANGE}]
        assert place.woken(WEB) == [STARTUP]


async def test_what_a_repository_refers_to_is_followed_as_long_as_it_does() -> None:
    """A new spec, its suspension and its deletion end that."""
    references = [{"kind": "ConfigMap", "name": "cluster"}]
    spec: dict[str, Any] = {"serviceAccountName": "deployer", "substituteFrom": references}
    async with controlling(raw_repository("api", **spec), raw_repository("web", **spec)) as place:
        assert place.inputs._followed.keys() == {API, WEB}
        assert len(place.inputs) == 1

        place.watch.put(raw_repository("api", generation=2, **spec, suspend=True))
        place.watch.delete(raw_repository("web", **spec))
        await asyncio.sleep(1)
        assert len(place.inputs) == 0

        place.watch.put(raw_repository("api", generation=3, **spec))
        await asyncio.sleep(1)
        assert place.inputs._followed.keys() == {API}


async def test_a_push_triggers_its_repositories() -> None:
    """The result lists the triggered repositories; one that no longer exists is not among them."""
    reconciler = FakeReconciler(seconds=0, news=True)
    async with controlling(raw_repository("api"), raw_repository("web"), reconciler=reconciler) as place:
        assert place.controller.webhook_received([API, RepoKey("shop", "gone")]) == (API,)
        await asyncio.sleep(1)

        assert place.woken(API) == [STARTUP, {Trigger.WEBHOOK}]
        assert place.woken(WEB) == [STARTUP]


async def test_all_repositories_can_be_triggered() -> None:
    """All workers get the same trigger."""
    async with controlling(raw_repository("api"), raw_repository("web")) as place:
        place.controller.wake(Trigger.RECONCILE)
        await asyncio.sleep(1)

        assert place.woken(API) == place.woken(WEB) == [STARTUP, {Trigger.RECONCILE}]


async def test_draining_waits_for_running_syncs(looptime: Any) -> None:
    """Draining takes as long as the longest sync, and no timer starts another one."""
    slow = FakeReconciler(seconds=10)
    async with controlling(raw_repository("api"), raw_repository("web"), reconciler=slow) as place:
        await place.controller.drain(seconds=60)

        assert looptime == 10
        assert slow.cancelled == 0
        await asyncio.sleep(10_000)
        assert len(slow.requests) == 2


async def test_draining_cancels_syncs_after_the_deadline(looptime: Any) -> None:
    """A sync that is still running after the deadline is cancelled."""
    slow = FakeReconciler(seconds=10_000)
    async with controlling(raw_repository("api"), reconciler=slow) as place:
        await place.controller.drain(seconds=5)

        assert looptime == 6
        assert slow.cancelled == 1


async def test_a_worker_in_backoff_does_not_delay_the_drain(looptime: Any) -> None:
    """A worker that waits to be restarted has nothing to finish."""
    crashing = FakeReconciler([RuntimeError("a bug")] * 100, seconds=0)
    restarts = RestartPolicy(first_seconds=1000, most_seconds=1000)
    async with controlling(raw_repository("api"), reconciler=crashing, restarts=restarts) as place:
        await place.controller.drain(seconds=60)

        assert looptime == 1


async def test_a_worker_that_keeps_crashing_is_reported() -> None:
    """It is reported from the policy's count on, with the error; other repositories are synced meanwhile."""

    class Crashing(FakeReconciler):
        async def run(self, request: ReconcileRequest) -> ReconcileReport:
            done = await super().run(request)
            if request.repository.key == API and len(place.woken(API)) <= 3:
                raise RuntimeError("a bug")
            return done

    restarts = RestartPolicy(first_seconds=1, stalled_after=3)
    reconciler = Crashing(seconds=0.1)
    async with controlling(
        raw_repository("api"), raw_repository("web"), reconciler=reconciler, restarts=restarts
    ) as place:
        await asyncio.sleep(1)
        assert place.told.crashes == []
        await asyncio.sleep(100)

        assert place.told.crashes == [(API, "RuntimeError: a bug")]
        assert place.woken(WEB) == [STARTUP]
        assert place.woken(API) == [STARTUP] * 4


async def test_file_urls_are_allowed_by_the_option() -> None:
    """The controller parses GitRepositories with the option; by default a file URL is invalid."""
    local = raw_repository("api", url="file:///srv/git/api")
    async with controlling(local) as place:
        assert not hasattr(place.reconciler.requests[0].repository.spec, "url")
    async with controlling(local, policy=AS_CALLER) as place:
        assert hasattr(place.reconciler.requests[0].repository.spec, "url")


async def test_changes_of_the_rollback_annotation_trigger_syncs() -> None:
    """The annotation does not change the generation; an invalid value triggers a sync too."""
    free = raw_repository("api")
    held, other, wrong = (
        raw_repository("api", annotations={"nopea.io/rollback-to": text})
        for text in ("a" * 40, "b" * 40, "main")
    )
    async with controlling(free) as place:
        for version in (held, held, other, wrong, free):
            place.watch.put(version)
            await asyncio.sleep(1)

        rollback = {Trigger.ROLLBACK}
        assert place.woken(API) == [STARTUP, rollback, rollback, rollback, {Trigger.RESUME}]
        pins = [one.repository.rollback_to for one in place.reconciler.requests]
        assert pins == ["", "a" * 40, "b" * 40, "", ""]
