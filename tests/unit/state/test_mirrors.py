"""Deletion of mirrors that no repository uses, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from tests.fakes.samples import repository

from nopea.core.git.source import Remote
from nopea.core.objects import RepoKey
from nopea.state.mirrors import SWEEP_SECONDS, sweep_mirrors
from nopea.state.store import StateStore
from nopea.tasks import end, spawn

pytestmark = pytest.mark.looptime


class Mirrors:
    """Records which remotes are in use at each sweep."""

    def __init__(self) -> None:
        self.sweeps: list[tuple[float, set[str]]] = []

    async def forget(self, in_use: Collection[Remote]) -> int:
        """Record a sweep."""
        now = asyncio.get_running_loop().time()
        self.sweeps.append((now, {remote.url for remote in in_use}))
        return 1


async def test_only_mirrors_in_use_are_kept(looptime: Any) -> None:
    """The first sweep is late, when every repository has had its first reconciliation."""
    del looptime
    store, mirrors = StateStore(), Mirrors()
    for name in ("api", "web", "new"):
        status = repository(name).status
        state = store.state(RepoKey("shop", name), uid="u", status=status)
        if name != "new":  # it has not been reconciled yet, so its remote is unknown
            state.remote = Remote(f"https://git.acme.example/{name}.git")
    sweeping = spawn(sweep_mirrors(mirrors, store), name="sweep")

    await asyncio.sleep(1.5 * SWEEP_SECONDS)
    store.forget(RepoKey("shop", "api"))
    await asyncio.sleep(SWEEP_SECONDS)
    await end(sweeping)

    api, web = "https://git.acme.example/api.git", "https://git.acme.example/web.git"
    assert mirrors.sweeps == [(SWEEP_SECONDS, {api, web}), (2 * SWEEP_SECONDS, {web})]
