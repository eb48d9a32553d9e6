"""Fixtures for the tests of the command line: a cluster in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.fakes.cluster import FakeCluster
from tests.fakes.samples import raw_repository

from nopea.cli import cluster as connection
from nopea.cli.cluster import ClusterChoice
from nopea.cli.main import main
from nopea.core.objects import ObjectKey
from nopea.core.plan.inventory import pack
from nopea.core.plan.model import LastApplied
from nopea.kube.client import KubeClient

COMMIT = "a" * 40
NEWER = "b" * 40
WEB = "ConfigMap shop/web"
APPLIED = LastApplied(hash="1" * 32, projection="2" * 32, commit="d" * 40)


def entry(commit: str, number: int = 1, **facts: Any) -> dict[str, Any]:
    """Return a history entry as the API server stores it."""
    return {
        "id": f"01JZZZZZZZZZZZZZZZZZZZZZZ{number}", "commit": commit, "trigger": "poll", "outcome": "synced",
        "started": "2026-11-24T05:00:00Z", "duration": "1.50s", **facts,
    }  # fmt: skip


def revision(commit: str) -> dict[str, Any]:
    """Return a revision that was applied."""
    time = "2026-11-24T05:00:00Z"
    return {"commit": commit, "message": "Change", "author": "Deploy Bot", "time": time, "applied": time}


class Commands:
    """Runs `nopea` against a cluster in memory that contains the GitRepository shop/api."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()

    def store(self, name: str = "api", **changes: Any) -> None:
        """Store the GitRepository; it has applied the ConfigMap shop/web."""
        status = {
            "lastAppliedCommit": NEWER,
            "resourceCount": 1,
            "history": [entry(NEWER, 2), entry(COMMIT)],
            "revisions": [revision(NEWER), revision(COMMIT)],
            "inventory": pack({ObjectKey("", "ConfigMap", "shop", "web"): APPLIED}),
            **changes.pop("status", {}),
        }
        raw = raw_repository(name, status=status, **changes)
        self.cluster.objects[self.key(name)] = raw

    @staticmethod
    def key(name: str = "api") -> ObjectKey:
        """Return the GitRepository's key."""
        return ObjectKey("nopea.io", "GitRepository", "shop", name)

    def repository(self) -> dict[str, Any]:
        """Return the stored GitRepository."""
        return self.cluster.objects[self.key()]

    def annotation(self, name: str) -> str | None:
        """Return an annotation of the GitRepository."""
        value = (self.repository()["metadata"].get("annotations") or {}).get(name)
        return None if value is None else str(value)

    def run(self, *arguments: str) -> Result:
        """Run a command and return its result."""
        return CliRunner().invoke(main, [*arguments])


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Return the commands, connected to a cluster in memory."""
    running = Commands()

    @asynccontextmanager
    async def connect(choice: ClusterChoice) -> AsyncIterator[tuple[KubeClient, str]]:
        yield running.cluster.client, choice.namespace or "shop"

    monkeypatch.setattr(connection, "connect", connect)
    running.store()
    return running
