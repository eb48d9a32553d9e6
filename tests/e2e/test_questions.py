"""`nopea status`, `why`, `get` and `events` on real repositories: what people ask first."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.e2e import yamls
from tests.e2e.commands import Said, say, say_on_a_terminal
from tests.e2e.waiting import eventually
from tests.e2e.world import Json, Repo, Site

MAPS = "v1 configmaps"
WEB = {"web.yaml": yamls.text(yamls.config_map("web", a="b"))}


def _say(site: Site, *arguments: str) -> Said:
    return say(site.cluster.lab, *arguments, f"--namespace={site.namespace}")


def _why(site: Site, repo: Repo) -> Json:
    said = _say(site, "why", repo.name, "--output=json")
    assert said.code in (0, 1), said
    return said.json | {"code": said.code}


def _kinds(site: Site, repo: Repo) -> list[str]:
    return [each["kind"] for each in _why(site, repo)["concerns"]]


def _status(site: Site) -> tuple[int, list[str]]:
    said = _say(site, "status")
    return said.code, said.out.splitlines()[1:]


def _change(site: Site, name: str, *, manager: str = "somebody") -> None:
    site.cluster.put(site.place(MAPS, name), yamls.config_map(name, a="changed"), manager=manager)


def test_all_is_fine(site: Site) -> None:
    """All say so, and exit with 0; one sync is one entry of the timeline."""
    repo = site.sync("shop", WEB)
    repo.wait_event("Synced")

    said = _say(site, "why", "shop")
    table = _say(site, "get").out.splitlines()
    (entry,) = _say(site, "events", "shop", "-o", "json").json["entries"]

    assert (said.code, said.out.splitlines()[1:]) == (0, ["✓ Nothing is wrong."])
    assert repo.status()["revision"] in said.out
    assert _status(site) == (0, ["1 GitRepository: 1 fine"])
    assert table[0].split() == ["NAME", "READY", "HEALTH", "REVISION", "DRIFT", "STATUS", "AGE"]
    assert table[1].split()[:4] == ["shop", "True", "Healthy", repo.status()["revision"]]
    assert (entry["reason"], entry["commit"], entry["trigger"]) == (
        "Synced",
        repo.status()["lastAppliedCommit"],
        repo.status()["history"][0]["trigger"],
    )
    assert entry["subject"] == repo.status()["revisions"][0]["message"]


def test_what_is_wrong_is_told_worst_first(site: Site) -> None:
    """A file that cannot be read, drift that was left, a suspension; the first names its file and line."""
    bad = site.sync("bad", WEB)
    bad.git.commit({**WEB, "broken.yaml": "a: [\n"})
    bad.sync_and_wait()
    files = {"api.yaml": yamls.text(yamls.config_map("api", a="b"))}
    drifted = site.sync("drifted", files, healPolicy="manual")
    _change(site, "api")
    held = site.sync("held", {"x.yaml": yamls.text(yamls.config_map("x", a="b"))})
    held.change(suspend=True)

    def told() -> None:
        code, (numbers, *rows, last) = _status(site)
        assert code == 1
        assert numbers == "3 GitRepositories: 0 fine, 1 failing, 1 drifted, 1 suspended"
        assert [re.split(r"\s{2,}", row)[:2] for row in rows] == [
            ["failing", f"{site.namespace}/bad"],
            ["drifted", f"{site.namespace}/drifted"],
        ]
        assert f"`nopea why bad -n {site.namespace}`" in last

    eventually(told)
    (concern,) = _why(site, bad)["concerns"]
    assert (concern["kind"], concern["code"], concern["source"]) == ("failing", "NOPEA-M001", "broken.yaml:2")
    (concern,) = _why(site, drifted)["concerns"]
    assert concern["message"].startswith("Changed by somebody: .data.a b → changed")
    assert (_why(site, held)["code"], _kinds(site, held)) == (0, ["suspended"])
    names = _say(site, "status", "-o", "name").out.splitlines()
    assert names == [f"{site.namespace}/bad", f"{site.namespace}/drifted"]


def test_many_problems(site: Site) -> None:
    """The first 20 with file, code and hint, and how many more there are."""
    broken = {f"{number:02}.yaml": "a: [\n" for number in range(24)}
    site.origin("many", broken)
    repo = site.follow("many")
    repo.wait_failed("NOPEA-M001")

    concerns = _why(site, repo)["concerns"]
    lines = _say(site, "why", "many").out.splitlines()

    assert len(concerns) == 21
    assert concerns[-1]["message"] == "4 more problems are not listed."
    assert all(each["source"] and each["hint"] for each in concerns[:20])
    assert len([line for line in lines if line.startswith("✗ failing")]) == 21
    assert len([line for line in lines if line.startswith("  →")]) == 1, "the hint is the same for all"
    assert _status(site)[1][1].startswith(f"failing  {site.namespace}/many")


class Refusing(BaseHTTPRequestHandler):
    """A Git server that refuses every login."""

    def do_GET(self) -> None:
        """Ask for a login."""
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Print nothing."""


