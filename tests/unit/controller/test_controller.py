"""From watch events to workers, in virtual time: who gets one, who is woken, who is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.fakes.reconciler import FakeReconciler
from tests.fakes.samples import raw_repository
from tests.fakes.watch import FakeWatch

from nopea.controller.controller import Controller
from nopea.controller.mailbox import Mailboxes
from nopea.controller.supervisor import RestartPolicy
from nopea.core.api.repository import Repository
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.status.report import ReconcileReport
from nopea.core.trigger import Trigger
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
    """A publisher that remembers whose worker was said to crash, and why, and whose end was told."""

    crashes: list[tuple[RepoKey, str]] = field(default_factory=list)
    ends: list[RepoKey] = field(default_factory=list)

    async def crashed(self, repository: Repository, state: RepositoryState, *, last_line: str) -> None:
        """Remember it."""
        del state
        self.crashes.append((repository.key, last_line))

    def gone(self, repository: Repository, state: RepositoryState | None) -> None:
        """Remember it."""
        del state
        self.ends.append(repository.key)


class Place:
    """A controller with what it shares with passes."""

    def __init__(self, watch: FakeWatch, reconciler: FakeReconciler, **options: Any) -> None:
        self.watch, self.reconciler, self.told = watch, reconciler, Told()
        self.repositories, self.store, self.ownership = RepositoryStore(), StateStore(), Ownership()
        shared = SimpleNamespace(
            repositories=self.repositories, store=self.store, ownership=self.ownership, publisher=self.told
        )
        self.controller = Controller(
            client=watch.client,
            services=cast("Services", shared),
            reconciler=reconciler,
            mailboxes=Mailboxes(),
            **options,
        )

    def woken(self, key: RepoKey) -> list[frozenset[Trigger]]:
        """Return what woke each pass of a repository."""
        return [one.triggers for one in self.reconciler.requests if one.repository.key == key]

    def remember(self, key: RepoKey, *, uid: str = "uid-1") -> RepositoryState:
        """Give the repository what a pass leaves behind."""
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
    """Those that were there, and those that come later; a broken spec is a worker's business too."""
    async with controlling(raw_repository("api"), raw_repository("web", url=5)) as place:
        place.watch.put(raw_repository("new"))
        await asyncio.sleep(1)

        assert (place.controller.workers, place.controller.restarts, place.controller.pending) == (3, 0, 0)
        assert place.repositories.keys() == {API, WEB, RepoKey("shop", "new")}
        assert place.woken(API) == place.woken(WEB) == place.woken(RepoKey("shop", "new")) == [STARTUP]


async def test_a_new_spec_is_a_pass_and_no_new_worker() -> None:
    """The pass sees the new version."""
    async with controlling(raw_repository("api"), raw_repository("web")) as place:
        place.watch.put(raw_repository("api", generation=2, path="deploy"))
        await asyncio.sleep(1)

        assert place.woken(API) == [STARTUP, {Trigger.SPEC_CHANGE}]
        assert place.reconciler.requests[-1].repository.generation == 2
        assert place.woken(WEB) == [STARTUP]


async def test_a_request_by_annotation_is_a_pass() -> None:
    """Each new value once."""
    asked = raw_repository("api", annotations={"nopea.io/sync-requested-at": "now"})
    async with controlling(raw_repository("api")) as place:
        place.watch.put(asked)
        place.watch.put(asked)
        await asyncio.sleep(1)

        assert place.woken(API) == [STARTUP, {Trigger.MANUAL}]


async def test_our_own_status_wakes_nobody() -> None:
    """The watch shows what we wrote; reacting to it would never end."""
    async with controlling(raw_repository("api")) as place:
        place.watch.put(raw_repository("api", status={"phase": "Synced"}))
        await asyncio.sleep(1)

        assert place.woken(API) == [STARTUP]


@pytest.mark.parametrize("how", ["deleted", "deleting"])
async def test_a_repository_that_goes_is_forgotten(how: str) -> None:
    """Its pass is cancelled; directory, cache and claims let go; its neighbour is not touched."""
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


async def test_an_end_that_a_pass_made_is_the_passs_to_tell() -> None:
    """Whoever holds the finalizer tells what became of the objects, once."""
    held = raw_repository("api", deleting=True)
    held["metadata"]["finalizers"] = ["nopea.io/finalizer"]
    async with controlling(raw_repository("api")) as place:
        place.watch.put(held)
        await asyncio.sleep(1)
        place.watch.delete(held)
        await asyncio.sleep(1)

        assert place.woken(API) == [STARTUP, {Trigger.DELETION}]
        assert place.told.ends == []


async def test_an_end_is_told_once() -> None:
    """However many versions of the object come after it."""
    async with controlling(raw_repository("api")) as place:
        place.watch.put(raw_repository("api", deleting=True))
        place.watch.put(raw_repository("api", deleting=True, generation=2))
        place.watch.delete(raw_repository("api", deleting=True))
        await asyncio.sleep(1)

        assert place.told.ends == [API]


