"""`nopea ui` on a real API server: what it shows and does, for whom, and what it refuses."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.ui import Browser, Ui, running_ui
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Repo, Site
from tests.e2e.yamls import config_map, crashing, text

RBAC = "rbac.authorization.k8s.io/v1"


@pytest.fixture(scope="module")
def ui(cluster: Cluster, nopea: object) -> Iterator[Ui]:
    """One `nopea ui` with the rights of the administrator."""
    del nopea
    with running_ui(cluster.lab.kubeconfig) as running:
        yield running


@pytest.fixture(scope="module")
def browser(ui: Ui) -> Browser:
    """The browser that has opened the printed address."""
    return ui.browser()


@pytest.fixture
def drifted(site: Site) -> Repo:
    """A repository whose ConfigMap somebody has changed, and that leaves it."""
    repo = site.sync("app", {"web.yaml": text(config_map("web", colour="blue"))}, healPolicy="notify",
                     targetNamespace=site.namespace)  # fmt: skip
    site.cluster.merge(site.place("v1 configmaps", "web"), {"data": {"colour": "<b>red</b>"}})
    eventually(lambda: _assert_drifts(repo, 1))
    return repo


def _assert_drifts(repo: Repo, count: int) -> None:
    assert repo.status().get("driftedCount", 0) == count


def _path(repo: Repo) -> str:
    return f"/r/{repo.site.namespace}/{repo.name}"


def _assert_shown(browser: Browser, path: str, *texts: str) -> str:
    page = browser.get(path)
    assert page.status == 200
    for expected in texts:
        assert expected in page.text, page.text
    return page.text


def test_overview_and_page_show_drift_and_who_caused_it(browser: Browser, drifted: Repo) -> None:
    """Hostile values are texts."""
    name = f"{drifted.site.namespace}/"
    eventually(lambda: _assert_shown(browser, f"/?q={name}", "drifted", "ConfigMap web changed by"))
    escaped = "&lt;b&gt;red&lt;/b&gt;"
    html = _assert_shown(browser, _path(drifted), escaped, ".data.colour", "blue", "Changed by")
    assert "<b>red" not in html


def test_diff_compares_with_git_and_the_timeline_tells(browser: Browser, drifted: Repo) -> None:
    """With the user's own rights, as `nopea diff` and `nopea events` do."""
    commit = drifted.git.commit({"web.yaml": text(config_map("web", colour="green"))})
    html = _assert_shown(browser, f"{_path(drifted)}/diff?compare=1", commit[:12], "green", "In the cluster")
    assert ".data.colour" in html
    _assert_shown(browser, f"{_path(drifted)}/timeline", "Revisions", "DriftDetected", "In force")


def test_buttons_do_what_the_commands_do(browser: Browser, drifted: Repo) -> None:
    """Break-glass, heal, suspend, resume and sync, on the real objects."""
    path, site = _path(drifted), drifted.site
    place = site.place("v1 configmaps", "web")
    key = f"ConfigMap {site.namespace}/web"
    assert "is suspended until" in browser.act(path, "suspend", key).text
    assert site.cluster.must_get(place)["metadata"]["annotations"]["nopea.io/suspend-heal"] == "true"
    assert "is resumed." in browser.act(path, "resume", key).text
    assert "Requested to heal" in browser.act(path, "heal", key).text
    eventually(lambda: _assert_drifts(drifted, 0))
    assert site.cluster.must_get(place)["data"] == {"colour": "blue"}
    assert "is suspended." in browser.act(path, "suspend").text
    assert drifted.get()["spec"]["suspend"] is True
    assert "is resumed." in browser.act(path, "resume").text
    assert "Requested a sync" in browser.act(path, "sync").text
    assert "holds nothing back" in browser.act(path, "confirm-prune").text


def test_change_arrives_at_an_open_page(browser: Browser, drifted: Repo) -> None:
    """Within seconds, by server-sent events, and nothing else comes."""
    page = browser.get(f"/?q={drifted.site.namespace}").text
    at = page.partition('data-at="')[2].partition('"')[0]
    request = urllib.request.Request(f"{browser.base}/live?q={drifted.site.namespace}&at={at}")
    browser.jar.add_cookie_header(request)
    with urllib.request.urlopen(request, timeout=20) as stream:
        drifted.change(suspend=True)
        names: list[str] = []
        while not any("Suspended;" in name for name in names):
            names.append(stream.readline().decode())
    assert "event: row\n" in names


