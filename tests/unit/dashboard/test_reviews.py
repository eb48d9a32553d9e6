"""Who may look at the controller's dashboard: only what the cluster says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.fakes.dashboard import KnownSource, failing, fine
from tests.fakes.dashboard_server import Visitor, dashboard
from tests.fakes.reviews import Reviews, reviewing

from nopea.dashboard import reviews as module
from nopea.dashboard.reviews import COOKIE, ClusterGate

ADA = {"Authorization": "Bearer ada-token"}


@asynccontextmanager
async def _served(reviews: Reviews) -> AsyncIterator[Visitor]:
    source = KnownSource()
    source.put(fine("web"), failing("secret", namespace="other"))
    async with reviewing(reviews) as client:
        gate = ClusterGate(client)
        async with dashboard(source, admit=gate.admit, more=gate.routes()) as visitor:
            yield visitor


def _reviews(*rights: str) -> Reviews:
    return Reviews(users={"ada-token": "ada"}, rights={"ada": set(rights)})


async def test_without_a_token_there_is_a_login_page_only() -> None:
    """No name of anything; programs get JSON and the scheme that is needed."""
    reviews = _reviews("list")
    async with _served(reviews) as visitor:
        for path in ("/", "/r/shop/web", "/live?at=x", "/r/other/secret/timeline"):
            page = await visitor.get(path)
            assert (page.status, page.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert 'name="token"' in page.text
            assert "other" not in page.text
        assert (
            (await visitor.get("/api/v1/repositories")).headers["Content-Type"].startswith("application/json")
        )
        assert reviews.asked == []


@pytest.mark.parametrize(
    "value",
    ["Bearer wrong", "Basic YWRhOnB3", "Bearer", "Bearer ", "bearer x y", "Bearer \u00e9",
     "Bearer " + "x" * 8_000, "ada-token"],
)  # fmt: skip
async def test_wrong_credentials_are_refused(value: str) -> None:
    """What cannot be a token is not even asked about; a cookie does not replace a wrong header."""
    reviews = _reviews("list")
    async with _served(reviews) as visitor:
        refused = await visitor.get("/", Authorization=value, Cookie=f"{COOKIE}=ada-token")
        assert refused.status in (400, 401)
        assert "shop" not in refused.text
        assert not [each for each in reviews.asked if each != "token"]


async def test_viewer_sees_the_namespaces_that_they_may_list() -> None:
    """Each is asked once a minute; who may list all is asked about all."""
    reviews = _reviews("list shop", "get shop/web")
    async with _served(reviews) as visitor:
        page = await visitor.get("/", **ADA)
        assert "shop/<strong>web" in page.text
        assert "secret" not in page.text
        assert (await visitor.get("/r/shop/web", **ADA)).status == 200
        assert (await visitor.get("/r/other/secret", **ADA)).status == 404
        assert (await visitor.get("/api/v1/repositories/other/secret", **ADA)).status == 404
        before = list(reviews.asked)
        assert before.count("token") == 1
        await visitor.get("/", **ADA)
        assert reviews.asked == before
    everything = _reviews("list")
    async with _served(everything) as visitor:
        assert "secret" in (await visitor.get("/", **ADA)).text
        assert everything.asked == ["token", "ada: list"]


async def test_right_that_is_taken_away_ends_within_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer counts for a minute, a token too."""
    monkeypatch.setattr(module, "REMEMBER_SECONDS", 0.2)
    reviews = _reviews("list")
    async with _served(reviews) as visitor:
        assert (await visitor.get("/", **ADA)).status == 200
        reviews.rights["ada"].clear()
        await asyncio.sleep(0.3)
        assert "secret" not in (await visitor.get("/", **ADA)).text
        reviews.users.clear()
        await asyncio.sleep(0.3)
        assert (await visitor.get("/", **ADA)).status == 401


async def test_login_sets_a_cookie_that_no_script_and_no_other_site_can_use() -> None:
    """And logout removes it. A wrong token sets none."""
    reviews = _reviews("list shop")
    async with _served(reviews) as visitor:
        assert (
            "Set-Cookie" not in (await visitor.post("/login", {"token": "wrong"}, **visitor.origin)).headers
        )
        assert (await visitor.post("/login", {"token": "ada-token"})).status == 403
        done = await visitor.post("/login", {"token": " ada-token\n"}, **visitor.origin)
        cookie = done.headers["Set-Cookie"]
        assert (done.status, done.headers["Location"]) == (303, "/")
        assert {"HttpOnly", "Secure", "SameSite=Strict"} <= {part.strip() for part in cookie.split(";")}
        page = await visitor.get("/", Cookie=cookie.partition(";")[0])
        assert "Log out" in page.text
        assert ">ada<" in page.text
        gone = await visitor.post("/logout", {}, **visitor.origin)
        assert "Max-Age=0" in gone.headers["Set-Cookie"]


async def test_nothing_is_shown_while_the_cluster_does_not_say_who_may_see_it() -> None:
    """And nothing that the API server quotes, such as the token."""
    reviews = _reviews("list")
    reviews.broken = True
    async with _served(reviews) as visitor:
        page = await visitor.get("/", **ADA)
        assert page.status == 502
        assert "ada-token" not in page.text
        assert "shop" not in page.text
        reviews.broken = False
        assert (await visitor.get("/", **ADA)).status == 200


async def test_guessing_is_slow_and_disturbs_no_known_user() -> None:
    """Wrong tokens wait for each other; who is known already does not wait behind them."""
    reviews = _reviews("list")
    async with _served(reviews) as visitor:
        assert (await visitor.get("/", **ADA)).status == 200
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            guesses = [group.create_task(visitor.get("/", Authorization=f"Bearer g{n}")) for n in range(20)]
            await asyncio.sleep(0.05)
            assert (await visitor.get("/", **ADA)).status == 200
            assert time.perf_counter() - started < 0.5
        assert {each.result().status for each in guesses} == {401}
        assert time.perf_counter() - started >= 20 / module.MOST_STRANGERS * module.FAILURE_SECONDS * 0.9


async def test_streams_end_when_the_token_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """An open page has to log in again."""
    monkeypatch.setattr(module, "REMEMBER_SECONDS", 0.2)
    reviews = _reviews("list")
    async with _served(reviews) as visitor:
        at = (await visitor.get("/", **ADA)).text.partition('data-at="')[2].partition('"')[0]
        async with visitor.stream(f"/live?at={at}", **ADA) as stream:
            reviews.users.clear()
            assert await stream.until("reload") == [("reload", "")]
