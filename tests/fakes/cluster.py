"""An in-memory API server behind the real KubeClient: it takes requests and returns responses.

The contract suite (tests/contract) runs the same tests against this fake and a real API server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import cast
from urllib.parse import parse_qs, urlsplit

import aiohttp
import orjson
from tests.fakes.field_management import Json
from tests.fakes.object_store import KINDS, ObjectStore, RefusedError

from nopea.core.objects import ObjectKey, Resource
from nopea.kube.client import KubeClient
from nopea.kube.config import ClusterConfig
from nopea.kube.errors import ApiError, UnreachableError
from nopea.kube.execplugin import source_of
from nopea.kube.requests import ApiRequest
from nopea.kube.transport import ApiResponse, Transport

_READS = ("get", "list", "watch", "dry-run")
_CONFIG = ClusterConfig(server="https://fake.example", origin="a test")
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class FakeCluster(ObjectStore):
    """A fake API server: `client` sends it requests; the store's methods change objects without a request.

    `allowed` are the service accounts with rights, those in `without_watch` may not list and watch; there the
    empty name is Nopea's own. `requests` are all requests that were sent, such as
    `apply configmaps/v1 shop/web`.
    """

    def __init__(self, *, kinds: Iterable[Resource] = KINDS, namespaces: Iterable[str] = ("shop",)) -> None:
        self.client = KubeClient(_CONFIG)
        self.client._caller = replace(self.client._caller, transport=_Wire(self))
        self.allowed: set[str] = set()
        self.without_watch: set[str] = set()
        self.requests: list[str] = []
        self.down = False
        self.broken: set[str] = set()
        """The API groups whose service does not answer."""
        self._is_dry = False
        self._failures: list[tuple[str, Resource, ApiError]] = []
        self._hooks: list[tuple[str, ObjectKey, Callable[[], object]]] = []
        self._watches: list[_Watch] = []
        self._history: list[tuple[int, Resource, Json | None, Json | None]] = []
        super().__init__(kinds=kinds, namespaces=namespaces)

    @property
    def writes(self) -> list[str]:
        """The requests that change objects, except those for Events."""
        return [
            request
            for request in self.requests
            if request.split()[0] not in _READS and "events.k8s.io" not in request
        ]

    def fail_next(self, verb: str, of: Resource, error: ApiError, *, times: int = 1) -> None:
        """Raise an error for the next requests with this verb (such as `apply`) and resource."""
        self._failures += [(verb, of, error)] * times

    def before(self, verb: str, key: ObjectKey, callback: Callable[[], object]) -> None:
        """Call back once, just before the next request with this verb reads or writes the object."""
        self._hooks.append((verb, key, callback))

    def stop(self) -> None:
        """Break open watches and refuse connections until `down` is set to False."""
        self.down = True
        for watch in self._watches:
            watch.lines.put_nowait(UnreachableError("the connection is gone"))

    def break_service(self, group: str) -> None:
        """Let the service of an API group fail until `broken` no longer has it."""
        self.broken.add(group)
        for watch in self._watches:
            if watch.call is not None and watch.call.resource.group == group:
                watch.lines.put_nowait(b"")

    def end_watches(self) -> None:
        """End open watches as the server does when their time is up."""
        for watch in self._watches:
            watch.lines.put_nowait(b"")

    def restore(self, objects: dict[ObjectKey, Json], *, version: int) -> None:
        """Go back to a backup of etcd; open watches have to list again."""
        self.objects, self.version = objects, version
        self.compact()
        for watch in self._watches:
            watch.expire()

    def compact(self) -> None:
        """Forget old versions: a watch that starts from one gets a 410 event; open watches continue."""
        self._history.clear()

    def on_change(self, where: Resource, before: Json | None, after: Json | None) -> None:
        """Send a change to the open watches."""
        if self._is_dry:
            return
        self._history.append((self.version, where, before, after))
        for watch in self._watches:
            watch.tell(self.version, where, before, after)

    def answer(self, request: ApiRequest, headers: Mapping[str, str]) -> tuple[int, Json]:
        """Return the response's code and body; raises RefusedError and the errors that `fail_next` queued."""
        self.requests.append(str(request))
        if request.path in ("/api", "/apis") and not self.down:
            return 200, {"items": list(self._groups(core=request.path == "/api"))}
        if request.path == "/version" and not self.down:
            return 200, {"gitVersion": "v1.36.0"}
        if request.path.startswith("/apis/authorization.k8s.io/") and not self.down:
            spec = orjson.loads(request.body)["spec"]
            user = spec.get("user") or headers.get("Impersonate-User", "")
            return 201, {"status": {"allowed": self._may(user, spec["resourceAttributes"]["verb"])}}
        call = self.read(request, headers)
        match request.method:
            case "GET" if call.key.name:
                return 200, self.find(call.key)
            case "GET":
                return 200, self._list(call)
            case "DELETE":
                gone = self.delete(call.key, orjson.loads(request.body).get("preconditions"))
                return 200, {"kind": "Status", "status": "Success"} if gone else self.objects[call.key]
            case "POST":
                sent = orjson.loads(request.body)
                sent["metadata"]["namespace"] = call.key.namespace
                with self._nothing_stored() if "dryRun" in call.query else nullcontext():
                    return 201, self.create(sent, manager=call.query["fieldManager"])
        is_new = call.key not in self.objects
        with self._nothing_stored() if "dryRun" in call.query else nullcontext():
            stored = self._write(call, request)
        return 201 if is_new else 200, stored

    @contextmanager
    def _nothing_stored(self) -> Iterator[None]:
        """Undo what the block stores; watches do not hear of it."""
        objects, version = self.objects, self.version
        self.objects, self._is_dry = dict(objects), True
        try:
            yield
        finally:
            self.objects, self.version, self._is_dry = objects, version, False

    def _write(self, call: _Call, request: ApiRequest) -> Json:
        return self.write(
            call.resource,
            call.key,
            orjson.loads(request.body),
            request.content_type,
            manager=call.query["fieldManager"],
            subresource=call.subresource,
            force=call.query.get("force") == "true",
        )

    def read(self, request: ApiRequest, headers: Mapping[str, str]) -> _Call:
        """Parse a request, check that it may be served, and run the prepared hooks and failures."""
        if self.down:
            raise UnreachableError("no route to the API server", request=str(request))
        url = urlsplit(request.path)
        root, version, *rest = url.path.removeprefix("/apis/").removeprefix("/").split("/")
        group = "" if root == "api" else root
        namespace = rest[1] if rest[0] == "namespaces" and len(rest) > 2 else ""
        plural, name, subresource = [*(rest[2:] if namespace else rest), "", ""][:3]
        of = (group, version, plural)
        where = next((kind for kind in self.kinds if (kind.group, kind.version, kind.plural) == of), None)
        if where is None or (subresource and where.group_kind in self.without_status):
            raise RefusedError(404, "NotFound", "the server could not find the requested resource")
        if group in self.broken:
            raise RefusedError(
                503, "ServiceUnavailable", "the server is currently unable to handle the request"
            )
        user = headers.get("Impersonate-User", "")
        if not self._may(user, request.verb):
            message = f'{plural} is forbidden: User "{user}" cannot {request.verb} resource "{plural}"'
            raise RefusedError(403, "Forbidden", message, name=name, kind=plural, group=group)
        key = where.at(name=name, namespace=namespace).key
        self._let_happen(request.verb, where, key)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        return _Call(accept=request.accept, resource=where, key=key, subresource=subresource, query=query)

    def open(self, watch: _Watch, *, since: int) -> None:
        """Send the changes since a version to a new watch, and all later ones."""
        if since < self.version and (not self._history or self._history[0][0] > since + 1):
            watch.expire()
        for change in self._history:
            if change[0] > since:
                watch.tell(*change)
        self._watches.append(watch)

    def close(self, watch: _Watch) -> None:
        """End a watch."""
        self._watches.remove(watch)

    def _may(self, user: str, verb: str) -> bool:
        is_known = not user or user in self.allowed
        return is_known and not (user in self.without_watch and verb in ("list", "watch"))

    def _let_happen(self, verb: str, where: Resource, key: ObjectKey) -> None:
        for hook in self._hooks:
            if hook[:2] == (verb, key):
                self._hooks.remove(hook)
                hook[2]()
                break
        for failure in self._failures:
            if (failure[0], failure[1].group_kind) == (verb, where.group_kind):
                self._failures.remove(failure)
                raise failure[2]

    def _list(self, call: _Call) -> Json:
        kind = call.resource.group_kind
        found = [self.objects[key] for key in sorted(self.objects) if key.group_kind == kind]
        name, items = kind.kind, [value for value in found if call.selects(value)]
        if "PartialObjectMetadataList" in call.accept:
            name, items = "PartialObjectMetadata", [{"metadata": value["metadata"]} for value in items]
        return {"kind": f"{name}List", "metadata": {"resourceVersion": str(self.version)}, "items": items}

    def _groups(self, *, core: bool) -> Iterator[Json]:
        for kind in self.kinds:
            if (kind.group == "") is core:
                described = {
                    "resource": kind.plural,
                    "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
                    "scope": "Namespaced" if kind.namespaced else "Cluster",
                    "verbs": sorted(kind.verbs),
                }
                version = {"version": kind.version, "resources": [described]}
                stale = {"version": kind.version, "resources": [], "freshness": "Stale"}
                versions = [stale if kind.group in self.broken else version]
                yield {"metadata": {"name": kind.group}, "versions": versions}


