"""One controller with fifty repositories, eleven of which are broken in different ways.

Every broken repository reports what is wrong, where, and what to do next; it applies what it can, and it
recovers automatically once the cause is gone. The healthy repositories are not affected.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from tests.e2e import yamls
from tests.e2e.broken import BROKEN, GROUP, PASSWORD, USERNAME, Broken, before, files
from tests.e2e.process import Nopea
from tests.e2e.world import Cluster, Json, Repo, Site, condition
from tests.gitserver import Access, GitServer

from nopea.core.api.entries import ObjectReference

HEALTHY = 50 - len(BROKEN)
SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """One namespace with fifty repositories, and a second Git server that requires a password."""

    site: Site
    guarded: GitServer
    healthy: tuple[Repo, ...] = ()
    broken: Mapping[str, Repo]

    def here(self, value: Any) -> Any:
        """Return a value whose placeholders are replaced with the names of this run."""
        text = json.dumps(value).replace("NAMESPACE", self.site.namespace)
        return json.loads(
            text.replace("GUARDED/", self.guarded.url("")).replace("SERVER/", self.site.server.url(""))
        )

    def put(self, objects: Mapping[str, Json]) -> None:
        """Create or replace objects, given by their place, as a user does."""
        for place, body in self.here(dict(objects)).items():
            self.site.cluster.put(place, body)


@pytest.fixture(scope="module")
def guarded(git_server: GitServer) -> Iterator[GitServer]:
    """A Git server with the same repositories that requires a password."""
    with GitServer(git_server.root, access=Access(username=USERNAME, password=PASSWORD)) as server:
        yield server


@pytest.fixture(scope="module")
def street(cluster: Cluster, git_server: GitServer, guarded: GitServer, nopea: Nopea) -> Iterator[Street]:
    """Fifty repositories of the module's controller, with the broken ones among the healthy ones."""
    del nopea
    site = Site(cluster, git_server, f"street-{secrets.token_hex(4)}")
    cluster.put(f"v1 namespaces /{site.namespace}", yamls.namespace(site.namespace))
    made = Street(site=site, guarded=guarded, broken={})
    made.put(before())
    for case in BROKEN:
        site.origin(case.name, made.here(dict(case.files)) or None)
    for number in range(HEALTHY):
        site.origin(f"good-{number}", files(f"api-{number}", f"web-{number}"))
    broken, healthy = {}, []
    for number in range(HEALTHY):
        for case in BROKEN[number : number + 1]:
            broken[case.name] = site.follow(case.name, **{"interval": "2s", **made.here(dict(case.spec))})
        healthy.append(site.follow(f"good-{number}"))
    yield Street(site=site, guarded=guarded, healthy=tuple(healthy), broken=broken)
    site.clear()
    cluster.delete(f"v1 namespaces /{site.namespace}")
    cluster.delete(made.here(f"apiextensions.k8s.io/v1 customresourcedefinitions /widgets.{GROUP}"))


def test_healthy_repositories_are_ready_after_their_first_sync(street: Street, nopea: Nopea) -> None:
    """Each of the 39 healthy repositories is Ready after one sync, and the controller stays ready."""
    for repo in street.healthy:
        found = repo.wait_synced(repo.git.tip(), seconds=SECONDS)
        assert [entry["outcome"] for entry in found["status"]["history"]] == ["synced"]
        assert [line["result"] for line in nopea.logs(repo=repo.log_key)] == ["synced"]
        number = repo.name.removeprefix("good-")
        assert _applied(repo) == [f"api-{number}", f"web-{number}"]
    assert (nopea.exit_code, nopea.get("/health").status, nopea.get("/ready").status) == (None, 200, 200)


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_a_broken_repository_reports_its_error_and_recovers(
    street: Street, nopea: Nopea, case: Broken
) -> None:
    """Condition, status and Event have code, place and hint; the rest is applied; the repair is enough."""
    repo = street.broken[case.name]
    found = repo.wait_failed(case.code, seconds=SECONDS)
    _assert_said(found, case, street.here(dict(case.said)))
    event = repo.wait_event(case.reason, seconds=SECONDS)
    assert (event["type"], event["action"]) == ("Warning", "Sync")
    for text in _facts(_error(found["status"])):
        assert text in event["note"]
    assert _applied(repo) == sorted(case.rest)

    street.put(case.cure.objects)
    if case.cure.push:
        repo.git.commit(case.cure.push, branch=case.cure.branch)
    if case.cure.spec:
        repo.change(**street.here(dict(case.cure.spec)))

    status = repo.wait_synced(seconds=SECONDS)["status"]
    assert status.get("errors", []) == []
    good = {"Ready", "Fetched", "Applied", "Healthy", "Watching"}
    assert {one["type"] for one in status["conditions"]} <= good
    assert (status["resourceCount"], status["inSyncCount"]) == (case.whole, case.whole)
    repo.wait_event("Recovered", seconds=SECONDS)
    assert nopea.exit_code is None
    assert nopea.logs("worker crashed") == []
    assert PASSWORD not in nopea.log_text()


def _assert_said(found: Json, case: Broken, said: Mapping[str, str]) -> None:
    status, ready = found["status"], condition(found, "Ready")
    assert [error["code"] for error in status["errors"]] == [case.code]
    error = _error(status)
    for key, text in said.items():
        assert text in error[key], error
    assert error["hint"]
    assert (ready["reason"], ready["status"]) == (case.reason, "False")
    for text in _facts(error):
        assert text in ready["message"]
    assert status.get("inSyncCount", 0) == len(case.rest)


def _error(status: Json) -> Json:
    """Return the first error, its object as it is printed."""
    error = dict(status["errors"][0])
    if "object" in error:
        error["object"] = str(msgspec.convert(error["object"], ObjectReference))
    return error


def _facts(error: Json) -> list[str]:
    return [error[key] for key in ("code", "source", "object", "message", "hint") if key in error]


def _applied(repo: Repo) -> list[str]:
    """Return the names of the ConfigMaps and Services that carry the repository's label."""
    query = f"labelSelector=nopea.io/repository={repo.label}"
    listed = [
        one["metadata"]["name"]
        for kind in ("v1 configmaps", "v1 services")
        for one in repo.site.cluster.list(repo.site.place(kind), query=query)
    ]
    return sorted(listed)
