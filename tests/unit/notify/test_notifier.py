"""Notifications as receivers get them, over HTTP on loopback."""

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
    """Return these addresses."""
    return tuple(ReceiverAddress.parse(text) for text in texts)


async def test_drift_arrives_as_json_and_in_slack() -> None:
    """Each receiver gets its own format of the notification."""
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


async def test_json_is_signed_if_a_secret_is_set() -> None:
    """Slack messages are not signed."""
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


async def test_a_failure_and_its_recovery_are_one_message_each() -> None:
    """Retries of a failed sync send nothing."""
    world = History()
    async with Sink() as sink:
        async with running_notifier(NotifySettings(json_urls=urls(sink.url()))) as notifier:
            for _ in range(20):
                notifier.on_transition(world.did(FAILED))
            await sink.wait_for(1)
            notifier.on_transition(world.did(synced()))
            await sink.wait_for(2)
        assert [one.json["kind"] for one in sink.taken] == ["failure", "recovery"]


async def test_a_message_says_how_many_were_held_back() -> None:
    """If a repository flaps, the last message contains the count."""
    world = History()
    async with Sink() as sink, running_notifier(NotifySettings(json_urls=urls(sink.url()))) as notifier:
        for _ in range(3):  # without a pause: the newest one replaces a waiting one
            notifier.on_transition(world.did(FAILED))
            notifier.on_transition(world.did(synced()))
        (arrived,) = await sink.wait_for(1)
    assert (arrived.json["kind"], arrived.json["heldBack"]) == ("recovery", 5)


async def test_a_failing_receiver_is_retried_and_does_not_delay_others() -> None:
    """Each address has its own queue."""
    async with Sink() as bad, Sink() as good:
        bad.replies.extend([Reply(status=500)])
        async with running_notifier(NotifySettings(json_urls=urls(bad.url(), good.url()))) as notifier:
            notifier.on_transition(History().did(FAILED))
            await good.wait_for(1)
            await bad.wait_for(1)
        assert [one.status for one in bad.arrivals] == [500, 202]
        assert bad.arrivals[0].body == bad.arrivals[1].body


async def test_a_secret_of_git_is_in_no_message() -> None:
    """Git credentials are masked even if a server repeats them."""
    world = History()
    done = report(Result.FAILED, problems=[problem(Code.GIT_NOT_FOUND, "no such user tok-123456")])
    async with Sink() as sink:
        settings = NotifySettings(json_urls=urls(sink.url()))
        async with running_notifier(settings) as notifier:
            notifier.on_transition(replace(world.did(done), hidden=(Secret("tok-123456"),)))
            (arrived,) = await sink.wait_for(1)
    assert b"tok-123456" not in arrived.body
    assert b"no such user ***" in arrived.body


async def test_nothing_is_sent_without_receivers() -> None:
    """Without settings the notifier has no outboxes."""
    async with running_notifier(NotifySettings()) as notifier:
        notifier.on_transition(History().did(FAILED))
        assert notifier.outboxes == ()


async def test_closing_sends_what_the_limit_allows_and_counts_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The drain does not wait for the rate limit, and the dropped messages are logged."""
    caplog.set_level(logging.WARNING, logger="nopea")
    async with Sink() as sink:
        settings = NotifySettings(json_urls=urls(sink.url()), per_minute=1)
        async with running_notifier(settings) as notifier:
            for name in "abc":
                notifier.on_transition(History(name=name).did(FAILED))
        assert len(sink.taken) == 1
    (line,) = [one for one in caplog.records if one.getMessage() == "notifications dropped at shutdown"]
    assert line.__dict__["facts"] == {"count": 2}


async def test_the_listener_does_not_block() -> None:
    """A thousand transitions are accepted while the receiver hangs."""
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


async def test_an_error_in_one_message_does_not_stop_others(caplog: pytest.LogCaptureFixture) -> None:
    """The error is logged, and the next message is handled."""
    broken = History()
    async with Sink() as sink:
        settings = NotifySettings(json_urls=urls(sink.url()), cluster="\udc80")  # cannot be encoded as JSON
        async with running_notifier(settings) as notifier:
            notifier.on_transition(broken.did(FAILED))
            notifier.on_transition(History(name="other").did(FAILED))
            async with asyncio.timeout(20):
                while len(caplog.records) < 2:  # noqa: ASYNC110 - there is no event to wait for
                    await asyncio.sleep(0.01)
    assert {one.getMessage() for one in caplog.records} == {"message not made"}


async def test_a_noisy_namespace_does_not_hold_back_the_alert_of_another() -> None:
    """After 10,000 failures of one namespace, the alert of another is the next that is sent."""
    async with Sink() as sink:
        settings = NotifySettings(json_urls=urls(sink.url()), per_minute=60)
        async with running_notifier(settings) as notifier:
            for number in range(10_000):
                notifier.on_transition(History(name=f"r{number}", namespace="noisy").did(FAILED))
            await sink.wait_for(60)
            notifier.on_transition(History(namespace="quiet").did(FAILED))
            arrived = await sink.wait_for(61)

    assert str(arrived[-1].json["title"]).startswith("quiet/api: ")
    assert arrived[-1].json["heldBack"] == 0
