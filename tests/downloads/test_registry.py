"""Charts from a real registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.downloads.asking import on, refused
from tests.downloads.charts import chart_archive, digest_of
from tests.downloads.conftest import LOGIN
from tests.downloads.registry import CONTENT, Registry, push_chart
from tests.downloads.repository import ChartRepository
from tests.downloads.serving import Login, Tls
from tests.downloads.tokens import TokenServer

from nopea.core.downloads.items import chart_item
from nopea.core.problem import Code, SyncError
from nopea.downloads.port import Downloads
from nopea.downloads.registry import Registries
from nopea.downloads.web import Reply


async def test_the_highest_version_in_the_range_is_pulled(
    downloads: Downloads, registry: Registry, tls: Tls
) -> None:
    """As `helm pull` does: the digest is the manifest's, the content the archive."""
    chart = chart_archive("web", "1.10.0+build.1")
    for version in ("1.2.0", "1.9.0", "2.0.0-rc.1"):
        push_chart(registry, "range/web", chart_archive("web", version), version)
    digest = push_chart(registry, "range/web", chart, "1.10.0_build.1")
    item = chart_item(registry.url("range/web"), "^1.2")

    resolved = await downloads.resolve(item, on(tls))

    assert (resolved.version, resolved.digest) == ("1.10.0+build.1", digest)
    assert await downloads.content(resolved, on(tls)) == chart


async def test_an_exact_version_costs_one_request(downloads: Downloads, registry: Registry, tls: Tls) -> None:
    """To look for a change costs the manifest alone; the archive is not fetched again."""
    push_chart(registry, "exact/web", chart_archive("web", "1.0.0"), "1.0.0")
    item = chart_item(registry.url("exact/web"), "1.0.0")
    await downloads.content(await downloads.resolve(item, on(tls)), on(tls))
    before = len(registry.requests())

    await downloads.content(await downloads.resolve(item, on(tls)), on(tls))

    assert registry.requests()[before:] == ["GET /v2/exact/web/manifests/1.0.0"]


async def test_a_version_that_is_pushed_again_has_another_digest(
    downloads: Downloads, registry: Registry, tls: Tls
) -> None:
    """And its content is the new one."""
    item = chart_item(registry.url("moved/web"), "1.0.0")
    push_chart(registry, "moved/web", chart_archive("web", "1.0.0"), "1.0.0")
    first = await downloads.resolve(item, on(tls))
    other = chart_archive("web", "1.0.0", {"templates/more.yaml": "a: b"})
    push_chart(registry, "moved/web", other, "1.0.0")

    second = await downloads.resolve(item, on(tls))

    assert second.digest != first.digest
    assert await downloads.content(second, on(tls)) == other


@pytest.mark.parametrize(
    ("name", "version", "says"),
    [
        ("none/web", "1.0.0", "does not exist"),
        ("some/web", "9.9.9", "does not exist"),
        ("some/web", "9.x", "no version fits"),
        ("some/image", "1.0.0", "not a Helm chart"),
    ],
)
async def test_what_a_registry_does_not_have(
    downloads: Downloads, registry: Registry, tls: Tls, name: str, version: str, says: str
) -> None:
    """It is named, with the version."""
    push_chart(registry, "some/web", chart_archive("web", "1.0.0"), "1.0.0")
    push_chart(registry, "some/image", chart_archive("web", "1.0.0"), "1.0.0", content_type="text/plain")

    problem = await refused(downloads, chart_item(registry.url(name), version), on(tls))

    assert problem.code is Code.REMOTE_NOT_FOUND
    assert says in problem.message
    assert registry.url(name) in problem.message


async def test_a_private_registry(downloads: Downloads, private_registry: Registry, tls: Tls) -> None:
    """Only who has the login gets the chart, also once it was fetched."""
    chart = chart_archive("web", "1.0.0")
    push_chart(private_registry, "team/web", chart, "1.0.0")
    url = private_registry.url("team/web")
    item = chart_item(url, "1.0.0")
    member = on(tls, url, login=LOGIN)
    resolved = await downloads.resolve(item, member)
    assert await downloads.content(resolved, member) == chart

    for other in (on(tls), on(tls, url, login=Login("acme", "wrong"))):
        assert (await refused(downloads, item, other)).code is Code.REMOTE_REFUSED
        with pytest.raises(SyncError):
            await downloads.content(resolved, other)


