"""Jobs that the rest waits for: how long, for which, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.object_store import KINDS, served

from nopea.core.manifests.render import Desired
from nopea.core.manifests.stages import stage_of
from nopea.core.objects import ObjectKey, Resource
from nopea.core.plan.model import Action, Finish, Finished, LastApplied, Plan, Reason, Step
from nopea.core.plan.observed import observed_of
from nopea.core.problem import Code
from nopea.informers.object_cache import ObjectCache
from nopea.reconcile.awaited_jobs import AwaitedJobs
from nopea.reconcile.execution import Execution
from nopea.reconcile.request import Supersede

pytestmark = pytest.mark.looptime
JOBS = served(Resource(group="batch", version="v1", kind="Job", plural="jobs", namespaced=True))
KEY = ObjectKey("batch", "Job", "shop", "migrate")
DONE = LastApplied(hash="h", projection="p", finished=Finished(how=Finish.COMPLETE, manifest="m"))


def _step(key: ObjectKey = KEY, *, wave: int = -750, awaited: bool = True, after: str = "") -> Step:
    desired = Desired(
        key=key,
        resource=JOBS,
        source="job.yaml#1",
        body=orjson.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": key.name}}),
        hash="h",
        stage=stage_of(key.group_kind),
        wave=wave,
        force=False,
        content="m",
        awaited=awaited,
        delete_after=frozenset(after.split(",")),
    )
    return Step(action=Action.CREATE, reason=Reason.NOT_THERE, key=key, desired=desired)


class _Waiting:
    """A cluster with the Job, and what was applied of it."""

    def __init__(self, **last: LastApplied) -> None:
        self.cluster = FakeCluster(kinds=(*KINDS, JOBS))
        metadata = {"name": KEY.name, "namespace": KEY.namespace}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {}}
        self.cluster.create(job, manager="nopea")
        self.execution = Execution()
        self.execution.applied[KEY] = last.get("last", LastApplied(hash="h", projection="p"))
        self.newest = ""

    def finish(self, how: str) -> None:
        ended = {"conditions": [{"type": how, "status": "True"}]}
        self.cluster.change(KEY, {"status": ended}, subresource="status")

    async def wait(self, *steps: Step, before: Step | None = None, seconds: float = 60) -> float:
        """Wait, and return how long that took."""

        async def newest() -> str:
            return self.newest

        client = self.cluster.client
        jobs = AwaitedJobs(Plan(steps=steps), client, ObjectCache(client), {}, seconds)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await jobs.wait(self.execution, Supersede(frozenset, newest, commit="c0ffee"), before=before)
        return loop.time() - begin


async def test_a_job_is_waited_for_and_its_end_recorded() -> None:
    """The next wave begins within a second or so."""
    waiting = _Waiting()
    asyncio.get_running_loop().call_later(10, waiting.finish, "Complete")

    took = await waiting.wait(_step())

    assert 10 <= took < 12
    assert waiting.execution.halt is None
    assert waiting.execution.applied[KEY].finished == Finished(how=Finish.COMPLETE, manifest="m")
    assert KEY in waiting.cluster.objects


@pytest.mark.parametrize(
    ("how", "after", "is_left"),
    [
        ("Complete", "succeeded", False),
        ("Complete", "failed", True),
        ("Failed", "failed", False),
        ("Failed", "failed,succeeded", False),
        ("Failed", "succeeded", True),
    ],
)
async def test_a_job_is_deleted_after_the_ends_that_git_names(how: str, after: str, is_left: bool) -> None:
    """It counts as done from then on."""
    waiting = _Waiting()
    waiting.finish(how)

    await waiting.wait(_step(after=after))

    assert (KEY in waiting.cluster.objects) is is_left
    assert waiting.execution.applied[KEY].finished is not None


async def test_a_failed_job_halts_everything() -> None:
    """The problem names the Job and its file."""
    waiting = _Waiting()
    waiting.finish("Failed")

    await waiting.wait(_step())

    halt = waiting.execution.halt
    assert halt is not None
    assert (halt.code, halt.object, halt.source) == (Code.JOB_FAILED, str(KEY), "job.yaml#1")


async def test_a_job_that_takes_too_long_halts_and_is_tried_again() -> None:
    """The deadline is that of the spec."""
    waiting = _Waiting()

    took = await waiting.wait(_step(), seconds=30)

    assert 30 <= took < 31
    assert waiting.execution.halt is not None
    assert waiting.execution.halt.code is Code.JOB_UNFINISHED


async def test_a_job_that_is_done_is_not_read() -> None:
    """It may be gone."""
    waiting = _Waiting(last=DONE)

    assert await waiting.wait(_step()) == 0
    assert (waiting.cluster.requests, waiting.execution.halt) == ([], None)


async def test_only_jobs_of_earlier_batches_and_only_awaited_ones_count() -> None:
    """The others are waited for later, or never."""
    waiting = _Waiting()

    assert await waiting.wait(_step(wave=0), before=_step(wave=0)) == 0
    assert await waiting.wait(_step(awaited=False)) == 0
    assert waiting.cluster.requests == []


async def test_a_newer_commit_ends_the_wait() -> None:
    """Its Job may be another one."""
    waiting = _Waiting()
    waiting.newest = "newer"

    assert await waiting.wait(_step()) < 61


def test_the_fake_finishes_jobs_as_the_cache_sees_it() -> None:
    """The tests above rest on it."""
    live: Mapping[str, Any] = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "x", "uid": "u", "resourceVersion": "1"},
        "status": {"conditions": [{"type": "Complete", "status": "True"}]},
    }
    assert observed_of(live, now=datetime.now(UTC)).finish is Finish.COMPLETE
