"""What the story takes for an answer of the cluster. (All of it: lab/tests/commands/test_demo.py.)"""

from __future__ import annotations

from pathlib import Path

from lab.tests.unit.demo.worlds import StillWorld

from nopea_lab.demo.story import _counted, _settled

STATUS = "/apis/nopea.io/v1alpha1/namespaces/default/gitrepositories/shop"


def _world(path: Path, *, ready: str, commit: str) -> StillWorld:
    world = StillWorld(path)
    conditions = [{"type": "Healthy", "status": "False"}, {"type": "Ready", "status": ready}]
    world.objects[STATUS] = {"status": {"conditions": conditions, "lastAttemptedCommit": commit}}
    return world


def test_a_push_is_answered_by_the_status_of_its_commit(tmp_path: Path) -> None:
    """Neither the status of the commit before nor one with another value of Ready is an answer."""
    world = _world(tmp_path, ready="True", commit="b")

    assert _settled(world, ready="True", commit="b") == world.status()
    assert _settled(world, ready="True", commit="a") is None
    assert _settled(world, ready="False", commit="b") is None
    assert _settled(world, ready="True") == world.status()


def test_the_events_are_counted_when_every_incident_is_resolved(tmp_path: Path) -> None:
    """Each type with how often it came, by name; None before the last drift is resolved."""
    world = StillWorld(tmp_path)
    detected, resolved = (f"dev.cdevents.incident.{word}.0.3.0 web\n" for word in ("detected", "resolved"))
    world.folder.events.write_text(f"dev.cdevents.service.deployed.0.3.0 shop\n{detected}")
    assert _counted(world) is None

    with world.folder.events.open("a") as file:
        file.write(resolved)

    assert _counted(world) == {"incident.detected": 1, "incident.resolved": 1, "service.deployed": 1}
