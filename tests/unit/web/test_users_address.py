"""The configuration of the API server's reports: written once, renewed, and given up with a reason."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.object_store import KINDS, served

from nopea import tasks
from nopea.core.objects import ObjectKey
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import SECRETS, VALIDATING_WEBHOOKS
from nopea.web.users_address import LOOK_SECONDS, OVERLAP_SECONDS, UsersAddress

pytestmark = pytest.mark.looptime

CONFIGURATION = ObjectKey("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "", "nopea-users")
SECRET = ObjectKey("", "Secret", "shop", "nopea-users")
SERVICE = {"name": "nopea-users", "namespace": "shop", "port": 443}


def cluster_with(*configs: dict[str, Any]) -> FakeCluster:
    """Return a cluster with a configuration that calls these places."""
    cluster = FakeCluster(kinds=(*KINDS, served(VALIDATING_WEBHOOKS)))
    if configs:
        webhooks = [{"name": f"w{n}.nopea.io", "clientConfig": each} for n, each in enumerate(configs)]
        cluster.create(
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": "nopea-users"},
                "webhooks": webhooks,
            }
        )
    return cluster


@asynccontextmanager
async def running(cluster: FakeCluster, *, seconds: float = 1.0) -> AsyncIterator[UsersAddress]:
    """Yield an address that has run for a while, as a new process would."""
    address = UsersAddress(cluster.client, namespace="shop")
    task = tasks.spawn(address.run(), name="users")
    try:
        await asyncio.sleep(seconds)
        yield address
    finally:
        await tasks.end(task)


def configs(cluster: FakeCluster) -> list[dict[str, Any]]:
    """Return where the API server calls."""
    return [each["clientConfig"] for each in cluster.objects[CONFIGURATION]["webhooks"]]


def bundle(config: dict[str, Any]) -> str:
    """Return the certificates that the API server trusts."""
    return base64.b64decode(config["caBundle"]).decode()


async def test_the_certificate_and_the_path_are_written() -> None:
    """In each webhook, whether it calls a Service or a URL; all else stays."""
    cluster = cluster_with({"service": SERVICE}, {"url": "https://10.0.0.1:4002/x"})
    async with running(cluster) as address:
        by_service, by_url = configs(cluster)

        assert len(address.token()) >= 43
        assert by_service["service"] == {**SERVICE, "path": f"/users/{address.token()}"}
        assert by_url["url"] == f"https://10.0.0.1:4002/users/{address.token()}"
        assert bundle(by_service).count("BEGIN CERTIFICATE") == 1


async def test_a_restart_keeps_both_and_writes_nothing() -> None:
    """They are in the Secret."""
    cluster = cluster_with({"service": SERVICE})
    async with running(cluster) as address:
        token = address.token()
    before = len(cluster.writes)

    async with running(cluster, seconds=3 * LOOK_SECONDS) as address:
        assert address.token() == token
    assert len(cluster.writes) == before


async def test_an_installation_that_resets_them_is_mended() -> None:
    """Who applies the manifests again, without the certificate, breaks it for a minute."""
    cluster = cluster_with({"service": SERVICE})
    async with running(cluster) as address:
        webhooks = [{"name": "w0.nopea.io", "clientConfig": {"service": SERVICE}}]
        cluster.change(CONFIGURATION, {"webhooks": webhooks})
        await asyncio.sleep(LOOK_SECONDS)

        assert configs(cluster)[0]["service"]["path"] == f"/users/{address.token()}"
        assert "caBundle" in configs(cluster)[0]


async def test_deleting_the_secret_renews_both() -> None:
    """The old certificate is trusted until the new one is shown."""
    cluster = cluster_with({"service": SERVICE})
    async with running(cluster) as address:
        token, old = address.token(), bundle(configs(cluster)[0])
        cluster.delete(SECRET)
        await asyncio.sleep(LOOK_SECONDS)
        assert old in bundle(configs(cluster)[0])
        await asyncio.sleep(OVERLAP_SECONDS)
        assert address.token() != token
        await asyncio.sleep(LOOK_SECONDS)
        assert old not in bundle(configs(cluster)[0])


async def test_a_damaged_secret_is_replaced() -> None:
    """Its token stays if there is one."""
    cluster = cluster_with({"service": SERVICE})
    async with running(cluster) as address:
        token = address.token()
    cluster.change(SECRET, {"data": {"tls.crt": "%%%", "tls.key": None}})
    async with running(cluster) as address:
        assert address.token() == token
        assert "BEGIN CERTIFICATE" in base64.b64decode(cluster.objects[SECRET]["data"]["tls.crt"]).decode()


async def test_a_certificate_for_another_host_is_replaced() -> None:
    """The Service may have moved to another namespace."""
    cluster = cluster_with({"service": SERVICE})
    async with running(cluster):
        old = bundle(configs(cluster)[0])
        webhooks = [{"name": "w0.nopea.io", "clientConfig": {"service": {**SERVICE, "namespace": "other"}}}]
        cluster.change(CONFIGURATION, {"webhooks": webhooks})
        await asyncio.sleep(LOOK_SECONDS + OVERLAP_SECONDS)
        await asyncio.sleep(LOOK_SECONDS)
        assert old not in bundle(configs(cluster)[0])


@pytest.mark.parametrize("why", ["missing", "empty", "forbidden"])
async def test_what_cannot_be_configured_is_logged_once(caplog: pytest.LogCaptureFixture, why: str) -> None:
    """Drift is then reported without users; nothing else stops."""
    cluster = cluster_with(*([{"service": SERVICE}] if why == "forbidden" else []))
    if why == "empty":
        cluster = cluster_with({"service": SERVICE})
        cluster.change(CONFIGURATION, {"webhooks": None})
    if why == "forbidden":
        denied = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="no"))
        cluster.fail_next("get", SECRETS, denied, times=99)
    with caplog.at_level("WARNING"):
        async with running(cluster, seconds=3 * LOOK_SECONDS) as address:
            assert address.token() == ""

    assert [record.message for record in caplog.records] == ["users not recorded"]
