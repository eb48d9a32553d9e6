"""The addresses: pages, actions, JSON, and what they refuse."""

from __future__ import annotations

import json
import re
import threading
from typing import Any, ClassVar

import pytest
from aiohttp import web
from tests.fakes.dashboard import CSRF, KnownSource, KnownViewer, KnownWorkbench, drifted, failing, fine
from tests.fakes.dashboard_server import dashboard

from nopea.core.health.descendants import Descendant, Descendants
from nopea.core.health.rules import Health, HealthStatus
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.plan.model import Action, LastApplied, Reason, Step
from nopea.core.plan.object_diff import ObjectDiff
from nopea.core.plan.outcome import Change
from nopea.dashboard import routes as module
from nopea.dashboard.pages.difference import ComparedObject, Difference
from nopea.dashboard.source import ACTIONS, DashboardError, Viewer

WEB = RepoKey("shop", "web")


def _source() -> KnownSource:
    source = KnownSource()
    source.put(fine("api"), drifted("web"), failing("secret", namespace="other"))
    return source


async def _shop_only(request: web.Request) -> Viewer:
    del request
    return KnownViewer(namespaces={"shop"})


async def test_pages_of_a_repository_have_addresses() -> None:
    """Each can be bookmarked, and each anchor too."""
    async with dashboard(_source(), workbench=KnownWorkbench()) as visitor:
        for path in ("/r/shop/web", "/r/shop/web/diff", "/r/shop/web/diff?compare=1", "/r/shop/web/timeline"):
            page = await visitor.get(path)
            assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
            assert "<title>shop/web: drifted</title>" in page.text
        assert 'id="drift_apps/Deployment_shop/web"' in (await visitor.get("/r/shop/web")).text
        assert "Nothing differs." in (await visitor.get("/r/shop/web/diff?compare=1")).text


@pytest.mark.parametrize("action", ACTIONS)
async def test_action_is_done_once_and_said(action: str) -> None:
    """To the object that is named, or to all."""
    bench = KnownWorkbench()
    async with dashboard(_source(), workbench=bench) as visitor:
        form = {"csrf": CSRF, "object": "apps/Deployment shop/web"}
        page = await visitor.post(f"/r/shop/web/{action}", form, **visitor.origin)
        assert bench.done == [(WEB, action, "apps/Deployment shop/web")]
        assert f"Requested {action}." in page.text


async def test_action_needs_the_token_of_the_page() -> None:
    """A wrong one, none, or one of a viewer who has none does nothing."""
    bench = KnownWorkbench()

    async def without(request: web.Request) -> Viewer:
        del request
        return KnownViewer(csrf="")

    for admit, form in ((_shop_only, {}), (_shop_only, {"csrf": "x"}), (without, {"csrf": ""})):
        async with dashboard(_source(), workbench=bench, admit=admit) as visitor:
            assert (await visitor.post("/r/shop/web/sync", form, **visitor.origin)).status == 403
            assert (await visitor.get("/r/shop/web/sync")).status in (404, 405)
    assert bench.done == []


async def test_read_only_host_has_no_actions_at_all() -> None:
    """Not only no buttons."""
    async with dashboard(_source()) as visitor:
        for action in ACTIONS:
            form = {"csrf": CSRF}
            assert (await visitor.post(f"/r/shop/web/{action}", form, **visitor.origin)).status in (404, 405)
        assert "<form" not in (await visitor.get("/r/shop/web")).text


async def test_failure_of_an_action_or_a_comparison_is_said() -> None:
    """What happened and what to do, on the same page."""
    bench = KnownWorkbench(failure=DashboardError("You may not patch it.", "Ask <somebody>."))
    async with dashboard(_source(), workbench=bench) as visitor:
        page = await visitor.post("/r/shop/web/sync", {"csrf": CSRF}, **visitor.origin)
        assert "You may not patch it. Ask &lt;somebody&gt;." in page.text
        page = await visitor.get("/r/shop/web/diff?compare=1")
        assert "Ask &lt;somebody&gt;." in page.text


def _with_pods(source: KnownSource, *, unread: tuple[str, ...] = ()) -> None:
    web = ObjectKey("apps", "Deployment", "shop", "web")
    fine_ = Health(status=HealthStatus.HEALTHY)
    bad = Health(status=HealthStatus.FAILED, message="Pull <failed>.")
    pod = Descendant(key=ObjectKey("", "Pod", "shop", "web-1-x"), state="Pending", health=bad)
    replica_set = Descendant(
        key=ObjectKey("apps", "ReplicaSet", "shop", "web-1"), state="0/1 ready", health=fine_, children=(pod,)
    )
    source.objects = {web: LastApplied(hash="", projection=None)}
    source.descendants = Descendants(of={web: (replica_set,)}, unread=unread)


