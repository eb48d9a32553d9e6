"""Deliveries over real HTTP on loopback: the woken repositories and the responses."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from datetime import timedelta

import pytest
from tests.fakes.deliveries import SECRET, Sent, github, ping, pull_request, push
from tests.fakes.samples import repository
from tests.unit.core.webhooks.sent import OWN, reference
from tests.unit.notify.posting import facts
from tests.unit.web.edge import HOOK, Edge, receiving

from nopea.kube.errors import ApiFailure, ForbiddenError, UnreachableError

API = "/webhook/shop/api"
OTHER = "another secret"
UNSIGNED = Sent({"X-GitHub-Event": "push"}, b"{}")
UNAUTHENTICATED = {
    "code": "NOPEA-W002",
    "message": "The delivery could not be authenticated.",
    "hint": "Check the URL and the secret of the webhook. Nopea's log says what is wrong.",
}
"""The body of every 401, whatever the cause."""


def _logged(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Return the status and the code of each refusal in the log, in order."""
    lines = [facts(record) for record in caplog.records if record.message == "webhook refused"]
    return [(line["status"], line["code"]) for line in lines]


def _problems(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the message of each refusal in the log, in order."""
    return [facts(record)["problem"] for record in caplog.records if record.message == "webhook refused"]


async def _on_the_wire(edge: Edge, path: str, sent: Sent) -> bytes:
    """Send a delivery and return the bytes of the response, without its Date header."""
    head = [f"POST {path} HTTP/1.1", "Host: nopea", f"Content-Length: {len(sent.body)}"]
    head += [f"{name}: {value}" for name, value in sent.headers.items()]
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    try:
        writer.write("\r\n".join([*head, "", ""]).encode() + sent.body)
        return re.sub(rb"\r\nDate: [^\r]*", b"", await reader.readuntil(b"}\n"))
    finally:
        writer.close()


async def test_a_push_wakes_the_repository() -> None:
    """The response is 202 with the name of the repository."""
    async with receiving() as edge:
        answer = await edge.send(API, push())

        assert (answer.status, answer.body) == (202, {"woken": ["shop/api"]})
        assert edge.woken == ["shop/api"]


async def test_a_pull_request_is_planned_for_who_asks_for_that() -> None:
    """Where its base is followed; it wakes nobody, and the same delivery is taken once."""
    asks = repository(webhook=HOOK, planPullRequests=True)
    does_not_ask = repository("web", webhook=HOOK)
    async with receiving(asks, does_not_ask) as edge:
        sent = pull_request(delivery="1")
        answers = [
            await edge.send(API, sent),
            await edge.send(API, sent),
            await edge.send("/webhook/shop/web", pull_request()),
            await edge.send(API, pull_request(base="next")),
            await edge.send(API, pull_request(is_fork=True)),
            await edge.send(API, pull_request(action="closed")),
        ]

        assert [(answer.status, answer.body) for answer in answers] == [
            (202, {"planned": ["shop/api"]}),
            (200, {"ignored": "duplicate"}),
            (200, {"ignored": "other ref or paths"}),
            (200, {"ignored": "other ref or paths"}),
            (200, {"ignored": "pull request of a fork"}),
            (200, {"ignored": "pull request without a new commit"}),
        ]
        assert edge.planned == [("shop/api", 7)]
        assert edge.woken == []
        assert edge.measured[:2] == [("github", "planned"), ("github", "ignored")]


async def test_a_pull_request_is_ignored_where_they_are_not_planned() -> None:
    """As without the option of the process; a suspended repository has none planned."""
    async with receiving(repository(webhook=HOOK, planPullRequests=True), plans=False) as edge:
        answer = await edge.send(API, pull_request())
        assert (answer.status, answer.body) == (200, {"ignored": "not a push of a branch or tag"})
    async with receiving(repository(webhook=HOOK, planPullRequests=True, suspend=True)) as edge:
        answer = await edge.send(API, pull_request())
        assert (answer.body, edge.planned) == ({"ignored": "suspended"}, [])


async def test_every_delivery_is_measured_once() -> None:
    """The labels are the outcome and the provider, which is unknown until the signature is verified."""
    async with receiving() as edge:
        for sent in (push(), ping(), push(secret=OTHER)):
            await edge.send(API, sent)

        assert edge.measured == [("github", "woken"), ("github", "ignored"), ("unknown", "refused")]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (push(ref="refs/heads/other"), "other ref or paths"),
        (push(ref="refs/tags/main"), "other ref or paths"),
        (push(paths=["docs/readme.md"]), "other ref or paths"),
        (push(deleted=True), None),
        (ping(), None),
        (github("issues", {"action": "opened"}), None),
    ],
    ids=["branch", "tag", "paths", "deletion", "ping", "event"],
)
async def test_a_genuine_delivery_without_effect_is_200(sent: object, reason: str | None) -> None:
    """Providers treat any other status as a failure and stop sending."""
    async with receiving(repository(webhook=HOOK, path="deploy" if reason else "")) as edge:
        answer = await edge.send(API, sent)  # type: ignore[arg-type]

        assert answer.status == 200
        assert answer.body["ignored"]
        assert reason in (None, answer.body["ignored"])
        assert edge.woken == []


async def test_a_suspended_repository_is_not_woken() -> None:
    """The delivery is ignored, since a sync would only report the suspension."""
    async with receiving(repository(webhook=HOOK, suspend=True)) as edge:
        answer = await edge.send(API, push())

        assert (answer.status, answer.body) == (200, {"ignored": "suspended"})
        assert edge.woken == []


async def test_the_url_is_not_compared_if_the_address_names_the_repository() -> None:
    """The webhook of a mirror may use the address of the repository."""
    async with receiving() as edge:
        answer = await edge.send(API, push(url="https://mirror.acme.example/copy.git"))

        assert answer.status == 202


@pytest.mark.parametrize("name", [*OWN, *reference()])
async def test_every_provider_is_accepted_with_its_secret_only(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A secret with one other byte wakes no repository; the log says that the signature is wrong."""
    sent = OWN[name][1] if name in OWN else reference()[name]
    async with receiving(repository(webhook=HOOK, url="https://git.acme.example/any.git")) as edge:
        edge.now = sent.now
        edge.cluster.data["shop/hook"] = {"token": sent.secret}
        answer = await edge.request("POST", API, data=sent.body, headers=sent.headers)
        assert answer.status in (200, 202)
        assert (answer.status == 202) == (edge.woken == ["shop/api"])

        edge.woken.clear()
        edge.clock.seconds += 60
        edge.cluster.data["shop/hook"] = {"token": f"{sent.secret[:9]}x{sent.secret[10:]}"}
        answer = await edge.request("POST", API, data=sent.body, headers=sent.headers)
        is_unsigned_ping = sent.headers.get("x-event-key") == "diagnostics:ping"
        assert answer.status == (200 if is_unsigned_ping else 401)
        assert _logged(caplog) == ([] if is_unsigned_ping else [(401, "NOPEA-W002")])
        assert edge.woken == []


# Rejected deliveries.


@pytest.mark.parametrize(
    "sent",
    [push(secret=OTHER), push().tampered(), github("push", {"ref": "refs/heads/main"}, secret="")],
    ids=["secret", "body", "empty"],
)
async def test_a_wrong_signature_wakes_no_repository(sent: Sent, caplog: pytest.LogCaptureFixture) -> None:
    """The response is 401; the log has the code of a wrong signature."""
    async with receiving() as edge:
        answer = await edge.send(API, sent)

        assert (answer.status, answer.body) == (401, UNAUTHENTICATED)
        assert _logged(caplog) == [(401, "NOPEA-W002")]
        assert edge.woken == []


async def test_an_unsigned_delivery_wakes_no_repository(caplog: pytest.LogCaptureFixture) -> None:
    """The response is 401; the log says that the signature is missing, also for an empty one."""
    sent = push()
    async with receiving() as edge:
        for signature in (None, ""):
            headers = {name: value for name, value in sent.headers.items() if "Signature" not in name}
            if signature is not None:
                headers["X-Hub-Signature-256"] = signature
            answer = await edge.request("POST", API, data=sent.body, headers=headers)

            assert (answer.status, answer.body) == (401, UNAUTHENTICATED)
        assert _logged(caplog) == [(401, "NOPEA-W001")] * 2
        assert edge.woken == []


async def test_the_spec_fixes_the_provider(caplog: pytest.LogCaptureFixture) -> None:
    """The headers of other providers are not accepted; the log names the header that is missing."""
    async with receiving(repository(webhook={**HOOK, "provider": "gitlab"})) as edge:
        assert (await edge.send(API, push())).status == 401

    assert _logged(caplog) == [(401, "NOPEA-W001")]
    assert "x-gitlab-token" in _problems(caplog)[0]


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"ref": 5}', b"[" * 50_000])
async def test_a_signed_body_that_is_not_a_payload_is_refused(body: bytes) -> None:
    """The response is 400 for every kind of invalid body."""
    import hashlib
    import hmac

    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={digest}"}
    async with receiving() as edge:
        answer = await edge.request("POST", API, data=body, headers=headers)

        assert (answer.status, answer.code) == (400, "NOPEA-W004")


