"""Charts and files from a chart repository; the index is read by the built program."""

from __future__ import annotations

from tests.downloads.asking import on, refused
from tests.downloads.charts import archive, chart_archive, digest_of
from tests.downloads.registry import Registry, push_chart
from tests.downloads.repository import ChartRepository
from tests.downloads.serving import Tls

from nopea.core.downloads.items import RemoteItem, RemoteKind, chart_item
from nopea.core.problem import Code
from nopea.downloads.port import Downloads


async def test_a_range_that_cannot_be_read(downloads: Downloads, registry: Registry, tls: Tls) -> None:
    """It is a mistake in the spec, whatever the server has."""
    push_chart(registry, "bad/web", chart_archive("web", "1.0.0"), "1.0.0")

    problem = await refused(downloads, chart_item(registry.url("bad/web"), "latest"), on(tls))

    assert problem.code is Code.SPEC_INVALID
    assert "'latest'" in problem.message


async def test_a_chart_repository(downloads: Downloads, chart_repository: ChartRepository, tls: Tls) -> None:
    """URLs in an index are absolute or relative; an unchanged index is not sent again."""
    older, newer = chart_archive("web", "1.0.0"), chart_archive("web", "1.1.0")
    chart_repository.add(older)
    chart_repository.add(newer, absolute=True)
    item = chart_item(f"{chart_repository.url}/web", "")

    resolved = await downloads.resolve(item, on(tls))
    again = await downloads.resolve(item, on(tls))

    assert (resolved.version, resolved.digest) == ("1.1.0", digest_of(newer))
    assert again == resolved
    assert await downloads.content(resolved, on(tls)) == newer
    assert chart_repository.not_modified[chart_repository.index_path] == 1
    exact = await downloads.resolve(chart_item(f"{chart_repository.url}/web", "1.0.0"), on(tls))
    assert await downloads.content(exact, on(tls)) == older


async def test_a_repository_with_a_slash_at_its_end(
    downloads: Downloads, chart_repository: ChartRepository, tls: Tls
) -> None:
    """Chart.lock has it as its author wrote it; some servers have no file behind two slashes."""
    chart = chart_archive("web", "1.0.0")
    chart_repository.add(chart)
    item = RemoteItem(RemoteKind.CHART, f"{chart_repository.url}/", "web", "1.0.0", is_locked=True)

    resolved = await downloads.resolve(item, on(tls))

    assert await downloads.content(resolved, on(tls)) == chart


async def test_an_index_without_digests(
    downloads: Downloads, chart_repository: ChartRepository, tls: Tls
) -> None:
    """The digest is then that of what the server sends."""
    chart = chart_archive("web", "1.0.0")
    chart_repository.add(chart, digest="")

    resolved = await downloads.resolve(chart_item(f"{chart_repository.url}/web", ""), on(tls))

    assert resolved.digest == digest_of(chart)


async def test_a_content_with_another_digest_is_refused(
    downloads: Downloads, chart_repository: ChartRepository, tls: Tls
) -> None:
    """Something between the server and Nopea changed it, or the server is being updated."""
    chart_repository.add(chart_archive("web", "1.0.0"), digest="0" * 64)

    problem = await refused(downloads, chart_item(f"{chart_repository.url}/web", ""), on(tls))

    assert problem.code is Code.REMOTE_UNREACHABLE
    assert "digest" in problem.message


async def test_what_is_not_an_index(
    downloads: Downloads, chart_repository: ChartRepository, tls: Tls
) -> None:
    """It is refused, and so is a name that the index lacks."""
    url = f"{chart_repository.url}/wep"
    chart_repository.add(chart_archive("web", "1.0.0"))
    assert "web" in (await refused(downloads, chart_item(url, ""), on(tls))).message

    chart_repository.files[chart_repository.index_path] = b"<html>sign in</html>"
    assert (await refused(downloads, chart_item(url, ""), on(tls))).code is Code.REMOTE_NOT_FOUND


async def test_a_file_is_asked_for_by_its_etag(
    downloads: Downloads, chart_repository: ChartRepository, tls: Tls
) -> None:
    """A base is one file of manifests; only a change of it is sent again."""
    chart_repository.files["/v1/install.yaml"] = b"a: 1"
    item = RemoteItem(RemoteKind.BASE, f"{chart_repository.origin}/v1/install.yaml")

    first = await downloads.resolve(item, on(tls))
    second = await downloads.resolve(item, on(tls))
    chart_repository.files["/v1/install.yaml"] = b"a: 2"
    third = await downloads.resolve(item, on(tls))

    assert first == second
    assert await downloads.content(third, on(tls)) == b"a: 2"
    assert chart_repository.not_modified["/v1/install.yaml"] == 1


async def test_an_archive_is_a_chart(
    downloads: Downloads, chart_repository: ChartRepository, tls: Tls
) -> None:
    """Its digest is that of the file."""
    chart = archive({"web/Chart.yaml": "name: web"})
    chart_repository.files["/web-1.0.0.tgz"] = chart

    resolved = await downloads.resolve(chart_item(f"{chart_repository.origin}/web-1.0.0.tgz", ""), on(tls))

    assert resolved.digest == digest_of(chart)