async def test_what_workloads_own_is_shown_when_it_is_asked_for() -> None:
    """On the page of the repository, live, and as JSON; otherwise nothing is read."""
    source = _source()
    _with_pods(source, unread=tuple(f"pods in n{number}: you may not list them" for number in range(5)))
    async with dashboard(source) as visitor:
        page = (await visitor.get("/r/shop/web")).text
        assert 'href="/r/shop/web?pods=1#objects"' in page
        assert "web-1-x" not in page
        page = (await visitor.get("/r/shop/web?pods=1")).text
        for expected in ("web-1-x", "Pending", "Pull &lt;failed&gt;.", "0/1 ready",
                         "Not read: pods in n0: you may not list them; ", "; and 2 more."):  # fmt: skip
            assert expected in page
        live = re.findall(r'data-live="([^"]+)"', page)[0].replace("&amp;", "&")
        at = await visitor.at("/r/shop/web?pods=1")
        async with visitor.stream(f"{live}&at={at}") as stream:
            while "web-1-x" not in (await stream.next())[1]:
                pass
        found = json.loads((await visitor.get("/api/v1/repositories/shop/web?pods=1")).text)
        (web_,) = found["groups"][0]["objects"]
        assert web_["owned"][0]["owned"][0]["name"] == "web-1-x"
        assert "web-1-x" not in (await visitor.get("/?pods=1")).text


async def test_pods_that_do_not_come_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page comes without them."""
    monkeypatch.setattr(module, "OWNED_SECONDS", 0.05)
    source = _source()
    _with_pods(source)
    source.descendants = None
    async with dashboard(source) as visitor:
        page = await visitor.get("/r/shop/web?pods=1")
        assert page.status == 200
        assert "Not read: the API server has not answered in time." in page.text


class _NotesThreads(list[str]):
    """Lines that note in which threads they are read."""

    threads: ClassVar[set[int]] = set()

    def __getitem__(self, key: Any) -> Any:
        """Return what a list returns."""
        self.threads.add(threading.get_ident())
        return super().__getitem__(key)


async def test_long_texts_are_compared_beside_the_event_loop() -> None:
    """Meanwhile every other page is answered."""
    key = ObjectKey("", "ConfigMap", "shop", "web")
    step = Step(key=key, action=Action.APPLY, reason=Reason.GIT_CHANGE)
    diff = ObjectDiff(step=step, change=Change(before={}, after={"a": 1}))
    lines = _NotesThreads(f"line {number}" for number in range(2_000))
    compared = ComparedObject(diff=diff, before=lines, after=_NotesThreads(reversed(lines)))
    _NotesThreads.threads.clear()
    bench = KnownWorkbench(difference=Difference(commit="c", objects=(compared,), problems=()))
    async with dashboard(_source(), workbench=bench) as visitor:
        page = await visitor.get("/r/shop/web/diff?compare=1")
        assert "line 1999" in page.text
    assert _NotesThreads.threads
    assert threading.get_ident() not in _NotesThreads.threads


async def test_json_has_the_same_as_the_pages() -> None:
    """For programs; errors are JSON too."""
    async with dashboard(_source()) as visitor:
        listed = json.loads((await visitor.get("/api/v1/repositories?state=drifted")).text)
        assert (listed["total"], listed["needSomebody"]) == (3, 2)
        assert [row["name"] for row in listed["repositories"]] == ["web"]
        one = json.loads((await visitor.get("/api/v1/repositories/shop/web")).text)
        assert one["drifts"][0]["fields"] == [{"path": ".spec.replicas", "git": "2", "live": "5"}]
        assert json.loads((await visitor.get("/api/v1/repositories/shop/web/timeline")).text)["entries"]
        missing = await visitor.get("/api/v1/repositories/shop/nothing")
        assert (missing.status, "message" in json.loads(missing.text)) == (404, True)


async def test_rubbish_in_addresses_is_refused_or_shows_nothing() -> None:
    """Without a traceback: the status is below 500."""
    async with dashboard(_source()) as visitor:
        for path in (
            "/?q=" + "x" * 5_000,
            "/?state=%00&state=<",
            "/r/%2e%2e/%00",
            "/r/shop/web/live?page=x&at=1",
            "/r/shop/web/diff?compare=1",
            "/live?at=" + "9" * 4_000,
            "/api/v1/repositories/%ff/x",
        ):
            assert (await visitor.get(path)).status < 500, path
