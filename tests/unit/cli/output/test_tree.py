"""The objects of a GitRepository as a tree."""

from __future__ import annotations

import click
from tests.fakes.samples import repository

from nopea.cli.output.tree import tree_json, tree_lines
from nopea.core.health.rules import HealthStatus
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
