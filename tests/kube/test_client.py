"""Every verb of the client: on a real API server, and on servers that misbehave."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any

import orjson
import pytest
from aiohttp import web
from tests.kube.objects import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    SECRETS,
    SERVICES,
    config_map,
    deployment,
    served_soon,
    widget_definition,
)
from tests.kube.server import (
    answers,
    json_answer,
    listing,
    named,
    serving,
    status_body,
    talking_to,
    text_answer,
)

from nopea.core.apply.body import at_version
from nopea.core.problem import Code
from nopea.kube.client import KubeClient, ServiceAccount
from nopea.kube.config import ClusterConfig
from nopea.kube.discovery import Discovery
from nopea.kube.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    ServerError,
    TooManyRequestsError,
    UnauthorizedError,
    UnreachableError,
    UnsupportedMediaError,
    immutable_fields,
    is_field_conflict,
    is_immutable,
)
from nopea.kube.live import Applied
from nopea.kube.load import load_config
from nopea.kube.paths import object_path
from nopea.kube.problems import to_problem
from nopea.kube.requests import ApiRequest, PatchKind, Preconditions, Selection
from nopea.tasks import spawn
from nopea_lab.kubectl import Kubectl
from nopea_lab.lab import Lab

TARGET = CONFIG_MAPS.at(name="a", namespace="shop")
"""The target of requests to a server of the test."""


async def test_apply_creates_configures_or_changes_nothing(client: KubeClient, namespace: str) -> None:
    """An apply reports whether it created the object; an equal one does not change the resourceVersion."""
    target = CONFIG_MAPS.at(name="settings", namespace=namespace)

    created = await client.apply(target, config_map("settings", color="red"))
    unchanged = await client.apply(target, config_map("settings", color="red"))
    configured = await client.apply(target, config_map("settings", color="blue"))

    assert (created.created, unchanged.created, configured.created) == (True, False, False)
    assert (
        unchanged.meta.resource_version == created.meta.resource_version != configured.meta.resource_version
    )
    assert configured.json()["data"] == {"color": "blue"}
    assert configured.key == target.key
    managers = {
        entry["manager"]: entry["operation"] for entry in configured.json()["metadata"]["managedFields"]
    }
    assert managers == {"nopea": "Apply"}


async def test_create_get_patch_delete(client: KubeClient, namespace: str) -> None:
    """The client creates, reads, patches and deletes an object."""
    target = CONFIG_MAPS.at(name="plain", namespace=namespace)
    await client.create(CONFIG_MAPS, config_map("plain", a="1"), namespace=namespace)
    with pytest.raises(AlreadyExistsError):
        await client.create(CONFIG_MAPS, config_map("plain", a="1"), namespace=namespace)

    await client.patch(target, b'{"data":{"a":"2","b":"3"}}')
    operations = b'[{"op":"test","path":"/data/b","value":"3"},{"op":"remove","path":"/data/b"}]'
    await client.patch(target, operations, kind=PatchKind.JSON)

    assert (await client.get(target)).json()["data"] == {"a": "2"}
    await client.delete(target)
    with pytest.raises(NotFoundError) as missing:
        await client.delete(target)
    assert missing.value.failure.name == "plain"


async def test_delete_checks_the_uid(client: KubeClient, namespace: str) -> None:
    """A delete with another uid is refused; with the right uid, it succeeds."""
    target = CONFIG_MAPS.at(name="mine", namespace=namespace)
    made = await client.apply(target, config_map("mine"))

    with pytest.raises(ConflictError) as refused:
        await client.delete(target, only_if=Preconditions(uid="another"))
    assert not is_field_conflict(refused.value)
    await client.delete(target, only_if=Preconditions(uid=made.meta.uid))

    with pytest.raises(NotFoundError):
        await client.get(target)


async def test_list_in_chunks(client: KubeClient, namespace: str) -> None:
    """A list in chunks has every object once, with apiVersion and kind; selections are applied."""
    names = [f"item-{number}" for number in range(7)]
    for name in names:
        labels = {"parity": "even" if int(name[-1]) % 2 == 0 else "odd"}
        await client.apply(
            CONFIG_MAPS.at(name=name, namespace=namespace), config_map(name, labels=labels, text="x" * 100)
        )

    chunked = await client.list(CONFIG_MAPS, Selection(namespace=namespace), chunk=3)
    first = await client.list(CONFIG_MAPS, Selection(namespace=namespace), chunk=3, most=4)
    even = await client.list(CONFIG_MAPS, Selection(namespace=namespace, labels="parity=even"))
    named = await client.list(CONFIG_MAPS, Selection(namespace=namespace, fields="metadata.name=item-3"))
    partial = await client.list(
        CONFIG_MAPS, Selection(namespace=namespace, labels="parity", metadata_only=True)
    )

    assert [item.meta.name for item in chunked.items if item.meta.name in names] == names
    assert first.items == chunked.items[:6], "the chunk with which there are four"
    assert {item.head.kind for item in chunked.items} == {"ConfigMap"}
    assert {item.head.api_version for item in chunked.items} == {"v1"}
    assert chunked.resource_version.isdigit()
    assert len(even.items) == 4
    assert [item.meta.name for item in named.items] == ["item-3"]
    assert len(partial.items) == 7
    assert all("data" not in item.json() for item in partial.items)
    assert {item.head.kind for item in partial.items} == {"PartialObjectMetadata"}


async def test_status_is_written_through_its_subresource(
    client: KubeClient, namespace: str, discovery: Discovery
) -> None:
    """A status is applied through its subresource, and the spec does not change."""
    group = f"g{secrets.token_hex(3)}.example.com"
    definitions = await discovery.find("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    await client.apply(definitions.at(name=f"widgets.{group}"), widget_definition(group))
    async with asyncio.timeout(20):
        widgets = await served_soon(discovery, f"{group}/v1", "Widget")
    target = widgets.at(name="one", namespace=namespace)
    head = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "one"}}
    await _apply_soon(client, target, orjson.dumps({**head, "spec": {"size": 1}}))

    status = {"ready": True}
    await client.apply_status(target, orjson.dumps({**head, "status": status, "spec": {"size": 9}}))

    stored = (await client.get(target)).json()
    assert stored["spec"] == {"size": 1}
    assert stored["status"] == status
    await client.delete(definitions.at(name=f"widgets.{group}"))


async def _apply_soon(client: KubeClient, target: object, body: bytes) -> None:
    """Apply as soon as a newly defined kind accepts objects: discovery is slightly ahead of storage."""
    async with asyncio.timeout(20):
        while True:
            try:
                await client.apply(target, body)  # type: ignore[arg-type]
            except NotFoundError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_an_apply_takes_the_fields_of_other_managers(
    client: KubeClient, namespace: str, kubectl: Kubectl
) -> None:
    """A field that another manager owns is taken over without a conflict."""
    kubectl("-n", namespace, "create", "configmap", "shared", "--from-literal=a=theirs")

    target = CONFIG_MAPS.at(name="shared", namespace=namespace)

    taken = await client.apply(target, config_map("shared", a="ours"))

    assert taken.json()["data"] == {"a": "ours"}


async def test_an_apply_checks_its_version(client: KubeClient, namespace: str) -> None:
    """An apply at an old version is refused even without a change; a deleted object is created again."""
    target = CONFIG_MAPS.at(name="seen", namespace=namespace)
    first = (await client.apply(target, config_map("seen", a="1"))).meta.resource_version

    async def apply_at(version: str, text: str) -> Applied:
        body = at_version(orjson.loads(config_map("seen", a=text)), version)
        return await client.apply(target, orjson.dumps(body))

    assert (await apply_at(first, "1")).meta.resource_version == first
    assert (await apply_at(first, "2")).json()["data"] == {"a": "2"}
    for text in ("2", "3"):
        with pytest.raises(ConflictError) as stale:
            await apply_at(first, text)
        assert not is_field_conflict(stale.value)
    await client.delete(target)
    assert (await apply_at(first, "3")).created


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"data": {"a": "1"}, "dota": 1}, 500, "dota"),
        ({"data": {"a": 1}}, 500, "data.a"),
        ({"data": {"a": "1"}, "metadata": {"name": "x", "labels": {"a": "b c"}}}, 422, "metadata.labels"),
    ],
)
async def test_invalid_fields_are_named(
    client: KubeClient, namespace: str, body: dict[str, object], code: int, field: str
) -> None:
    """An unknown field, a wrong type (the server answers both with 500) and a bad value are invalid."""
    full = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, **body}

    with pytest.raises(InvalidError) as refused:
        await client.apply(CONFIG_MAPS.at(name="x", namespace=namespace), orjson.dumps(full))

    assert refused.value.code == code
    assert not refused.value.retryable
    assert [cause.field for cause in refused.value.causes] == [field]
    problem = to_problem(refused.value)
    assert problem.code is Code.INVALID
    assert field in problem.hint


async def test_a_duplicate_list_key_and_a_malformed_body_are_invalid(
    client: KubeClient, namespace: str
) -> None:
    """A list with a duplicate key and a body that is not an object are invalid."""
    twice = deployment("d", app="web").replace(
        b'[{"name":"web","image":"web:1"}]', b'[{"name":"w","image":"a"},{"name":"w","image":"b"}]'
    )
    for body in (twice, b"rubbish: [", b"5"):
        with pytest.raises(InvalidError):
            await client.apply(DEPLOYMENTS.at(name="d", namespace=namespace), body)


async def test_values_of_a_secret_are_not_quoted(client: KubeClient, namespace: str) -> None:
    """The server quotes a refused Secret's value; the error only names the field."""
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"pin": 49152}}

    with pytest.raises(InvalidError) as refused:
        await client.apply(SECRETS.at(name="s", namespace=namespace), orjson.dumps(body))

    assert "49152" not in f"{refused.value} {refused.value.causes} {to_problem(refused.value)}"
    assert "data.pin" in str(refused.value)


