"""The events of a repository's whole life cycle, in order, as a sink of a real controller receives them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import pytest
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.sinks import LiveSink
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Repo, Site
from tests.fakes.cdevents import MAX_MESSAGE, check, has_reference, official_errors
from tests.fakes.sink import Arrival
from tests.gitserver import Access, GitServer

SECONDS = 60.0
SWORDFISH = "swordfish-in-a-secret"
PASSWORD = "acme-git-password"
SINK = "acme-sink-password"
BINARY = ("--cdevents-mode=binary", "--cdevents-version=0.5.1", "--cdevents-drift=incident")
FLUX = ("--cdevents-mode=structured", "--cdevents-version=0.4.1", "--cdevents-drift=custom")
Start = Callable[..., Nopea]


@dataclass(frozen=True)
class Told:
    """An event as its receiver reads it, in either mode."""

    attributes: dict[str, str]
    event: dict[str, Any]
    size: int

    @property
    def kind(self) -> str:
        """The subject and the predicate of the event's type."""
        return ".".join(self.attributes["type"].split(".")[2:4])

    @property
    def facts(self) -> dict[str, Any]:
        """Nopea's own facts in the event."""
        return dict(self.event["customData"]["nopea"])


def read(arrival: Arrival) -> Told:
    """Parse a message according to the HTTP binding of CloudEvents; a violation fails the test."""
    headers, size = arrival.headers, len(arrival.body)
    if headers["content-type"].startswith("application/cloudevents+json"):
        assert [name for name in headers if name.startswith("ce-")] == []
        whole = arrival.json
        data = whole.pop("data")
        assert isinstance(data, dict)
        assert whole.pop("datacontenttype") == "application/json"
        return Told({name: str(value) for name, value in whole.items()}, data, size)
    assert headers["content-type"] == "application/json"
    raw = {name.removeprefix("ce-"): value for name, value in headers.items() if name.startswith("ce-")}
    assert "datacontenttype" not in raw
    for value in raw.values():
        assert all(0x21 <= ord(character) <= 0x7E and character != '"' for character in value), value
    size += sum(len(name) + len(value) + 4 for name, value in headers.items())
    return Told({name: unquote(value) for name, value in raw.items()}, arrival.json, size)


def assert_valid(told: Told, version: str) -> None:
    """Assert that attributes and event agree, and that a strict consumer of this version accepts it."""
    context = told.event["context"]
    assert told.attributes == {
        "specversion": "1.0",
        "id": context["id"],
        "source": context["source"],
        "type": context["type"],
        "subject": told.event["subject"]["id"],
        "time": context["timestamp"],
    }
    assert context["source"] == "https://nopea.acme.example/clusters/test"
    raw = json.dumps(told.event).encode()
    assert check(raw, version) == []
    assert told.size <= MAX_MESSAGE
    if version == "0.5.1" and has_reference():
        assert official_errors(raw) == []


@pytest.fixture
def sink() -> Iterator[LiveSink]:
    """The sink that receives the events."""
    with LiveSink() as opened:
        yield opened


@pytest.fixture
def site(cluster: Cluster, git_server: GitServer, namespace: str) -> Iterator[Site]:
    """A namespace for the controllers that the test starts."""
    made = Site(cluster, git_server, namespace)
    yield made
    made.clear()


