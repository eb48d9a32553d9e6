"""Jobs that have finished: what is recorded, and when their work counts as done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.fakes.samples import NOW
from tests.unit.core.plan.planning import LAST, LIVE, OWNER, wish

from nopea.core.health.rules import HealthStatus
from nopea.core.manifests.render import Desired, content_of
from nopea.core.objects import ObjectKey
from nopea.core.plan.finished import compared, finished_as, health_of, is_done, record_of
from nopea.core.plan.model import (
    Action,
    ClusterState,
    Finish,
    Finished,
    ObservedObject,
    Policy,
    Reason,
    Step,
)
from nopea.core.plan.plan import plan

JOB = ObjectKey("batch", "Job", "shop", "migrate")


def job(image: str = "migrate:1", *, source: str = "a.yaml#1", **metadata: Any) -> Desired:
    """Return the Job as Git declares it; its hash is that of the manifest."""
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "migrate",
            "annotations": {"nopea.io/source": source, **metadata.pop("annotations", {})},
            "labels": {"nopea.io/repository": OWNER},
            **metadata,
        },
        "spec": {"template": {"spec": {"containers": [{"name": "m", "image": image}]}}},
    }
    raw = orjson.dumps(body)
    return replace(wish(JOB, hash_=f"{image} {source}"), body=raw, content=content_of(raw))


DONE = record_of(job(), replace(LIVE, finish=Finish.COMPLETE), commit="c0ffee", projection="p1")


def decide(desired: Desired, *, live: ObservedObject | None, **policy: Any) -> Step:
    """Return the step for a Job that had finished as `DONE`."""
    world = ClusterState(observed={} if live is None else {JOB: live}, last_applied={JOB: DONE})
    (step,) = plan(desired=[desired], cluster=world, policy=Policy(owner=OWNER, **policy), now=NOW).steps
    return step


def test_only_a_job_that_ended_is_recorded_as_finished() -> None:
    """The rest of the record is as for every object."""
    assert replace(LAST, hash=job().hash, finished=finished_as(job(), Finish.COMPLETE)) == DONE
    assert record_of(job(), LIVE, commit="c0ffee", projection=None) == replace(
        LAST, hash=job().hash, projection=None
    )
    assert finished_as(job(), None) is None


@pytest.mark.parametrize(
    ("desired", "done"),
    [
        (job(), True),
        (job(source="moved.yaml#7"), True),
        (job(annotations={"nopea.io/force": "true"}), True),
        (job("migrate:2"), False),
        (job(annotations={"team": "blue"}), False),
    ],
)
def test_the_work_is_done_until_the_manifest_changes(desired: Desired, done: bool) -> None:
    """Nopea's own metadata, such as the file, does not count."""
    assert is_done(DONE, desired) == done
    assert not is_done(replace(DONE, finished=None), desired)
    assert not is_done(None, desired)


@pytest.mark.parametrize(
    ("how", "status"), [(Finish.COMPLETE, HealthStatus.HEALTHY), (Finish.FAILED, HealthStatus.FAILED)]
)
def test_a_finished_job_keeps_its_health(how: Finish, status: HealthStatus) -> None:
    """Removing a failed Job does not make it healthy."""
    assert health_of(Finished(how=how, manifest="h")).status is status


def test_a_finished_job_that_is_gone_is_left() -> None:
    """A request to heal everything does not run it again; one that names it does."""
    step = decide(job(), live=None)
    assert (step.action, step.reason) == (Action.LEAVE, Reason.FINISHED)
    step = decide(job(), live=None, heal_requested=True)
    assert (step.action, step.reason) == (Action.LEAVE, Reason.FINISHED)
    step = decide(job(), live=None, heal_objects=frozenset({JOB}))
    assert (step.action, step.reason) == (Action.CREATE, Reason.NOT_THERE)


def test_a_changed_manifest_runs() -> None:
    """It is a change in Git, not drift; a live Job is applied, which replaces it."""
    step = decide(job("migrate:2"), live=None)
    assert (step.action, step.reason) == (Action.CREATE, Reason.GIT_CHANGE)
    step = decide(job("migrate:2"), live=replace(LIVE, finish=Finish.COMPLETE))
    assert (step.action, step.reason) == (Action.APPLY, Reason.GIT_CHANGE)


def test_a_job_of_another_repository_is_refused_first() -> None:
    """Who owns a live Job matters more than whether it has finished."""
    step = decide(job(), live=replace(LIVE, owner="shop.api"))
    assert step.reason is Reason.OWNED_BY_OTHER


@pytest.mark.parametrize(
    ("ran", "done"),
    [(job().body, True), (job(source="old.yaml#1").body, True), (job("migrate:0").body, False), (None, True)],
)
def test_another_key_of_the_hashes_runs_no_job_again(ran: bytes | None, done: bool) -> None:
    """What ran is then known from Git; if Git no longer has it, the Job counts as done."""
    unknown = replace(DONE, hash="", finished=Finished(how=Finish.FAILED, manifest=""))
    last = compared(unknown, job(), ran)
    assert is_done(last, job()) == done
    assert last.finished is not None
    assert last.finished.how is Finish.FAILED
    assert compared(DONE, job("migrate:2"), job("migrate:2").body) == DONE
