"""Who may look at the controller's dashboard: only what the cluster says."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from tests.fakes.dashboard import KnownSource, failing, fine
from tests.fakes.dashboard_server import Page, Visitor, dashboard
from tests.fakes.reviews import Reviews, TokenReviews, reviewing

from nopea.dashboard import reviews as module
from nopea.dashboard.guard import RefusedRequestError
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


def _request(token: str) -> web.Request:
    return make_mocked_request("GET", "/", headers={"Authorization": f"Bearer {token}"})


async def _until_asked(reviews: Reviews, *, tokens: int = 1) -> None:
    while reviews.asked.count("token") < tokens:  # noqa: ASYNC110 - a server tells nobody what it is asked
        await asyncio.sleep(0.01)


def _next_in(page: Page) -> str:
    found = re.search(r'name="next" value="([^"]*)"', page.text)
    assert found
    return html.unescape(found[1])


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
            assert "other" not in page.text.replace(f'value="{path}"', "")
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
        assert {"HttpOnly", "Secure", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
        page = await visitor.get("/", Cookie=cookie.partition(";")[0])
        assert "Log out" in page.text
        assert ">ada<" in page.text
        gone = await visitor.post("/logout", {}, **visitor.origin)
        assert "Max-Age=0" in gone.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "page", ["/r/shop/web/timeline?x=1&y=%22", "/r/shop/web", "/?q=shop&state=failing", "/r/%C3%A9/x"]
)
async def test_login_goes_on_to_the_page_that_was_wanted(page: str) -> None:
    """Also after a wrong token: the form keeps it."""
    async with _served(_reviews("list shop", "get shop/web")) as visitor:
        wanted = _next_in(await visitor.get(page))
        assert wanted == page
        refused = await visitor.post("/login", {"token": "wrong", "next": wanted}, **visitor.origin)
        assert (refused.status, _next_in(refused)) == (401, page)
        done = await visitor.post("/login", {"token": "ada-token", "next": wanted}, **visitor.origin)
        assert (done.status, done.headers["Location"]) == (303, page)


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
     "/\r\nSet-Cookie: a=b", "evil.example", "javascript:alert(1)", "", "/" + "x" * 3_000,
     "/..//evil.example", "/.//evil.example"],
)  # fmt: skip
async def test_login_leads_to_no_other_site(address: str) -> None:
    """Whatever a link has written into the address or the form."""
    async with _served(_reviews("list shop")) as visitor:
        form = {"token": "ada-token", "next": address}
        done = await visitor.post("/login", form, **visitor.origin)
        place = urljoin(visitor.base, done.headers["Location"])
        assert done.status == 303
        assert urlsplit(place).netloc == urlsplit(visitor.base).netloc
        assert not done.headers["Location"].startswith("//")
        assert "a=b" not in done.headers["Set-Cookie"]


async def test_nothing_is_shown_while_the_cluster_does_not_say_who_may_see_it() -> None:
    """And nothing that the API server quotes, such as the token. The page can be loaded again."""
    reviews = _reviews("list")
    reviews.broken = True
    async with _served(reviews) as visitor:
        page = await visitor.get("/", **ADA)
        assert (page.status, page.headers["Retry-After"]) == (503, "5")
        assert '<a class="again" href="">' in page.text
        assert "ada-token" not in page.text
        assert "shop" not in page.text
        reviews.broken = False
        assert (await visitor.get("/", **ADA)).status == 200


@pytest.mark.looptime
async def test_guessing_is_slow_and_disturbs_no_known_user(looptime: Any) -> None:
    """Wrong tokens wait for each other; who is known already does not wait behind them."""
    gate = ClusterGate(TokenReviews(_reviews("list")))
    await gate.admit(_request("ada-token"))

    async def guess(number: int) -> None:
        with pytest.raises(RefusedRequestError):
            await gate.admit(_request(f"g{number}"))

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(guess(number))
        await asyncio.sleep(0)
        assert (await gate.admit(_request("ada-token"))).name == "ada"
        assert looptime == 0
    assert looptime == pytest.approx(20 / module.MOST_STRANGERS * module.FAILURE_SECONDS)


@pytest.mark.looptime
async def test_wrong_tokens_push_no_user_out_of_the_memory() -> None:
    """Nothing is kept about them, however many there are."""
    reviews = _reviews("list")
    gate = ClusterGate(TokenReviews(reviews))
    await gate.admit(_request("ada-token"))
    for number in range(module.MOST_SESSIONS + 1):
        with pytest.raises(RefusedRequestError):
            await gate.admit(_request(f"g{number}"))
    reviews.asked.clear()
    await gate.admit(_request("ada-token"))
    assert reviews.asked == []


async def test_question_that_many_have_at_once_is_asked_once() -> None:
    """Twenty pages of one visitor, after a minute or an outage: one TokenReview, one question."""
    reviews = _reviews("list")
    reviews.goes_on = asyncio.Event()
    async with _served(reviews) as visitor, asyncio.TaskGroup() as group:
        pages = [group.create_task(visitor.get("/", **ADA)) for _ in range(20)]
        await _until_asked(reviews)
        await asyncio.sleep(0.1)
        reviews.goes_on.set()
        assert {(await page).status for page in pages} == {200}
        assert reviews.asked == ["token", "ada: list"]


async def test_outage_is_asked_about_by_one_request_at_a_time() -> None:
    """Those that wait meanwhile do not all ask at once."""
    reviews = _reviews("list")
    reviews.broken = True
    reviews.goes_on = asyncio.Event()
    async with _served(reviews) as visitor, asyncio.TaskGroup() as group:
        pages = [group.create_task(visitor.get("/", **ADA)) for _ in range(5)]
        await _until_asked(reviews)
        await asyncio.sleep(0.1)
        assert reviews.asked == ["token"]
        reviews.goes_on.set()
        assert {(await page).status for page in pages} == {503}


async def test_page_of_many_namespaces_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many questions it takes, each within its own."""
    monkeypatch.setattr(module, "VISIBLE_SECONDS", 0.05)
    reviews = _reviews("list shop")
    async with _served(reviews) as visitor:
        assert (await visitor.get("/r/shop/web", **ADA)).status == 404
        reviews.rights["ada"].add("get shop/web")
        assert (await visitor.get("/r/shop/web", **ADA)).status == 200
        reviews.slow = {"ada: list shop"}
        reviews.goes_on = asyncio.Event()
        page = await visitor.get("/", **ADA)
        assert (page.status, "does not answer in time" in page.text) == (503, True)
        reviews.goes_on.set()


