"""How much a namespace downloads at once."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from tests.downloads.asking import on, refused
from tests.downloads.charts import chart_archive
from tests.downloads.repository import ChartRepository, endless
from tests.downloads.serving import Tls

from nopea.core.downloads.items import RemoteItem, RemoteKind, chart_item
from nopea.core.problem import Code
from nopea.downloads import budget
from nopea.downloads.port import Downloads


async def test_a_namespace_has_a_share(
    downloads: Downloads, chart_repository: ChartRepository, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one namespace downloads does not fill the memory of others, and is counted out again."""
    monkeypatch.setattr(budget, "NAMESPACE_BYTES", 2**20)
    chart_repository.answers[chart_repository.index_path] = endless()
    item = chart_item(f"{chart_repository.url}/web", "")
    for _ in range(2):
        problem = await refused(downloads, item, on(tls))
        assert problem.code is Code.REMOTE_UNREACHABLE
        assert "too much" in problem.message

    del chart_repository.answers[chart_repository.index_path]
    chart_repository.add(chart_archive("web", "1.0.0"))
    assert (await downloads.resolve(item, on(tls))).version == "1.0.0"


async def test_a_namespace_waits_for_its_turn(
    downloads: Downloads, chart_repository: ChartRepository, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mass start is no error; only some requests run at once."""
    monkeypatch.setattr(budget, "NAMESPACE_REQUESTS", 2)
    now, most = 0, 0

    async def counted(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal now, most
        del request
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        now -= 1
        return web.Response(body=b"a: b")

    for number in range(8):
        chart_repository.answers[f"/{number}.yaml"] = counted
    items = [RemoteItem(RemoteKind.BASE, f"{chart_repository.origin}/{number}.yaml") for number in range(8)]

    found = await asyncio.gather(*(downloads.resolve(item, on(tls)) for item in items))

    assert len(found) == 8
    assert most == 2