async def test_immutable_field(client: KubeClient, namespace: str) -> None:
    """A change of an immutable field is distinguished from other invalid values, and the field is named."""
    target = DEPLOYMENTS.at(name="web", namespace=namespace)
    await client.apply(target, deployment("web", app="web"))

    with pytest.raises(InvalidError) as refused:
        await client.apply(target, deployment("web", app="shop"))

    assert is_immutable(refused.value)
    assert immutable_fields(refused.value) == ("spec.selector",)
    assert to_problem(refused.value).code is Code.IMMUTABLE

    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 80}]},
    }
    made = await client.apply(SERVICES.at(name="s", namespace=namespace), orjson.dumps(service))
    service["spec"] = {"ports": [{"port": 80}], "clusterIP": _other_address(made.json()["spec"]["clusterIP"])}
    with pytest.raises(InvalidError) as moved:
        await client.apply(SERVICES.at(name="s", namespace=namespace), orjson.dumps(service))
    assert is_immutable(moved.value)


def _other_address(address: str) -> str:
    head, _, last = address.rpartition(".")
    return f"{head}.{(int(last) + 1) % 250 + 1}"


async def test_missing_namespace(client: KubeClient) -> None:
    """An object for a missing namespace gets a problem that names the namespace."""
    with pytest.raises(NotFoundError) as missing:
        await client.apply(CONFIG_MAPS.at(name="a", namespace="nowhere"), config_map("a"))

    problem = to_problem(missing.value, object="ConfigMap nowhere/a", source="a.yaml#1")
    assert problem.code is Code.NAMESPACE_MISSING
    assert "Namespace nowhere" in problem.hint
    assert (problem.object, problem.source) == ("ConfigMap nowhere/a", "a.yaml#1")


