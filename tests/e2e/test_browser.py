"""`nopea ui` in a real Chromium: click paths, live updates, keyboard, no error, no barrier.

Skipped where there is no Chromium; CONTRIBUTING.md says how to install it. The audit by axe needs a copy of
axe-core, which NOPEA_AXE names.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import ConsoleMessage, Page, Route, StorageState, async_playwright, expect
from tests.e2e.process import Nopea
from tests.e2e.ui import Ui, running_ui
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Repo, Site
from tests.e2e.yamls import config_map, crashing, deployment, text

from nopea.dashboard.pages.render import leading_page

CHROMIUM = os.environ.get("NOPEA_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
AXE = os.environ.get("NOPEA_AXE", "")
pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason="no Chromium: install it (apt-get install chromium) or set NOPEA_CHROMIUM"
)
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SCREENS = os.environ.get("NOPEA_SCREENSHOTS", "")
"""A folder for screenshots of what the tests see; none by default."""


@dataclass
class Opened:
    """A running `nopea ui`, and the cookies of the browser that has exchanged its token."""

    ui: Ui
    cookies: StorageState | None = None


@pytest.fixture(scope="module")
def running(cluster: Cluster, nopea: object) -> Iterator[Opened]:
    """Run one `nopea ui` for the module."""
    del nopea
    with running_ui(cluster.lab.kubeconfig) as ui:
        yield Opened(ui)


@pytest_asyncio.fixture
async def opened(running: Opened) -> AsyncIterator[Page]:
    """A page of a new Chromium at the overview; an error or a warning in its console fails the test."""
    errors: list[str] = []

    def note(said: ConsoleMessage) -> None:
        if "503" not in said.text:  # which a test has sent
            errors.append(f"{said.type}: {said.text}")

    async with async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        context = await chromium.new_context(
            viewport={"width": 1280, "height": 900}, storage_state=running.cookies
        )
        page = await context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", note)
        await page.goto(running.ui.base if running.cookies else running.ui.address)
        await page.wait_for_selector("#live.good")
        assert "token" not in page.url
        running.cookies = await context.storage_state()
        yield page
        await chromium.close()
    assert errors == []


@pytest.fixture
def repo(site: Site) -> Repo:
    """A repository with one ConfigMap that leaves drift to people."""
    files = {"web.yaml": text(config_map("web", colour="blue"))}
    return site.sync("app", files, healPolicy="notify", targetNamespace=site.namespace)


def _home(page: Page) -> str:
    return str(page.url).split("/", 3)[2]


async def _go(page: Page, path: str) -> None:
    await page.goto(f"http://{_home(page)}{path}")
    await page.wait_for_selector("#live.good")


def _row(repo: Repo) -> str:
    return f"#row_{repo.site.namespace}_{repo.name}"


def _drift(repo: Repo, colour: str) -> None:
    repo.site.cluster.merge(repo.site.place("v1 configmaps", "web"), {"data": {"colour": colour}})


async def _barriers(page: Page) -> list[str]:
    await page.add_script_tag(path=AXE)
    found: list[str] = await page.evaluate("axe.run().then(said => said.violations.map(each => each.id))")
    return found


async def _shoot(page: Page, name: str) -> None:
    if SCREENS:
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            for size, width, height in (("desktop", 1280, 900), ("phone", 390, 844)):
                await page.set_viewport_size({"width": width, "height": height})
                await page.screenshot(path=str(Path(SCREENS) / f"{name}-{size}-{scheme}.png"))
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size({"width": 1280, "height": 900})


async def test_drift_appears_and_is_healed_by_a_click(opened: Page, repo: Repo) -> None:
    """The row changes and moves without a reload; a page open on the repository follows, too."""
    await _go(opened, f"/?q={repo.site.namespace}")
    await opened.evaluate("window.sameDocument = true")
    await expect(opened.locator(_row(repo))).to_contain_text("fine")
    _drift(repo, "red")
    await expect(opened.locator(_row(repo))).to_contain_text("drifted")
    await expect(opened.locator("#sentence")).to_contain_text("need")
    await _shoot(opened, "overview")
    assert await opened.evaluate("window.sameDocument") is True
    await opened.locator(_row(repo)).get_by_role("link").click()
    await expect(opened.locator("#drift")).to_contain_text("red")
    await _shoot(opened, "repository")
    await opened.get_by_text("Heal…", exact=True).click()
    await opened.locator("#ask_heal").get_by_role("button", name="Heal").click()
    await expect(opened.locator("#notice")).to_contain_text("Requested to heal all objects")
    await expect(opened.locator("#drift")).to_contain_text("reports no changes")
    await expect(opened.locator("h1")).to_contain_text("fine")
    assert repo.site.cluster.must_get(repo.site.place("v1 configmaps", "web"))["data"] == {"colour": "blue"}


async def test_page_in_a_file_leads_to_the_dashboard(cluster: Cluster, tmp_path: Path) -> None:
    """As `nopea ui` opens it: the token is exchanged, and its cookie is sent at once."""
    file = tmp_path / "open.html"
    with running_ui(cluster.lab.kubeconfig) as ui:
        file.write_text(leading_page(ui.address), encoding="utf-8")
        async with async_playwright() as driver:
            chromium = await driver.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
            page = await chromium.new_page()
            await page.goto(file.as_uri())
            await page.wait_for_selector("#live.good")
            assert page.url == f"{ui.base}/"
            await chromium.close()


async def test_pods_of_a_repository_are_shown_and_follow(pods_site: Site) -> None:
    """By a link; what happens to them comes without a reload."""
    files = {
        "crash.yaml": text(crashing("crash")), "web.yaml": text(deployment("web")),
        "map.yaml": text(config_map("settings", a="b")),
    }  # fmt: skip
    repo = pods_site.sync("shop", files, targetNamespace=pods_site.namespace)
    errors: list[str] = []
    with running_ui(pods_site.cluster.lab.kubeconfig, "-A") as ui:
        async with async_playwright() as driver:
            chromium = await driver.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
            page = await chromium.new_page(viewport={"width": 1280, "height": 900}, bypass_csp=bool(AXE))
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda said: errors.append(f"{said.type}: {said.text}"))
            await page.goto(ui.address)
            await _go(page, f"/r/{pods_site.namespace}/{repo.name}")
            await page.get_by_role("link", name="Show what they own, down to Pods").click()
            await page.wait_for_selector("#live.good")
            await expect(page.locator("#objects")).to_contain_text("CrashLoopBackOff", timeout=60_000)
            await expect(page.locator(".owned .leaf .owned .leaf")).to_have_count(2)
            await _shoot(page, "tree")
            if AXE:
                assert await _barriers(page) == []
            await page.set_viewport_size({"width": 320, "height": 700})
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            await page.get_by_role("link", name="Hide what they own").click()
            await page.wait_for_url("**/shop#objects")
            await expect(page.locator(".owned")).to_have_count(0)
            await chromium.close()
    assert errors == []


async def test_search_and_states_filter_without_a_reload(opened: Page, repo: Repo) -> None:
    """The address can be kept, and Back returns; `/` goes to the search."""
    await _go(opened, "/")
    await opened.evaluate("window.sameDocument = true")
    await opened.keyboard.press("/")
    await opened.keyboard.type(f"{repo.site.namespace}/app")
    await opened.wait_for_url("**/?q=*")
    await expect(opened.locator(".row")).to_have_count(1)
    await opened.locator("input[value=fine]").check()
    await opened.wait_for_url("**state=fine*")
    assert await opened.evaluate("window.sameDocument") is True
    _drift(repo, "green")
    await expect(opened.locator(".row")).to_have_count(0)
    await expect(opened.locator(".empty")).to_be_visible()


async def test_diff_and_timeline_open_by_keyboard(opened: Page, repo: Repo) -> None:
    """Tab and Enter reach everything; the comparison arrives while the page is there."""
    _drift(repo, "red")
    eventually(lambda: _assert_drifted(repo))
    await _go(opened, f"/r/{repo.site.namespace}/app")
    await opened.get_by_role("link", name="Diff").focus()
    await opened.keyboard.press("Enter")
    await opened.wait_for_selector("#difference:not([aria-busy])", timeout=60_000)
    await expect(opened.locator("#difference")).to_contain_text(".data.colour")
    await _shoot(opened, "diff")
    await opened.get_by_role("link", name="Timeline").focus()
    await opened.keyboard.press("Enter")
    await expect(opened.locator("#revisions")).to_contain_text("so far")
    await _shoot(opened, "timeline")
    await _go(opened, "/")
    await opened.keyboard.press("Tab")
    assert await opened.evaluate("document.activeElement.className") == "skip"


async def test_focus_and_opened_questions_survive_an_update(opened: Page, repo: Repo) -> None:
    """Who is about to confirm is not thrown out by what happens meanwhile."""
    await _go(opened, f"/r/{repo.site.namespace}/app")
    await opened.locator("#ask_suspend summary").focus()
    await opened.keyboard.press("Enter")
    _drift(repo, "red")
    await expect(opened.locator("#head")).to_contain_text("drifted")
    assert await opened.locator("#ask_suspend").get_attribute("open") is not None
    assert await opened.evaluate("document.activeElement.closest('#head') !== null")


async def test_nothing_is_wider_than_a_phone(opened: Page, repo: Repo) -> None:
    """No page scrolls sideways at 320 pixels."""
    _drift(repo, "a-very-long-value-" * 20)
    eventually(lambda: _assert_drifted(repo))
    await opened.set_viewport_size({"width": 320, "height": 700})
    for path in ("/", f"/r/{repo.site.namespace}/app", f"/r/{repo.site.namespace}/app/timeline"):
        await _go(opened, path)
        assert await opened.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    await opened.set_viewport_size({"width": 1280, "height": 900})


async def test_refused_stream_is_opened_again(opened: Page, repo: Repo) -> None:
    """A browser gives up on it; the page tries again, and gets what has changed meanwhile."""
    refusals = 0

    async def refuse(route: Route) -> None:
        nonlocal refusals
        refusals += 1
        await (route.fulfill(status=503, body="") if refusals < 3 else route.continue_())

    await opened.route("**/live?*", refuse)
    await opened.goto(f"http://{_home(opened)}/?q={repo.site.namespace}")
    await expect(opened.locator("#live")).to_have_text("not live; trying again")
    _drift(repo, "red")
    await opened.wait_for_selector("#live.good")
    await expect(opened.locator(_row(repo))).to_contain_text("drifted")
    assert refusals == 3
    await opened.unroute_all()


async def test_silent_stream_is_opened_again(opened: Page, repo: Repo) -> None:
    """After a sleep, a connection may be gone without a sign; the clock of the page is virtual."""
    await opened.clock.install()
    await _go(opened, f"/?q={repo.site.namespace}")
    async with opened.expect_request("**/live?*"):
        await opened.clock.fast_forward(90_000)
    await opened.wait_for_selector("#live.good")
    _drift(repo, "red")
    await expect(opened.locator(_row(repo))).to_contain_text("drifted")


@pytest.mark.skipif(not AXE, reason="NOPEA_AXE does not name a copy of axe-core's axe.min.js")
async def test_axe_finds_no_barrier(opened: Page, repo: Repo) -> None:
    """On every page, light and dark. It runs in a context of its own, which allows its script."""
    _drift(repo, "red")
    eventually(lambda: _assert_drifted(repo))
    state = await opened.context.storage_state()
    browser = opened.context.browser
    assert browser is not None
    context = await browser.new_context(bypass_csp=True, storage_state=state)
    page = await context.new_page()
    base = f"/r/{repo.site.namespace}/app"
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for path in ("/", base, f"{base}/diff?compare=1", f"{base}/timeline"):
            await page.goto(f"http://{_home(opened)}{path}")
            await page.wait_for_selector("#live.good")
            assert await _barriers(page) == [], (scheme, path)
    await context.close()


async def test_buttons_work_without_javascript(opened: Page, repo: Repo) -> None:
    """A form is sent by the browser itself, and the answer is the whole page."""
    browser = opened.context.browser
    assert browser is not None
    context = await browser.new_context(
        java_script_enabled=False, storage_state=await opened.context.storage_state()
    )
    page = await context.new_page()
    await page.goto(f"http://{_home(opened)}/r/{repo.site.namespace}/app")
    await page.locator("#ask_suspend summary").click()
    await page.locator("#ask_suspend").get_by_role("button", name="Suspend").click()
    await expect(page.locator("#notice")).to_contain_text("is suspended.")
    assert repo.get()["spec"]["suspend"] is True
    await context.close()


async def test_login_to_the_dashboard_of_the_controller(
    cluster: Cluster, repo: Repo, start_nopea: Callable[..., Nopea]
) -> None:
    """A pasted token shows what its account may read, live and without buttons, until the logout."""
    namespace = repo.site.namespace
    run = cluster.lab.run_kubectl
    run("-n", namespace, "create", "serviceaccount", "viewer")
    run("-n", namespace, "create", "rolebinding", "viewer", "--clusterrole=cluster-admin",
        f"--serviceaccount={namespace}:viewer")  # fmt: skip
    token = run("-n", namespace, "create", "token", "viewer").strip()
    flags = ("--dashboard", "--dashboard-port=0", f"--namespace={namespace}")
    controller = start_nopea(cluster.lab, *flags)
    controller.wait_until_ready()
    errors: list[str] = []
    async with async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        page = await chromium.new_page()
        wanted = f"http://localhost:{controller.dashboard_port}/?q={namespace}#rows"
        await page.goto(wanted)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(f"{said.type}: {said.text}"))
        await page.get_by_label("Bearer token").fill(token)
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_selector("#live.good")
        assert page.url == wanted, "the page that was asked for, with its anchor"
        await expect(page.locator(_row(repo))).to_contain_text("fine")
        _drift(repo, "red")
        await expect(page.locator(_row(repo))).to_contain_text("drifted")
        await page.locator(_row(repo)).get_by_role("link").click()
        await expect(page.locator("#drift")).to_contain_text("red")
        assert await page.get_by_role("button").all_text_contents() == ["Log out"]
        assert errors == []
        await page.get_by_role("button", name="Log out").click()
        await page.wait_for_selector("#token")
        await chromium.close()


def _assert_drifted(repo: Repo) -> None:
    assert repo.status().get("driftedCount") == 1
