"""What the demo asks of its processes, and what it says when they are not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.tests.unit.demo.worlds import StillWorld

from nopea_lab.binaries import Binaries
from nopea_lab.demo.folder import DemoFolder
from nopea_lab.demo.world import DemoWorld
from nopea_lab.errors import LabError

STATUS = "/apis/nopea.io/v1alpha1/namespaces/default/gitrepositories/shop"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"


def test_the_status_is_empty_before_the_first_one(tmp_path: Path) -> None:
    """Neither a missing object nor one without a status is an error."""
    world = StillWorld(tmp_path)
    assert world.status() == {}

    world.objects[STATUS] = {"metadata": {}}
    assert world.status() == {}

    world.objects[STATUS] = {"status": {"inSyncCount": 6}}
    assert world.status() == {"inSyncCount": 6}


def test_an_event_is_found_by_its_reason(tmp_path: Path) -> None:
    """The sentence is returned; None while there is none."""
    world = StillWorld(tmp_path)
    assert world.event("Pruned") is None

    world.objects[EVENTS] = {"items": [{"reason": "Synced", "note": "a"}, {"reason": "Pruned", "note": "b"}]}

    assert world.event("Pruned") == "b"


def test_events_that_arrived_are_listed_by_type(tmp_path: Path) -> None:
    """An empty list before the first."""
    world = StillWorld(tmp_path)
    assert world.events_told() == []

    world.folder.events.write_text("dev.a shop\ndev.b shop\n")

    assert world.events_told() == ["dev.a", "dev.b"]


def test_a_wait_returns_the_first_answer(tmp_path: Path) -> None:
    """None and False are not answers; zero is."""
    world = StillWorld(tmp_path)

    assert world.wait_for("Nobody answered", lambda: 0) == 0


def test_a_wait_ends_when_the_processes_are_gone(tmp_path: Path) -> None:
    """Nobody waits for a controller that was ended from outside."""
    with pytest.raises(LabError, match="ended from outside") as raised:
        StillWorld(tmp_path).wait_for("Nobody answered", lambda: None)

    assert raised.value.hint == "Run the demo again."


def test_nothing_is_found_while_no_api_server_answers(tmp_path: Path) -> None:
    """A lab that was never started is an error; one that does not answer is not."""
    world = DemoWorld(DemoFolder(tmp_path), binaries=Binaries(folder=tmp_path, origin="a test"))

    with pytest.raises(LabError, match="lab"):
        world.find("/api")


def test_a_failing_kubectl_is_an_error_that_names_the_log(tmp_path: Path) -> None:
    """What kubectl wrote is the evidence."""
    world = StillWorld(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl").write_text("#!/bin/sh\necho refused >&2; exit 1\n")
    (tmp_path / "bin" / "kubectl").chmod(0o755)

    with pytest.raises(LabError, match="kubectl") as raised:
        world.kubectl("get", "gr")

    assert "refused" in raised.value.detail
    assert "kube-apiserver.log" in raised.value.hint


def test_an_announcement_is_signed_with_a_new_secret(tmp_path: Path) -> None:
    """The secret is readable by its owner only, and the hook names the file, not the secret."""
    world = StillWorld(tmp_path)
    world.origin.create()

    token = world.announce_pushes()

    assert world.folder.webhook_secret.read_text() == token
    assert world.folder.webhook_secret.stat().st_mode & 0o077 == 0
    hook = (tmp_path / "git" / "shop.git" / "hooks" / "post-receive").read_text()
    assert "http://127.0.0.1:20004/webhook/default/shop" in hook
    assert token not in hook
