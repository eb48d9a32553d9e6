"""The connections between the parts of the process, each of which is made in one place."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fakes.samples import repository

from nopea.assembly import assembled
from nopea.core.trigger import Trigger
from nopea.kube.config import ConfigError
from nopea.settings import Settings

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test}}]
clusters: [{name: test, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: test, user: {}}]
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings for an API server that does not exist; the tests start nothing that contacts it."""
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    return Settings(kubeconfig=tmp_path / "kubeconfig", cache_dir=tmp_path / "cache")


async def test_a_changed_object_wakes_the_worker_of_its_owner(settings: Settings) -> None:
    """The object cache and a reconciliation wake the worker by the value of the ownership label."""
    async with assembled(settings) as process:
        key = repository("api").key
        process.services.repositories.put(repository("api"))
        mailbox = process.controller._mailboxes.open(key)

        process.services.wake("shop.api")
        process.services.object_cache._wake("shop.unknown")

        assert mailbox.pending() == {Trigger.OBJECT_CHANGE}
        assert process.services.object_cache._wake == process.services.wake


async def test_the_process_is_not_ready_before_its_first_list_or_during_the_drain(settings: Settings) -> None:
    """The probes and the webhooks use the same readiness."""
    async with assembled(settings) as process:
        assert process.readiness.why_not() != ""

        process.controller.health.lists = 1
        process.controller.health.synced = True
        assert process.readiness.why_not() == ""

        process.readiness.draining = True
        assert process.readiness.why_not() == "shutting down"


async def test_the_server_gets_every_route(settings: Settings) -> None:
    """The routes are the metrics and the three forms of a webhook's address; the server adds the probes."""
    async with assembled(settings) as process:
        assert {route.path for route in (*process.metrics, *process.webhooks)} >= {
            "/metrics",
            "/webhook",
            "/webhook/{name}",
            "/webhook/{namespace}/{name}",
        }
        assert process.server == "http://127.0.0.1:1"


async def test_an_invalid_configuration_fails_before_the_start(tmp_path: Path) -> None:
    """The command reports the ConfigError and exits."""
    with pytest.raises(ConfigError):
        async with assembled(Settings(kubeconfig=tmp_path / "missing")):
            pass
