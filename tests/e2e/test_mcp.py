"""`nopea mcp` as a client starts it, against a real API server."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from mcp import Client, StdioServerParameters
from mcp_types import TextContent
from tests.e2e import yamls
from tests.e2e.process import PROGRAM
from tests.e2e.waiting import eventually
from tests.e2e.world import Site

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "login"},
    "data": {"password": "aHVudGVyMg=="},
}
FILES = {"web.yaml": yamls.text(yamls.config_map("web", a="b")), "login.yaml": yamls.text(SECRET)}


@asynccontextmanager
async def _client(site: Site, *arguments: str) -> AsyncIterator[Client]:
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-c", PROGRAM, "mcp", f"--namespace={site.namespace}", *arguments],
        env={**os.environ, "KUBECONFIG": str(site.cluster.lab.kubeconfig)},
    )
    async with Client(parameters) as client:
        yield client


async def _ask(client: Client, tool: str, **arguments: str) -> Any:
    result = await client.call_tool(tool, arguments)
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert not result.is_error, content.text
    return orjson.loads(content.text)["data"]


async def test_a_session(site: Site) -> None:
    """A model sees what is wrong and what a sync would change, without a value of a Secret; then it syncs."""
    repo = site.sync("shop", FILES, healPolicy="manual")
    site.cluster.put(site.place("v1 configmaps", "web"), yamls.config_map("web", a="c"), manager="somebody")
    site.cluster.put(
        site.place("v1 secrets", "login"),
        SECRET | {"data": {"password": "bGV0bWVpbg=="}},
        manager="somebody",
    )
    eventually(lambda: _is_drifted(repo.status()))

    async with _client(site, "--allow-writes") as client:
        said = await _ask(client, "why", name="shop")
        drift = await _ask(client, "drift", name="shop")
        diff = await _ask(client, "diff", name="shop")
        await _ask(client, "sync", name="shop")

    assert {each["kind"] for each in said["concerns"]} == {"drifted"}
    assert {each["manager"] for each in drift["drifts"]} == {"somebody"}
    assert {each["object"].split()[0] for each in diff["objects"]} == {"ConfigMap", "Secret"}
    for answer in (said, drift, diff):
        assert not any(value in str(answer) for value in ("hunter2", "letmein", "aHVudGVyMg", "bGV0bWVpbg"))
    eventually(lambda: _is_healed(site))


def _is_drifted(status: dict[str, Any]) -> None:
    assert status.get("driftedCount") == 2, status


def _is_healed(site: Site) -> None:
    assert site.cluster.must_get(site.place("v1 configmaps", "web"))["data"] == {"a": "b"}


async def test_without_the_flag_nothing_can_be_changed(site: Site) -> None:
    """The tools are not there."""
    site.sync("shop", FILES)

    async with _client(site) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}

    assert names == {"list_repositories", "status", "why", "drift", "diff", "history"}
