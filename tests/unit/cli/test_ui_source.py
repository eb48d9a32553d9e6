"""What `nopea ui` shows, with a cluster in memory."""

from __future__ import annotations

import asyncio

import pytest
from tests.fakes.object_store import served
from tests.unit.cli.conftest import Commands
from tests.unit.cli.test_heartbeat import ALIVE, beat

from nopea import tasks
from nopea.cli.cluster import CommandError
from nopea.cli.ui_source import UserWorkbench, WatchedSource, told, watched_source
from nopea.core.api.repository import parse_repository
from nopea.core.api.tenancy import AS_CALLER
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.problem import Code, Problem, StalledError
from nopea.dashboard.local import LocalViewer
from nopea.dashboard.source import DashboardError
from nopea.kube.errors import ApiFailure, ForbiddenError, UnreachableError
from nopea.kube.event_body import EVENTS
from nopea.kube.kinds import GIT_REPOSITORIES, LEASES

API = RepoKey("shop", "api")
FORBIDDEN = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="no"), request="list")


async def _source(commands: Commands, *, falls_back: bool = True) -> WatchedSource:
    return await watched_source(
        commands.cluster.client, "shop", cluster="test", everywhere=True, falls_back=falls_back
    )


async def test_watch_keeps_the_repositories_current(commands: Commands) -> None:
    """Changes and deletions arrive without a question."""
    source = await _source(commands)
    following = tasks.spawn(source.run(), name="test")
    try:
        async with asyncio.timeout(5):
            await source.listed.wait()
            assert [each.key for each in source.repositories()] == [API]
            commands.cluster.change(Commands.key(), {"spec": {"suspend": True}})
            while not (found := source.get(API)) or not found.suspended:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0)
            assert source.why_old() == ""
    finally:
        await tasks.end(following)
        commands.cluster.stop()


async def test_who_may_not_list_all_sees_the_namespace(commands: Commands) -> None:
    """And reads that it is one; with -A that is an error."""
    commands.cluster.fail_next("list", GIT_REPOSITORIES, FORBIDDEN)
    assert (await _source(commands)).why_old() == "Only the namespace shop is shown."
    commands.cluster.fail_next("list", GIT_REPOSITORIES, FORBIDDEN)
    with pytest.raises(ForbiddenError):
        await _source(commands, falls_back=False)


async def test_objects_are_those_of_the_inventory(commands: Commands) -> None:
    """As `nopea tree` lists them; the liveness is asked once in a while."""
    source = WatchedSource(commands.cluster.client, cluster="test", namespace="", own_namespace="shop")
    following = tasks.spawn(source.run(), name="test")
    try:
        async with asyncio.timeout(5):
            await source.listed.wait()
            repository = source.get(API)
            assert repository is not None
            found = await source.applied(repository, LocalViewer("x"))
            assert list(found.objects) == [ObjectKey("", "ConfigMap", "shop", "web")]
            assert (await source.controller()).running is None
    finally:
        await tasks.end(following)
        commands.cluster.stop()


@pytest.mark.parametrize("seconds", [(1, 20), (600, 700)])
async def test_controller_is_the_same_from_one_heartbeat_to_the_next(
    commands: Commands, seconds: tuple[float, float]
) -> None:
    """Open pages are told what changes, and not how time passes."""
    commands.cluster.kinds.append(served(LEASES))
    found: set[tuple[bool | None, str]] = set()
    for ago in seconds:
        beat(commands, "nopea-system", seconds_ago=ago, **ALIVE)
        state = await (await _source(commands)).controller()
        found.add((state.running, state.message))
        assert bool(state.since) == (not state.running)
    assert len(found) == 1, found


async def test_events_that_cannot_be_read_may_be_read_soon(commands: Commands) -> None:
    """Unless the user may not: then asking again is of no use."""
    source = await _source(commands)
    repository = parse_repository(commands.repository(), policy=AS_CALLER)
    for failure, again in ((UnreachableError("no answer"), True), (FORBIDDEN, False)):
        commands.cluster.fail_next("list", EVENTS, failure)
        reported = await source.reported(repository)
        assert (reported.events, reported.again) == ((), again)
        assert reported.incomplete


async def test_error_of_a_command_becomes_one_of_the_page(commands: Commands) -> None:
    """With what to do."""
    with pytest.raises(DashboardError, match="does not exist"):
        await UserWorkbench(commands.cluster.client).act(RepoKey("shop", "nothing"), "sync", object_="")
    assert told(CommandError("a", "b"), API).hint == "b"
    problem = Problem(code=Code.SPEC_INVALID, message="m", hint="h")
    assert told(StalledError(problem), API).message == f"{Code.SPEC_INVALID}: m"
    silent = UnreachableError("no answer")
    assert "automatically" not in told(silent, API).hint, "nobody repeats what a button has asked"
