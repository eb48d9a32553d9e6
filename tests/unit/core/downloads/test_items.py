"""What lies elsewhere, and where the renderer sees it."""

from __future__ import annotations

import pytest

from nopea.core.downloads.items import RemoteItem, RemoteKind, chart_item


@pytest.mark.parametrize(
    ("chart", "place", "name"),
    [
        ("oci://registry.example:5000/charts/shop", "oci://registry.example:5000/charts", "shop"),
        ("https://charts.example/stable/shop/", "https://charts.example/stable", "shop"),
        ("https://charts.example/shop-1.0.0.tgz", "https://charts.example/shop-1.0.0.tgz", ""),
    ],
)
def test_what_a_chart_names(chart: str, place: str, name: str) -> None:
    """The last part is the name of the chart, unless the URL is an archive."""
    item = chart_item(chart, "1.x")

    assert (item.place, item.name, item.version) == (place, name, "1.x")
    assert str(item) == chart.rstrip("/")


def test_each_item_has_a_folder_of_its_own() -> None:
    """The same at every rendering, so that renderings can be compared."""
    items = [RemoteItem(RemoteKind.CHART, "https://a.example", "web", version) for version in ("1", "2")]
    items.append(RemoteItem(RemoteKind.BASE, "https://a.example"))

    assert len({item.folder for item in items}) == 3
    assert items[0].folder == RemoteItem(RemoteKind.CHART, "https://a.example", "web", "1", source="x").folder


@pytest.mark.parametrize(
    ("place", "name", "readable"),
    [
        ("oci://registry.example:5000/charts", "web", True),
        ("https://[2001:db8::1]/charts", "web", True),
        ("https://charts.example/web-1.0.0%2Bb.tgz", "", True),
        ("http://charts.example", "web", False),
        ("file:///etc", "web", False),
        ("https://robot:pw@charts.example", "web", False),
        ("https://charts.example#@evil.example", "web", False),
        ("https://charts.example\\@evil.example", "web", False),
        ("https://charts.example?a=b", "web", False),
        ("https://charts.example\r\nHost: evil", "web", False),
        ("https://charts.example", "../web", False),
        ("https://charts.example", "web|x", False),
        ("https://charts.example/a b", "web", False),
    ],
)
def test_what_a_lock_may_name(place: str, name: str, readable: bool) -> None:
    """Texts of Git become parts of URLs: none can be read in two ways."""
    assert RemoteItem(RemoteKind.CHART, place, name).is_readable is readable
