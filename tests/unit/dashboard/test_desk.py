"""What a viewer gets to see."""

from __future__ import annotations

from aiohttp import web
from tests.fakes.dashboard import KnownSource, KnownViewer, drifted, failing, fine
from tests.fakes.dashboard_server import dashboard

from nopea.dashboard.source import Viewer


def _source() -> KnownSource:
    source = KnownSource()
    source.put(fine("api"), drifted("web"), failing("secret", namespace="other"))
    return source


async def _shop_only(request: web.Request) -> Viewer:
    del request
    return KnownViewer(namespaces={"shop"})


async def test_what_may_not_be_seen_is_answered_as_what_does_not_exist() -> None:
    """So that names of other namespaces cannot be guessed."""
    async with dashboard(_source(), admit=_shop_only) as visitor:
        hidden = await visitor.get("/r/other/secret")
        missing = await visitor.get("/r/other/missing")
        assert hidden.status == missing.status == 404
        assert hidden.text.replace("secret", "missing") == missing.text
        for path in (
            "/r/other/secret/live?at=x",
            "/r/other/secret/timeline",
            "/api/v1/repositories/other/secret",
        ):
            assert (await visitor.get(path)).status == 404
        assert "secret" not in (await visitor.get("/api/v1/repositories?q=secret")).text
