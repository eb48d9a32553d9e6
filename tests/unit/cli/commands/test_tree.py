"""`nopea tree` with a cluster in memory."""

from __future__ import annotations

import json

from tests.unit.cli.conftest import Commands

from nopea.core.health.rules import HealthStatus
from nopea.core.objects import ObjectKey
from nopea.core.status.object_states import ObjectState, SyncStatus, pack_states

WEB = ObjectKey("", "ConfigMap", "shop", "web")
API = ObjectKey("apps", "Deployment", "shop", "api")
BAD = {
    API: ObjectState(
        sync=SyncStatus.FAILED,
        sync_message="NOPEA-K003: no\nsuch \x1b[31mfield",
        health=HealthStatus.FAILED,
        health_message="CrashLoopBackOff (exit code 1)",
    )
}


def test_each_object_is_a_line(commands: Commands) -> None:
    """What was applied and what should have been, with why it is not; control characters do not pass."""
    commands.store(
        status={"summary": "2 objects", "revision": "main@sha1:bbbbbbb", "objectStates": pack_states(BAD)}
    )

    result = commands.run("tree", "api")

    assert result.exit_code == 0
    head, first, last = result.stdout.splitlines()
    assert head == "GitRepository shop/api  main@sha1:bbbbbbb  2 objects"
    assert first.split() == ["├──", "ConfigMap", "shop/web", "Synced", "Healthy"]
    assert last.startswith("└── apps/Deployment shop/api  Failed  Unhealthy  NOPEA-K003: no")
    assert last.endswith("field; CrashLoopBackOff (exit code 1)")
    assert "\x1b" not in result.stdout
    assert first.index("Synced") == last.index("Failed")


def test_json_has_structured_objects(commands: Commands) -> None:
    """A good object has no message; the document says whether it is complete."""
    commands.store(status={"objectStates": pack_states(BAD, has_more=True)})

    found = json.loads(commands.run("tree", "api", "-o", "json").stdout)

    assert found["objects"][0] == {
        "group": "", "kind": "ConfigMap", "namespace": "shop", "name": "web",
        "sync": "Synced", "health": "Healthy",
    }  # fmt: skip
    assert found["objects"][1]["healthMessage"] == "CrashLoopBackOff (exit code 1)"
    assert found["complete"] is False
    assert "only the worst ones" in commands.run("tree", "api").stdout


def test_a_new_repository_has_no_objects(commands: Commands) -> None:
    """The reason is on the only line."""
    commands.store(status={"inventory": "", "history": []})

    (line,) = commands.run("tree", "api").stdout.splitlines()

    assert line.startswith("GitRepository shop/api  (nothing applied)  No sync yet.")
