"""How a command waits for the controller, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import click
import pytest
from tests.fakes.object_store import served
from tests.fakes.samples import READY
from tests.unit.cli.conftest import COMMIT, Commands, entry

from nopea.cli.cluster import CommandError
from nopea.cli.repository import read_repository
from nopea.cli.requests import PinRequest, SyncRequest, UserRequest
from nopea.cli.wait import EXIT_NOT_SYNCED, EXIT_SYNCED, Waiting, print_suspended, wait_for
from nopea.core.api.names import ROLLBACK_ANNOTATION
from nopea.core.objects import RepoKey
from nopea.kube.kinds import LEASES

pytestmark = pytest.mark.looptime
KEY = RepoKey("shop", "api")
VALUE = "2026-11-24T05:00:01Z"


async def _wait(
    commands: Commands, request: UserRequest | None = None, *, seconds: float = 30, health: bool = True
) -> int:
    repository = await read_repository(commands.cluster.client, KEY)
    return await wait_for(
        commands.cluster.client,
        repository,
        request or SyncRequest(VALUE),
        message="Asked.",
        waiting=Waiting(seconds=seconds, health=health),
    )


def _handled(commands: Commands, **status: Any) -> None:
    commands.store(status={"lastHandledSyncAt": VALUE, **status})


async def test_a_sync_that_ends_is_printed(commands: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    """The result is printed, and the exit code is 0."""
    asyncio.get_running_loop().call_later(0.1, lambda: _handled(commands))

    assert await _wait(commands) == EXIT_SYNCED
    output = capsys.readouterr()
    assert click.unstyle(output.out).startswith(
        "✓ GitRepository shop/api synced in 1.50s: 1 object; nothing to change\n"
    )
    assert output.err == "… Asked.\n"


async def test_a_sync_that_fails_lists_its_errors(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    """The errors are printed, and the exit code is 1."""
    error = {
        "code": "NOPEA-K003",
        "message": "It is wrong.",
        "hint": "Fix it.",
        "object": {"kind": "ConfigMap", "namespace": "shop", "name": "web"},
    }
    _handled(commands, history=[entry(COMMIT, outcome="failed", failed=1)], errors=[error])

    assert await _wait(commands) == EXIT_NOT_SYNCED
    lines = capsys.readouterr().err.splitlines()
    assert lines[1:] == [
        f"✗ GitRepository shop/api: the sync of {COMMIT[:7]} failed. 0 of 1 object in sync; 1 failed.",
        "✗ NOPEA-K003 ConfigMap shop/web: It is wrong.",
        "→ Fix it.",
    ]


async def test_an_unreachable_api_server_is_retried_until_the_timeout(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    """The progress and the message after the timeout say that the API server does not answer."""
    asyncio.get_running_loop().call_later(0.1, commands.cluster.stop)

    assert await _wait(commands, seconds=0.5) == EXIT_NOT_SYNCED
    output = capsys.readouterr().err
    assert "… The API server does not answer: " in output
    assert "✗ GitRepository shop/api: the API server does not answer after 0.50s: " in output


async def test_the_controller_is_not_looked_for_with_each_poll(commands: Commands) -> None:
    """A wait of 35 s in which nothing happens looks for a dead controller every 10 s, in two namespaces."""
    commands.cluster.kinds.append(served(LEASES))

    await _wait(commands, seconds=35)

    leases = [request for request in commands.cluster.requests if "leases" in request]
    assert len(leases) == 3 * 2, leases


async def test_a_deletion_ends_the_wait(commands: Commands) -> None:
    """The deletion of the GitRepository is an error."""
    asyncio.get_running_loop().call_later(0.1, lambda: commands.store(deleting=True))

    with pytest.raises(CommandError, match="was deleted while"):
        await _wait(commands)


async def test_another_users_rollback_ends_the_wait(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the commit to which the GitRepository is pinned now."""
    commands.store(annotations={ROLLBACK_ANNOTATION: COMMIT})

    assert await _wait(commands, PinRequest("c" * 40)) == EXIT_NOT_SYNCED
    assert (
        f"GitRepository shop/api: Another user has changed the rollback. It is pinned to {COMMIT}."
        in capsys.readouterr().err
    )


