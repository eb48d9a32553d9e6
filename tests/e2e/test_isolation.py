"""One repository does not disturb others: its Git server hangs or is slow, or its Git child is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.e2e import yamls
from tests.e2e.process import Nopea, is_alive
from tests.e2e.waiting import eventually
from tests.e2e.world import Repo, Site
from tests.git.faulty import FaultyServer, Relay, drip_refs, packing, silent, stop_in_pack

CONFIG_MAPS = "v1 configmaps"
HEALTHY = 10
ROUNDS = 3
LONG = ("20s", "20s", "9s")
SECONDS = 60.0


def _files(name: str, number: int) -> dict[str, str]:
    return {"web.yaml": yamls.text(yamls.config_map(name, number=str(number)))}


@pytest.fixture
def healthy(site: Site) -> list[Repo]:
    """Ten synced repositories, each with one ConfigMap of its name, at number 0."""
    names = [f"good-{number}" for number in range(HEALTHY)]
    for name in names:
        site.origin(name, _files(name, 0))
    repos = [site.follow(name) for name in names]
    for repo in repos:
        repo.wait_synced(repo.git.tip(), seconds=SECONDS)
    return repos


def _latencies(repos: list[Repo], numbers: range) -> list[float]:
    """Push each number to each repository, one after another; return the times from push to applied."""
    taken = []
    for number in numbers:
        for repo in repos:
            repo.git.commit(_files(repo.name, number))
            began = time.monotonic()
            repo.sync_now()
            while _applied(repo) != str(number):
                assert time.monotonic() - began < SECONDS, repo.status()
                time.sleep(0.01)
            taken.append(time.monotonic() - began)
    return taken


def _applied(repo: Repo) -> str:
    live = repo.site.cluster.must_get(repo.site.place(CONFIG_MAPS, repo.name))
    return str(live["data"]["number"])


@pytest.fixture
def bad_servers() -> Iterator[list[FaultyServer]]:
    """Servers that send nothing, that stop in the middle of a pack, and that send single bytes slowly."""
    with ExitStack() as stack:
        behaviours = (silent, packing(stop_in_pack), drip_refs)
        yield [stack.enter_context(FaultyServer(behaviour)) for behaviour in behaviours]


@pytest.mark.alone
def test_servers_that_hang_or_are_slow_do_not_slow_others_down(
    site: Site, nopea: Nopea, healthy: list[Repo], bad_servers: list[FaultyServer]
) -> None:
    """Thirty bad repositories hardly increase the time from push to apply of ten healthy ones."""
    alone = _latencies(healthy, range(1, 1 + ROUNDS))
    bad = []
    for number in range(10):
        for kind, server in enumerate(bad_servers):
            # A short timeout kills the child; within a long one, libgit2 gives up on a silent server.
            timeout = "3s" if number % 2 else LONG[kind]
            url = server.url(f"{site.namespace}-{number}.git")
            bad.append(site.follow(f"bad-{kind}-{number}", url=url, timeout=timeout))
    eventually(lambda: _assert_all_asked(bad_servers, 10), seconds=SECONDS)

    beside = _latencies(healthy, range(10, 10 + ROUNDS))

    measured = f"alone {alone}, beside {beside}"
    assert statistics.median(beside) < 2 * statistics.median(alone) + 0.5, measured
    assert max(beside) < 2 * max(alone) + 3, measured  # a replaced child makes another repository fetch again
    for repo in bad:
        repo.wait_failed("NOPEA-G008", seconds=SECONDS)
    for repo in healthy:
        outcomes = {entry["outcome"] for entry in repo.status()["history"]}
        assert outcomes == {"synced"}, repo.status()
    assert nopea.logs("worker crashed") == []


def _assert_all_asked(servers: list[FaultyServer], count: int) -> None:
    for server in servers:
        assert len({request.split()[1].partition(b"?")[0] for request in server.requests}) >= count


# A child that is killed.


def _kill(pids: list[int]) -> None:
    """Kill children as the OOM killer does; return when they are gone."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: _assert_gone(pids))


def _assert_gone(pids: list[int]) -> None:
    assert [pid for pid in pids if is_alive(pid)] == []


def _fetching(nopea: Nopea, relay: Relay) -> int:
    """Wait until the relay holds a fetch and return the process ID of the child that runs it."""
    eventually(lambda: _assert_under_way(relay))
    relay.waiting.clear()
    sockets = _sockets_to(urlsplit(relay.url()).port)
    (pid,) = [pid for pid in nopea.children() if sockets & _open_files(pid)]
    return pid


def _assert_under_way(relay: Relay) -> None:
    assert relay.waiting.is_set()


def _sockets_to(port: int | None) -> set[str]:
    """Return the connected sockets whose other end is this port, as /proc names them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {f"socket:[{row[9]}]" for row in rows if int(row[2].partition(":")[2], 16) == port}


def _open_files(pid: int) -> set[str]:
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(str(entry.readlink()))
    return found


@pytest.fixture
def relay(site: Site) -> Iterator[Relay]:
    """A relay to the Git server that holds fetches until the test releases them."""
    with Relay(site.server.port) as made:
        yield made


@pytest.fixture
def slow(site: Site, relay: Relay) -> Repo:
    """A repository whose first fetch waits in the relay."""
    site.origin("slow", _files("slow", 1))
    return site.follow("slow", url=relay.url(f"{site.namespace}/slow.git"))


def _assert_untouched(repos: list[Repo], nopea: Nopea) -> None:
    assert _latencies(repos, range(1, 2))
    for repo in repos:
        assert {entry["outcome"] for entry in repo.status()["history"]} == {"synced"}, repo.status()
    assert nopea.exit_code is None
    assert nopea.logs("worker crashed") == []


def test_a_child_killed_during_a_fetch_fails_no_sync(
    nopea: Nopea, healthy: list[Repo], slow: Repo, relay: Relay
) -> None:
    """Another child repeats the fetch: no sync of any repository fails."""
    killed = _fetching(nopea, relay)
    _kill([killed])
    assert _fetching(nopea, relay) != killed
    _assert_untouched(healthy, nopea)

    relay.gate.set()

    status = slow.wait_synced(slow.git.tip(), seconds=SECONDS)["status"]
    assert [(one["trigger"], one["outcome"]) for one in status["history"]] == [("startup", "synced")]


def test_a_fetch_that_loses_two_children_is_reported_and_retried(
    nopea: Nopea, healthy: list[Repo], slow: Repo, relay: Relay
) -> None:
    """If the repeated fetch dies too, the repository reports it and recovers; other repositories continue."""
    _kill([_fetching(nopea, relay)])
    _kill([_fetching(nopea, relay)])
    slow.wait_failed("NOPEA-G009", seconds=SECONDS)
    _assert_untouched(healthy, nopea)

    relay.gate.set()

    slow.wait_synced(slow.git.tip(), seconds=SECONDS)


def test_killing_all_children_repeatedly_only_costs_time(
    nopea: Nopea, healthy: list[Repo], slow: Repo, relay: Relay
) -> None:
    """The controller survives the death of all its children at once, and all repositories sync again."""
    for _ in range(3):
        eventually(lambda: _assert_under_way(relay))
        relay.waiting.clear()
        _kill(nopea.children())

    relay.gate.set()

    slow.wait_synced(slow.git.tip(), seconds=SECONDS)
    assert _latencies(healthy, range(1, 2))
    assert nopea.exit_code is None
