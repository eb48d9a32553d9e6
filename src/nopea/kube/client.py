"""The verbs of the Kubernetes API, for everything that Nopea reads and writes in a cluster.

The client sends requests, repeats those that the server postponed (429), and returns objects or raises an
`ApiError`. It never caches, and it decides nothing about objects.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Self

import aiohttp
import msgspec

from nopea.core.api.names import CONTROLLER_MANAGER, FIELD_MANAGER
from nopea.core.objects import Resource, Target
from nopea.kube import requests
from nopea.kube.auth import Source
from nopea.kube.config import ClusterConfig
from nopea.kube.errors import (
    ApiError,
    ApiFailure,
    GoneError,
    ServerError,
    TooManyRequestsError,
    UnreachableError,
    error_of,
    is_storage_broken,
    is_storage_unavailable,
)
from nopea.kube.execplugin import source_of
from nopea.kube.kinds import ACCESS_REVIEWS
from nopea.kube.limiter import Limiter, PausedError, Refusal
from nopea.kube.live import PAGE, Applied, LiveObject, ObjectList, Page, item_of
from nopea.kube.requests import (
    EVERYTHING,
    NO_PRECONDITIONS,
    ApiRequest,
    PatchKind,
    Preconditions,
    Selection,
)
from nopea.kube.transport import ApiResponse, BodyTooBigError, Transport
from nopea.measure import Measure, not_measured

CHUNK = 500
"""Objects asked for at once in a list."""

_BUSY_TRIES = 4
_OVERLOADED = frozenset({0, 503, 504})  # 0: no answer at all
_LIST_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """The account to impersonate. The API server adds the groups of service accounts."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.name}"


class Stream:
    """The body of a watch while the server sends it."""

    def __init__(self, transport: Transport, request: ApiRequest, answer: aiohttp.ClientResponse) -> None:
        self._transport, self._request, self._answer = transport, request, answer

    async def read(self, *, within_seconds: float) -> bytes:
        """Return the next bytes, empty at the end. Raises SilenceError when none arrive in time."""
        return await self._transport.read_some(self._answer, self._request, within_seconds=within_seconds)


