"""Deliveries over real HTTP on loopback: the woken repositories and the responses."""

from __future__ import annotations

import logging
import time

import pytest
from tests.fakes.deliveries import SECRET, github, ping, push
from tests.fakes.samples import repository
from tests.unit.core.webhooks.sent import OWN, reference
from tests.unit.web.edge import HOOK, receiving

API = "/webhook/shop/api"
OTHER = "another secret"


async def test_a_push_wakes_the_repository() -> None:
    """The response is 202 with the name of the repository."""
    async with receiving() as edge:
        answer = await edge.send(API, push())

        assert (answer.status, answer.body) == (202, {"woken": ["shop/api"]})
        assert edge.woken == ["shop/api"]


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
async def test_every_provider_is_accepted_with_its_secret_only(name: str) -> None:
    """A secret with one other byte wakes no repository."""
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
        assert edge.woken == []


# Rejected deliveries.


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (push(secret=OTHER), "NOPEA-W002"),
        (push().tampered(), "NOPEA-W002"),
        (github("push", {"ref": "refs/heads/main"}, secret=""), "NOPEA-W002"),
    ],
    ids=["secret", "body", "empty"],
)
async def test_a_wrong_signature_wakes_no_repository(sent: object, code: str) -> None:
    """The response is 401 with the code and a hint."""
    async with receiving() as edge:
        answer = await edge.send(API, sent)  # type: ignore[arg-type]

        assert (answer.status, answer.code) == (401, code)
        assert answer.body["hint"]
        assert edge.woken == []


async def test_an_unsigned_delivery_wakes_no_repository() -> None:
    """The response is 401; an empty signature counts as none."""
    sent = push()
    async with receiving() as edge:
        for signature in (None, ""):
            headers = {name: value for name, value in sent.headers.items() if "Signature" not in name}
            if signature is not None:
                headers["X-Hub-Signature-256"] = signature
            answer = await edge.request("POST", API, data=sent.body, headers=headers)

            assert (answer.status, answer.code) == (401, "NOPEA-W001")
        assert edge.woken == []


async def test_the_spec_fixes_the_provider() -> None:
    """The headers of other providers are not accepted."""
    async with receiving(repository(webhook={**HOOK, "provider": "gitlab"})) as edge:
        assert (await edge.send(API, push())).status == 401


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
async def test_an_unknown_address_is_404(path: str) -> None:
    """The response is the same for a genuine delivery."""
    async with receiving() as edge:
        answer = await edge.send(path, push())

        assert (answer.status, answer.code) == (404, "NOPEA-W006")


async def test_a_name_alone_is_enough_while_it_is_unique() -> None:
    """The response is 409 once a second namespace has a repository of this name."""
    async with receiving() as edge:
        assert (await edge.send("/webhook/api", push())).body == {"woken": ["shop/api"]}

        edge.repositories.put(repository(namespace="team"))
        answer = await edge.send("/webhook/api", push())

        assert (answer.status, answer.code) == (409, "NOPEA-W007")
        assert (await edge.send(API, push())).status == 202


async def test_without_any_secret_every_delivery_is_refused() -> None:
    """The response is 403: by default, unsigned deliveries are not accepted."""
    async with receiving(repository()) as edge:
        for path in ("/webhook", "/webhook/api", API):
            answer = await edge.send(path, push())
            assert (answer.status, answer.code) == (403, "NOPEA-W005")


async def test_a_broken_spec_is_refused() -> None:
    """The unreadable spec may name a Secret, so the process-wide secret is not used instead."""
    async with receiving(repository(url=5), shared=SECRET) as edge:
        answer = await edge.send(API, push())

        assert (answer.status, answer.code) == (403, "NOPEA-W005")


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


async def test_a_forged_delivery_does_not_block_the_id_of_a_genuine_one() -> None:
    """Only the ids of verified deliveries are remembered."""
    async with receiving() as edge:
        assert (await edge.send(API, push(delivery="d-1", secret=OTHER))).status == 401
        assert (await edge.send(API, push(delivery="d-1"))).status == 202


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
