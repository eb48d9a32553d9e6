"""Commands with --watch, in virtual time."""

from __future__ import annotations

import asyncio

import pytest
from tests.fakes.samples import raw_repository
from tests.unit.cli.conftest import Commands

from nopea.cli.cluster import CommandError
from nopea.cli.following import Followed, following
from nopea.kube.errors import ApiFailure, ForbiddenError, UnreachableError
from nopea.kube.kinds import GIT_REPOSITORIES
from nopea.kube.requests import Selection

pytestmark = [pytest.mark.looptime, pytest.mark.timeout(20)]
FORBIDDEN = ForbiddenError(ApiFailure(code=403, message="no"))


def _followed() -> Followed:
    return Followed(GIT_REPOSITORIES, Selection(namespace="shop"))


async def _first_changes(commands: Commands) -> None:
    async with following(commands.cluster.client, _followed()) as changes:
        for _ in range(2):
            await changes.next(within_seconds=10)


async def test_each_change_comes_at_once_and_costs_no_request(commands: Commands) -> None:
    """A quiet time is one watch and nothing else."""
    followed, loop = _followed(), asyncio.get_running_loop()
    async with following(commands.cluster.client, followed) as changes:
        await changes.next()
        assert [key.name for key in followed.objects] == ["api"]

        loop.call_later(30, lambda: commands.cluster.create(raw_repository("other")))
        await changes.next(within_seconds=100)

        assert {key.name for key in followed.objects} == {"api", "other"}
        assert loop.time() < 32
        await changes.next(within_seconds=60)
        assert commands.cluster.requests == [
            "list gitrepositories.nopea.io/v1alpha1 in shop",
            "watch gitrepositories.nopea.io/v1alpha1 in shop",
        ]


async def test_a_right_that_is_missing_is_an_error(commands: Commands) -> None:
    """At the start; the error is that of the API server."""
    commands.cluster.fail_next("list", GIT_REPOSITORIES, FORBIDDEN, times=100)

    with pytest.raises(ForbiddenError):
        await _first_changes(commands)


async def test_only_the_watch_is_forbidden(commands: Commands) -> None:
    """The error says what still works."""
    commands.cluster.fail_next("watch", GIT_REPOSITORIES, FORBIDDEN, times=100)

    with pytest.raises(CommandError, match=r"refuses to watch gitrepositories\.nopea\.io in shop") as caught:
        await _first_changes(commands)

    assert "Without --watch" in caught.value.hint


async def test_an_api_server_that_goes_away(commands: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said once, and the watch continues when it is back."""
    async with following(commands.cluster.client, _followed()) as changes:
        await changes.next()
        commands.cluster.stop()
        await changes.next(within_seconds=60)
        assert capsys.readouterr().err == "→ The API server does not answer; what is shown may be old.\n"
        commands.cluster.down = False
        await changes.next(within_seconds=120)
        assert "does not answer" not in capsys.readouterr().err


async def test_an_api_server_that_is_away(commands: Commands) -> None:
    """Nothing was shown yet, so that it is an error."""
    commands.cluster.stop()

    with pytest.raises(UnreachableError):
        await _first_changes(commands)
