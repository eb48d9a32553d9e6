"""The API server stops, restarts and expires watches: Nopea continues and misses no change."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable

import pytest
from tests.cluster import install_crds
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Json, Repo, Site
from tests.gitserver import GitServer

from nopea_lab.lab import Lab

REPOSITORIES, OBJECTS = 40, 20
SECONDS = 90.0
StartNopea = Callable[..., Nopea]


@pytest.fixture
def town(private_lab: Lab, git_server: GitServer) -> Site:
    """A namespace on a private control plane, which the test can kill."""
    install_crds(private_lab)
    site = Site(Cluster(private_lab), git_server, f"town-{secrets.token_hex(4)}")
    site.cluster.put(f"v1 namespaces /{site.namespace}", yamls.namespace(site.namespace))
    return site


def test_the_api_server_dies_in_the_middle_of_a_sync(town: Site, start_nopea: StartNopea) -> None:
    """If the API server is killed during 40 first syncs and restarted, every repository becomes Ready."""
    lab = town.cluster.lab
    for number in range(REPOSITORIES):
        town.origin(f"shop-{number}", _shop(number))
    repositories = [town.follow(f"shop-{number}") for number in range(REPOSITORIES)]
    running = start_nopea(lab)

    def some_are_applied() -> None:
        assert _applied(town, limit=1), running.log_text()

    eventually(some_are_applied, seconds=SECONDS)
    lab.kill_apiserver()

    def it_is_noticed() -> None:
        assert _troubled(running), running.log_text()

    eventually(it_is_noticed, seconds=SECONDS)
    assert running.get("/health").status == 200
    assert len({line["repo"] for line in running.logs("sync finished")}) < REPOSITORIES
    lab.start_apiserver()

    for repo in repositories:
        status = repo.wait_synced(repo.git.tip(), seconds=SECONDS)["status"]
        assert (status["inSyncCount"], status.get("errors", [])) == (OBJECTS, [])
    assert len(_applied(town)) == REPOSITORIES * OBJECTS
    _assert_followed(repositories[-1], _shop(REPOSITORIES - 1))
    _assert_unhurt(running)


def test_an_expired_watch_is_replaced_by_a_new_list(town: Site, start_nopea: StartNopea) -> None:
    """GitRepositories that were created, changed or deleted before a 410 are found by a new list."""
    lab = town.cluster.lab
    running = start_nopea(lab)
    shop, gone = (town.sync(name, _shop(number)) for number, name in enumerate(("shop", "gone")))
    shop.git.commit(_shop(0, colour="red"), branch="next")
    town.origin("new", _shop(2))

    running.signal(signal.SIGSTOP)  # its watch connection ends unread: none of these changes reaches it
    lab.kill_apiserver()
    lab.start_apiserver()
    created = town.follow("new")
    shop.change(ref={"branch": "next"})
    town.cluster.delete(gone.place)
    lab.expire_watches()
    known = len(running.logs())
    running.signal(signal.SIGCONT)

    created.wait_synced(created.git.tip(), seconds=SECONDS)
    shop.wait_synced(shop.git.tip("next"), seconds=SECONDS)
    assert town.cluster.must_get(town.place("v1 configmaps", "web-0-0"))["data"] == {"colour": "red"}

    def deletion_is_noticed() -> None:
        assert running.logs("repository deleted", repo=gone.log_key), running.log_text()

    eventually(deletion_is_noticed, seconds=SECONDS)
    expired = [line for line in running.logs()[known:] if "410" in line.get("error", "")]
    assert expired, running.log_text()  # a watch whose last object is gone lists again before it meets a 410
    _assert_followed(created, _shop(2))
    _assert_unhurt(running)


def _shop(number: int, *, colour: str = "blue") -> dict[str, str]:
    names = [f"web-{number}-{index}" for index in range(OBJECTS)]
    return {f"{name}.yaml": yamls.text(yamls.config_map(name, colour=colour)) for name in names}


def _applied(site: Site, *, limit: int = 0) -> list[Json]:
    query = f"labelSelector=nopea.io/repository&limit={limit}"
    return site.cluster.list(site.place("v1 configmaps"), query=query)


def _troubled(running: Nopea) -> list[Json]:
    """Return the log lines of syncs that could not reach the API server."""
    return [line for line in running.logs() if "NOPEA-K008" in line.get("codes", ())]


def _assert_followed(repo: Repo, files: dict[str, str]) -> None:
    """Assert that the watch works: a sync request in the GitRepository applies the newest commit."""
    name = "after-the-storm"
    commit = repo.git.commit({**files, f"{name}.yaml": yamls.text(yamls.config_map(name))})
    repo.sync_and_wait(seconds=SECONDS)
    assert repo.status()["lastAppliedCommit"] == commit
    repo.site.cluster.must_get(repo.site.place("v1 configmaps", name))


def _assert_unhurt(running: Nopea) -> None:
    assert running.exit_code is None
    assert [line for line in running.logs() if "traceback" in line] == []
    assert running.stop() == 0, running.log_text()
