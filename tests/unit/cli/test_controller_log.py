"""Which lines are about a repository, and errors; tests/e2e/test_verbs.py reads a real log."""

from __future__ import annotations

import pytest
from tests.fakes.object_store import served
from tests.unit.cli.conftest import Commands

from nopea.cli.cluster import CommandError
from nopea.cli.controller_log import LogChoice, concerns, log_lines
from nopea.core.objects import RepoKey
from nopea.kube.errors import ApiFailure, ForbiddenError, NotFoundError
from nopea.kube.kinds import LEASES, PODS

KEY = RepoKey("shop", "api")
ALL = LogChoice(since_seconds=None, follow=False)


@pytest.mark.parametrize(
    ("line", "is_about"),
    [
        (b'{"message": "sync finished", "repo": "shop/api"}', True),
        (b'{"message": "sync finished", "repo": "shop/api2"}', False),
        (b'{"message": "shop/api", "note": "repo=shop/api "}', False),
        (b"05:00:00.000 info    sync finished repo=shop/api result=synced", True),
        (b"05:00:00.000 info    sync finished repo=shop/api", True),
        (b"05:00:00.000 info    sync finished repo=shop/api2", False),
        (b"{not json repo=shop/api", False),
    ],
)
def test_lines_are_chosen_by_their_repository(line: bytes, *, is_about: bool) -> None:
    """By the fact and not by any text, so that nobody else's commit message gets in."""
    assert concerns(line, KEY) is is_about


async def _read(commands: Commands) -> None:
    async for _ in log_lines(commands.cluster.client, "shop", ALL):
        pass


def _lease(commands: Commands) -> None:
    commands.cluster.kinds.append(served(LEASES))
    commands.cluster.objects[LEASES.at(name="nopea", namespace="nopea-system").key] = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "nopea", "namespace": "nopea-system"},
        "spec": {"holderIdentity": "nopea-7d9f"},
    }


async def test_without_a_controller(commands: Commands) -> None:
    """The hint has a command that works without one."""
    with pytest.raises(CommandError, match="No controller is known") as caught:
        await _read(commands)

    assert "`nopea events`" in caught.value.hint


async def test_without_the_right(commands: Commands) -> None:
    """The error names the Pod and the right."""
    _lease(commands)
    forbidden = ForbiddenError(ApiFailure(code=403, message="no"))
    commands.cluster.fail_next("get", PODS, forbidden)

    with pytest.raises(CommandError, match="of Pod nopea-system/nopea-7d9f") as caught:
        await _read(commands)

    assert "`get` on pods/log in nopea-system" in caught.value.hint


async def test_a_controller_outside_the_cluster(commands: Commands) -> None:
    """`nopea run` on a laptop has its log there."""
    _lease(commands)
    commands.cluster.fail_next("get", PODS, NotFoundError(ApiFailure(code=404, message="no")))

    with pytest.raises(CommandError, match="nopea-7d9f is not a Pod in nopea-system"):
        await _read(commands)