async def test_terminating_namespace(client: KubeClient) -> None:
    """A terminating namespace refuses new objects with a code of its own."""
    name = f"leaving-{secrets.token_hex(3)}"
    at = NAMESPACES.at(name=name)
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await client.apply(at, orjson.dumps(body))
    stuck = orjson.loads(config_map("stuck"))
    stuck["metadata"]["finalizers"] = ["shop.example.com/hold"]
    held = CONFIG_MAPS.at(name="stuck", namespace=name)
    await client.apply(held, orjson.dumps(stuck))
    await client.delete(at)

    with pytest.raises(ForbiddenError) as refused:
        await client.apply(CONFIG_MAPS.at(name="late", namespace=name), config_map("late"))

    assert to_problem(refused.value).code is Code.TERMINATING
    await client.patch(held, b'{"metadata":{"finalizers":null}}')


async def test_forbidden_says_which_rule_is_missing(client: KubeClient, namespace: str) -> None:
    """A service account without permissions is refused, and the hint has the rule that it lacks."""
    view = client.on_behalf("shop/web", of=ServiceAccount(namespace=namespace, name="default"))

    with pytest.raises(ForbiddenError) as refused:
        await view.apply(DEPLOYMENTS.at(name="web", namespace=namespace), deployment("web", app="web"))

    problem = to_problem(refused.value, source="web.yaml#1")
    assert problem.code is Code.FORBIDDEN
    for part in (f"system:serviceaccount:{namespace}:default", '["apps"]', '["deployments"]', '"create"'):
        assert part in problem.hint


