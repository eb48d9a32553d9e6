"""Notifications and commit statuses of `nopea run`, with loopback receivers and a real API server."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e import yamls
from tests.e2e.collector import Collector, Forge, Post
from tests.e2e.process import Nopea
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Site
from tests.gitserver import Access

SECRET = "acme-notify-secret"
SLACK_PATH = "/services/T0/B0/slack-is-secret"
TOKEN = "acme-git-token"
BROKEN = {"web.yaml": "kind: ConfigMap\n  bad: [\n"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """The receiver of JSON and Slack messages."""
    with Collector() as opened:
        yield opened


@pytest.fixture(scope="module")
def nopea(
    cluster: Cluster, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nopea]:
    """A controller that sends messages to both sinks and commit statuses to Git servers."""
    folder = tmp_path_factory.mktemp("nopea")
    (folder / "secret").write_text(f"{SECRET}\n")
    (folder / "slack").write_text(f"{collector.url(SLACK_PATH)}\n")
    arguments = (
        f"--notify-url={collector.url('/json')}", f"--notify-secret-file={folder / 'secret'}",
        f"--slack-url-file={folder / 'slack'}", "--cluster-name=lab", "--commit-status",
        "--notify-per-minute=600",
    )  # fmt: skip
    running = Nopea(kubeconfig=cluster.lab.kubeconfig, folder=folder, arguments=arguments)
    try:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0, running.log_text()
        assert [line for line in running.logs() if "traceback" in line] == []
        for secret in (SECRET, "slack-is-secret", TOKEN):
            assert secret not in running.log_text()
    finally:
        running.kill()


def of_repository(posts: list[Post], site: Site, name: str = "shop") -> list[dict[str, Any]]:
    """Return the JSON messages about a repository of this test."""
    wanted = {"namespace": site.namespace, "name": name}
    found = [post.json for post in posts if post.path == "/json"]
    return [one for one in found if wanted.items() <= one["repository"].items()]


def web(**data: str) -> dict[str, str]:
    """Return the files of a commit with one ConfigMap."""
    return {"web.yaml": yamls.text(yamls.config_map("web", **data))}


def test_drift_under_notify_is_sent_with_its_manager(site: Site, collector: Collector) -> None:
    """The signed JSON and the Slack message have the object, the field and the manager, and no value."""
    repo = site.sync("shop", web(greeting="Welcome"), healPolicy="notify")
    place = site.place("v1 configmaps", "web")
    site.cluster.lab.run_kubectl(
        "patch", "configmap", "web", "-n", site.namespace, "--type=merge", "-p",
        '{"data":{"greeting":"Closed <today>"}}',
    )  # fmt: skip

    def received() -> dict[str, Any]:
        messages = of_repository(collector.posts, site)
        assert len(messages) == 1, messages
        return messages[0]

    message = eventually(received)
    assert (message["kind"], message["cluster"]) == ("drift", "lab")
    (drift,) = message["facts"]["drifts"]
    assert (drift["object"], drift["manager"]) == (f"ConfigMap {site.namespace}/web", "kubectl-patch")
    assert drift["fields"] == [{"path": ".data.greeting"}]
    (post,) = [one for one in collector.at("/json") if site.namespace.encode() in one.body]
    mac = hmac.new(SECRET.encode(), post.body, hashlib.sha256).hexdigest()
    assert post.headers["x-signature"] == f"sha256={mac}"

    def in_slack() -> dict[str, Any]:
        found = [one.json for one in collector.at(SLACK_PATH) if site.namespace.encode() in one.body]
        assert len(found) == 1, found
        return found[0]

    slack = eventually(in_slack)
    assert slack["text"] == (
        f":warning: *{site.namespace}/shop: ConfigMap {site.namespace}/web was changed by kubectl-patch*"
    )
    text = slack["attachments"][0]["text"]
    assert "• `.data.greeting`" in text
    assert "Closed" not in str(slack)
    repo.sync_and_wait()
    assert site.cluster.must_get(place)["data"] == {"greeting": "Welcome"}
    assert len(of_repository(collector.posts, site)) == 1


def test_drift_of_a_secret_is_sent_without_its_values(site: Site, collector: Collector) -> None:
    """The message reports the change of the Secret without its values, neither plain nor encoded."""
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"},
        "data": {"password": base64.b64encode(b"swordfish-1").decode()},
    }  # fmt: skip
    site.sync("shop", {"key.yaml": yamls.text(secret)}, healPolicy="notify")
    new = base64.b64encode(b"marlin-22").decode()
    site.cluster.lab.run_kubectl(
        "patch", "secret", "key", "-n", site.namespace, "--type=merge", "-p",
        f'{{"data":{{"password":"{new}"}}}}',
    )  # fmt: skip

    def received() -> dict[str, Any]:
        messages = of_repository(collector.posts, site)
        assert len(messages) == 1, messages
        return messages[0]

    message = eventually(received)
    assert message["facts"]["drifts"][0]["fields"] == [{"path": ".data.password"}]
    for post in collector.posts:
        for value in (b"swordfish-1", b"marlin-22", base64.b64encode(b"swordfish-1"), new.encode()):
            assert value not in post.body


def test_a_failure_and_its_recovery_are_sent_once_each(site: Site, collector: Collector) -> None:
    """A repeated problem is not sent again, but its recovery is sent."""
    repo = site.sync("shop", web(greeting="Welcome"), interval="1s")
    repo.git.commit(BROKEN)

    def failed_often() -> None:
        assert repo.status().get("failures", 0) >= 3, repo.status()

    eventually(failed_often, seconds=60)
    (failure,) = of_repository(collector.posts, site)
    assert (failure["kind"], failure["severity"]) == ("failure", "error")
    assert failure["facts"]["problems"][0]["code"] == "NOPEA-M001"
    assert "web.yaml" in failure["facts"]["problems"][0]["source"]
    repo.wait_synced(repo.git.commit(web(greeting="Hello")), seconds=60)

    def both() -> list[str]:
        kinds = [one["kind"] for one in of_repository(collector.posts, site)]
        assert kinds == ["failure", "recovery"]
        return kinds

    eventually(both)


def test_a_commit_status_is_sent_to_the_git_server(site: Site) -> None:
    """The success or failure of each commit is sent, with the repository's own token."""
    origin = site.origin("shop", web(greeting="Welcome"))
    site.cluster.put(
        site.place("v1 secrets", "git"),
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git", "namespace": site.namespace},
            "stringData": {"username": "deploy", "password": TOKEN},
        },
    )  # fmt: skip
    with Forge(site.server.root, access=Access(username="deploy", password=TOKEN)) as forge:
        repo = site.follow(
            "shop", url=forge.url(f"{site.namespace}/shop.git"), interval="1s",
            secretRef={"name": "git"}, webhook={"secretRef": {"name": "hook"}, "provider": "github"},
        )  # fmt: skip
        good = origin.tip()
        repo.wait_synced(good)
        bad = origin.commit(BROKEN)

        def received() -> list[tuple[str, str]]:
            found = [(post.path, post.json["state"]) for post in forge.posts]
            assert len(found) == 2, found
            return found

        where = f"/api/v3/repos/{site.namespace}/shop/statuses"
        assert eventually(received) == [(f"{where}/{good}", "success"), (f"{where}/{bad}", "failure")]
        first, second = forge.posts
        assert first.headers["authorization"] == f"Bearer {TOKEN}"
        assert first.json["context"] == f"nopea/lab/{site.namespace}/shop"
        assert first.json["description"] == f"Applied 1 object at {good[:7]}."
        assert second.json["description"].startswith("NOPEA-M001 web.yaml")
        site.clear()