def test_tree_goes_down_to_pods_when_it_is_asked_to(pods_site: Site) -> None:
    """With what is wrong with them; otherwise none is read."""
    files = {"crash.yaml": text(crashing("crash")), "map.yaml": text(config_map("map", a="b"))}
    repo = pods_site.sync("app", files, targetNamespace=pods_site.namespace)
    path = _path(repo)
    with running_ui(pods_site.cluster.lab.kubeconfig, "-A") as ui:
        browser = ui.browser()

        def crashes() -> None:
            html = _assert_shown(browser, f"{path}?pods=1", "ReplicaSet", "CrashLoopBackOff")
            assert re.search(r'<span class="kind">Pod</span> crash-\w+-\w+', html)
            assert "Not read" not in html

        eventually(crashes)
        assert '<span class="kind">Pod</span>' not in _assert_shown(browser, path, "Show what they own")
        found = json.loads(browser.get(f"/api/v1/repositories{path.removeprefix('/r')}?pods=1").text)
    owners = [one for group in found["groups"] for one in group["objects"] if one["owned"]]
    assert [one["kind"] for one in owners] == ["apps/Deployment"]
    assert owners[0]["owned"][0]["owned"][0]["health"] == "Unhealthy"


def test_strangers_get_nothing(ui: Ui, browser: Browser, drifted: Repo) -> None:
    """Another browser, another name of this machine, another site, a form without its token."""
    path = _path(drifted)
    version = drifted.get()["metadata"].get("annotations")
    stranger = Browser(ui.base)
    for page in ("/", path, "/live?at=x", "/api/v1/repositories", ui.address.removeprefix(ui.base)):
        answer = stranger.get(page)
        assert answer.status == 403, page
        assert drifted.site.namespace not in answer.text
    assert stranger.post(f"{path}/suspend", {"csrf": browser.csrf(path)}).status == 403
    assert browser.get("/", Host="attacker.example").status == 421
    assert (
        browser.post(f"{path}/suspend", {"csrf": browser.csrf(path)}, Origin="http://a.example").status == 403
    )
    assert browser.post(f"{path}/suspend", {}).status == 403
    metadata = drifted.get()["metadata"]
    assert metadata.get("annotations") == version
    assert not drifted.get()["spec"].get("suspend")


def test_user_sees_and_does_what_the_cluster_lets_them(
    site: Site, drifted: Repo, tmp_path: Path, cluster: Cluster
) -> None:
    """Who may only read one namespace sees that one, and no button writes."""
    lab, namespace = cluster.lab, site.namespace
    lab.run_kubectl("-n", namespace, "create", "serviceaccount", "viewer")
    rule = "--resource=gitrepositories.nopea.io"
    lab.run_kubectl("-n", namespace, "create", "role", "viewer", "--verb=get,list,watch", rule)
    lab.run_kubectl(
        "-n",
        namespace,
        "create",
        "rolebinding",
        "viewer",
        "--role=viewer",
        f"--serviceaccount={namespace}:viewer",
    )
    token = lab.run_kubectl("-n", namespace, "create", "token", "viewer").strip()
    lab.write_kubeconfig(tmp_path / "viewer", token=token)
    with running_ui(tmp_path / "viewer", "-n", namespace) as limited:
        viewer = limited.browser()
        found = json.loads(viewer.get("/api/v1/repositories").text)
        assert {row["namespace"] for row in found["repositories"]} == {namespace}
        _assert_shown(viewer, "/", f"Only the namespace {namespace} is shown.")
        _assert_shown(viewer, f"{_path(drifted)}/timeline", "You may not list events.events.k8s.io")
        refused = viewer.act(_path(drifted), "suspend")
        assert "NOPEA-K" in refused.text
        assert "forbidden" in refused.text.lower() or "may not" in refused.text.lower()
    assert not drifted.get()["spec"].get("suspend")
