"""Receivers of `spec.notify`: what their Secrets must hold, where messages go, and who is told why not."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any

import orjson
import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.samples import problem, report, repository
from tests.fakes.sink import Reply, Sink
from tests.fakes.transitions import History, synced
from tests.unit.notify.running import running_notifier

from nopea.core.api.tenancy import AS_CALLER, LEAST, TenancyPolicy
from nopea.core.git.networks import Networks
from nopea.core.notify.formats import signature
from nopea.core.problem import Code
from nopea.core.secret import Secret
from nopea.core.status.report import Result
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import SECRETS
from nopea.notify.notifier import Notifier
from nopea.notify.tenants import MAX_RECEIVERS_OF_NAMESPACE
from nopea.settings import NotifySettings

FAILED = report(Result.FAILED, problems=[problem(Code.YAML_SYNTAX)])
LOOSE = TenancyPolicy(allow_http_credentials=True)


def notified(*receivers: dict[str, Any], name: str = "api", namespace: str = "shop") -> History:
    """Return a repository with these receivers; without events of their own they get the default ones."""
    entries = [{"secretRef": {"name": "chat"}, **receiver} for receiver in receivers]
    return History(name=name, namespace=namespace, notify=entries)


def cluster_with(
    *, namespace: str = "shop", name: str = "chat", type_: str = "Opaque", **data: str
) -> FakeCluster:
    """Return a cluster with one Secret."""
    cluster = FakeCluster(namespaces=("shop", "other"))
    put(cluster, namespace=namespace, name=name, type_=type_, **data)
    return cluster


def put(
    cluster: FakeCluster, *, namespace: str = "shop", name: str = "chat", type_: str = "Opaque", **data: str
) -> None:
    """Store a Secret."""
    encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
    metadata = {"name": name, "namespace": namespace}
    cluster.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type_, "data": encoded}
    )


def notes(cluster: FakeCluster) -> list[str]:
    """Return the texts of the Events."""
    return [value["note"] for key, value in cluster.objects.items() if key.kind == "Event"]


@pytest.mark.parametrize("type_", ["slack", "teams", "discord", "webhook"])
async def test_each_type_is_sent_to_the_url_of_the_secret(type_: str) -> None:
    """The token is sent, and the messages of a webhook are signed."""
    async with Sink() as sink:
        cluster = cluster_with(url=sink.url("/hook"), token="tok", secret="key")
        async with running_notifier(NotifySettings(), cluster=cluster, policy=LOOSE) as notifier:
            notifier.on_transition(notified({"type": type_}).did(FAILED))
            (arrived,) = await sink.wait_for(1)
    assert arrived.path == "/hook"
    assert arrived.headers["authorization"] == "Bearer tok"
    assert b"YamlSyntax" in arrived.body
    signed = arrived.headers.get("x-signature")
    assert signed == (signature(Secret("key"), arrived.body) if type_ == "webhook" else None)


async def test_alertmanager_gets_what_is_wrong_and_its_end() -> None:
    """The alerts are at the path of its API, with labels that group them, and end when all is well."""
    async with Sink() as sink:
        cluster = cluster_with(url=sink.url("/am/"))
        world = notified({"type": "alertmanager"})
        async with running_notifier(NotifySettings(cluster="c"), cluster=cluster) as notifier:
            notifier.on_transition(world.did(FAILED))
            (arrived,) = await sink.wait_for(1)
            notifier.on_transition(world.did(synced()))
            later = (await sink.wait_for(2))[1]
    assert arrived.path == "/am/api/v2/alerts"
    (firing,), (over,) = orjson.loads(arrived.body), orjson.loads(later.body)
    assert firing["labels"] == {
        "alertname": "NopeaSyncFailed", "severity": "critical", "namespace": "shop", "gitrepository": "api",
        "code": "NOPEA-M001", "reason": "YamlSyntax", "cluster": "c",
    }  # fmt: skip
    assert over["labels"] == firing["labels"]
    assert over["endsAt"] < firing["endsAt"]


async def test_filters_by_kind_and_severity() -> None:
    """Each entry gets what it asks for; the end of what is not sent is not sent."""
    async with Sink() as sink:
        cluster = cluster_with(url=sink.url("/all"))
        put(cluster, name="errors", url=sink.url("/errors"))
        world = notified(
            {"type": "webhook", "events": ["deployment", "health", "recovery"]},
            {"type": "webhook", "secretRef": {"name": "errors"}, "severity": "error"},
        )
        async with running_notifier(NotifySettings(), cluster=cluster) as notifier:
            for step in (world.did(synced(id="01A")), world.healthy("False"), world.healthy("True")):
                notifier.on_transition(step)
                await asyncio.sleep(0.05)
            for step in (world.did(FAILED), world.did(synced())):
                notifier.on_transition(step)
                await asyncio.sleep(0.05)
            await sink.wait_for(6)
    arrived = [(each.path, str(each.json["kind"])) for each in sink.taken]
    assert sorted(kind for path, kind in arrived if path == "/errors") == ["failure", "recovery"]
    assert [kind for path, kind in arrived if path == "/all"] == [
        "deployment",
        "health",
        "health",
        "recovery",
    ]


async def test_a_receiver_that_repositories_share_gets_one_message_for_a_cause() -> None:
    """The outage of a Git server is one message in each namespace, which names only its own."""
    async with Sink() as sink:
        cluster = cluster_with(url=sink.url("/shop"))
        put(cluster, namespace="other", url=sink.url("/other"))
        settings = NotifySettings(after_seconds=0.3)
        async with running_notifier(settings, cluster=cluster) as notifier:
            down = report(Result.FAILED, problems=[problem(Code.GIT_UNREACHABLE)])
            for namespace, name in (("shop", "a"), ("shop", "b"), ("other", "c")):
                notifier.on_transition(
                    notified({"type": "webhook"}, name=name, namespace=namespace).did(down)
                )
            await sink.wait_for(2)
            await asyncio.sleep(0.3)
    found = {each.path: each.json["repositories"] for each in sink.taken}
    assert found == {"/shop": ["shop/a", "shop/b"], "/other": ["other/c"]}
    assert len(sink.taken) == 2


BAD: list[tuple[dict[str, str], TenancyPolicy, str]] = [
    ({"url": "http://127.0.0.1:1/x"}, LEAST, "plain http"),
    ({"url": "https://127.0.0.1:1/x", "type_": "kubernetes.io/service-account-token"}, LEAST, "has the type"),
    ({"token": "t"}, LEAST, "has no key `url`"),
    ({"url": "ftp://acme.example/"}, LEAST, "does not begin with http"),
    ({"url": "https://evil.example/x"}, TenancyPolicy(allowed_hosts=("*.acme.example",)), "not allowed"),
    ({"url": "https://acme.example/x", "token": "a\nb"}, LEAST, "spaces or non-ASCII"),
]


@pytest.mark.parametrize(("data", "policy", "words"), BAD)
async def test_a_secret_that_cannot_be_used_is_an_event(
    data: dict[str, str], policy: TenancyPolicy, words: str
) -> None:
    """The Event says what to do, once, and shows no value."""
    cluster = cluster_with(**data)
    async with running_notifier(NotifySettings(), cluster=cluster, policy=policy) as notifier:
        notifier.on_transition(notified({"type": "slack"}).did(FAILED))
        await _until_noted(notifier)
    (note,) = notes(cluster)
    assert note.startswith("NOPEA-N001: ")
    assert words in note
    assert "evil.example/x" not in note


async def test_a_missing_secret_is_used_once_it_is_there() -> None:
    """The message waits and is sent with the next attempt."""
    async with Sink() as sink:
        cluster = FakeCluster()
        async with running_notifier(NotifySettings(), cluster=cluster, policy=LOOSE) as notifier:
            notifier.on_transition(notified({"type": "slack"}).did(FAILED))
            await _until_noted(notifier)
            put(cluster, url=sink.url())
            await sink.wait_for(1)
    assert notes(cluster) == [
        "NOPEA-N001: Secret shop/chat does not exist. Create it, or correct spec.notify."
    ]


async def test_a_tenant_reaches_no_internal_address() -> None:
    """By default nothing connects to this host or the cloud's metadata, and the Event does not say why."""
    async with Sink() as sink:
        cluster = cluster_with(url=sink.url())
        async with running_notifier(
            NotifySettings(), cluster=cluster, tenants=Networks.PRIVATE, policy=AS_CALLER
        ) as notifier:
            notifier.on_transition(notified({"type": "webhook"}).did(FAILED))
            await _until_noted(notifier)
            await notifier.close(0)
        assert sink.arrivals == []
    assert "gave no answer" in notes(cluster)[0]


