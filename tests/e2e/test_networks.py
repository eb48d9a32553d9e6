"""A tenant cannot use Nopea to reach what only Nopea reaches: this host, and what a server redirects to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.world import Cluster, Site
from tests.git import faulty
from tests.git.faulty import FaultyServer
from tests.gitserver import GitServer


@pytest.fixture(scope="module")
def controller(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nopea]:
    """A controller with the default of --git-networks."""
    folder = tmp_path_factory.mktemp("networks")
    running = Nopea(
        kubeconfig=cluster.lab.kubeconfig,
        folder=folder,
        arguments=("--git-networks=private", "--commit-status"),
    )
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.kill()


def test_a_repository_cannot_look_around_on_this_host(
    cluster: Cluster, git_server: GitServer, namespace: str, controller: Nopea
) -> None:
    """Open and closed ports of loopback have the same status, and no request arrives."""
    site = Site(cluster, git_server, namespace)
    with FaultyServer(faulty.always(faulty.answer("404 Not Found"))) as server:
        targets = {
            "open": server.url(),
            "name": server.url(host="localhost"),
            "decimal": server.url(host="2130706433"),
            "probes": f"http://127.0.0.1:{controller.probe_port}/metrics",
            "metadata": "http://169.254.169.254/latest/meta-data",
            "closed": "http://127.0.0.1:1/shop.git",
        }
        repos = {name: site.follow(name, url=url) for name, url in targets.items()}
        found = {name: repo.wait_failed("NOPEA-G016")["status"] for name, repo in repos.items()}
        assert server.requests == []

    assert {status["summary"] for status in found.values()} == {"Git server in a network that is not allowed"}
    messages = {
        status["errors"][0]["message"].partition(": ")[2].partition(": ")[0] for status in found.values()
    }
    assert messages == {"Nopea may not connect to this server"}
    site.clear()


@pytest.mark.usefixtures("controller")
def test_a_proxy_is_no_way_to_this_host(cluster: Cluster, git_server: GitServer, namespace: str) -> None:
    """A proxy that a GitRepository names is checked like its Git server; nothing arrives at either."""
    site = Site(cluster, git_server, namespace)
    with FaultyServer(faulty.always(faulty.answer("200 Connection established"))) as server:
        proxies = {"open": f"http://127.0.0.1:{server.port}", "closed": "http://localhost:1"}
        proxies |= {"metadata": "http://169.254.169.254", "public": "http://93.184.216.34:1"}
        for name, address in proxies.items():
            cluster.put(site.place("v1 secrets", name), yamls.secret(name, address=address))
        urls = dict.fromkeys(proxies, "https://git.acme.invalid/shop.git") | {"public": "https://127.0.0.1/x"}
        repos = {
            name: site.follow(name, url=urls[name], proxySecretRef={"name": name}, timeout="5s")
            for name in proxies
        }
        found = {name: repo.wait_failed("NOPEA-G016")["status"] for name, repo in repos.items()}
        assert server.requests == []

    messages = {found[name]["errors"][0]["message"].rpartition(": ")[0] for name in found if name != "public"}
    assert messages == {"https://git.acme.invalid/shop.git: Nopea may not connect to this proxy"}
    site.clear()
