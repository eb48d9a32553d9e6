"""Discovery on a real API server, on one with only legacy documents, and on partly broken ones."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
from aiohttp import web
from tests.kube.objects import served_soon, widget_definition
from tests.kube.server import json_answer, status_body, talking_to

from nopea.core.objects import GroupKind
from nopea.core.problem import Code
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery, Pace
from nopea.kube.discovery_wire import Served, read_legacy_groups
from nopea.kube.errors import ServerError, UnknownKindError
from nopea.kube.problems import to_problem
from nopea_lab.lab import Lab


async def test_built_in_kinds(discovery: Discovery) -> None:
    """Kinds are found with their plural, scope and verbs."""
    deployments = await discovery.find("apps/v1", "Deployment")
    namespaces = await discovery.find("v1", "Namespace")

    assert (deployments.plural, deployments.namespaced) == ("deployments", True)
    assert {"patch", "watch"} <= deployments.verbs
    assert (namespaces.plural, namespaces.namespaced) == ("namespaces", False)
    assert await discovery.find_preferred(GroupKind("apps", "Deployment")) == deployments
    assert len(await discovery.all()) > 40


async def test_old_and_new_documents_agree(client: KubeClient, discovery: Discovery) -> None:
    """Legacy discovery, group by group, finds the same resources as aggregated discovery."""
    old = Discovery(client)
    answer = Served()
    for path, core in (("/api", True), ("/apis", False)):
        body = (await client.read(path)).body
        await old._ask_each(read_legacy_groups(body, core=core), answer)
    served = {(r.api_version, r.kind): r for r in answer.resources}

    for resource in await discovery.all():
        if resource.group.endswith("example.com"):
            continue  # other tests define and remove these meanwhile
        same = served[(resource.api_version, resource.kind)]
        assert (same.plural, same.namespaced, same.verbs) == (
            resource.plural,
            resource.namespaced,
            resource.verbs,
        )


async def test_a_new_definition_is_found(client: KubeClient, discovery: Discovery) -> None:
    """A kind that was unknown is found soon after its definition is applied, without a new Discovery."""
    group = f"d{secrets.token_hex(3)}.example.com"
    with pytest.raises(UnknownKindError) as unknown:
        await discovery.find(f"{group}/v1", "Widget")
    assert to_problem(unknown.value).code is Code.KIND_UNKNOWN

    definitions = await discovery.find("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    await client.apply(definitions.at(name=f"widgets.{group}"), widget_definition(group))
    async with asyncio.timeout(20):
        widgets = await served_soon(discovery, f"{group}/v1", "Widget")

    assert (widgets.plural, widgets.namespaced) == ("widgets", True)
    await client.delete(definitions.at(name=f"widgets.{group}"))


async def test_a_broken_api_service_affects_no_other_kind(discovery: Discovery, lab: Lab) -> None:
    """An aggregated API without its service affects no other kind, and its own kinds are not unknown."""
    group = f"b{secrets.token_hex(3)}.example.com"
    spec = {
        "group": group,
        "version": "v1",
        "groupPriorityMinimum": 1000,
        "versionPriority": 10,
        "service": {"namespace": "default", "name": "nobody"},
        "insecureSkipTLSVerify": True,
    }
    body = {"metadata": {"name": f"v1.{group}"}, "spec": spec}
    lab.request("POST", "/apis/apiregistration.k8s.io/v1/apiservices", body)
    try:
        async with asyncio.timeout(30):
            await _wait_until_stale(discovery, group)
        assert (await discovery.find("apps/v1", "Deployment")).plural == "deployments"
    finally:
        lab.request("DELETE", f"/apis/apiregistration.k8s.io/v1/apiservices/v1.{group}")


async def _wait_until_stale(discovery: Discovery, group: str) -> None:
    while True:
        discovery.invalidate()
        try:
            await discovery.find(f"{group}/v1", "Thing")
        except UnknownKindError:
            await asyncio.sleep(0.1)
        except ServerError:
            return


def _old_server(asked: list[str], *, broken: bool = False) -> Any:
    groups = {
        "groups": [
            {
                "name": "apps",
                "versions": [{"version": "v1beta1"}, {"version": "v1"}],
                "preferredVersion": {"version": "v1"},
            }
        ]
    }
    resources = {
        "resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": True, "verbs": ["patch"]},
            {"name": "deployments/status", "kind": "Deployment", "namespaced": True, "verbs": ["patch"]},
        ]
    }
    documents = {
        "/api": {"versions": ["v1"]},
        "/api/v1": {"resources": [{"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get"]}]},
        "/apis": groups,
        "/apis/apps/v1": resources,
        "/apis/apps/v1beta1": resources,
    }

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        if broken and request.path == "/apis/apps/v1beta1":
            return json_answer(status_body(503, "ServiceUnavailable"), status=503)()
        return json_answer(documents[request.path])()

    return handler


async def test_a_server_without_aggregated_discovery() -> None:
    """Without aggregated discovery, each group is read; a broken version does not affect the others."""
    async with talking_to(_old_server([], broken=True)) as client:
        discovery = Discovery(client)
        assert (await discovery.find_preferred(GroupKind("apps", "Deployment"))).version == "v1"
        assert (await discovery.find("apps/v1", "Deployment")).plural == "deployments"
        assert (await discovery.find("v1", "Pod")).plural == "pods"
        with pytest.raises(ServerError, match="does not answer"):
            await discovery.find("apps/v1beta1", "Deployment")


async def test_a_broken_api_service_still_serves_what_it_served() -> None:
    """The kinds of a stale version stay known, in the preferred version that answers."""
    widget = {"resource": "widgets", "responseKind": {"kind": "Widget"}, "scope": "Namespaced", "verbs": []}
    fresh = [{"version": version, "resources": [widget]} for version in ("v1", "v1beta1")]
    stale = [{"version": "v1", "freshness": "Stale"}, fresh[1]]
    answers = [fresh, stale]

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        groups = []
        if request.path == "/apis":
            groups = [{"metadata": {"name": "acme.example"}, "versions": answers.pop(0)}]
        answer = json_answer({"items": groups})()
        answer.headers["Content-Type"] = "application/json;g=apidiscovery.k8s.io;v=v2"
        return answer

    async with talking_to(handler) as client:
        discovery = Discovery(client, pace=Pace(calm_seconds=0, eager_seconds=0))
        assert (await discovery.find_preferred(GroupKind("acme.example", "Widget"))).version == "v1"
        discovery.invalidate()

        assert (await discovery.find("acme.example/v1", "Widget")).plural == "widgets"
        assert (await discovery.find_preferred(GroupKind("acme.example", "Widget"))).version == "v1beta1"
        assert answers == []


async def test_unknown_kinds_do_not_overload_the_server() -> None:
    """A thousand lookups of unknown kinds, concurrent and sequential, cause no further discovery."""
    asked: list[str] = []
    async with talking_to(_old_server(asked)) as client:
        discovery = Discovery(client, pace=Pace(calm_seconds=30))
        await discovery.find("v1", "Pod")
        looks = asked.count("/apis")

        async def miss(number: int) -> None:
            with pytest.raises(UnknownKindError):
                await discovery.find("acme.example.com/v1", f"Kind{number}")

        await asyncio.gather(*(miss(number) for number in range(500)))
        for number in range(500):
            await miss(number)

    assert looks == 1
    assert asked.count("/apis") == 1


async def test_after_invalidate_the_next_lookup_asks_the_server() -> None:
    """After `invalidate`, the next lookups share one new request."""
    asked: list[str] = []
    async with talking_to(_old_server(asked)) as client:
        discovery = Discovery(client, pace=Pace(calm_seconds=30, eager_seconds=0))
        await discovery.find("v1", "Pod")
        discovery.invalidate()
        await asyncio.gather(*(discovery.find("v1", "Pod") for _ in range(50)))

    assert asked.count("/apis") == 2


async def test_a_failed_lookup_keeps_the_invalidation() -> None:
    """Kinds that changed during an outage of the API server are found once it answers again."""
    outage = False
    asked: list[str] = []
    answer = _old_server(asked)

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if outage:
            return json_answer(status_body(500, "InternalError"), status=500)()
        response: web.StreamResponse = await answer(request)
        return response

    async with talking_to(handler) as client:
        discovery = Discovery(client, pace=Pace(calm_seconds=0, eager_seconds=0))
        await discovery.find("v1", "Pod")
        discovery.invalidate()
        outage = True
        with pytest.raises(ServerError):
            await discovery.served("v1", "Pod")
        outage = False
        assert await discovery.served("v1", "Pod")

    assert asked.count("/apis") == 2


async def test_a_cancelled_lookup_does_not_stop_the_others() -> None:
    """If the first caller is cancelled, other callers still get the answer."""
    held = asyncio.Event()
    answer = _old_server([])

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        await held.wait()
        response: web.StreamResponse = await answer(request)
        return response

    async with talking_to(slow) as client, asyncio.TaskGroup() as group:
        discovery = Discovery(client)
        first = group.create_task(discovery.find("v1", "Pod"))
        second = group.create_task(discovery.find("v1", "Pod"))
        await asyncio.sleep(0.05)
        first.cancel()
        held.set()
        assert (await second).kind == "Pod"