class _Wire(Transport):
    """The transport of the fake: it replaces the network."""

    def __init__(self, cluster: FakeCluster) -> None:
        super().__init__(_CONFIG, source_of(_CONFIG))
        self._cluster = cluster

    async def send(self, request: ApiRequest, headers: Mapping[str, str]) -> ApiResponse:
        await asyncio.sleep(0)
        try:
            code, body = self._cluster.answer(request, headers)
        except RefusedError as error:
            code, body = error.code, error.status
        content_type = _DISCOVERY if "items" in body and "kind" not in body else "application/json"
        return ApiResponse(code, {"Content-Type": content_type}, orjson.dumps(body))

    @asynccontextmanager
    async def stream(
        self, request: ApiRequest, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        self._cluster.requests.append(str(request))
        try:
            call = self._cluster.read(request, headers)
        except RefusedError as error:
            yield cast("aiohttp.ClientResponse", _Watch(None, status=error.code, error=error.status))
            return
        watch = _Watch(call)
        self._cluster.open(watch, since=int(call.query["resourceVersion"]))
        try:
            yield cast("aiohttp.ClientResponse", watch)
        finally:
            self._cluster.close(watch)

    async def read_some(
        self, answer: aiohttp.ClientResponse, request: ApiRequest, *, within_seconds: float
    ) -> bytes:
        """Wait for the next event and return it."""
        del request, within_seconds
        line = await cast("_Watch", answer).lines.get()
        if isinstance(line, ApiError):
            raise line
        return line

    async def read_all(self, answer: aiohttp.ClientResponse, request: ApiRequest) -> bytes:
        del request
        return orjson.dumps(cast("_Watch", answer).error)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A parsed request."""

    accept: str
    resource: Resource
    key: ObjectKey
    subresource: str
    query: Mapping[str, str]

    def selects(self, value: Json | None) -> bool:
        """Return whether a list or watch selects an object."""
        if value is None or self.key.namespace not in ("", value["metadata"].get("namespace")):
            return False
        labels, fields = value["metadata"].get("labels") or {}, {"metadata.name": value["metadata"]["name"]}
        fields["type"] = value.get("type", "")
        fields |= {f"regarding.{name}": text for name, text in (value.get("regarding") or {}).items()}
        fields |= {"reason": str(value.get("reason", ""))}
        return _match(self.query.get("labelSelector", ""), labels) and _match(
            self.query.get("fieldSelector", ""), fields
        )


def _match(selector: str, facts: Mapping[str, str]) -> bool:
    terms = [term.partition("=") for term in selector.split(",") if term]
    return all(facts.get(name) == text if equals else name in facts for name, equals, text in terms)


@dataclass(slots=True)
class _Watch:
    """The response to a watch: an open stream, or an error."""

    call: _Call | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    lines: asyncio.Queue[bytes | ApiError] = field(default_factory=asyncio.Queue)
    error: Json = field(default_factory=dict)

    def tell(self, version: int, where: Resource, before: Json | None, after: Json | None) -> None:
        """Send a change to the watch if its selectors select the object before or after the change."""
        if self.call is None or self.call.resource != where:
            return
        was, is_in = self.call.selects(before), self.call.selects(after)
        if is_in:
            self._send("MODIFIED" if was else "ADDED", after)
        elif was and before is not None:
            self._send(
                "DELETED", {**before, "metadata": {**before["metadata"], "resourceVersion": str(version)}}
            )

    def expire(self) -> None:
        """Send the ERROR event for a resourceVersion that is too old."""
        self._send("ERROR", RefusedError(410, "Expired", "too old resource version").status)

    def _send(self, type_: str, value: Json | None) -> None:
        self.lines.put_nowait(orjson.dumps({"type": type_, "object": value}) + b"\n")
