"""Watches of service accounts, where Nopea itself may not watch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.fakes.watch import FakeWatch
from tests.unit.informers.caching import MAPS, WEB, Place, config, key, observed

from nopea.core.objects import Resource
from nopea.informers import object_cache as live_index
from nopea.informers.object_cache import OURS, Watcher
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiFailure, ForbiddenError, ServerError
from nopea.kube.kinds import ACCESS_REVIEWS


class Account:
    """A service account that may watch in one namespace, or everywhere."""

    def __init__(self, watch: FakeWatch, *, everywhere: bool = False) -> None:
        self.watch = watch
        self.everywhere = everywhere
        self.reviews = 0

    async def review(self, _: bytes, *, of: Resource) -> bytes:
        """Answer whether it may watch in all namespaces."""
        assert of == ACCESS_REVIEWS
        self.reviews += 1
        return b'{"status": {"allowed": true}}' if self.everywhere else b'{"status": {"allowed": false}}'

    def __getattr__(self, name: str) -> Any:
        return getattr(self.watch, name)


@asynccontextmanager
async def refused(*objects: dict[str, Any], everywhere: bool = False) -> AsyncIterator[tuple[Place, Account]]:
    """Run a cache whose process may list nothing, and give it an account that may."""
    place = Place(FakeWatch())
    place.watch.refuse = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="no"))
    account = Account(FakeWatch(objects), everywhere=everywhere)
    async with place.running():
        yield place, account


def watcher(account: Account, name: str = "system:serviceaccount:shop:deployer") -> Watcher:
    """Return the account as the cache takes it."""
    return Watcher(account=name, client=cast("KubeClient", account))


async def test_the_account_watches_where_the_process_may_not() -> None:
    """Only its namespace, if it may no more; its objects are known as if the process had seen them."""
    async with refused(config()) as (place, account):
        await place.object_cache.ensure([(MAPS, "shop")])
        assert place.object_cache.refused([key()], tenant="shop") == {(MAPS, "shop"): ""}

        await place.object_cache.ensure([(MAPS, "shop")], watcher(account))

        assert place.object_cache.knows(MAPS, "shop")
        assert not place.object_cache.knows(MAPS, "other")
        assert place.object_cache.refused([key()], tenant="shop") == {}
        assert place.object_cache.owned(WEB) == {key(): observed(1)}
        assert account.watch.selections == [replace(OURS, namespace="shop")]
        account.watch.put(config(version=2))
        await place.until(lambda: place.version() == "2")
        assert place.object_cache.unwatched(WEB) == {}
        place.object_cache.assume(MAPS, key(), observed(3))
        account.watch.delete(config(version=4))
        await place.until(lambda: place.object_cache.owned(WEB) == {})


async def test_an_account_that_may_watch_everywhere_watches_once() -> None:
    """One watch for all of its namespaces; it is asked once."""
    async with refused(config(), everywhere=True) as (place, account):
        for namespace in ("shop", "other", "shop"):
            await place.object_cache.ensure([(MAPS, namespace)], watcher(account))

        assert account.watch.selections == [OURS]
        assert account.reviews == 1
        assert place.object_cache.knows(MAPS, "other")


async def test_an_account_that_may_not_watch_leaves_what_was_read() -> None:
    """It is not believed, and it is named as unwatched."""
    async with refused() as (place, account):
        account.watch.refuse = place.watch.refuse
        await place.object_cache.ensure([(MAPS, "shop")], watcher(account))
        place.object_cache.assume(MAPS, key(), observed(1))

        assert not place.object_cache.covers(key())
        assert place.object_cache.unwatched(WEB) == {key(): MAPS}
        assert place.object_cache.refused([key()], tenant="shop") == {(MAPS, "shop"): ""}


async def test_an_accounts_watch_ends_when_nobody_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind may still be applied by others, in other namespaces."""
    async with refused() as (place, account):
        await place.object_cache.ensure([(MAPS, "shop")], watcher(account))
        assert place.object_cache.knows(MAPS, "shop")
        monkeypatch.setattr(live_index, "IDLE_SECONDS", -1.0)

        place.object_cache.retire([MAPS.group_kind])

        assert not place.object_cache.knows(MAPS, "shop")


async def test_a_refused_watch_keeps_nothing_that_an_accounts_watch_does_not_know() -> None:
    """What requests found before, and what is deleted later, is in no watch that cannot see it go."""
    async with refused(config(), config("b", 2)) as (place, account):
        await place.object_cache.ensure([(MAPS, "shop")])
        for name in ("a", "ghost"):
            place.object_cache.assume(MAPS, key(name), observed(1, name=name))
        await place.object_cache.ensure([(MAPS, "shop")], watcher(account))
        assert set(place.object_cache.owned(WEB)) == {key(), key("b")}

        place.object_cache.assume(MAPS, key("b"), observed(3, name="b"))
        account.watch.delete(config(version=4))
        await place.until(lambda: set(place.object_cache.owned(WEB)) == {key("b")})
        account.watch.break_off(cast("ForbiddenError", place.watch.refuse))
        await place.until(lambda: not place.object_cache.covers(key()))

        assert place.object_cache.owned(WEB) == {key("b"): observed(3, name="b")}


async def test_an_account_that_loses_a_right_watches_its_namespaces() -> None:
    """It could watch everywhere, and may watch in its own namespace only from now on."""
    async with refused(config(), everywhere=True) as (place, account):
        await place.object_cache.ensure([(MAPS, "shop")], watcher(account))
        assert account.watch.selections == [OURS]
        account.everywhere = False
        account.watch.break_off(cast("ForbiddenError", place.watch.refuse))
        await place.until(lambda: not place.object_cache.knows(MAPS, "shop"))
        account.watch.refuse = None

        await place.object_cache.ensure([(MAPS, "shop")], watcher(account))

        assert account.watch.selections[-1] == replace(OURS, namespace="shop")
        assert place.object_cache.knows(MAPS, "shop")
        assert not place.object_cache.knows(MAPS, "other")


async def test_the_watches_of_a_namespaces_accounts_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit nothing is watched, and the reason is told; other tenants have their own limit."""
    monkeypatch.setattr(live_index, "MOST_WATCHES", 2)
    async with refused(config()) as (place, account):
        for number, namespace in enumerate(("a", "b", "shop")):
            name = f"system:serviceaccount:tenant:{number}"
            await place.object_cache.ensure([(MAPS, namespace)], watcher(account, name))

        assert not place.object_cache.knows(MAPS, "shop")
        told = place.object_cache.refused([key()], tenant="tenant")
        assert told == {
            (MAPS, "shop"): "all 2 watches that the accounts of one namespace may have are in use"
        }
        assert place.object_cache.refused([key()], tenant="shop") == {(MAPS, "shop"): ""}

        await place.object_cache.ensure([(MAPS, "shop")], watcher(account))
        assert place.object_cache.knows(MAPS, "shop")


async def test_accounts_do_not_watch_what_fails_for_all() -> None:
    """The process may watch, but the kind's conversion webhook is down: accounts would only fail too."""
    async with refused(config()) as (place, account):
        place.watch.refuse = ServerError(ApiFailure(code=500, reason="InternalError", message="down"))

        await place.object_cache.ensure([(MAPS, "shop")], watcher(account))

        assert account.watch.selections == []
        assert account.reviews == 0