async def test_a_suspended_repository_is_not_synced(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hint names the command that resumes the GitRepository."""
    repository = await read_repository(commands.cluster.client, KEY)

    assert print_suspended(repository) == EXIT_NOT_SYNCED
    assert "`nopea resume api -n shop` resumes it and starts a sync." in capsys.readouterr().err


def _health(status: str, message: str = "") -> dict[str, Any]:
    reason = {"True": "Healthy", "False": "Unhealthy"}.get(status, "Progressing")
    condition = {"type": "Healthy", "status": status, "reason": reason, "message": message}
    return {"conditions": [condition | {"lastTransitionTime": "2026-11-24T05:00:00Z"}]}


async def test_it_waits_until_the_objects_are_healthy(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rollout is shown while it lasts; the exit code is 0 when it has succeeded."""
    _handled(commands, **_health("Unknown", "Deployment web: 1 of 2 replicas are ready"))
    asyncio.get_running_loop().call_later(20, lambda: _handled(commands, **_health("True")))

    assert await _wait(commands) == EXIT_SYNCED
    assert "… Synced. Deployment web: 1 of 2 replicas are ready\n" in capsys.readouterr().err
    assert asyncio.get_running_loop().time() == pytest.approx(20, abs=1)


async def test_what_does_not_become_healthy_ends_the_wait(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    """A container that crashes again and again is not a success; it is reported after seconds."""
    _handled(commands, **_health("False", "Deployment web: CrashLoopBackOff (exit code 1)"))

    assert await _wait(commands) == EXIT_NOT_SYNCED
    said = capsys.readouterr()
    assert "unhealthy: Deployment web: CrashLoopBackOff (exit code 1)" in said.out
    assert "✗ GitRepository shop/api is synced, but not healthy: Deployment web: CrashLoop" in said.err
    assert "`nopea tree api -n shop` shows its Pods" in said.err
    assert asyncio.get_running_loop().time() < 10


async def test_a_container_that_starts_again_does_not_end_the_wait(commands: Commands) -> None:
    """Unhealthy for a moment only: the rollout may still succeed."""
    _handled(commands, **_health("False", "Deployment web: CrashLoopBackOff"))
    asyncio.get_running_loop().call_later(3, lambda: _handled(commands, **_health("True")))

    assert await _wait(commands) == EXIT_SYNCED


async def test_a_rollout_that_does_not_end(commands: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    """The timeout covers the health, too, and the message says what is missing."""
    _handled(commands, **_health("Unknown", "Deployment web: 1 of 2 replicas are ready"))

    assert await _wait(commands) == EXIT_NOT_SYNCED
    assert "is synced, but not healthy after 30.0s: Deployment web: 1 of 2" in capsys.readouterr().err


async def test_health_may_be_left_out(commands: Commands) -> None:
    """With --no-health the wait ends with the sync."""
    _handled(commands, **_health("False", "Deployment web: CrashLoopBackOff"))

    assert await _wait(commands, health=False) == EXIT_SYNCED


@pytest.mark.parametrize(
    ("ready", "code", "where"),
    [("True", EXIT_SYNCED, "out"), ("False", EXIT_NOT_SYNCED, "err")],
)
async def test_a_controller_that_only_plans_ends_the_wait(
    commands: Commands, capsys: pytest.CaptureFixture[str], ready: str, code: int, where: str
) -> None:
    """It is said what a sync would do; if that is nothing, the request is as good as handled."""
    condition = {
        **READY,
        "status": ready,
        "reason": "ReadOnly",
        "message": "Read-only: what would be done.",
    }
    _handled(commands, history=[entry(COMMIT, outcome="planned")], conditions=[condition])

    assert await _wait(commands) == code
    assert "Read-only: what would be done." in getattr(capsys.readouterr(), where)
