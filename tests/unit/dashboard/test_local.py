"""The one-time token of `nopea ui` and its cookie."""

from __future__ import annotations

from tests.fakes.dashboard import KnownSource
from tests.fakes.dashboard_server import dashboard

from nopea.dashboard.local import LocalGate


async def test_token_lets_in_one_browser_once() -> None:
    """Its cookie cannot be read by scripts, and no other site's page sends it."""
    gate = LocalGate()
    path = "/" + gate.address(1).partition("/?")[2].join(("?", ""))
    async with dashboard(KnownSource(), admit=gate.admit) as visitor:
        assert (await visitor.get("/")).status == 403
        first = await visitor.get(path)
        assert (first.status, first.headers["Location"]) == (303, "/")
        cookie = first.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "token" not in first.text
        assert (await visitor.get(path)).status == 403
        pair = cookie.partition(";")[0]
        assert (await visitor.get("/", Cookie=pair)).status == 200
        assert (await visitor.get("/", Cookie=f"{pair}x")).status == 403
        name = pair.partition("=")[0]
        assert await visitor.send("GET / HTTP/1.1", f"Cookie: {name}=\xff") == 403


async def test_token_is_not_exchanged_elsewhere_nor_guessed() -> None:
    """A wrong one does not use it up."""
    gate = LocalGate()
    query = gate.address(1).partition("/?")[2]
    async with dashboard(KnownSource(), admit=gate.admit) as visitor:
        assert (await visitor.get("/?token=")).status == 403
        assert (await visitor.get("/?token=\u00e9")).status == 403
        assert (await visitor.get(f"/api/v1/repositories?{query}")).status == 403
        assert (await visitor.get(f"/?{query}", **{"Sec-Fetch-Site": "cross-site"})).status == 403
        assert (await visitor.get(f"/?{query}")).status == 303


async def test_user_sees_what_the_source_has() -> None:
    """The API server has decided already; every session has its own token for actions."""
    gate, other = LocalGate(), LocalGate()
    async with dashboard(KnownSource(), admit=gate.admit) as visitor:
        answer = await visitor.get("/?" + gate.address(1).partition("/?")[2])
        assert answer.status == 303
    assert gate.address(1) != other.address(1)
