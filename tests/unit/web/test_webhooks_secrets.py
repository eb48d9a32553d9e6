"""The secret that a delivery has to be signed with, and the responses while it cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.fakes.deliveries import push
from tests.fakes.samples import repository
from tests.unit.core.webhooks.sent import OWN
from tests.unit.notify.posting import facts
from tests.unit.web.edge import HOOK, receiving, until

from nopea.kube.errors import ApiFailure, ForbiddenError, UnreachableError

API = "/webhook/shop/api"
OTHER = "another secret"
UNAUTHENTICATED = {
    "code": "NOPEA-W002",
    "message": "The delivery could not be authenticated.",
    "hint": "Check the URL and the secret of the webhook. Nopea's log says what is wrong.",
}
"""The body of every 401, whatever the cause."""
TRY_AGAIN = {
    "code": "NOPEA-W009",
    "message": "Nopea cannot take deliveries now.",
    "hint": "Send the delivery again later.",
}
"""The body of every 503, whatever the cause."""


def _logged(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Return the status and the code of each refusal in the log, in order."""
    lines = [facts(record) for record in caplog.records if record.message == "webhook refused"]
    return [(line["status"], line["code"]) for line in lines]


def _problems(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the message of each refusal in the log, in order."""
    return [facts(record)["problem"] for record in caplog.records if record.message == "webhook refused"]


async def test_a_repository_without_a_secret_of_its_own_uses_the_process_wide_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At the repository's address, deliveries with another secret are rejected."""
    async with receiving(repository(), shared=OTHER) as edge:
        assert (await edge.send(API, push(secret=OTHER))).status == 202
        assert (await edge.send(API, push())).status == 401

    assert _logged(caplog) == [(401, "NOPEA-W002")]


async def test_an_own_secret_excludes_the_process_wide_one(caplog: pytest.LogCaptureFixture) -> None:
    """A sender that has only the process-wide secret cannot wake the repository."""
    async with receiving(shared=OTHER) as edge:
        assert (await edge.send(API, push())).status == 202
        assert (await edge.send(API, push(secret=OTHER))).status == 401

    assert _logged(caplog) == [(401, "NOPEA-W002")]


@pytest.mark.parametrize("data", [None, {}, {"password": OTHER}, {"token": ""}, {"token": " \n"}])
async def test_an_own_secret_that_is_missing_is_refused(
    data: dict[str, str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The response is 401; the process-wide secret is never used instead. The log names the Secret."""
    async with receiving(shared=OTHER) as edge:
        del edge.cluster.data["shop/hook"]
        if data is not None:
            edge.cluster.data["shop/hook"] = data
        answer = await edge.send(API, push(secret=OTHER))

        assert (answer.status, answer.body) == (401, UNAUTHENTICATED)
        assert edge.woken == []

    assert _logged(caplog) == [(401, "NOPEA-W005")]
    assert "Secret shop/hook" in _problems(caplog)[0]


async def test_a_new_secret_replaces_the_old_one_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """After a wrong signature the Secret is read again, at most once a second."""
    async with receiving() as edge:
        assert (await edge.send(API, push())).status == 202
        edge.cluster.data["shop/hook"] = {"token": OTHER}
        edge.clock.seconds += 1.5

        assert (await edge.send(API, push(secret=OTHER))).status == 202
        assert (await edge.send(API, push())).status == 401
        assert edge.cluster.reads == 2

    assert _logged(caplog) == [(401, "NOPEA-W002")]


async def test_a_token_may_be_replaced_by_a_signing_token() -> None:
    """The new Secret is used at once, although other headers are needed and no signature was wrong."""
    token, signed = OWN["gitlab token"][1], OWN["gitlab signing token"][1]
    async with receiving() as edge:
        edge.now = signed.now
        edge.cluster.data["shop/hook"] = {"token": token.secret}
        assert (await edge.request("POST", API, data=token.body, headers=token.headers)).status == 202
        for sent in (signed, token):
            edge.cluster.data["shop/hook"] = {"token": sent.secret}
            edge.clock.seconds += 700

            assert (await edge.request("POST", API, data=sent.body, headers=sent.headers)).status == 202


async def test_a_header_that_is_sent_twice_is_not_trusted(caplog: pytest.LogCaptureFixture) -> None:
    """The order does not matter, since a proxy may have checked the first or the last one."""
    sent = push()
    forged = ("X-Hub-Signature-256", "sha256=" + "0" * 64)
    genuine = list(sent.headers.items())
    async with receiving() as edge:
        for headers in ([forged, *genuine], [*genuine, forged]):
            answer = await edge.request("POST", API, data=sent.body, headers=headers)

            assert (answer.status, answer.body) == (401, UNAUTHENTICATED)
        assert _logged(caplog) == [(401, "NOPEA-W002")] * 2
        twice = [*genuine, ("X-GitHub-Event", "ping")]
        answer = await edge.request("POST", API, data=sent.body, headers=twice)
        assert (answer.status, edge.woken) == (200, [])


async def test_a_flood_of_forged_deliveries_is_one_request(caplog: pytest.LogCaptureFixture) -> None:
    """The Secret is read from the API server once, and every signature is compared with it."""
    async with receiving() as edge:
        answers = await asyncio.gather(*(edge.send(API, push(secret=OTHER)) for _ in range(50)))

        assert {answer.status for answer in answers} == {401}
        assert edge.cluster.reads == 1

    assert set(_logged(caplog)) == {(401, "NOPEA-W002")}


async def test_during_an_outage_of_the_api_server_nobody_is_authenticated(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The response is that for a GitRepository that does not exist; the log has the cause."""
    async with receiving() as edge:
        edge.cluster.error = UnreachableError("no route")
        answer = await edge.send(API, push())

        assert (answer.status, answer.body) == (401, UNAUTHENTICATED)
        assert "Retry-After" not in answer.headers
        assert _logged(caplog) == [(401, "NOPEA-W009")]
        assert _problems(caplog)[0].startswith("Secret shop/hook cannot be read: ")
        edge.cluster.error = None
        edge.clock.seconds += 1
        assert (await edge.send(API, push())).status == 202


async def test_a_secret_that_may_not_be_read_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """The response is 401; the log has the message of the API server, because a user has to grant access."""
    async with receiving() as edge:
        edge.cluster.error = ForbiddenError(ApiFailure(code=403, message="secrets is forbidden"))
        answer = await edge.send(API, push())

        assert (answer.status, answer.body) == (401, UNAUTHENTICATED)
        assert edge.woken == []

    assert _logged(caplog) == [(401, "NOPEA-W005")]
    assert _problems(caplog)[0].startswith("Secret shop/hook cannot be read: ")
    assert "secrets is forbidden" in _problems(caplog)[0]


async def test_before_the_first_list_the_sender_is_asked_to_retry(caplog: pytest.LogCaptureFixture) -> None:
    """The repositories are still unknown, so the address may be correct; the log has the reason."""
    async with receiving() as edge:
        edge.reason = "waiting for the list of GitRepositories"
        answer = await edge.send("/webhook/nobody", push())

        assert (answer.status, answer.body) == (503, TRY_AGAIN)
        assert _logged(caplog) == [(503, "NOPEA-W009")]
        assert edge.reason in _problems(caplog)[0]


async def test_a_body_that_is_completed_during_the_drain_is_503() -> None:
    """A 202 would be wrong, because no worker handles the push any more."""
    sent = push()
    held_back = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield sent.body[:10]
        await held_back.wait()
        yield sent.body[10:]

    async with receiving() as edge:
        async with asyncio.TaskGroup() as group:
            answer = group.create_task(edge.request("POST", API, data=slowly(), headers=sent.headers))
            await until(lambda: edge.bodies.held_now == 1)
            edge.reason = "shutting down"
            held_back.set()

        assert (answer.result().status, edge.woken) == (503, [])


async def test_a_flood_at_one_address_does_not_hide_the_refusals_of_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log has a line of each namespace with a GitRepository, and few of the flood."""
    async with receiving(repository(webhook=HOOK), repository("web", namespace="team", webhook=HOOK)) as edge:
        for number in range(60):
            assert (await edge.send(API, push(secret=OTHER))).status == 401
            assert (await edge.send(f"/webhook/nobody/{number}", push(secret=OTHER))).status == 401
        assert (await edge.send("/webhook/team/web", push(secret=OTHER))).status == 401

    lines = [facts(record) for record in caplog.records if record.message == "webhook refused"]
    assert len(lines) == 21
    assert lines[-1]["address"] == "/webhook/team/web"
    assert lines[-1]["hint"]