async def test_another_object_of_the_same_name_starts_afresh() -> None:
    """Deleted and made again between two looks: nothing of the old one's memory serves the new one."""
    async with controlling(raw_repository("api")) as place:
        place.remember(API).complete = True
        place.watch.put(raw_repository("api", uid="uid-2"))
        await asyncio.sleep(1)

        assert place.controller.workers == 1
        assert API not in place.store.states
        assert place.woken(API) == [STARTUP, STARTUP]
        assert place.reconciler.requests[-1].repository.uid == "uid-2"


async def test_after_an_outage_only_what_changed_is_touched() -> None:
    """The list comes anew: who is missing goes, who is new comes, who changed is woken, the others rest."""
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


async def test_every_repository_is_known_before_the_first_pass() -> None:
    """A pass asks who else exists: an owner that is not listed yet would lose its objects."""
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


async def test_ready_with_the_first_list_and_for_good() -> None:
    """Before it the reason is given; an outage later does not take it back."""
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


async def test_one_namespace_is_watched_when_told() -> None:
    """And the whole cluster otherwise."""
    async with controlling(namespace="shop") as place:
        assert place.watch.selections[0].namespace == "shop"
    async with controlling() as place:
        assert place.watch.selections[0].namespace == ""


async def test_a_new_kind_wakes_who_waits_for_one() -> None:
    """And nobody else."""
    async with controlling(raw_repository("api"), raw_repository("web")) as place:
        place.remember(API).unknown_kinds = True
        place.remember(WEB)
        place.controller.kinds_changed()
        await asyncio.sleep(1)

        assert place.woken(API) == [STARTUP, {Trigger.KIND_CHANGE}]
        assert place.woken(WEB) == [STARTUP]


async def test_a_push_wakes_whom_it_is_for() -> None:
    """And says who that was: a repository that is gone is not woken."""
    reconciler = FakeReconciler(seconds=0, news=True)
    async with controlling(raw_repository("api"), raw_repository("web"), reconciler=reconciler) as place:
        assert place.controller.webhook_received([API, RepoKey("shop", "gone")]) == (API,)
        await asyncio.sleep(1)

        assert place.woken(API) == [STARTUP, {Trigger.WEBHOOK}]
        assert place.woken(WEB) == [STARTUP]


async def test_everybody_can_be_woken() -> None:
    """With one trigger."""
    async with controlling(raw_repository("api"), raw_repository("web")) as place:
        place.controller.wake(Trigger.RECONCILE)
        await asyncio.sleep(1)

        assert place.woken(API) == place.woken(WEB) == [STARTUP, {Trigger.RECONCILE}]


async def test_draining_lets_passes_end(looptime: Any) -> None:
    """It takes as long as the longest pass, and no timer starts another."""
    slow = FakeReconciler(seconds=10)
    async with controlling(raw_repository("api"), raw_repository("web"), reconciler=slow) as place:
        await place.controller.drain(seconds=60)

        assert looptime == 10
        assert slow.cancelled == 0
        await asyncio.sleep(10_000)
        assert len(slow.requests) == 2


async def test_draining_cuts_off_what_takes_too_long(looptime: Any) -> None:
    """The time is bounded, whatever a pass does."""
    slow = FakeReconciler(seconds=10_000)
    async with controlling(raw_repository("api"), reconciler=slow) as place:
        await place.controller.drain(seconds=5)

        assert looptime == 6
        assert slow.cancelled == 1


async def test_a_worker_in_backoff_does_not_hold_up_the_drain(looptime: Any) -> None:
    """A crash loop must not make each shutdown take all of its time."""
    crashing = FakeReconciler([RuntimeError("a bug")] * 100, seconds=0)
    restarts = RestartPolicy(first_seconds=1000, most_seconds=1000)
    async with controlling(raw_repository("api"), reconciler=crashing, restarts=restarts) as place:
        await place.controller.drain(seconds=60)

        assert looptime == 1


async def test_a_worker_that_keeps_crashing_is_told_in_its_status() -> None:
    """From the policy's count on, with the reason; while it lasts, its neighbour is synced."""

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


async def test_file_urls_are_as_the_process_was_told() -> None:
    """Parsing happens here, once."""
    local = raw_repository("api", url="file:///srv/git/api")
    async with controlling(local) as place:
        assert not hasattr(place.reconciler.requests[0].repository.spec, "url")
    async with controlling(local, allow_file_urls=True) as place:
        assert hasattr(place.reconciler.requests[0].repository.spec, "url")


async def test_a_pin_its_change_and_its_end_are_passes() -> None:
    """Though the generation stays; a value that cannot be read is one too, for somebody must be told."""
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