async def test_impersonation_has_the_groups_of_service_accounts(
    client: KubeClient, namespace: str, kubectl: Kubectl
) -> None:
    """An impersonated service account has the permissions of its group, as in a Pod."""
    group = f"--group=system:serviceaccounts:{namespace}"
    kubectl("-n", namespace, "create", "rolebinding", "all", "--clusterrole=edit", group)
    view = client.on_behalf("shop/web", of=ServiceAccount(namespace=namespace, name="default"))

    assert (await view.apply(CONFIG_MAPS.at(name="a", namespace=namespace), config_map("a"))).created


async def test_service_account_token(lab: Lab, namespace: str, kubectl: Kubectl) -> None:
    """A kubeconfig with a token authenticates as its service account; a wrong token is unauthorized."""
    path = lab.kubeconfig.parent / f"token-{namespace}"
    lab.write_kubeconfig(path, token=kubectl("-n", namespace, "create", "token", "default").strip())
    async with KubeClient(load_config(path)) as account:
        with pytest.raises(ForbiddenError, match=f"system:serviceaccount:{namespace}:default"):
            await account.get(CONFIG_MAPS.at(name="a", namespace=namespace))

    lab.write_kubeconfig(path, token="wrong")
    async with KubeClient(load_config(path)) as nobody:
        with pytest.raises(UnauthorizedError) as refused:
            await nobody.get(CONFIG_MAPS.at(name="a", namespace=namespace))
        assert "credentials" in to_problem(refused.value).hint


async def test_unsupported_patch(client: KubeClient, namespace: str) -> None:
    """A patch type that the server does not support has its own error."""
    target = CONFIG_MAPS.at(name="a", namespace=namespace)
    request = ApiRequest(
        verb="patch",
        what=str(target),
        method="PATCH",
        path=object_path(target),
        body=b"{}",
        content_type="text/odd",
    )

    with pytest.raises(UnsupportedMediaError):
        await client._send(request)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a%2fb", "../../secrets/s"])
async def test_unsafe_names_reach_no_other_object(client: KubeClient, namespace: str, name: str) -> None:
    """A name that would change the path is refused before anything is sent."""
    with pytest.raises(InvalidError):
        await client.get(CONFIG_MAPS.at(name=name, namespace=namespace))


async def test_names_with_colons(client: KubeClient, discovery: Discovery) -> None:
    """Objects with names that RBAC allows but DNS does not can be read."""
    roles = await discovery.find("rbac.authorization.k8s.io/v1", "ClusterRole")

    assert (await client.get(roles.at(name="system:discovery"))).meta.name == "system:discovery"


async def test_many_concurrent_applies(client: KubeClient, namespace: str) -> None:
    """A hundred concurrent applies all succeed."""
    names = [f"many-{number}" for number in range(100)]

    applied = await asyncio.gather(
        *(client.apply(CONFIG_MAPS.at(name=n, namespace=namespace), config_map(n)) for n in names)
    )

    assert all(answer.created for answer in applied)
    assert (client.limiter.used, client.limiter.waiting) == (0, 0)


async def test_an_error_names_its_request(client: KubeClient, namespace: str) -> None:
    """An error names the request, the reason and the HTTP status."""
    with pytest.raises(ApiError) as missing:
        await client.get(CONFIG_MAPS.at(name="none", namespace=namespace))

    text = str(missing.value)
    assert f"get configmaps/v1 {namespace}/none" in text
    assert "(HTTP 404)" in text
    assert missing.value.reason == "NotFound"