class Life:
    """A repository, its controller, and the events that the sink has received."""

    def __init__(self, site: Site, sink: LiveSink, begin: Callable[[], Nopea], server: GitServer) -> None:
        self.site, self.sink, self._begin = site, sink, begin
        self.running = begin()
        self.environment = f"{site.namespace}-env"
        self.origin = site.origin("shop", self.files("blue"))
        site.cluster.put(
            site.place("v1 secrets", "git"),
            {
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": "git", "namespace": site.namespace},
                "stringData": {"username": "deploy", "password": PASSWORD},
            },
        )  # fmt: skip
        self.repo: Repo = site.follow(
            "shop", url=server.url(f"{site.namespace}/shop.git"), interval="1s", healPolicy="manual",
            secretRef={"name": "git"}, targetNamespace=site.namespace, deletionPolicy="Delete",
            pruneLimit="100%",
        )  # fmt: skip

    def files(self, colour: str, *, label: str = "one", with_old: bool = True) -> dict[str, str]:
        """Return a commit's files: a namespace, a Secret, a ConfigMap and one that is removed later."""
        environment = yamls.namespace(self.environment)
        environment["metadata"] |= {"labels": {"tier": label}, "annotations": {"nopea.io/prune": "true"}}
        found = {
            "namespace.yaml": yamls.text(environment),
            "secret.yaml": yamls.text(yamls.secret("key", password=f"{SWORDFISH}-{colour}")),
            "web.yaml": yamls.text(yamls.config_map("web", colour=colour)),
        }
        return found | ({"old.yaml": yamls.text(yamls.config_map("old", a="1"))} if with_old else {})

    def restart(self) -> None:
        """Stop the controller and start another one."""
        assert self.running.stop() == 0
        self.running = self._begin()

    def told(self, after: int = 0) -> list[Told]:
        """Return the received events, each only once, without the first `after`."""
        known: dict[str, Told] = {}
        for arrival in self.sink.arrivals():
            one = read(arrival)
            known.setdefault(one.attributes["id"], one)
        return list(known.values())[after:]

    def expect(self, *kinds: str) -> list[Told]:
        """Wait until exactly these events arrived since the last call, and return them."""
        found: list[Told] = []

        def all_told() -> None:
            found[:] = self.told(self._seen)
            assert [one.kind for one in found] == list(kinds), [
                (one.kind, one.event["subject"]) for one in found
            ]

        eventually(all_told, seconds=SECONDS)
        self._seen += len(found)
        return found

    _seen = 0