async def test_no_redirect_is_followed() -> None:
    """A receiver cannot send the message, nor the token, to another address."""
    async with Sink() as inside, Sink(usual=Reply(status=307, headers={"Location": inside.url()})) as sink:
        cluster = cluster_with(url=sink.url(), token="tok")
        async with running_notifier(NotifySettings(), cluster=cluster, policy=LOOSE) as notifier:
            notifier.on_transition(notified({"type": "webhook"}).did(FAILED))
            await _until_noted(notifier)
        assert inside.arrivals == []
    assert "Redirects are not followed" in notes(cluster)[0]


async def test_a_namespace_has_a_bound() -> None:
    """One more receiver is not made; the GitRepository is told, once."""
    cluster = FakeCluster()
    async with running_notifier(NotifySettings(), cluster=cluster) as notifier:
        for number in range(MAX_RECEIVERS_OF_NAMESPACE + 1):
            own = {"type": "webhook", "secretRef": {"name": f"s{number}"}}
            more = {"type": "slack"} if number == MAX_RECEIVERS_OF_NAMESPACE else own
            world = notified(own, more, name=f"r{number}")
            notifier.on_transition(world.did(synced()))
            notifier.on_transition(world.did(synced()))
        assert len(notifier.outboxes) == MAX_RECEIVERS_OF_NAMESPACE
    (note,) = notes(cluster)
    assert "too many receivers" in note


async def test_a_secret_that_nopea_may_not_read_is_told() -> None:
    """Its role may name the Secrets that it may read."""
    cluster = cluster_with(url="https://hooks.acme.example")
    cluster.fail_next("get", SECRETS, ForbiddenError(ApiFailure(code=403)), times=99)
    async with running_notifier(NotifySettings(), cluster=cluster) as notifier:
        notifier.on_transition(notified({"type": "webhook"}).did(FAILED))
        await _until_noted(notifier)
    (note,) = notes(cluster)
    assert "Nopea may not read Secret shop/chat" in note


async def test_a_receiver_that_is_removed_ends() -> None:
    """Its queue ends with the last GitRepository that used it, and what failed is not told of any more."""
    world = notified({"type": "webhook"})
    async with running_notifier(NotifySettings(), cluster=FakeCluster()) as notifier:
        notifier.on_transition(world.did(synced()))
        assert len(notifier.outboxes) == 1
        world.repository = repository("api")
        notifier.on_transition(world.did(synced()))
        async with asyncio.timeout(10):
            while notifier.outboxes:  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.01)


async def _until_noted(notifier: Notifier) -> None:
    """Wait until the users of some receiver have been told what stands in the way."""
    async with asyncio.timeout(10):
        while not any(each.problem for each in notifier._tenants._receivers.values()):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
