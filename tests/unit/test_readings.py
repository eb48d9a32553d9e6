"""The readings of all metrics in the catalogue, from real components that have just been made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from tests.fakes.reconciler import FakeReconciler
from tests.fakes.samples import raw_repository
from tests.fakes.watch import FakeWatch

from nopea import tasks
from nopea.controller.controller import Controller
from nopea.controller.mailbox import Mailboxes
from nopea.core.api.repository import parse_repository
from nopea.core.notify.address import ReceiverAddress
from nopea.core.notify.delivery import DropReason
from nopea.git.port import GitPort
from nopea.git.settings import GitSettings, GitStatistics
from nopea.informers.input_watches import InputWatches
from nopea.informers.object_cache import ObjectCache
from nopea.kube.client import KubeClient
from nopea.kube.config import ClusterConfig
from nopea.kube.events import EventRecorder, Regarding
from nopea.metrics import catalogue
from nopea.metrics.catalogue import Metric
from nopea.notify.http import Message, Response
from nopea.notify.outbox import Outbox
from nopea.readings import Parts, child_ends, readings_of, repositories_of
from nopea.reconcile.reconciler import Services
from nopea.state.repositories import RepositoryStore
from nopea.state.store import StateStore


async def _gone(message: Message) -> Response:
    del message
    return Response(status=410)


@asynccontextmanager
async def parts(cache_dir: Path) -> AsyncIterator[Parts]:
    """Yield components that are not running, with one empty sink; the controller is not ready."""
    async with KubeClient(ClusterConfig(server="https://127.0.0.1:1", origin="the test")) as client:
        box = Outbox("cdevents", _gone)
        yield Parts(
            client=client,
            git=GitPort(GitSettings(cache_dir=cache_dir)),
            events=EventRecorder(client),
            object_cache=ObjectCache(FakeWatch().client),
            repositories=RepositoryStore(),
            store=StateStore(),
            controller=Controller(
                client=client,
                services=cast("Services", None),
                reconciler=FakeReconciler(),
                mailboxes=Mailboxes(),
                inputs=InputWatches(client, wake=lambda _: None),
            ),
            is_ready=lambda: False,
            outboxes=lambda: (box,),
        )


def read(parts: Parts, metric: Metric) -> dict[tuple[str, ...], float]:
    """Return the values of a metric by its labels."""
    return dict(readings_of(parts)[metric]())


async def test_every_live_metric_has_a_reading_with_its_labels(tmp_path: Path) -> None:
    """There is a reading for every live metric of the catalogue and for no other."""
    async with parts(tmp_path) as made:
        readings = readings_of(made)

        assert set(readings) == set(catalogue.LIVE)
        for metric, reading in readings.items():
            assert {len(labels) for labels, _ in reading()} <= {len(metric.labels)}, metric.name


async def test_queues_and_caches_have_readings(tmp_path: Path) -> None:
    """The readings have the names of the queues and caches as labels."""
    async with parts(tmp_path) as made:
        regarding = Regarding(api_version="v1", kind="ConfigMap", namespace="shop", name="a", uid="u")
        made.events.record(regarding, type="Normal", reason="Synced", action="Sync", note="done")

        assert read(made, catalogue.QUEUE_LENGTH) == {
            ("triggers",): 0, ("syncs",): 0, ("git_operations",): 0, ("api_requests",): 0, ("events",): 1,
        }  # fmt: skip
        assert set(read(made, catalogue.CACHE_ENTRIES)) == {
            ("manifests",),
            ("live_objects",),
            ("repositories",),
            ("mirrors",),
        }
        assert set(read(made, catalogue.CACHE_BYTES)) == {("manifests",), ("mirrors",)}
        assert read(made, catalogue.READY) == {(): 0.0}
        assert read(made, catalogue.API_ALLOWED) == {(): 32.0}


def test_each_end_of_a_git_process_has_its_cause() -> None:
    """The process crashed, or was killed because it exceeded its time or its memory."""
    counts = GitStatistics(
        children_now=0, running_now=0, queued_now=0, abandoned_now=0, suspects_now=0, started=9,
        crashed=1, killed_late=2, killed_big=3, operations=0, repeated=0,
    )  # fmt: skip

    assert child_ends(counts) == {"crashed": 1, "late": 2, "memory": 3}


async def test_a_sink_has_readings_of_its_messages(tmp_path: Path) -> None:
    """After a response of 410 the sink is stopped, and dropped messages are counted by reason."""
    address = ReceiverAddress.parse("https://events.acme.example/hook")
    async with parts(tmp_path) as made:
        (outbox,) = made.outboxes()
        outbox.offer(Message(id="1", namespace="shop", address=address, body=b"{}", headers={}))
        assert read(made, catalogue.SINK_QUEUED) == {("cdevents",): 1.0}
        running = tasks.spawn(outbox.run(), name="outbox")
        async with asyncio.timeout(10):
            while not outbox.stats().stopped:  # noqa: ASYNC110 - an outbox has no event for it
                await asyncio.sleep(0.01)
        await tasks.end(running)

        assert read(made, catalogue.SINK_STOPPED) == {("cdevents",): 1.0}
        assert read(made, catalogue.SINK_DELIVERED) == {("cdevents",): 0.0}
        assert sum(read(made, catalogue.SINK_DROPPED).values()) == 1.0
        assert set(read(made, catalogue.SINK_DROPPED)) == {
            ("cdevents", reason.value) for reason in DropReason
        }


async def test_repositories_have_the_status_that_was_written_last(tmp_path: Path) -> None:
    """The watch may report that status later."""
    repository = parse_repository(raw_repository("api"))
    written = parse_repository(raw_repository("api", status={"failures": 3})).status
    async with parts(tmp_path) as made:
        made.repositories.put(repository)
        assert [known.status for known in repositories_of(made, {})] == [repository.status]

        made.store.state(repository.key, uid="uid-1", status=written)
        assert [known.status.failures for known in repositories_of(made, {})] == [3]