@pytest.mark.parametrize(
    "path",
    [
        "/webhook/shop/other",
        "/webhook/other/api",
        "/webhook/nobody",
        "/webhook/%00/%ff",
        "/webhook/shop%2Fapi",
    ],
)
async def test_an_unknown_address_is_401(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """The response is 401 even to a genuine delivery; the log says that there is no such repository."""
    async with receiving() as edge:
        answer = await edge.send(path, push())

        assert (answer.status, answer.body) == (401, UNAUTHENTICATED)
        assert _logged(caplog) == [(401, "NOPEA-W006")]
        assert edge.woken == []


async def test_a_name_alone_is_enough_while_it_is_unique(caplog: pytest.LogCaptureFixture) -> None:
    """Once a second namespace has a repository of this name, the response is 401; the log has the cause."""
    async with receiving() as edge:
        assert (await edge.send("/webhook/api", push())).body == {"woken": ["shop/api"]}

        edge.repositories.put(repository(namespace="team"))
        answer = await edge.send("/webhook/api", push())

        assert (answer.status, answer.body) == (401, UNAUTHENTICATED)
        assert _logged(caplog) == [(401, "NOPEA-W007")]
        assert (await edge.send(API, push())).status == 202


async def test_without_any_secret_every_delivery_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """The response is 401: by default, unsigned deliveries are not accepted. The log has the cause."""
    async with receiving(repository()) as edge:
        for path in ("/webhook", "/webhook/api", API):
            answer = await edge.send(path, push())
            assert (answer.status, answer.body) == (401, UNAUTHENTICATED)
        assert edge.woken == []

    assert _logged(caplog) == [(401, "NOPEA-W005")] * 3


async def test_a_broken_spec_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """The unreadable spec may name a Secret, so the process-wide secret is not used instead."""
    async with receiving(repository(url=5), shared=SECRET) as edge:
        answer = await edge.send(API, push())

        assert (answer.status, answer.body) == (401, UNAUTHENTICATED)
        assert edge.woken == []

    assert _logged(caplog) == [(401, "NOPEA-W005")]
    assert _problems(caplog) == ["The spec of the GitRepository is invalid."]


async def test_the_response_to_an_unsigned_ping_does_not_tell_what_is_at_the_address() -> None:
    """Bitbucket's test of a connection gets the same bytes everywhere, and wakes nobody."""
    ping = Sent({"X-Event-Key": "diagnostics:ping"}, b'{"test":true}')
    github = {**HOOK, "provider": "github"}
    async with receiving(repository(webhook=HOOK), repository("web", webhook=github)) as edge:
        addresses = (API, "/webhook/shop/web", "/webhook/shop/nobody", "/webhook/nobody", "/webhook")
        answers = [await _on_the_wire(edge, address, ping) for address in addresses]

        assert set(answers) == {answers[0]}
        assert answers[0].startswith(b"HTTP/1.1 200 OK\r\n")
        assert edge.woken == []
        assert edge.cluster.reads == 0


async def test_the_response_does_not_tell_why_a_sender_is_not_authenticated(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The bytes are equal for every cause and name no Secret; the log has each cause."""
    old = OWN["gitlab signing token"][1]
    hooks = {name: {"secretRef": {"name": f"look-for-{name}"}} for name in ("known", "gone", "denied", "old")}
    causes = [
        ("/webhook/shop/nobody", push(), (401, "NOPEA-W006")),
        ("/webhook/nobody", push(), (401, "NOPEA-W006")),
        ("/webhook/shop/gone", push(), (401, "NOPEA-W005")),
        ("/webhook/shop/broken", push(), (401, "NOPEA-W005")),
        ("/webhook/shop/without", push(), (401, "NOPEA-W005")),
        ("/webhook", push(), (401, "NOPEA-W005")),
        ("/webhook/twice", push(), (401, "NOPEA-W007")),
        ("/webhook/shop/known", UNSIGNED, (401, "NOPEA-W001")),
        ("/webhook/shop/known", push(secret=OTHER), (401, "NOPEA-W002")),
        ("/webhook/shop/known", push().tampered(), (401, "NOPEA-W002")),
        ("/webhook/shop/old", Sent(old.headers, old.body), (401, "NOPEA-W003")),
    ]
    async with receiving(
        *(repository(name, webhook=hook) for name, hook in hooks.items()),
        repository("broken", url=5),
        repository("without"),
        repository("twice", webhook=hooks["known"]),
        repository("twice", namespace="team", webhook=hooks["known"]),
    ) as edge:
        edge.cluster.data["shop/look-for-known"] = {"token": SECRET}
        edge.cluster.data["shop/look-for-old"] = {"token": old.secret}
        edge.now = old.now + timedelta(hours=1)
        answers = [await _on_the_wire(edge, path, sent) for path, sent, _ in causes]
        edge.cluster.error = ForbiddenError(
            ApiFailure(code=403, message='secrets "look-for-denied" is forbidden')
        )
        answers.append(await _on_the_wire(edge, "/webhook/shop/denied", push()))
        edge.clock.seconds += 5
        edge.cluster.error = UnreachableError("no route")
        answers.append(await _on_the_wire(edge, "/webhook/shop/denied", push()))
        edge.cluster.error = None

        assert (await edge.send("/webhook/shop/known", push())).status == 202

    assert len(answers) == 13
    assert set(answers) == {answers[0]}
    assert answers[0].startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"look-for" not in answers[0]
    assert json.loads(answers[0].split(b"\r\n\r\n")[1]) == UNAUTHENTICATED
    last = [(401, "NOPEA-W005"), (401, "NOPEA-W009")]
    assert _logged(caplog) == [*(cause for _, _, cause in causes), *last]
    problems = _problems(caplog)[:-1]
    assert problems[2] == "Secret shop/look-for-gone does not exist."
    assert problems[-1].startswith("Secret shop/look-for-denied cannot be read: ")


# The process-wide address.


async def test_the_process_wide_address_wakes_the_matching_repositories() -> None:
    """URL, ref and path have to match; a repository with a secret of its own is not woken."""
    async with receiving(
        repository("web", path="web"),
        repository("jobs", path="jobs"),
        repository("old", path="web", ref={"branch": "old"}),
        repository("other", path="web", url="https://git.acme.example/other.git"),
        repository("ssh", path="web", url="git@git.acme.example:shop/api"),
        repository("own", path="web", webhook=HOOK),
        repository("asleep", path="web", suspend=True),
        repository("broken", url=5),
        shared=SECRET,
    ) as edge:
        answer = await edge.send("/webhook", push(paths=["web/deployment.yaml"]))

        assert answer.status == 202
        assert sorted(answer.body["woken"]) == sorted(edge.woken) == ["shop/ssh", "shop/web"]


async def test_a_repository_with_links_is_woken_by_any_file() -> None:
    """What a link leads to may be anywhere in the repository."""
    async with receiving(
        repository("web", path="web"), repository("jobs", path="jobs"), shared=SECRET
    ) as edge:
        edge.with_links = {"jobs"}

        answer = await edge.send("/webhook", push(paths=["base/deployment.yaml"]))

        assert (answer.status, answer.body) == (202, {"woken": ["shop/jobs"]})


async def test_the_process_wide_address_ignores_foreign_repositories() -> None:
    """The response is 200 with the reason."""
    async with receiving(repository(), shared=SECRET) as edge:
        answer = await edge.send("/webhook", push(url="https://git.acme.example/unknown.git"))

        assert (answer.status, answer.body) == (200, {"ignored": "other repository"})


# Repeated deliveries.


async def test_a_repeated_delivery_is_dropped_for_ten_minutes() -> None:
    """A repetition is recognized by its id."""
    sent = push(delivery="d-1")
    async with receiving() as edge:
        assert (await edge.send(API, sent)).status == 202
        assert (await edge.send(API, sent)).body == {"ignored": "duplicate"}
        assert (await edge.send(API, push(delivery="d-2"))).status == 202
        edge.clock.seconds += 601

        assert (await edge.send(API, sent)).status == 202


async def test_the_same_id_at_another_address_is_another_delivery() -> None:
    """Two webhooks of one provider send the same id to two addresses."""
    sent = push(delivery="d-1")
    async with receiving(repository(webhook=HOOK), repository("web", webhook=HOOK)) as edge:
        assert (await edge.send(API, sent)).status == 202
        assert (await edge.send("/webhook/shop/web", sent)).status == 202


async def test_deliveries_without_an_id_are_never_duplicates() -> None:
    """Custom senders may have no ids."""
    sent, no_id = push(), {"X-GitHub-Delivery": ""}
    async with receiving() as edge:
        assert [(await edge.send(API, sent, **no_id)).status for _ in range(2)] == [202, 202]


async def test_a_forged_delivery_does_not_block_the_id_of_a_genuine_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Only the ids of verified deliveries are remembered."""
    async with receiving() as edge:
        assert (await edge.send(API, push(delivery="d-1", secret=OTHER))).status == 401
        assert (await edge.send(API, push(delivery="d-1"))).status == 202

    assert _logged(caplog) == [(401, "NOPEA-W002")]


async def test_a_delivery_that_woke_no_repository_is_handled_again() -> None:
    """A user may send the delivery again after correcting the spec."""
    sent = push(delivery="d-1", ref="refs/heads/next")
    async with receiving() as edge:
        assert (await edge.send(API, sent)).status == 200
        edge.repositories.put(repository(webhook=HOOK, ref={"branch": "next"}))

        assert (await edge.send(API, sent)).status == 202


async def test_a_delivery_to_a_suspended_repository_is_handled_again() -> None:
    """The first delivery had no effect, so after `nopea resume` it is not a duplicate."""
    sent = push(delivery="d-1")
    async with receiving(repository(webhook=HOOK, suspend=True)) as edge:
        assert (await edge.send(API, sent)).body == {"ignored": "suspended"}
        edge.repositories.put(repository(webhook=HOOK))

        assert (await edge.send(API, sent)).status == 202


# Methods, latency and the log.


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_only_post_is_accepted(method: str) -> None:
    """Every address responds to another method with 405."""
    async with receiving() as edge:
        for path in ("/webhook", "/webhook/api", API):
            assert (await edge.request(method, path)).status == 405


@pytest.mark.alone
async def test_the_response_does_not_wait_for_work() -> None:
    """The median is below 100 ms, with a large body and many repositories."""
    many = [repository(f"r{number}", path=f"p{number}") for number in range(500)]
    took = []
    async with receiving(*many, shared=SECRET, limit=2 * 1024**2) as edge:
        for _ in range(15):
            sent = push(paths=["p7/web.yaml"], padding=500_000)
            began = time.perf_counter()
            assert (await edge.send("/webhook", sent)).body == {"woken": ["shop/r7"]}
            took.append(time.perf_counter() - began)

    assert sorted(took)[7] < 0.1


async def test_the_log_contains_each_delivery_without_its_content(caplog: pytest.LogCaptureFixture) -> None:
    """The line has the result, and neither headers, body nor secret."""
    caplog.set_level(logging.INFO, "nopea")
    async with receiving() as edge:
        await edge.send(API, push(commit="d" * 40, delivery="an-id-to-look-for"))
        await edge.send(API, push(secret="a wrong secret"))

    lines = [record for record in caplog.records if record.message.startswith("webhook")]
    assert [record.message for record in lines] == ["webhook received", "webhook refused"]
    text = str([record.__dict__ for record in lines])
    assert all(word not in text for word in ("d" * 40, "sha256=", "an-id", SECRET, "a wrong secret"))


async def test_an_address_cannot_forge_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Senders choose the path, so newlines, terminal escapes and direction marks are replaced."""
    async with receiving() as edge:
        await edge.send("/webhook/%1b[31m%0a%c2%9b%e2%80%ae/api", push())

    assert caplog.records[-1].__dict__["facts"]["address"] == "/webhook/?[31m???/api"


async def test_a_flood_of_refusals_writes_few_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    """The next line has the number of suppressed ones."""
    caplog.set_level(logging.INFO, "nopea")
    async with receiving() as edge:
        for _ in range(100):
            await edge.send(API, push(secret=OTHER))
        assert len(caplog.records) < 30
        edge.clock.seconds += 60
        await edge.send(API, push(secret=OTHER))

    assert caplog.records[-1].__dict__["facts"]["suppressed"] == 80