@pytest.fixture
def refusing() -> Iterator[str]:
    """The URL of a repository that nobody may read."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/lost.git"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("git", "code"), [("down", "NOPEA-G001"), ("closed", "NOPEA-G002")])
def test_git_does_not_answer(site: Site, refusing: str, git: str, code: str) -> None:
    """The answer says since when, what to do and when the next try is."""
    repo = site.follow("lost", url=refusing if git == "closed" else "http://127.0.0.1:9/lost.git")
    repo.wait_failed(code)

    (concern,) = _why(site, repo)["concerns"]
    text = _say(site, "why", "lost").out

    assert (concern["kind"], concern["code"]) == ("failing", code)
    assert concern["hint"] in text
    assert re.search(r"The next try .*; `nopea sync lost -n ", text)


def test_the_timeline_names_who_did_what(site: Site) -> None:
    """A deployment with its author, and drift with its manager; also when the Events have expired."""
    repo = site.sync("shop", WEB)
    repo.wait_event("Synced")
    commit = repo.git.commit({"web.yaml": yamls.text(yamls.config_map("web", a="c"))})
    repo.sync_and_wait()
    repo.wait_event("Changed")
    _change(site, "web")
    healed = repo.wait_event("DriftHealed")["note"]

    def recorded() -> None:
        assert repo.status()["revisions"][0].get("reverted"), repo.status()

    eventually(recorded)
    first, second, third = _say(site, "events", "gr/shop", "-o", "json").json["entries"]
    assert (first["reason"], second["reason"], third["reason"]) == ("Synced", "Changed", "DriftHealed")
    assert (second["commit"], second["subject"]) == (commit, repo.status()["revisions"][0]["message"])
    assert (third["message"], third["trigger"]) == (healed, "object change")
    for event in repo.events():
        site.cluster.delete(site.place("events.k8s.io/v1 events", event["metadata"]["name"]))
    later = _say(site, "events", "shop", "-o", "json").json["entries"]
    assert [each["reason"] for each in later] == ["Synced", "Synced", "DriftHealed"]
    assert [each["commit"] for each in later][1:] == [commit, commit]
    assert "by somebody" in later[2]["message"]


def test_a_name_that_does_not_exist(site: Site) -> None:
    """The error has the nearest one, also where it is in another namespace."""
    site.sync("storefront", WEB)

    near = _say(site, "why", "storefrnt")
    elsewhere = say(site.cluster.lab, "why", "gr/storefront", "--namespace=default")
    found = say(site.cluster.lab, "why", f"{site.namespace}/storefront", "--namespace=default")

    assert near.code == elsewhere.code == 3
    assert f"GitRepository {site.namespace}/storefrnt does not exist." in near.err
    assert f"Did you mean `storefront -n {site.namespace}`" in near.err
    assert f"`storefront -n {site.namespace}`" in elsewhere.err
    assert found.code == 0


def test_a_viewer_sees_a_namespace(site: Site, tmp_path: Path) -> None:
    """With `get` and `list` on GitRepositories in one namespace; a hint says what else may not be read."""
    site.sync("shop", WEB)
    kubeconfig = _viewer(site, tmp_path)
    arguments = (f"--kubeconfig={kubeconfig}",)

    status = say(site.cluster.lab, "status", *arguments)
    events = _say(site, "events", *arguments)

    assert (status.code, status.out.splitlines()[-1]) == (0, "1 GitRepository: 1 fine")
    assert f"these are those of {site.namespace}" in status.err
    assert say(site.cluster.lab, "status", "-A", *arguments).code == 3
    assert (events.code, "Applied" in events.out) == (0, True)
    assert "You may not list events.events.k8s.io" in events.err


def _viewer(site: Site, folder: Path) -> Path:
    """Return the kubeconfig of an account that may read the GitRepositories of the namespace."""
    lab, name = site.cluster.lab, site.namespace
    rules = "--verb=get,list", "--resource=gitrepositories.nopea.io"
    lab.run_kubectl("create", "serviceaccount", "viewer", "-n", name)
    lab.run_kubectl("create", "role", "viewer", "-n", name, *rules)
    to = "--role=viewer", f"--serviceaccount={name}:viewer"
    lab.run_kubectl("create", "rolebinding", "viewer", "-n", name, *to)
    token = lab.run_kubectl("create", "token", "viewer", "-n", name).strip()
    file = folder / "viewer"
    lab.write_kubeconfig(file, token=token)
    lab.run_kubectl("config", "set-context", "--current", f"--namespace={name}", f"--kubeconfig={file}")
    return file


def test_a_terminal_is_not_overrun(site: Site) -> None:
    """At 80 columns no line is longer; NO_COLOR is tested in tests/unit/cli/test_main.py."""
    site.origin("bad", {**WEB, "a-very-long-name-of-a-file-that-cannot-be-read.yaml": "a: [\n"})
    site.follow("bad").wait_failed("NOPEA-M001")

    for command in (["status"], ["get"], ["why", "bad"], ["events"]):
        said = say_on_a_terminal(site.cluster.lab, *command, f"--namespace={site.namespace}")
        lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.out).splitlines()
        assert max(map(len, lines)) <= 80, (command, lines)


def test_an_unhealthy_workload(pods_site: Site) -> None:
    """Ready is True, and yet somebody is needed: the answer names the object and its container's reason."""
    repo = pods_site.sync("bad", {"crash.yaml": yamls.text(yamls.crashing("crash"))})

    def unhealthy() -> None:
        assert _kinds(pods_site, repo) == ["unhealthy"]
        (concern,) = _why(pods_site, repo)["concerns"]
        assert concern["object"] == f"apps/Deployment {pods_site.namespace}/crash"
        assert "CrashLoopBackOff" in concern["message"]

    eventually(unhealthy, seconds=60)
    assert repo.condition("Ready")["status"] == "True"
    code, (numbers, row, _) = _status(pods_site)
    assert (code, numbers) == (1, "1 GitRepository: 0 fine, 1 unhealthy")
    assert "CrashLoopBackOff" in row
