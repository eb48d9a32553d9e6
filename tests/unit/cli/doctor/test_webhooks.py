"""Webhooks: secrets, and the way of a delivery to the controller."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.object_store import KINDS, served
from tests.unit.cli.conftest import entry
from tests.unit.cli.doctor.test_controller import deployment
from tests.unit.cli.doctor.test_named_objects import FORBIDDEN
from tests.unit.cli.doctor.test_secrets import read, repository, store_secret

from nopea.cli.doctor.deployed import Deployed
from nopea.cli.doctor.finding import Finding, Verdict
from nopea.cli.doctor.webhooks import examine_webhooks
from nopea.core.api.repository import Repository
from nopea.kube.kinds import ENDPOINT_SLICES, SECRETS, SERVICES

TOKEN = "t" * 32
HOOK: dict[str, Any] = {"webhook": {"secretRef": {"name": "hook"}}}
FILE = [{"name": "NOPEA_WEBHOOK_SECRET_FILE", "value": "/etc/nopea/webhook/token"}]


def controller(**changes: Any) -> Deployed:
    """Return a controller as `deploy/` has it."""
    mounts = [{"name": "hook", "mountPath": "/etc/nopea/webhook"}]
    ports = [{"name": "webhooks", "containerPort": 4000}]
    raw = deployment(env=FILE, volumeMounts=mounts, ports=ports, **changes)
    raw["spec"]["template"]["metadata"] = {"labels": {"app": "nopea"}}
    raw["spec"]["template"]["spec"]["volumes"] = [
        {"name": "hook", "secret": {"secretName": "nopea-webhook", "optional": True}}
    ]
    return Deployed(raw=raw)


def cluster(*, service: bool = True, ready: bool | None = True) -> FakeCluster:
    """Return a cluster with the Service; `ready` None: nothing is behind it."""
    found = FakeCluster(
        kinds=(*KINDS, served(SERVICES), served(ENDPOINT_SLICES)), namespaces=("shop", "nopea-system")
    )
    metadata = {"name": "nopea", "namespace": "nopea-system"}
    if service:
        spec = {"selector": {"app": "nopea"}, "ports": [{"port": 4000, "targetPort": "webhooks"}]}
        found.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    if ready is not None:
        labels = {"kubernetes.io/service-name": "nopea"}
        found.create(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {**metadata, "labels": labels},
                "endpoints": [{"addresses": ["10.0.0.9"], "conditions": {"ready": ready}}],
            }
        )
    return found


async def findings(
    where: FakeCluster, *repositories: Repository, by: Deployed | None = None, without: bool = False
) -> list[Finding]:
    """Return the findings of an examination."""
    named = await read(where, *repositories)
    examined = None if without else by or controller()
    return [each async for each in examine_webhooks(where.client, examined, repositories, named)]


async def test_without_webhooks_there_is_nothing_to_say() -> None:
    """Also without a Service."""
    assert await findings(cluster(service=False), repository()) == []


async def test_all_is_well_in_one_line() -> None:
    """With the last push that a webhook announced, if a history has one."""
    where = cluster()
    store_secret(where, "hook", token=TOKEN)
    store_secret(where, "nopea-webhook", namespace="nopea-system", token=TOKEN)
    pushed = entry("a" * 40, trigger="webhook,poll")

    (found,) = await findings(where, repository(**HOOK))
    (dated,) = await findings(where, repository(**HOOK, status={"history": [pushed]}))

    assert found.verdict is Verdict.GOOD
    assert found.message == (
        "Webhooks have 1 secret of GitRepositories and the process-wide secret. "
        "Service nopea-system/nopea leads to the controller."
    )
    assert "The last one was synced" in dated.message
    assert dated.message.endswith("ago (shop/web).")


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (cluster(service=False), "No Service in nopea-system leads to port 4000"),
        (cluster(ready=None), "has no ready endpoint"),
        (cluster(ready=False), "has no ready endpoint"),
    ],
)
async def test_deliveries_that_cannot_arrive_are_a_problem(where: FakeCluster, words: str) -> None:
    """A Service that is missing can be made by --fix."""
    store_secret(where, "hook", token=TOKEN)

    (found,) = await findings(where, repository(**HOOK))

    assert found.verdict is Verdict.PROBLEM
    assert words in found.message
    assert [each["kind"] for each in found.manifests] == (["Service"] if "No Service" in words else [])


async def test_a_pod_that_is_not_ready_has_its_own_line() -> None:
    """That nothing is behind the Service then is no news."""
    where = cluster(ready=False)
    store_secret(where, "hook", token=TOKEN)

    assert await findings(where, repository(**HOOK), by=controller(ready=0)) == []


async def test_a_process_wide_secret_must_have_its_key() -> None:
    """And be long enough."""
    empty, weak = cluster(), cluster()
    store_secret(empty, "nopea-webhook", namespace="nopea-system", password=TOKEN)
    store_secret(weak, "nopea-webhook", namespace="nopea-system", token="hunter2")

    (missing,) = await findings(empty)
    guessed, fine = await findings(weak)

    assert missing.message.startswith("Secret nopea-system/nopea-webhook has no key `token`")
    assert (guessed.verdict, fine.verdict) == (Verdict.WARNING, Verdict.GOOD)
    assert "hunter2" not in repr(guessed)


async def test_what_may_not_be_read_is_told() -> None:
    """And without the Deployment, the way is not known."""
    where = cluster()
    store_secret(where, "hook", token=TOKEN)
    unread = repository(**HOOK)
    (no_way,) = await findings(where, unread, without=True)
    where.fail_next("list", SERVICES, FORBIDDEN)
    (no_services,) = await findings(where, unread)
    where.fail_next("get", SECRETS, FORBIDDEN)
    (no_secret,) = await findings(where)

    assert {no_way.verdict, no_services.verdict, no_secret.verdict} == {Verdict.UNKNOWN}
    assert "without the Deployment" in no_way.message
    assert "Secret nopea-system/nopea-webhook" in no_secret.message