@pytest.mark.parametrize("arguments", [BINARY, FLUX], ids=["binary 0.5.1", "structured 0.4.1"])
def test_the_whole_life_cycle_is_reported_in_order(
    arguments: tuple[str, ...], site: Site, sink: LiveSink, start_nopea: Start
) -> None:
    """From first sync to deletion, with two restarts, each step emits exactly its events, and each once."""
    is_flux = arguments is FLUX
    detected = "nopea-drift.detected" if is_flux else "incident.detected"
    resolved = "nopea-drift.healed" if is_flux else "incident.resolved"
    began, ended = "taskrun.started", "taskrun.finished"

    def begin() -> Nopea:
        running = start_nopea(
            site.cluster.lab, f"--namespace={site.namespace}",
            f"--cdevents-sink={sink.url('/events', userinfo=f'ada:{SINK}')}",
            "--cdevents-source=https://nopea.acme.example/clusters/test", *arguments,
        )  # fmt: skip
        running.wait_until_ready()
        return running

    with GitServer(site.server.root, access=Access(username="deploy", password=PASSWORD)) as server:
        life = Life(site, sink, begin, server)
        repo, git = life.repo, life.origin

        first = life.expect(began, "environment.created", "service.deployed", ended, "service.published")
        deployed = first[2]
        assert deployed.event["subject"]["id"] == f"gitrepository/{site.namespace}/shop"
        assert deployed.event["subject"]["content"]["artifactId"].endswith(f"/shop@{git.tip()}")
        assert "previousCommit" not in deployed.facts

        life.restart()
        git.commit(life.files("green", label="two"), message=f"Log in with {PASSWORD}")
        upgrade = life.expect(began, "environment.modified", "service.upgraded", ended, "service.published")
        links = [link["from"]["contextId"] for link in upgrade[2].event["context"]["links"]]
        assert links == [upgrade[0].attributes["id"], deployed.attributes["id"]]

        git.commit({"web.yaml": "kind: ConfigMap\n  bad: [\n"})
        fails = life.expect(began, ended, "incident.detected")
        assert fails[1].event["subject"]["content"]["outcome"] == "failure"
        assert "NOPEA-M001 web.yaml" in fails[1].event["subject"]["content"]["errors"]
        life.restart()
        git.commit(life.files("green", label="two"))
        recovery = life.expect(began, ended, "incident.resolved")
        assert recovery[2].attributes["subject"] == fails[2].attributes["subject"]
        assert recovery[2].event["context"]["links"] == [
            {"linkType": "RELATION", "linkKind": "RESOLVES",
             "target": {"contextId": fails[2].attributes["id"]}}
        ]  # fmt: skip

        web = site.place("v1 configmaps", "web")
        site.cluster.merge(web, {"data": {"colour": "red"}})
        (drift,) = life.expect(detected)
        assert drift.facts["drift"]["fields"] == [{"path": ".data.colour"}]
        site.cluster.merge(repo.place, {"metadata": {"annotations": {"nopea.io/heal-requested": "now"}}})
        healed = life.expect(began, ended, resolved)[2]
        assert healed.attributes["subject"] == drift.attributes["subject"]
        assert healed.event["context"]["chainId"] == drift.event["context"]["chainId"]
        assert healed.event["context"]["links"][0]["target"] == {"contextId": drift.attributes["id"]}

        repo.change(healPolicy="auto")
        life.expect(began, ended)
        key = site.place("v1 secrets", "key")
        site.cluster.merge(key, {"stringData": {"password": f"{SWORDFISH}-by-hand"}})
        at_once = life.expect(began, ended, detected, resolved)
        assert at_once[2].facts["drift"]["fields"] == [{"path": ".data.password"}]

        blue = deployed.facts["commit"]
        site.cluster.merge(repo.place, {"metadata": {"annotations": {"nopea.io/rollback-to": blue}}})
        back = life.expect(began, "environment.modified", "service.rolledback", ended, "service.published")
        assert back[2].facts["rolledBackTo"] == blue
        assert back[2].event["subject"]["content"]["artifactId"].endswith(f"@{blue}")
        site.cluster.merge(repo.place, {"metadata": {"annotations": {"nopea.io/rollback-to": None}}})
        life.expect(began, "environment.modified", "service.upgraded", ended, "service.published")

        files = life.files("green", label="two", with_old=False)
        del files["namespace.yaml"]
        git.commit(files)
        pruned = life.expect(began, "environment.deleted", "service.upgraded", ended, "service.published")
        assert pruned[3].facts["counts"]["pruned"] == 2

        def environment_is_gone() -> None:
            assert site.cluster.get(f"v1 namespaces /{life.environment}") is None

        eventually(environment_is_gone, seconds=SECONDS)  # a terminating namespace would delay the deletion
        site.clear()
        end = life.expect(began, "service.removed", ended)
        assert end[1].event["subject"]["content"]["environment"]["id"] == site.namespace
        assert end[1].event["context"]["links"][-1]["from"] == {"contextId": pruned[2].attributes["id"]}

        site.origin("kept", {"web.yaml": yamls.text(yamls.config_map("kept", a="1"))})
        kept = {"url": server.url(f"{site.namespace}/kept.git"), "secretRef": {"name": "git"}}
        site.follow("kept", deletionPolicy="Orphan", **kept)
        life.expect(began, "service.deployed", ended, "service.published")
        site.clear()
        released = life.expect(began, "nopea-gitrepository.released", ended)[1]
        assert released.event["subject"]["content"]["reason"] == "deletionPolicy"

        version = "0.4.1" if is_flux else "0.5.1"
        told = life.told()
        for one in told:
            assert_valid(one, version)
        times = [datetime.fromisoformat(one.attributes["time"]) for one in told]
        assert times == sorted(times)
        whole = json.dumps([arrival.json for arrival in sink.arrivals()]) + life.running.log_text()
        assert [one for one in (SWORDFISH, PASSWORD, SINK) if one in whole] == []
