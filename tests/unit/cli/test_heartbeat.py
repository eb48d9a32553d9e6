"""What commands say about the controller's heartbeat."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.fakes.object_store import served
from tests.unit.cli.conftest import Commands

from nopea.core.objects import ObjectKey
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import LEASES


@pytest.fixture
def with_leases(commands: Commands) -> Commands:
    """Return the commands with a cluster that serves Leases."""
    commands.cluster.kinds.append(served(LEASES))
    return commands


def beat(
    commands: Commands,
    namespace: str,
    *,
    seconds_ago: float,
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> None:
    """Store a heartbeat."""
    renewed = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    commands.cluster.objects[ObjectKey("coordination.k8s.io", "Lease", namespace, "nopea")] = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "nopea", "namespace": namespace, "annotations": annotations or {}},
        "spec": {"renewTime": f"{renewed:%Y-%m-%dT%H:%M:%S.%fZ}", **spec},
    }


ALIVE: dict[str, Any] = {"holderIdentity": "nopea-7d9f", "leaseDurationSeconds": 40}


@pytest.mark.parametrize("command", ["history", "tree"])
def test_a_dead_controller_is_told(with_leases: Commands, command: str) -> None:
    """The output stays the same; standard error says that it may be old, and where to look."""
    beat(with_leases, "nopea-system", seconds_ago=600, **ALIVE)

    result = with_leases.run(command, "api")

    assert result.exit_code == 0
    assert result.stderr == (
        "→ The controller nopea-7d9f has not been heard of for 10m (Lease nopea-system/nopea). "
        "Check that it runs: `kubectl -n nopea-system get pods`. What is shown may be old.\n"
    )


def test_a_stopped_controller_is_told(with_leases: Commands) -> None:
    """Somebody scaled it to zero, or an upgrade waits."""
    beat(with_leases, "nopea-system", seconds_ago=300)

    text = with_leases.run("tree", "api").stderr

    assert text == (
        "→ The controller was stopped 5m ago (Lease nopea-system/nopea). What is shown may be old.\n"
    )


@pytest.mark.parametrize(("own", "system"), [(5, 600), (600, 5)])
def test_one_living_controller_is_enough(with_leases: Commands, own: float, system: float) -> None:
    """A controller for this namespace only, or one for the whole cluster."""
    beat(with_leases, "shop", seconds_ago=own, **ALIVE)
    beat(with_leases, "nopea-system", seconds_ago=system, **ALIVE)

    assert with_leases.run("tree", "api").stderr == ""


def test_nothing_is_said_without_a_heartbeat(with_leases: Commands) -> None:
    """No Lease, no right to read it, or one of somebody else."""
    assert with_leases.run("tree", "api").stderr == ""
    beat(with_leases, "nopea-system", seconds_ago=600, **ALIVE, renewTime="never")
    assert with_leases.run("tree", "api").stderr == ""


@pytest.mark.parametrize(("seconds", "running"), [(5, True), (600, False)])
def test_a_controller_may_be_in_any_namespace(
    with_leases: Commands, seconds: float, *, running: bool
) -> None:
    """As after `helm install -n gitops`; where Leases cannot be listed it is not known."""
    beat(with_leases, "gitops", seconds_ago=seconds, **ALIVE)

    told = json.loads(with_leases.run("status", "-o", "json").stdout)["controller"]

    assert told["running"] is running
    with_leases.cluster.fail_next("list", LEASES, ForbiddenError(ApiFailure(code=403)))
    assert json.loads(with_leases.run("status", "-o", "json").stdout)["controller"]["running"] is None


def test_a_running_controller_is_named(with_leases: Commands) -> None:
    """With the age of its last heartbeat."""
    beat(with_leases, "nopea-system", seconds_ago=5, **ALIVE)

    first = with_leases.run("status").stdout.splitlines()[0]

    assert first.startswith("The controller nopea-7d9f runs: last heartbeat ")


def test_a_controller_that_only_plans_says_so(with_leases: Commands) -> None:
    """Otherwise nobody would know why nothing is applied."""
    mark = {"nopea.io/read-only": "true"}
    beat(with_leases, "nopea-system", seconds_ago=1, annotations=mark, **ALIVE)

    assert "The controller nopea-7d9f runs read-only: last heartbeat" in with_leases.run("status").output
