"""Requests that are refused, and the headers of every answer."""

from __future__ import annotations

import pytest
from tests.fakes.dashboard import CSRF, KnownSource, KnownWorkbench, fine
from tests.fakes.dashboard_server import dashboard

from nopea.dashboard.guard import HEADERS, host_of


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost:80", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]:4002", "::1"),
        ("EVIL.example.", "evil.example"),
        ("", ""),
        ("[::1", ""),
        ("localhost@evil.example", "evil.example"),
    ],
)
def test_host_is_read_as_a_browser_reads_it(header: str, host: str) -> None:
    """Without the port, and in lower case."""
    assert host_of(header) == host


async def test_other_names_are_refused() -> None:
    """A name that an attacker binds to 127.0.0.1 (DNS rebinding) gets nothing, not even a file."""
    async with dashboard(KnownSource()) as visitor:
        for path in ("/", "/static/style.css", "/api/v1/repositories", "/nothing"):
            for host in (
                "evil.example",
                "127.0.0.1.evil.example",
                "localhost.evil.example:80",
                "localhost@evil.example",
            ):
                refused = await visitor.get(path, Host=host)
                assert refused.status == 421
                assert "repositories" not in refused.text
        assert (await visitor.get("/", Host="localhost:1")).status == 200


async def test_requests_that_another_site_causes_are_refused() -> None:
    """By the headers that browsers send and no page can change; a link from elsewhere may be followed."""
    async with dashboard(KnownSource()) as visitor:
        assert (await visitor.get("/", **{"Sec-Fetch-Site": "cross-site"})).status == 403
        assert (await visitor.get("/live", Origin="https://evil.example")).status == 403
        for origin in ("null", "http://[", "http://[::1", "127.0.0.1", f"{visitor.base}.evil.example"):
            assert (await visitor.get("/", Origin=origin)).status == 403
        assert (await visitor.get("/", **visitor.origin)).status == 200
        link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert (await visitor.get("/", **link)).status == 200


async def test_form_must_come_from_the_page_itself() -> None:
    """A form without an origin, or of another port of this machine, does nothing."""
    bench = KnownWorkbench()
    source = KnownSource()
    source.put(fine("api"))
    form = {"csrf": CSRF}
    async with dashboard(source, workbench=bench) as visitor:
        path = "/r/shop/api/sync"
        assert (await visitor.post(path, form)).status == 403
        assert (await visitor.post(path, form, Origin="http://127.0.0.1:1")).status == 403
        assert (await visitor.post(path, form, Origin="null")).status == 403
        link = {**visitor.origin, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}
        assert (await visitor.post(path, form, **link)).status == 403
        assert bench.done == []
        assert (await visitor.post(path, form, **visitor.origin)).status == 200
        assert len(bench.done) == 1


async def test_every_answer_has_the_headers() -> None:
    """Pages, files, JSON, errors and streams; and no answer allows another site to read it."""
    async with dashboard(KnownSource()) as visitor:
        for path in ("/", "/static/live.js", "/api/v1/repositories", "/r/a/b", "/nothing", "/live?at=x"):
            answer = await visitor.get(path)
            for name, value in HEADERS.items():
                if name != "Cache-Control":
                    assert answer.headers[name] == value, path
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert "unsafe" not in HEADERS["Content-Security-Policy"]
