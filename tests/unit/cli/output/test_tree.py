"""The objects of a GitRepository as a tree."""

from __future__ import annotations

import click
from tests.fakes.samples import repository

from nopea.cli.output.tree import tree_json, tree_lines
from nopea.core.health.descendants import Descendant, Descendants
from nopea.core.health.rules import Health, HealthStatus
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Finish, Finished, LastApplied
from nopea.core.status.object_states import ObjectState, pack_states

A, B = ObjectKey("", "ConfigMap", "shop", "a"), ObjectKey("apps", "Deployment", "shop", "api")
LAST = LastApplied(hash="h", projection="p")
CRASHING = {B: ObjectState(health=HealthStatus.FAILED, health_message="CrashLoopBackOff")}


def test_columns_are_aligned_and_the_last_object_ends_the_tree() -> None:
    """Objects are in the order of their names; the first line is the repository."""
    found = repository(status={"objectStates": pack_states(CRASHING), "summary": "Oh", "revision": "main"})

    assert [click.unstyle(line) for line in tree_lines(found, {B: LAST, A: LAST})] == [
        "GitRepository shop/api  main  Oh",
        "├── ConfigMap shop/a          Synced  Healthy",
        "└── apps/Deployment shop/api  Synced  Unhealthy  CrashLoopBackOff",
    ]


def test_json_is_complete_without_states() -> None:
    """A repository in sync has all its objects."""
    found = tree_json(repository(), {A: LAST})

    assert (found["complete"], [one["name"] for one in found["objects"]]) == (True, ["a"])


def test_a_job_that_has_finished_says_so() -> None:
    """It may be gone from the cluster, and is in sync all the same."""
    last = LastApplied(hash="h", projection="p", finished=Finished(how=Finish.COMPLETE, manifest="m"))
    _, line = tree_lines(repository(), {A: last})
    assert click.unstyle(line) == "└── ConfigMap shop/a  Synced  Healthy  finished"


def _pod(name: str, health: HealthStatus = HealthStatus.HEALTHY, message: str = "") -> Descendant:
    key = ObjectKey("", "Pod", "shop", name)
    return Descendant(key=key, state="Running", health=Health(status=health, message=message))


def _owning(*pods: Descendant) -> Descendants:
    replica_set = ObjectKey("apps", "ReplicaSet", "shop", "api-1")
    ready = Descendant(
        key=replica_set, state="4/5 ready", health=Health(status=HealthStatus.PROGRESSING), children=pods
    )
    return Descendants(of={B: (ready,)}, unread=("jobs.batch in shop: you may not list them",))


def test_many_healthy_pods_are_a_number() -> None:
    """The unhealthy one is listed; what could not be read is said at the end."""
    bad = _pod("bad", HealthStatus.FAILED, "CrashLoopBackOff")
    owned = _owning(*(_pod(f"pod-{number}") for number in range(4)), bad)

    lines = [click.unstyle(line) for line in tree_lines(repository(), {B: LAST}, owned)]
    every = [click.unstyle(line) for line in tree_lines(repository(), {B: LAST}, owned, every_pod=True)]

    assert [line.split() for line in lines[2:-1]] == [
        ["└──", "ReplicaSet", "api-1", "Progressing", "4/5", "ready"],
        ["├──", "Pod", "bad", "Unhealthy", "Running;", "CrashLoopBackOff"],
        ["└──", "4", "Pods", "Healthy", "Running"],
    ]
    assert (
        len({line.index(word) for line, word in zip(lines[2:], ("4/5", "Running", "Running"), strict=False)})
        == 1
    )
    assert lines[-1] == "Not read: jobs.batch in shop: you may not list them."
    assert sum(" Pod " in line for line in every) == 5


def test_a_message_that_does_not_fit_is_below() -> None:
    """Behind the branches, and no line is too long."""
    bad = _pod("bad", HealthStatus.FAILED, "the image registry.example/web:1 cannot be pulled: " * 3)

    lines = [click.unstyle(line) for line in tree_lines(repository(), {B: LAST}, _owning(bad), width=80)]

    assert max(map(len, lines)) <= 80
    assert any(line.startswith("                Running; the image") for line in lines), lines


def test_json_has_what_an_object_owns() -> None:
    """Down to the Pods, with their state."""
    (found,) = tree_json(repository(), {B: LAST}, _owning(_pod("a")))["objects"]

    assert found["owns"][0]["owns"][0] == {
        "group": "", "kind": "Pod", "namespace": "shop", "name": "a", "state": "Running", "health": "Healthy",
    }  # fmt: skip
