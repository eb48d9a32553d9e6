"""GET over https: faults, redirects, logins, certificates and addresses."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.downloads.asking import on, refused
from tests.downloads.charts import chart_archive
from tests.downloads.conftest import LOGIN
from tests.downloads.repository import ChartRepository, cut, endless, failing, redirecting, silent
from tests.downloads.serving import Tls

from nopea.core.downloads.items import chart_item
from nopea.core.git.networks import Networks
from nopea.core.objects import RepoKey
from nopea.core.problem import Code
from nopea.downloads import port
from nopea.downloads.port import Downloads, On
from nopea.render.port import RenderPort


async def test_a_login_is_not_sent_to_another_host(
    downloads: Downloads, chart_repository: ChartRepository, tls: Tls
) -> None:
    """Neither where the index says that the archive is, nor where the server redirects."""
    chart_repository.login = LOGIN
    with ChartRepository(tls=tls) as other:
        archived, redirected = chart_archive("web", "1.0.0"), chart_archive("api", "1.0.0")
        web, api = other.add(archived), other.add(redirected)
        chart_repository.add(archived, urls=[f"{other.origin}{web}"])
        chart_repository.answers[chart_repository.add(redirected)] = redirecting(f"{other.origin}{api}")
        for name in ("web", "api"):
            url = f"{chart_repository.url}/{name}"
            member = on(tls, url, login=LOGIN)
            await downloads.content(await downloads.resolve(chart_item(url, ""), member), member)

        sent = [headers for path in (web, api) for headers in other.sent[path]]
    assert len(sent) == 2
    assert not any("Authorization" in headers for headers in sent)


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        (failing(500), Code.REMOTE_UNREACHABLE, "HTTP 500"),
        (failing(404), Code.REMOTE_NOT_FOUND, "does not exist"),
        (failing(403), Code.REMOTE_REFUSED, "HTTP 403"),
        (failing(418), Code.REMOTE_REFUSED, "HTTP 418"),
        (endless(), Code.RENDERING_TOO_BIG, "1 MiB"),
        (silent(), Code.REMOTE_UNREACHABLE, "longer than"),
        (cut(b"x" * 1000, after_bytes=10), Code.REMOTE_UNREACHABLE, "truncated"),
        (redirecting("http://127.0.0.1:1/x"), Code.REMOTE_REFUSED, "https"),
        (redirecting("https://[x"), Code.REMOTE_REFUSED, "https"),
        (redirecting("https://127.0.0.1\\@localhost/x"), Code.REMOTE_REFUSED, "https"),
        (redirecting("https://localhost/a b"), Code.REMOTE_REFUSED, "https"),
        (redirecting("/charts/index.yaml"), Code.REMOTE_REFUSED, "redirects too often"),
    ],
)
async def test_faults_of_a_server(
    downloads: Downloads,
    chart_repository: ChartRepository,
    tls: Tls,
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,
    code: Code,
    says: str,
) -> None:
    """Each is one problem that names the URL, within its time."""
    monkeypatch.setattr(port, "MAX_INDEX", 2**20)
    chart_repository.answers[chart_repository.index_path] = answer
    started = time.monotonic()

    problem = await refused(downloads, chart_item(f"{chart_repository.url}/web", ""), on(tls, seconds=2))

    assert problem.code is code
    assert says in problem.message
    assert chart_repository.url in problem.message
    assert time.monotonic() - started < 5


async def test_a_busy_server_says_when_to_come_back(
    downloads: Downloads, chart_repository: ChartRepository, tls: Tls
) -> None:
    """Its Retry-After is kept."""
    chart_repository.answers[chart_repository.index_path] = failing(429, headers={"Retry-After": "77"})

    problem = await refused(downloads, chart_item(f"{chart_repository.url}/web", ""), on(tls))

    assert problem.retry_after_seconds == 77


async def test_an_untrusted_certificate(downloads: Downloads, chart_repository: ChartRepository) -> None:
    """Without the authority in the Secret nothing is fetched."""
    asker = On(owner=RepoKey("shop", "shop"), timeout_seconds=5)

    problem = await refused(downloads, chart_item(f"{chart_repository.url}/web", ""), asker)

    assert problem.code is Code.REMOTE_REFUSED
    assert "ca.crt" in problem.hint


async def test_this_host_is_not_connected_to(
    renderer: RenderPort, chart_repository: ChartRepository, tls: Tls
) -> None:
    """By default: tenants choose the URLs, also by a redirect or a name of this host."""
    item = chart_item(f"{chart_repository.url.replace('127.0.0.1', 'localhost')}/web", "")
    for networks in (Networks.PUBLIC, Networks.PRIVATE):
        async with Downloads(renderer.index, networks=networks) as downloads:
            problem = await refused(downloads, item, on(tls))
        assert problem.code is Code.REMOTE_REFUSED
        assert "address" in problem.message
    assert not chart_repository.requests
