"""Notifications as they arrive: real HTTP on loopback."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest
from tests.fakes.samples import problem, report, result_of
from tests.fakes.sink import Reply, Sink
from tests.fakes.transitions import History, edited, synced
from tests.unit.notify.running import running_notifier

from nopea.core.notify.address import ReceiverAddress
from nopea.core.notify.formats import signature
from nopea.core.problem import Code
from nopea.core.secret import Secret
from nopea.core.status.report import Outcome, Result
from nopea.settings import NotifySettings

FAILED = report(Result.FAILED, problems=[problem(Code.YAML_SYNTAX)])


def urls(*texts: str) -> tuple[ReceiverAddress, ...]:
    """Return addresses."""
    return tuple(ReceiverAddress.parse(text) for text in texts)


async def test_drift_arrives_as_json_and_in_slack() -> None:
    """Each gets its own form of the same news, at its own path."""
    async with Sink() as sink:
        settings = NotifySettings(
            json_urls=urls(sink.url("/json")),
            slack_urls=urls(sink.url("/services/T0/B0/xyz")),
            cluster="acme",
        )
        async with running_notifier(settings) as notifier:
            notifier.on_transition(History(healPolicy="notify").did(synced(edited())))
            arrived = {one.path: one for one in await sink.wait_for(2)}

    assert arrived["/json"].json["title"] == "shop/api: ConfigMap shop/web was changed by kubectl-edit"
    assert arrived["/json"].json["cluster"] == "acme"
    assert "x-signature" not in arrived["/json"].headers
    assert arrived["/json"].headers["content-type"] == "application/json"
    assert str(arrived["/services/T0/B0/xyz"].json["text"]).startswith(":warning: *shop/api: ")


async def test_json_is_signed_where_a_secret_is_set() -> None:
    """The receiver knows that it is ours; Slack, which checks nothing, is not told a signature."""
    secret = Secret("acme-secret")
    async with Sink() as sink:
        settings = NotifySettings(
            json_urls=urls(sink.url("/json")), slack_urls=urls(sink.url("/slack")), secret=secret
        )
        async with running_notifier(settings) as notifier:
            notifier.on_transition(History().did(FAILED))
            arrived = {one.path: one for one in await sink.wait_for(2)}

    assert arrived["/json"].headers["x-signature"] == signature(secret, arrived["/json"].body)
    assert "x-signature" not in arrived["/slack"].headers


async def test_a_failure_is_one_message_over_its_retries_and_the_recovery_another() -> None:
    """Retries wake nobody."""
    world = History()
    async with Sink() as sink:
        async with running_notifier(NotifySettings(json_urls=urls(sink.url()))) as notifier:
            for _ in range(20):
                notifier.on_transition(world.did(FAILED))
            await sink.wait_for(1)
            notifier.on_transition(world.did(synced()))
            await sink.wait_for(2)
        assert [one.json["kind"] for one in sink.taken] == ["failure", "recovery"]


async def test_what_is_told_later_says_how_many_were_held_back() -> None:
    """Flapping is summed up in the last message."""
    world = History()
    async with Sink() as sink, running_notifier(NotifySettings(json_urls=urls(sink.url()))) as notifier:
        for _ in range(3):  # in one breath: the newest replaces what has not gone yet
            notifier.on_transition(world.did(FAILED))
            notifier.on_transition(world.did(synced()))
        (arrived,) = await sink.wait_for(1)
    assert (arrived.json["kind"], arrived.json["heldBack"]) == ("recovery", 5)


async def test_a_sink_that_fails_is_tried_again_and_holds_up_no_other() -> None:
    """Each address has a queue of its own."""
    async with Sink() as bad, Sink() as good:
        bad.replies.extend([Reply(status=500)])
        async with running_notifier(NotifySettings(json_urls=urls(bad.url(), good.url()))) as notifier:
            notifier.on_transition(History().did(FAILED))
            await good.wait_for(1)
            await bad.wait_for(1)
        assert [one.status for one in bad.arrivals] == [500, 202]
        assert bad.arrivals[0].body == bad.arrivals[1].body


async def test_a_secret_of_git_is_in_no_message() -> None:
    """The repository's own credentials are masked even where a server repeats them in its words."""
    world = History()
    done = report(Result.FAILED, problems=[problem(Code.GIT_NOT_FOUND, "no such user tok-123456")])
    async with Sink() as sink:
        settings = NotifySettings(json_urls=urls(sink.url()))
        async with running_notifier(settings) as notifier:
            notifier.on_transition(replace(world.did(done), hidden=(Secret("tok-123456"),)))
            (arrived,) = await sink.wait_for(1)
    assert b"tok-123456" not in arrived.body
    assert b"no such user ***" in arrived.body


async def test_nothing_is_sent_where_nobody_is_to_be_told() -> None:
    """Without settings it listens, holds nothing and ends when it is closed."""
    async with running_notifier(NotifySettings()) as notifier:
        notifier.on_transition(History().did(FAILED))
        assert notifier.outboxes == ()


async def test_the_end_sends_what_may_go_and_counts_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    """A drain does not wait for the rate limit, and says what it left."""
    caplog.set_level(logging.WARNING, logger="nopea")
    async with Sink() as sink:
        settings = NotifySettings(json_urls=urls(sink.url()), per_minute=1)
        async with running_notifier(settings) as notifier:
            for name in "abc":
                notifier.on_transition(History(name=name).did(FAILED))
        assert len(sink.taken) == 1
    (line,) = [one for one in caplog.records if one.getMessage() == "notifications dropped at shutdown"]
    assert line.__dict__["facts"] == {"count": 2}


async def test_listening_does_not_wait() -> None:
    """A thousand steps are taken while the sink hangs."""
    async with (
        Sink(usual=Reply(delay=30)) as sink,
        running_notifier(NotifySettings(json_urls=urls(sink.url()))) as notifier,
    ):
        started = asyncio.get_running_loop().time()
        for number in range(1000):
            notifier.on_transition(History(name=f"r{number}").did(synced(result_of("web", Outcome.CREATED))))
            notifier.on_transition(History(name=f"r{number}").did(FAILED))
        assert asyncio.get_running_loop().time() - started < 10
        await sink.shut()
        await notifier.close(0)


async def test_a_bug_in_one_message_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next one goes."""
    broken = History()
    async with Sink() as sink:
        settings = NotifySettings(json_urls=urls(sink.url()), cluster="\udc80")  # what no JSON can hold
        async with running_notifier(settings) as notifier:
            notifier.on_transition(broken.did(FAILED))
            notifier.on_transition(History(name="other").did(FAILED))
            async with asyncio.timeout(20):
                while len(caplog.records) < 2:  # noqa: ASYNC110 - a log has no event
                    await asyncio.sleep(0.01)
    assert {one.getMessage() for one in caplog.records} == {"message not made"}