async def test_a_registry_that_wants_tokens(
    downloads: Downloads, token_registry: Registry, token_server: TokenServer, tls: Tls
) -> None:
    """As GHCR and Docker Hub do: with a login, or without for what is public. A token serves twice."""
    token_server.public.add("public/web")
    chart = chart_archive("web", "1.0.0")
    for name in ("public/web", "private/web"):
        push_chart(token_registry, name, chart, "1.0.0")
    url = token_registry.url("private/web")
    asked = len(token_server.asked)
    member = on(tls, url, login=LOGIN)

    resolved = await downloads.resolve(chart_item(url, "1.x"), member)

    assert await downloads.content(resolved, member) == chart
    assert token_server.asked[asked:] == [(LOGIN.username, ("repository:private/web:pull",))]
    public = chart_item(token_registry.url("public/web"), "1.x")
    assert await downloads.content(await downloads.resolve(public, on(tls)), on(tls)) == chart
    for other in (on(tls), on(tls, url, login=Login("acme", "wrong"))):
        assert (await refused(downloads, chart_item(url, "1.x"), other)).code is Code.REMOTE_REFUSED


async def test_blobs_may_be_elsewhere(
    downloads: Downloads, tmp_path: Path, tls: Tls, chart_repository: ChartRepository
) -> None:
    """Registries redirect to their storage, which is not sent the login."""
    chart = chart_archive("web", "1.0.0")
    with Registry(tmp_path / "registry", tls=tls, login=LOGIN, blobs_at=chart_repository.origin) as registry:
        push_chart(registry, "far/web", chart, "1.0.0")
        path = registry.blob_path(digest_of(chart))
        chart_repository.files[path] = chart
        url = registry.url("far/web")
        member = on(tls, url, login=LOGIN)

        content = await downloads.content(await downloads.resolve(chart_item(url, ""), member), member)

    assert content == chart
    assert ["Authorization" in headers for headers in chart_repository.sent[path]] == [False]


async def test_where_a_registry_redirects_gets_no_login(
    downloads: Downloads, tmp_path: Path, tls: Tls, chart_repository: ChartRepository
) -> None:
    """Not even if it asks for one, as a registry would."""
    chart = chart_archive("web", "1.0.0")
    asked: list[str] = []

    async def challenge(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.headers.get("Authorization", ""))
        realm = f'Bearer realm="{chart_repository.origin}/token"'
        return web.Response(status=401, headers={"WWW-Authenticate": realm})

    async def token(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.headers.get("Authorization", ""))
        return web.json_response({"token": "t"})

    with Registry(tmp_path / "registry", tls=tls, login=LOGIN, blobs_at=chart_repository.origin) as registry:
        push_chart(registry, "far/web", chart, "1.0.0")
        chart_repository.answers[registry.blob_path(digest_of(chart))] = challenge
        chart_repository.answers["/token"] = token
        url = registry.url("far/web")

        problem = await refused(downloads, chart_item(url, ""), on(tls, url, login=LOGIN))

    assert problem.code is Code.REMOTE_REFUSED
    assert asked == [""]


@pytest.mark.parametrize("size", [-1, -(10**20), "7", None])
async def test_a_size_that_is_none(
    downloads: Downloads, tls: Tls, monkeypatch: pytest.MonkeyPatch, size: Any
) -> None:
    """Limits are counted by it; a registry that checks its manifests would not store this one."""
    layer = {"mediaType": CONTENT, "digest": digest_of(b""), "size": size}
    body = json.dumps({"schemaVersion": 2, "layers": [layer]}).encode()

    async def get(*_: Any, **__: Any) -> Reply:
        return Reply(status=200, url="", headers={}, body=body)

    monkeypatch.setattr(Registries, "_get", get)
    item = chart_item("oci://registry.example/web", "1.0.0")

    assert "not a Helm chart" in (await refused(downloads, item, on(tls))).message