async def test_a_proxys_page_is_an_error_without_its_markup() -> None:
    """HTML from a proxy becomes a short line of text."""
    page = f"<html><head><title>502 Bad Gateway</title></head><body>{'<p>nginx</p>' * 5000}</body></html>"
    handler, _ = answers(text_answer(page, status=502))
    async with talking_to(handler) as client:
        with pytest.raises(ServerError) as failed:
            await client.get(TARGET)

    assert failed.value.message.startswith(
        "The answer does not come from a Kubernetes API server (HTTP 502): 502 Bad Gateway nginx"
    )
    assert len(failed.value.message) < 400
    assert to_problem(failed.value).code is Code.API_BUSY


@pytest.mark.parametrize("body", ["", "{", "null", "[]", '"x"', "{}", '{"metadata":5}', '{"metadata":{}}'])
async def test_a_malformed_response_with_200_is_an_error(body: str) -> None:
    """A response with status 200 that is not an object is an error."""
    handler, _ = answers(text_answer(body, status=200, content_type="application/json"))
    async with talking_to(handler) as client:
        with pytest.raises(ServerError):
            await client.get(TARGET)


_EMPTY = r"^get configmaps/v1 shop/a: The API server sent an empty answer \(HTTP 500\)\.$"


async def test_an_empty_500() -> None:
    """An error without a body still names the request and the status."""
    handler, _ = answers(text_answer("", status=500))
    async with talking_to(handler) as client:
        with pytest.raises(ServerError, match=_EMPTY):
            await client.get(TARGET)


async def test_429_is_retried_after_retry_after() -> None:
    """After a 429, its own flow waits for Retry-After and repeats it; other repositories go on meanwhile."""
    asked: list[tuple[str, float]] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        user = request.headers.get("Impersonate-User", "")
        asked.append((user, time.monotonic()))
        if user and len(asked) == 1:
            return json_answer(status_body(429, "TooManyRequests"), status=429, Retry_After="1")()
        return json_answer(named("a"))()

    async with talking_to(handler) as client:
        tenant = client.on_behalf("shop/web", of=ServiceAccount(namespace="shop", name="web"))
        first = spawn(tenant.get(TARGET), name="first")
        async with asyncio.timeout(10):
            while not asked or client.limiter.used:  # noqa: ASYNC110 - until the response has arrived
                await asyncio.sleep(0.01)
            await asyncio.gather(first, tenant.get(TARGET), client.on_behalf("shop/api").get(TARGET))

    begun = asked[0][1]
    assert [round(at - begun) for user, at in asked if user] == [0, 1, 1]
    assert [at - begun < 0.5 for user, at in asked if not user] == [True]


async def test_a_long_retry_after_fails_at_once() -> None:
    """A service that asks for half a minute costs its own requests, and nobody waits for it."""
    answer = json_answer(status_body(429, "TooManyRequests", "full"), status=429, Retry_After="30")
    handler, seen = answers(answer)
    async with talking_to(handler) as client, asyncio.timeout(3):
        with pytest.raises(TooManyRequestsError, match="full"):
            await client.get(TARGET)
        with pytest.raises(TooManyRequestsError, match="full") as busy:
            await client.get(TARGET)

    assert len(seen) == 1
    assert 25 < (busy.value.retry_after_seconds or 0) <= 30


async def test_a_broken_conversion_webhook_fails_at_once() -> None:
    """The server answers 429 for the kind: it is not repeated, and other kinds of the group are asked."""
    message = "storage is (re)initializing: conversion webhook for v1, Kind=ConfigMap failed"
    asked: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path.rsplit("/", 2)[-2])
        if asked[-1] == "configmaps":
            return json_answer(status_body(429, "TooManyRequests", message), status=429, Retry_After="1")()
        return json_answer(named("a"))()

    async with talking_to(handler) as client, asyncio.timeout(0.9):
        for _ in range(3):
            with pytest.raises(TooManyRequestsError, match="conversion webhook"):
                await client.get(TARGET)
        await client.get(SERVICES.at(name="a", namespace="shop"))

    assert asked == ["configmaps", "services"]


