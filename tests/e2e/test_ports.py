"""Probes and metrics have a port of their own: a flood of webhooks stops neither them nor other senders."""

from __future__ import annotations

import http.client
import resource
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.e2e import yamls
from tests.e2e.process import PROGRAM, Nopea
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Site
from tests.fakes.deliveries import Sent, push
from tests.gitserver import GitServer

FILES = 1024
"""The soft and hard limit of open files: what a container runtime gives where nobody raised it."""
FLOOD = 1_500
SECRET = "the process-wide secret"
FEW_FILES = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES}, {FILES}))\n" + PROGRAM


@pytest.fixture(scope="module")
def controller(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nopea]:
    """A controller that may open few files."""
    folder = tmp_path_factory.mktemp("few-files")
    (folder / "secret").write_text(SECRET)
    arguments = (f"--webhook-secret-file={folder / 'secret'}",)
    running = Nopea(kubeconfig=cluster.lab.kubeconfig, folder=folder, arguments=arguments, program=FEW_FILES)
    try:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0, running.log_text()
        assert [line for line in running.logs() if "traceback" in line] == []
    finally:
        running.kill()


@contextmanager
def room_for_the_flood() -> Iterator[None]:
    """Let this process open as many sockets as the attack needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def deliver_from(address: str, nopea: Nopea, path: str, sent: Sent) -> int:
    """Send a delivery from a local address and return the status of the response."""
    connection = http.client.HTTPConnection("127.0.0.1", nopea.port, timeout=10, source_address=(address, 0))
    try:
        connection.request("POST", path, sent.body, dict(sent.headers))
        return connection.getresponse().status
    finally:
        connection.close()


def open_files(pid: int) -> int:
    """Return how many files a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.alone
def test_a_flood_of_the_webhook_port_stops_nothing(
    cluster: Cluster, git_server: GitServer, namespace: str, controller: Nopea
) -> None:
    """1,500 idle connections of one address, opened again and again: probes, other senders and syncs work."""
    site = Site(cluster, git_server, namespace)
    origin = site.origin("shop", {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))})
    repo = site.follow("shop", interval="1h")
    repo.wait_synced()
    took: list[float] = []
    ends_at = time.monotonic() + 8
    with room_for_the_flood(), ExitStack() as sockets:
        flood: list[socket.socket] = []
        while time.monotonic() < ends_at or len(flood) < FLOOD:
            for _ in range(50):
                flood.append(sockets.enter_context(socket.create_connection(("127.0.0.1", controller.port))))
            for old in flood[:-FLOOD]:
                old.close()
            del flood[:-FLOOD]
            asked = time.monotonic()
            assert controller.get("/health").status == 200
            took.append(time.monotonic() - asked)

        assert open_files(controller.pid) < FILES / 2
        commit = origin.commit({"web.yaml": yamls.text(yamls.config_map("web", colour="green"))})
        sent = push(secret=SECRET, url=site.url("shop"), commit=commit)
        assert deliver_from("127.0.0.2", controller, f"/webhook/{namespace}/shop", sent) == 202
        repo.wait_synced(commit)
        assert controller.get("/ready").status == 200
        assert "nopea_build_info" in controller.get("/metrics").text

    ordinary, slowest = statistics.quantiles(took, n=20)[-1], max(took)
    assert ordinary < 0.1, took
    assert slowest < 1.0, took  # alone 30 ms; a busy machine adds to that. The kubelet waits for 5 s
    eventually(lambda: _assert_closed(controller))
    site.clear()


def _assert_closed(nopea: Nopea) -> None:
    assert open_files(nopea.pid) < 100


def test_each_port_serves_its_own(controller: Nopea) -> None:
    """Whoever reaches the port of webhooks reads neither probes nor metrics, which name the repositories."""
    for path in ("/health", "/ready", "/metrics"):
        connection = http.client.HTTPConnection("127.0.0.1", controller.port, timeout=10)
        connection.request("GET", path)
        assert connection.getresponse().status == 404
        connection.close()
        assert controller.get(path).status == 200
