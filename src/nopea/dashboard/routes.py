"""The addresses of the dashboard: they check who asks, and answer with a page, JSON or a stream.

Both hosts have the same routes; actions and comparisons exist only where there is a workbench.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, Final

import msgspec
from aiohttp import web

from nopea import tasks
from nopea.core.api.repository import Repository
from nopea.core.health.descendants import Descendants
from nopea.core.objects import RepoKey
from nopea.dashboard.desk import Admit, Desk, key_of
from nopea.dashboard.files import static
from nopea.dashboard.forms import form_of
from nopea.dashboard.guard import RefusedRequestError
from nopea.dashboard.live import Streams
from nopea.dashboard.looks import OverviewLook, SectionMemory, Sections, overview_looks, section_looks
from nopea.dashboard.pages.difference import ShownDifference, shown
from nopea.dashboard.pages.overview import Filter, Level, overview
from nopea.dashboard.pages.render import (
    SECTIONS,
    Failure,
    Notice,
    RepositoryPage,
    overview_page,
    repository_page,
    repository_sections,
)
from nopea.dashboard.pages.repository import details_of
from nopea.dashboard.pages.timeline import History, history_of
from nopea.dashboard.source import (
    ACTIONS,
    NOTHING_APPLIED,
    NOTHING_REPORTED,
    AppliedObjects,
    DashboardError,
    DataSource,
    Viewer,
    Workbench,
)

COMPARE_SECONDS: Final = 170.0
ACT_SECONDS: Final = 30.0
MOST_COMPARISONS: Final = 2
OWNED_SECONDS: Final = 10.0
MOST_READINGS: Final = 2
"""Pages for which Pods are read at once: a namespace can have many."""

LONGEST_OBJECT: Final = 1_024


class Dashboard:
    """The pages over one source."""

    def __init__(
        self,
        source: DataSource,
        admit: Admit,
        *,
        workbench: Workbench | None = None,
        streams: Streams | None = None,
    ) -> None:
        self._source = source
        self._desk = Desk(source, admit, read_only=workbench is None)
        self._workbench = workbench
        self._streams = streams or Streams()
        self._comparing = asyncio.Semaphore(MOST_COMPARISONS)
        self._reading = asyncio.Semaphore(MOST_READINGS)

    def close(self) -> None:
        """End the streams."""
        self._streams.close()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        found = [
            web.get("/", self._overview),
            web.get("/live", self._overview_live),
            web.get("/static/{name}", static),
            web.get("/api/v1/repositories", self._json_all),
            web.get("/api/v1/repositories/{namespace}/{name}", self._json_one),
            web.get("/api/v1/repositories/{namespace}/{name}/timeline", self._json_timeline),
            web.get("/r/{namespace}/{name}", self._details),
            web.get("/r/{namespace}/{name}/live", self._repository_live),
            web.get("/r/{namespace}/{name}/{page:diff|timeline}", self._details),
        ]
        if self._workbench is not None:
            actions = "|".join(ACTIONS)
            found.append(web.post(f"/r/{{namespace}}/{{name}}/{{action:{actions}}}", self._act))
        return found

    async def _overview(self, request: web.Request) -> web.Response:
        viewer = await self._desk.admit(request)
        chosen = _filter_of(request)
        await self._desk.look()
        at, site = self._desk.board.at, self._desk.site(viewer)
        view = overview(await self._desk.visible(viewer), chosen)
        return page(overview_page(site, view, at=at))

    async def _overview_live(self, request: web.Request) -> web.StreamResponse:
        await self._desk.admit(request)  # each look asks again: a token may have ended
        chosen = _filter_of(request)

        async def look(number: int) -> OverviewLook:
            viewer = await self._desk.admit(request)
            await self._desk.look()
            reached, site = self._desk.board.number, self._desk.site(viewer)
            rows, gone = self._desk.board.rows(), self._desk.board.gone_since(number)
            seen = await viewer.visible({row.namespace for row in rows} | {key.namespace for key in gone})
            return OverviewLook(
                rows=[row for row in rows if row.namespace in seen],
                gone=[key for key in gone if key.namespace in seen],
                number=reached,
                namespaces=frozenset(seen),
                site=site,
            )

        looks = overview_looks(self._desk.board, chosen, _at(request), look)
        return await self._streams.serve(request, looks)

    async def _details(self, request: web.Request) -> web.Response:
        viewer = await self._desk.admit(request)
        repository = await self._desk.repository(request, viewer)
        name = request.match_info.get("page", "details")
        is_asked = name == "diff" and request.query.get("compare") == "1"
        made = await self._page(repository, viewer, name, compare=is_asked, pods=_wants_pods(request))
        rows = made.difference.rows if made.difference is not None else 0
        return page(await tasks.off_loop(repository_page, self._desk.site(viewer), made, size=rows))

    async def _repository_live(self, request: web.Request) -> web.StreamResponse:
        key = key_of(request)
        await self._desk.repository(request, await self._desk.admit(request))
        name = request.query.get("page", "details")
        if name not in SECTIONS:
            raise RefusedRequestError(404, "There is no such page.")
        memory = SectionMemory()

        async def sections() -> Sections | None:
            viewer = await self._desk.admit(request)
            may_get = await viewer.may_get(key, exists=self._source.get(key) is not None)
            await self._desk.look()
            at, repository = self._desk.board.at, self._source.get(key)
            if repository is None or not may_get:
                return None
            version = f"{repository.uid} {repository.resource_version} {self._desk.board.told_number}"

            async def make() -> tuple[dict[str, str], bool]:
                made = await self._page(repository, viewer, name, pods=_wants_pods(request))
                return repository_sections(self._desk.site(viewer), made), made.again

            return Sections(parts=await memory.get(version, make), at=at)

        is_whole = request.query.get("again") != "1"
        looks = section_looks(self._desk.board, key, _at(request), sections, is_whole=is_whole)
        return await self._streams.serve(request, looks)

    async def _act(self, request: web.Request) -> web.Response:
        viewer = await self._desk.admit(request)
        form = await form_of(request)
        if not viewer.csrf or not _same(form.get("csrf", ""), viewer.csrf):
            raise RefusedRequestError(403, "The page is too old.", "Load it again, and try again.")
        repository = await self._desk.repository(request, viewer)
        object_ = form.get("object", "")[:LONGEST_OBJECT]
        action = request.match_info["action"]
        assert self._workbench is not None  # noqa: S101 - else there is no such route
        try:
            async with asyncio.timeout(ACT_SECONDS):
                said = await self._workbench.act(repository.key, action, object_=object_)
            notice = Notice(text=said)
        except DashboardError as error:
            notice = Notice(text=f"{error.message} {error.hint}".strip(), level=Level.BAD)
        except TimeoutError:
            notice = Notice(text="The API server has not answered in time. Try again.", level=Level.BAD)
        made = await self._page(repository, viewer, "details", notice=notice)
        return page(repository_page(self._desk.site(viewer), made))

    async def _json_all(self, request: web.Request) -> web.Response:
        viewer = await self._desk.admit(request)
        await self._desk.look()
        view = overview(await self._desk.visible(viewer), _filter_of(request))
        return _json({"total": view.total, "needSomebody": view.needy, "repositories": view.rows})

    async def _json_one(self, request: web.Request) -> web.Response:
        viewer = await self._desk.admit(request)
        repository = await self._desk.repository(request, viewer)
        applied = await self._source.applied(repository, viewer)
        owned = await self._owned(applied, viewer) if _wants_pods(request) else None
        found = details_of(repository, applied.objects, incomplete=applied.incomplete, descendants=owned)
        return _json(found)

    async def _json_timeline(self, request: web.Request) -> web.Response:
        repository = await self._desk.repository(request, await self._desk.admit(request))
        return _json(await self._history(repository))

    async def _page(
        self,
        repository: Repository,
        viewer: Viewer,
        name: str,
        *,
        compare: bool = False,
        pods: bool = False,
        notice: Notice | None = None,
    ) -> RepositoryPage:
        await self._desk.look()
        at = self._desk.board.at
        repository = self._source.get(repository.key) or repository  # as of that number
        applied, owned = NOTHING_APPLIED, None
        if name == "details":
            applied = await self._source.applied(repository, viewer)
            owned = await self._owned(applied, viewer) if pods else None
        history, reported = None, NOTHING_REPORTED
        if name == "timeline":
            reported = await self._source.reported(repository)
            history = history_of(repository, reported.events)
        difference, failure = await self._compared(repository.key) if compare else (None, None)
        return RepositoryPage(
            page=name,
            view=details_of(repository, applied.objects, incomplete=applied.incomplete, descendants=owned),
            at=at,
            again=applied.again or reported.again or owned is not None,  # nobody tells of changes of Pods
            history=history,
            no_events=reported.incomplete,
            compares=self._workbench is not None,
            difference=difference,
            failure=failure,
            notice=notice,
        )

    async def _owned(self, applied: AppliedObjects, viewer: Viewer) -> Descendants:
        try:
            async with asyncio.timeout(OWNED_SECONDS), self._reading:
                return await self._source.owned(applied.objects, viewer)
        except TimeoutError:
            return Descendants(unread=("the API server has not answered in time",))

    async def _history(self, repository: Repository) -> History:
        return history_of(repository, (await self._source.reported(repository)).events)

    async def _compared(self, key: RepoKey) -> tuple[ShownDifference | None, Failure | None]:
        if self._workbench is None:
            return None, None
        try:
            async with asyncio.timeout(COMPARE_SECONDS), self._comparing:
                difference = await self._workbench.compare(key)
                return await tasks.off_loop(shown, difference, size=difference.lines), None
        except DashboardError as error:
            return None, Failure(message=error.message, hint=error.hint)
        except TimeoutError:
            hint = f"`nopea diff {key.arguments}` has no such limit."
            return None, Failure(message="The comparison took too long.", hint=hint)


def page(html: str) -> web.Response:
    """Return the answer with a page."""
    return web.Response(text=html, content_type="text/html")


def _json(value: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def _wants_pods(request: web.Request) -> bool:
    return request.query.get("pods") == "1"


def _filter_of(request: web.Request) -> Filter:
    return Filter.of(query=request.query.get("q", ""), states=request.query.getall("state", []))


def _at(request: web.Request) -> str:
    return (request.headers.get("Last-Event-ID") or request.query.get("at", ""))[:64]


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())