async def test_a_server_that_refuses_everybody_is_left_alone() -> None:
    """Three tenants in two groups meet a 429 at the same time: then nobody sends before Retry-After."""
    times: list[float] = []

    async def handler(_: web.BaseRequest) -> web.StreamResponse:
        times.append(time.monotonic())
        if len(times) <= 3:
            return json_answer(status_body(429, "TooManyRequests"), status=429, Retry_After="1")()
        return json_answer(named("a"))()

    async with talking_to(handler) as client, asyncio.timeout(10):
        targets = (TARGET, TARGET, DEPLOYMENTS.at(name="a", namespace="shop"))
        waiting = [
            spawn(client.on_behalf(f"shop{number}/web").get(target), name="waiting")
            for number, target in enumerate(targets)
        ]
        while client.limiter.limit.paused_until == 0.0:  # noqa: ASYNC110 - until the responses have arrived
            await asyncio.sleep(0.01)
        await asyncio.gather(*waiting, client.on_behalf("other").get(TARGET))

    assert len(times) == 7
    assert min(times[3:]) - times[2] >= 0.95


async def test_a_permanent_429_is_an_error() -> None:
    """A server that stays busy is an error with its Retry-After."""
    handler, seen = answers(json_answer(status_body(429, "TooManyRequests"), status=429, Retry_After="0"))
    async with talking_to(handler) as client:
        with pytest.raises(TooManyRequestsError) as busy:
            await client.get(TARGET)

    assert busy.value.retry_after_seconds == 0
    assert 1 < len(seen) < 10


async def test_every_request_is_measured() -> None:
    """Each request is measured with verb, code and seconds, even without an answer or on behalf of others."""
    measured: list[tuple[str, str]] = []

    def measure(verb: str, code: str, seconds: float) -> None:
        assert seconds >= 0
        measured.append((verb, code))

    handler, _ = answers(
        json_answer(named("a")),
        json_answer(status_body(404, "NotFound"), status=404),
        json_answer(named("a")),
    )
    async with (
        serving(handler) as url,
        KubeClient(ClusterConfig(server=url, origin="the test"), measure=measure) as client,
    ):
        await client.get(TARGET)
        with pytest.raises(NotFoundError):
            await client.get(TARGET)
        await client.on_behalf("shop/web").apply(TARGET, config_map("a"))
    async with KubeClient(ClusterConfig(server=url, origin="the test"), measure=measure) as client:
        with pytest.raises(UnreachableError):
            await client.get(TARGET)

    assert measured == [("get", "200"), ("get", "404"), ("apply", "200"), ("get", "unreachable")]


async def test_a_list_starts_over_after_410() -> None:
    """A 410 between two chunks of a list starts the list over; three in a row are an error."""
    pages = [
        listing(5, named("old"), more="t1"),
        status_body(410, "Expired"),
        listing(6, named("a"), more="t2"),
        listing(6, named("b")),
    ]
    tokens: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        tokens.append(request.query.get("continue", ""))
        body = pages[min(len(tokens), len(pages)) - 1]
        return json_answer(body, status=body.get("code", 200))()

    async with talking_to(handler) as client:
        listed = await client.list(CONFIG_MAPS)
        assert [item.meta.name for item in listed.items] == ["a", "b"]
        assert tokens == ["", "t1", "", "t2"]
        pages[:] = [status_body(410, "Expired")]
        with pytest.raises(GoneError):
            await client.list(CONFIG_MAPS)


async def test_a_response_that_is_not_a_list_is_an_error() -> None:
    """A 200 response with other JSON is an error and not an empty list."""
    bodies: tuple[Any, ...] = (
        {},
        {"kind": "Status", "items": []},
        {"kind": "ConfigMapList", "items": []},
        [],
    )
    for body in bodies:

        async def handler(_: web.BaseRequest, body: Any = body) -> web.StreamResponse:
            return json_answer(body)()

        async with talking_to(handler) as client:
            with pytest.raises(ServerError):
                await client.list(CONFIG_MAPS)
