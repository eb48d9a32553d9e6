"""`nopea run` as Kubernetes sees it: probes, signals, exit codes and flags."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cluster import install_crds
from tests.e2e import yamls
from tests.e2e.process import Nopea, is_alive
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Repo, Site
from tests.git.faulty import FaultyServer, silent
from tests.gitserver import GitServer

from nopea_lab.lab import Lab

MANY_FILES, PER_FILE = 12, 100
SECONDS = 60.0
StartNopea = Callable[..., Nopea]


@pytest.fixture
def own(cluster: Cluster, git_server: GitServer, namespace: str) -> Iterator[Site]:
    """A namespace without a controller: start one with `--namespace`."""
    site = Site(cluster, git_server, namespace)
    yield site
    site.clear()


@pytest.fixture
def hanging() -> Iterator[FaultyServer]:
    """A Git server that accepts requests and never answers."""
    with FaultyServer(silent) as server:
        yield server


def _started(start_nopea: StartNopea, site: Site, *arguments: str) -> Nopea:
    running = start_nopea(site.cluster.lab, f"--namespace={site.namespace}", *arguments)
    running.wait_until_ready()
    return running


def test_readiness_depends_on_the_first_list(private_lab: Lab, start_nopea: StartNopea) -> None:
    """The process is alive at once, and ready after the first list even during a later outage."""
    install_crds(private_lab)
    private_lab.kill_apiserver()
    running = start_nopea(private_lab)

    def waits_for_the_server() -> None:
        answer = running.get("/ready")
        assert answer.status == 503
        assert re.match(
            r"not ready: the list of GitRepositories failed: .* cannot be reached", answer.text
        ), answer

    eventually(waits_for_the_server)
    assert running.get("/health").status == 200

    private_lab.start_apiserver()
    running.wait_until_ready()
    assert running.get("/ready").text == "ready\n"

    known = len(running.logs())
    private_lab.kill_apiserver()

    def watch_fails() -> None:
        assert private_lab.api_url in str(running.logs()[known:]), running.log_text()

    eventually(watch_fails)
    assert (running.get("/health").status, running.get("/ready").status) == (200, 200)
    assert running.stop() == 0, running.log_text()


def test_a_signal_stops_a_sync_between_two_objects(own: Site, start_nopea: StartNopea) -> None:
    """On SIGTERM, status and Event say how many objects were applied; a new process completes the sync."""
    own.origin("many").commit(_many())
    running = _started(start_nopea, own)
    repo = own.follow("many")
    eventually(lambda: _assert_some(repo), seconds=SECONDS)
    children = running.children()
    assert children

    running.signal(signal.SIGTERM)

    assert running.wait() == 0, running.log_text()
    assert [pid for pid in children if is_alive(pid)] == []
    done = len(_applied(repo))
    assert 0 < done < MANY_FILES * PER_FILE
    reconciling = repo.condition("Reconciling")
    assert (reconciling["status"], repo.condition("Ready")["status"]) == ("True", "Unknown")
    assert f"shutdown after {done} objects" in reconciling["message"]
    assert repo.wait_event("Interrupted")["note"] == reconciling["message"]
    messages = [line["message"] for line in running.logs()]
    ends = [messages.index(message) for message in ("draining", "sync finished", "stopped")]
    assert ends == sorted(ends)
    assert running.logs("syncs interrupted at shutdown") == []

    _started(start_nopea, own)
    status = repo.wait_synced(seconds=SECONDS)["status"]
    assert status["inSyncCount"] == len(_applied(repo)) == MANY_FILES * PER_FILE


def test_the_drain_ends_in_time(own: Site, start_nopea: StartNopea, hanging: FaultyServer) -> None:
    """A sync that cannot stop is interrupted within --shutdown-seconds; meanwhile, /ready is 503."""
    running = _started(start_nopea, own, "--shutdown-seconds=15")
    _follow_hanging(own, hanging)
    children = running.children()

    running.signal(signal.SIGTERM)

    eventually(lambda: _assert_logged(running, "draining"))
    answer = running.get("/ready")
    assert (answer.status, answer.text) == (503, "not ready: shutting down\n")
    assert running.get("/health").status == 200
    assert running.wait(seconds=15) == 0, running.log_text()
    assert running.logs("syncs interrupted at shutdown", workers=1)
    assert running.logs("stopped", why="SIGTERM")
    assert [pid for pid in children if is_alive(pid)] == []


@pytest.mark.parametrize(
    ("first", "second"), [(signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)]
)
def test_a_second_signal_ends_it_at_once(
    own: Site, start_nopea: StartNopea, hanging: FaultyServer, first: signal.Signals, second: signal.Signals
) -> None:
    """A second signal ends the drain: the exit code is 128 + the signal, and no child is left."""
    running = _started(start_nopea, own, "--shutdown-seconds=3600")
    _follow_hanging(own, hanging)
    children = running.children()
    running.signal(first)
    eventually(lambda: _assert_logged(running, "draining", why=first.name))

    running.signal(second)

    assert running.wait() == 128 + second
    assert running.logs("stopped") == []

    def children_gone() -> None:
        assert [pid for pid in children if is_alive(pid)] == []

    eventually(children_gone)


def test_a_core_service_that_ends_ends_the_process(cluster: Cluster, tmp_path: Path) -> None:
    """If a service crashes (here Git's folder is a file), the log names it, and the exit code is 1."""
    cache = tmp_path / "nopea" / "cache"
    cache.mkdir(parents=True)
    (cache / "git").write_text("in the way")
    running = Nopea(kubeconfig=cluster.lab.kubeconfig, folder=tmp_path / "nopea")
    assert running.wait() == 1
    assert running.logs("core service crashed", service="git port")
    assert running.logs("stopped", why="git port ended")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--port=70000",), "--port"),
        (("--git-memory=much",), "is not a size. Example: 512Mi."),
        (("--no-such-flag",), "--no-such-flag"),
    ],
)
def test_wrong_usage_is_reported(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """Wrong usage ends the process with exit code 2 and a message about the option."""
    running = Nopea(kubeconfig=tmp_path / "any", folder=tmp_path / "nopea", arguments=arguments)
    assert running.wait() == 2
    assert said in running.log_text()


def test_an_invalid_environment_variable_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid `NOPEA_*` variable ends the process with exit code 2 and a message with the value."""
    monkeypatch.setenv("NOPEA_SHUTDOWN_SECONDS", "soon")
    running = Nopea(kubeconfig=tmp_path / "any", folder=tmp_path / "nopea")
    assert running.wait() == 2
    assert "'soon'" in running.log_text()


def test_a_missing_kubeconfig_is_reported(tmp_path: Path) -> None:
    """A missing kubeconfig ends the process with exit code 3 and one line that names the file."""
    missing = tmp_path / "no-kubeconfig"
    running = Nopea(kubeconfig=missing, folder=tmp_path / "nopea")
    assert running.wait() == 3
    (line,) = running.log_text().splitlines()
    assert line.startswith("nopea: ")
    assert str(missing) in line


def test_a_port_in_use_is_reported(cluster: Cluster, tmp_path: Path) -> None:
    """A port in use ends the process with exit code 3 and a message that names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = Nopea(
            kubeconfig=cluster.lab.kubeconfig, folder=tmp_path / "nopea", arguments=(f"--port={port}",)
        )
        assert running.wait() == 3
    assert f"nopea: Cannot listen on 127.0.0.1:{port}" in running.log_text()
    assert "Traceback" not in running.log_text()


def test_one_namespace_only(own: Site, cluster: Cluster, start_nopea: StartNopea) -> None:
    """With --namespace, GitRepositories in other namespaces are ignored."""
    other = Site(cluster, own.server, f"{own.namespace}-b")
    cluster.put(f"v1 namespaces /{other.namespace}", yamls.namespace(other.namespace))
    other.origin("shop", {"web.yaml": yamls.text(yamls.config_map("web"))})
    foreign = other.follow("shop")
    running = _started(start_nopea, own)

    repo = own.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web"))})
    foreign.change(interval="7m")
    repo.git.commit({"web.yaml": yamls.text(yamls.config_map("web", colour="red"))})
    repo.sync_and_wait()

    assert foreign.status() == {}
    assert cluster.get(other.place("v1 configmaps", "web")) is None
    assert {line["repo"] for line in running.logs() if "repo" in line} == {repo.log_key}
    other.clear()
    cluster.delete(f"v1 namespaces /{other.namespace}")


def test_logs_for_a_console(own: Site, start_nopea: StartNopea) -> None:
    """With --log-format=console, each log line is text with time, level, message and facts."""
    running = _started(start_nopea, own, "--log-format=console")
    repo = own.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web"))})
    assert running.stop() == 0
    lines = running.log_text().splitlines()
    assert [
        line for line in lines if not re.match(r"\d\d:\d\d:\d\d\.\d{3} (debug|info|warning) +\S", line)
    ] == []
    (entry,) = [line for line in lines if "sync finished" in line]
    assert re.search(
        rf" info +sync finished repo={repo.log_key} .*result=synced commit=[0-9a-f]{{40}}", entry
    )


def _many() -> dict[str, str]:
    return {
        f"{number}.yaml": yamls.text(
            *(yamls.config_map(f"web-{number}-{index}") for index in range(PER_FILE))
        )
        for number in range(MANY_FILES)
    }


def _follow_hanging(site: Site, server: FaultyServer) -> None:
    """Create a GitRepository of a server that does not answer, and return after its first request."""
    site.follow("shop", url=server.url(), timeout="10m")

    def asked() -> None:
        assert server.requests

    eventually(asked)


def _assert_logged(running: Nopea, message: str, **facts: object) -> None:
    assert running.logs(message, **facts), running.log_text()


def _assert_some(repo: Repo) -> None:
    assert _applied(repo, limit=1)


def _applied(repo: Repo, *, limit: int = 0) -> list[str]:
    query = f"labelSelector=nopea.io/repository={repo.label}&limit={limit}"
    return [
        one["metadata"]["name"]
        for one in repo.site.cluster.list(repo.site.place("v1 configmaps"), query=query)
    ]