async def test_one_visitor_cannot_make_all_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """With too many open questions they get 503; others are asked about."""
    monkeypatch.setattr(module, "MOST_WAITING_OF_ONE", 3)
    reviews = _reviews("list")
    reviews.users["eve-token"] = "eve"
    async with _served(reviews) as visitor:
        eve = {"Authorization": "Bearer eve-token"}
        assert (await visitor.get("/r/shop/web", **eve)).status == 404
        reviews.goes_on = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            tries = [group.create_task(visitor.get(f"/r/shop/x{number}", **eve)) for number in range(5)]
            done, _ = await asyncio.wait(tries, return_when=asyncio.FIRST_COMPLETED)
            assert {each.result().status for each in done} == {503}
            ada = group.create_task(visitor.get("/", **ADA))
            await _until_asked(reviews, tokens=2)
            reviews.goes_on.set()
            assert (await ada).status == 200


async def test_names_that_do_not_exist_are_not_remembered() -> None:
    """Nor a no about one that exists, so that the time tells nothing. Too long ones are not asked about."""
    reviews = _reviews("list shop", "get shop/web", "get shop/nothing")
    async with _served(reviews) as visitor:
        for _ in range(2):
            for path in ("/r/shop/web", "/r/shop/nothing", "/r/other/secret", "/r/other/missing"):
                await visitor.get(path, **ADA)
        asked = reviews.asked
        assert asked.count("ada: get shop/web") == 1
        for name in ("shop/nothing", "other/secret", "other/missing"):
            assert asked.count(f"ada: get {name}") == 2
        before = list(asked)
        assert (await visitor.get("/r/shop/" + "x" * 4_000, **ADA)).status == 404
        assert asked == before


async def test_streams_end_when_the_token_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """An open page has to log in again."""
    monkeypatch.setattr(module, "REMEMBER_SECONDS", 0.2)
    reviews = _reviews("list")
    async with _served(reviews) as visitor:
        at = (await visitor.get("/", **ADA)).text.partition('data-at="')[2].partition('"')[0]
        async with visitor.stream(f"/live?at={at}", **ADA) as stream:
            reviews.users.clear()
            assert await stream.until("reload") == [("reload", "")]