def test_a_repository_has_receivers_of_its_own(site: Site, collector: Collector) -> None:
    """They get what they asked for, at the address in a Secret of the namespace; a bad one is an Event."""
    path = f"/team/{site.namespace}"
    site.cluster.put(
        site.place("v1 secrets", "team"),
        {
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "team", "namespace": site.namespace},
            "stringData": {"url": collector.url(path)},
        },
    )  # fmt: skip
    receivers = [
        {"type": "webhook", "secretRef": {"name": "team"}, "events": ["deployment", "failure"]},
        {"type": "slack", "secretRef": {"name": "missing"}},
    ]
    repo = site.sync("shop", web(colour="blue"), notify=receivers)

    def sent(*kinds: str) -> None:
        found = [post.json for post in collector.at(path)]
        assert [one["kind"] for one in found] == list(kinds), found
        assert {one["repository"]["namespace"] for one in found} == {site.namespace}

    eventually(lambda: sent("deployment"))
    repo.git.commit(BROKEN)
    repo.sync_now()
    eventually(lambda: sent("deployment", "failure"))

    def told() -> None:
        events = site.cluster.lab.run_kubectl("-n", site.namespace, "get", "events", "-o", "yaml")
        assert "NotificationFailed" in events
        assert f"Secret {site.namespace}/missing" in events

    eventually(told)