@dataclass(frozen=True, slots=True)
class _Caller:
    """What all callers share, and what distinguishes this one: its queue and the headers of its requests."""

    transport: Transport
    limiter: Limiter
    measure: Measure
    flow: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class KubeClient:
    """One API server for one caller; enter it to connect.

    `on_behalf` shares the connections with another caller. Every method raises `ApiError` (see `errors.py`),
    is safe to cancel, and has the transport's deadline for each request that it sends. Waiting for a slot
    (see `limiter.py`) has no deadline but the caller's own. A 429 pauses this caller's requests to the same
    API group; while the server asks for a long pause, they fail at once.
    """

    def __init__(
        self,
        config: ClusterConfig,
        *,
        source: Source | None = None,
        measure: Measure = not_measured,
        caller: _Caller | None = None,
    ) -> None:
        """`measure` is called with each request's verb, the answer's code, and the seconds until the answer.

        `caller` is what `on_behalf` passes on.
        """
        self.config = config
        self._caller = caller or _Caller(Transport(config, source or source_of(config)), Limiter(), measure)

    @property
    def limiter(self) -> Limiter:
        """The slots for requests, shared by all callers."""
        return self._caller.limiter

    async def __aenter__(self) -> Self:
        await self._caller.transport.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.limiter.close()
        await self._caller.transport.__aexit__(*exc)

    def on_behalf(self, flow: str, *, of: ServiceAccount | None = None) -> KubeClient:
        """Return a client whose requests queue as `flow` (a repository) and may act as a service account.

        It uses this client's connections: do not enter or close it.
        """
        headers = {"Impersonate-User": str(of)} if of is not None else self._caller.headers
        return KubeClient(self.config, caller=replace(self._caller, flow=flow, headers=headers))

    async def get(self, target: Target, *, metadata_only: bool = False) -> LiveObject:
        """Read one object, or its metadata only."""
        return await self._object(requests.get(target, metadata_only=metadata_only))

    async def list(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        chunk: int = CHUNK,
        most: int | None = None,
    ) -> ObjectList:
        """Read every object that matches, at one resourceVersion, `chunk` objects at a time.

        With `most`, it ends after the chunk with which there are so many. Starts again when that version
        expires (410) between two chunks, and asks for smaller chunks when one exceeds the transport's limit.
        """
        for attempt in range(_LIST_TRIES):
            try:
                return await self._list_once(resource, selection, chunk=chunk, most=most)
            except GoneError:
                if attempt == _LIST_TRIES - 1:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def apply(self, target: Target, body: bytes) -> Applied:
        """Server-side apply what Git declares, as manager `nopea`; return the stored object."""
        response = await self._send(requests.apply(target, body))
        return Applied(response.body, created=response.status == 201)

    async def dry_apply(self, target: Target, body: bytes) -> Applied:
        """Return what `apply` would store; nothing is stored."""
        response = await self._send(requests.apply(target, body, dry_run=True))
        return Applied(response.body, created=response.status == 201)

    async def apply_own(self, target: Target, body: bytes, *, subresource: str = "") -> Applied:
        """Server-side apply what Nopea writes for itself, as another manager; return the stored object."""
        request = requests.apply(target, body, subresource=subresource, manager=CONTROLLER_MANAGER)
        response = await self._send(request)
        return Applied(response.body, created=response.status == 201)

    async def apply_status(self, target: Target, body: bytes) -> Applied:
        """Server-side apply the object's status, as the same manager."""
        return await self.apply_own(target, body, subresource="status")

    async def apply_as(
        self, target: Target, body: bytes, *, manager: str, force: bool = False, dry_run: bool = False
    ) -> Applied:
        """Server-side apply as a manager of the CLI; return the stored object.

        Raises ConflictError where another manager has a field, unless it is forced.
        """
        response = await self._send(
            requests.apply(target, body, manager=manager, force=force, dry_run=dry_run)
        )
        return Applied(response.body, created=response.status == 201)

    async def patch(
        self,
        target: Target,
        body: bytes,
        *,
        kind: PatchKind = PatchKind.MERGE,
        manager: str = FIELD_MANAGER,
    ) -> LiveObject:
        """Change some fields of an object; return the stored object. The CLI names another manager."""
        return await self._object(requests.patch(target, body, kind=kind, manager=manager))

    async def create(
        self,
        resource: Resource,
        body: bytes,
        *,
        namespace: str = "",
        manager: str = CONTROLLER_MANAGER,
        dry_run: bool = False,
    ) -> LiveObject:
        """Create an object; a dry run stores nothing. Raises AlreadyExistsError if its name is taken."""
        return await self._object(
            requests.create(resource, body, namespace=namespace, manager=manager, dry_run=dry_run)
        )

    async def review(self, body: bytes, *, of: Resource = ACCESS_REVIEWS) -> bytes:
        """Ask a review, by default whether this caller may do something; return the answer."""
        return (await self._send(requests.create(of, body))).body

    async def delete(self, target: Target, *, only_if: Preconditions = NO_PRECONDITIONS) -> LiveObject | None:
        """Delete an object; return it while finalizers or a grace period still keep it, else None.

        Raises NotFoundError if there is no such object.
        """
        answer = LiveObject((await self._send(requests.delete(target, only_if=only_if))).body)
        return None if answer.head.kind == "Status" else answer

    async def read(self, path: str, *, accept: str = requests.JSON) -> ApiResponse:
        """Read a path that is not an object, such as `/apis`."""
        return await self._send(requests.get_path(path, accept=accept))

    @asynccontextmanager
    async def stream(self, request: ApiRequest) -> AsyncIterator[Stream]:
        """Open a watch and yield its body. It holds no slot, because it stays open for minutes."""
        caller = self._caller
        async with self._slot(request):
            pass  # only waits until the end of a pause that the server asked for
        async with AsyncExitStack() as stack:
            with _Measured(request.verb, caller.measure) as measured:
                answer = await stack.enter_async_context(caller.transport.stream(request, caller.headers))
                measured.code = str(answer.status)
            if answer.status != 200:
                body = await caller.transport.read_all(answer, request)
                error = _error_of(request, answer.status, answer.headers, body)
                self._note_error(request, error)
                raise error
            yield Stream(caller.transport, request, answer)

    async def _list_once(
        self, resource: Resource, selection: Selection, *, chunk: int, most: int | None
    ) -> ObjectList:
        items: list[LiveObject] = []
        token = ""
        while True:
            try:
                page, kind = await self._page(resource, selection, chunk, token)
            except BodyTooBigError:
                if chunk <= 1:
                    raise
                chunk = max(1, chunk // 8)
                continue
            version = "meta.k8s.io/v1" if kind == "PartialObjectMetadata" else resource.api_version
            items.extend(item_of(raw, api_version=version, kind=kind) for raw in page.items or ())
            token = page.metadata.continue_
            if not token or (most is not None and len(items) >= most):
                return ObjectList(tuple(items), page.metadata.resource_version)
            await asyncio.sleep(0)  # lets other tasks run between two chunks of a big list

    async def _page(
        self, resource: Resource, selection: Selection, chunk: int, token: str
    ) -> tuple[Page, str]:
        request = requests.list_page(resource, selection, limit=chunk, continue_=token)
        response = await self._send(request)
        try:
            page = PAGE.decode(response.body)
        except msgspec.MsgspecError as error:
            raise _unexpected(request, response.status) from error
        if not page.kind.endswith("List") or not page.metadata.resource_version:
            raise _unexpected(request, response.status)
        return page, resource.kind if not selection.metadata_only else page.kind.removesuffix("List")

    async def _object(self, request: ApiRequest) -> LiveObject:
        response = await self._send(request)
        live = LiveObject(response.body)
        try:
            name = live.meta.name
        except msgspec.MsgspecError as error:
            raise _unexpected(request, response.status) from error
        if not name:
            raise _unexpected(request, response.status)
        return live

    async def _send(self, request: ApiRequest) -> ApiResponse:
        caller = self._caller
        for attempt in range(_BUSY_TRIES):
            async with self._slot(request):
                try:
                    with _Measured(request.verb, caller.measure) as measured:
                        response = await caller.transport.send(request, caller.headers)
                        measured.code = str(response.status)
                except UnreachableError as no_answer:
                    self._note_error(request, no_answer)
                    raise
                if response.status < 300:
                    caller.limiter.went_well()
                    return response
                error = _error_of(request, response.status, response.headers, response.body)
                self._note_error(request, error)
            is_last = attempt == _BUSY_TRIES - 1 or is_storage_broken(error)
            if is_last or not isinstance(error, TooManyRequestsError):
                raise error
        raise AssertionError("unreachable: the last attempt returns or raises")

    @asynccontextmanager
    async def _slot(self, request: ApiRequest) -> AsyncIterator[None]:
        """Hold a slot; raise TooManyRequestsError if the server has postponed such requests for long."""
        try:
            await self.limiter.acquire(self._caller.flow, request.scopes)
        except PausedError as error:
            failure = ApiFailure(
                code=429, reason="TooManyRequests", message=error.why, retry_after_seconds=error.seconds
            )
            raise TooManyRequestsError(failure, request=str(request)) from error
        try:
            yield
        finally:
            self.limiter.release(self._caller.flow)

    def _note_error(self, request: ApiRequest, error: ApiError) -> None:
        """Tell the limiter whether the server, or a service behind it, cannot take such requests now."""
        is_busy = isinstance(error, TooManyRequestsError)
        if not is_busy and error.code not in _OVERLOADED:
            self.limiter.went_well()
            return
        group, kind = request.scopes
        is_local = is_storage_unavailable(error)
        after = error.retry_after_seconds
        self.limiter.refused(
            Refusal(
                flow=self._caller.flow,
                scope=kind if is_local else group,
                why=error.message,
                retry_after_seconds=(1.0 if after is None else after) if is_busy else None,
                is_local=is_local,
                is_worth_waiting=not is_storage_broken(error),
            )
        )


class _Measured:
    """Reports the outcome and the duration of one request, also when it fails or is cancelled."""

    __slots__ = ("_measure", "_started", "_verb", "code")

    def __init__(self, verb: str, measure: Measure) -> None:
        self._verb, self._measure = verb, measure
        self.code = ""

    def __enter__(self) -> _Measured:
        self._started = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._measure(self._verb, self.code or _ending(error), time.perf_counter() - self._started)


def _ending(error: BaseException | None) -> str:
    match error:
        case UnreachableError():
            return "unreachable"
        case asyncio.CancelledError():
            return "cancelled"
        case _:
            return "error"


def _error_of(request: ApiRequest, status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    after = headers.get("Retry-After", "")
    return error_of(status, body, retry_after=after, request=str(request), masked=request.is_secret)


def _unexpected(request: ApiRequest, status: int) -> ServerError:
    return ServerError(
        ApiFailure(
            code=status, reason="Rubbish", message="The answer is not a valid object of the Kubernetes API."
        ),
        request=str(request),
    )
