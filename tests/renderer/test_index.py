"""The index of a Helm chart repository."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml
from tests.renderer.child import Renderer
from tests.renderer.test_protocol import LAUGHS

SHOP: list[dict[str, Any]] = [
    {"name": "shop", "version": "2.0.0", "urls": ["https://x.test/a.tgz", "b.tgz"], "digest": "abc"},
    {"name": "shop", "version": "1.0", "urls": ["c.tgz"], "deprecated": True},
    {"name": "shop", "version": "1.0.1", "urls": ["c.tgz"], "removed": True},
    {"name": "shop", "version": "latest", "urls": ["c.tgz"]},
    {"name": "shop", "version": "v1.0.0-rc.1", "urls": None, "description": "|\n  other:\n"},
    {"name": "shop", "version": ["a"], "urls": ["c.tgz"]},
]
INDEX = {
    "apiVersion": "v1",
    "entries": {"other": [{"version": "1.0.0"}], "shop": SHOP, "shop-tools": [{"version": "9.0.0"}]},
    "generated": "2026-01-02T03:04:05Z",
}
FOUND = [
    {"version": "2.0.0", "urls": ["https://x.test/a.tgz", "b.tgz"], "digest": "abc"},
    {"version": "1.0", "urls": ["c.tgz"], "digest": ""},
    {"version": "v1.0.0-rc.1", "urls": [], "digest": ""},
]


def ask(renderer: Renderer, text: str | bytes, name: str = "shop", **request: Any) -> dict[str, Any]:
    """Return the answer about one chart."""
    return renderer.ask({"index.yaml": text}, kind="index", path=name, **request)


@pytest.mark.parametrize(
    "text",
    [
        yaml.safe_dump(INDEX),
        yaml.safe_dump(INDEX, indent=6).replace("\n", "\r\n"),
        yaml.safe_dump(INDEX, default_flow_style=True),
        "# a comment\n---\n" + yaml.safe_dump(INDEX, sort_keys=True),
        "\ufeff" + json.dumps(INDEX),
        json.dumps(INDEX, indent=1),
        yaml.safe_dump(INDEX, default_style='"'),
        "entries:\n  - {}\n".replace("  - {}", "  shop: &a " + json.dumps(SHOP) + "\n  b: *a"),
        "x: &a " + json.dumps(SHOP) + "\nentries:\n  shop: *a\n",
    ],
    ids=["helm", "windows", "flow", "comment", "mark", "json", "quoted", "anchor", "alias"],
)
def test_the_versions_of_a_chart_are_in_the_order_of_the_index(renderer: Renderer, text: str) -> None:
    """Removed ones and those that are no versions are left out."""
    assert ask(renderer, text)["ok"] == {"versions": FOUND}


@pytest.mark.parametrize("text", [yaml.safe_dump(INDEX), json.dumps(INDEX), str(INDEX)])
@pytest.mark.parametrize(
    ("name", "near"),
    [("shp", ["shop"]), ("tools", ["shop-tools"]), ("shop-tool", ["shop", "shop-tools"]), ("xyzzy", [])],
)
def test_a_chart_that_is_not_there_is_told_with_near_names(
    renderer: Renderer, text: str, name: str, near: list[str]
) -> None:
    """At most five."""
    error = ask(renderer, text, name)["err"]

    assert (error["kind"], error["names"]) == ("no_chart", near)
    assert name in error["message"]


@pytest.mark.parametrize(
    "text",
    [
        "", "just text", "a: b: c", "entries:\n", "entries: []\n", "entries:\n  shop: text\n", "[]", "{}",
        "<html><body>404</body></html>", '{"entries": []}', '{"entries": {"shop": "text"}}', b"\xff\xfe\x00",
        "entries:\n  shop: [\n", "entries:\n  shop: *gone\n", "apiVersion: v1\n", "x" * (9 << 20),
    ],
)  # fmt: skip
def test_what_is_no_index_is_refused(renderer: Renderer, text: str | bytes) -> None:
    """A page of an error, for example."""
    assert ask(renderer, text)["err"]["kind"] == "invalid_index"


@pytest.mark.parametrize(
    "text",
    [
        "entries:\n  shop:\n" + "".join(f"  - {line}\n" for line in LAUGHS.splitlines()),
        LAUGHS + "entries:\n  shop: [*j]\n",
        "entries:\n  shop: &a [*a]\n",
        "entries: &a\n  shop:\n  - *a\n",
        "entries:\n  shop: " + "[" * 100_000 + "]" * 100_000,
        '{"entries": {"shop": ' + "[" * 100_000 + "]" * 100_000 + "}}",
    ],
    ids=["laughs", "laughs elsewhere", "alias", "alias above", "depth", "depth of json"],
)
def test_an_index_that_expands_without_end_costs_its_own_request(renderer: Renderer, text: str) -> None:
    """Aliases and nesting are bounded."""
    assert ask(renderer, text)["err"]["kind"] == "invalid_index"
    assert "ok" in ask(renderer, yaml.safe_dump(INDEX))


@pytest.mark.parametrize("as_json", [False, True])
def test_a_big_index_is_read_in_time(renderer: Renderer, as_json: bool) -> None:
    """Twenty megabytes; at most 2,000 versions of the one chart are answered."""
    entry = '"version": "1.%d.0", "urls": ["https://charts.example/a-1.%d.0.tgz"], "description": "%s"'
    lines = (
        "  - version: 1.%d.0\n    urls:\n    - https://charts.example/a-1.%d.0.tgz\n    description: '%s'\n"
    )
    charts = []
    for chart in range(25):
        if as_json:
            items = ", ".join(f"{{{entry % (number, number, '* ' * 100)}}}" for number in range(2_600))
            charts.append(f'"chart-{chart}": [{items}]')
        else:
            items = "".join(lines % (number, number, "* " * 100) for number in range(2_600))
            charts.append(f"  chart-{chart}:\n{items}")
    text = f'{{"entries": {{{",".join(charts)}}}}}' if as_json else "entries:\n" + "".join(charts)
    assert len(text) > 18 << 20

    start = time.monotonic()
    answer = ask(renderer, text, "chart-24")

    assert time.monotonic() - start < 10  # three seconds on a machine that does nothing else
    assert len(answer["ok"]["versions"]) == 2_000


def test_a_deadline_that_has_passed_is_an_error(renderer: Renderer) -> None:
    """As for renderings."""
    assert ask(renderer, yaml.safe_dump(INDEX), seconds=0.000001)["err"]["kind"] == "timeout"
