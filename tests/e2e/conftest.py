"""Fixtures for end-to-end tests: a cluster with Nopea's CRDs, a controller process, Git over HTTP.

The tests of a module share one controller; each test has its own namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cluster import install_crds
from tests.e2e.process import Nopea
from tests.e2e.tenancy import SITES, Mode, controller
from tests.e2e.world import Cluster, Site
from tests.gitserver import GitServer

from nopea_lab.lab import Lab


@pytest.fixture(scope="session")
def cluster(lab: Lab, crds: None) -> Cluster:
    """The shared API server, which serves Nopea's kinds."""
    del crds
    return Cluster(lab)


@pytest.fixture(scope="module")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    """`git http-backend` over plain HTTP, for repositories that tests create."""
    with GitServer(tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture(scope="module")
def mode(request: pytest.FixtureRequest) -> Mode:
    """With whose rights the module's controller writes; `tenancy.BOTH_MODES` gives a module both."""
    return Mode(getattr(request, "param", Mode.CONTROLLER))


@pytest.fixture(scope="module")
def nopea(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, mode: Mode) -> Iterator[Nopea]:
    """The module's controller. It must stop with exit code 0 and log only JSON, without a traceback."""
    folder = tmp_path_factory.mktemp("nopea")
    with controller(cluster.lab, folder, mode) as running:
        yield running
        assert running.stop() == 0, running.log_text()
        assert [line for line in running.logs() if "traceback" in line] == []


@pytest.fixture
def site(cluster: Cluster, git_server: GitServer, namespace: str, nopea: Nopea, mode: Mode) -> Iterator[Site]:
    """A namespace whose GitRepositories the module's controller reconciles."""
    del nopea
    made = SITES[mode](cluster, git_server, namespace)
    yield made
    made.clear()


@pytest.fixture
def pods_site(
    pods_lab: Lab, pods_namespace: str, git_server: GitServer, tmp_path: Path, mode: Mode
) -> Iterator[Site]:
    """A namespace in which Pods run, and a controller."""
    install_crds(pods_lab)
    cluster = Cluster(pods_lab)
    with controller(pods_lab, tmp_path, mode):
        yield SITES[mode](cluster, git_server, pods_namespace)


@pytest.fixture
def start_nopea(tmp_path: Path) -> Iterator[Callable[..., Nopea]]:
    """Return `start_nopea(lab, *arguments)`, which starts a controller that the fixture kills."""
    started: list[Nopea] = []

    def start(lab: Lab, *arguments: str) -> Nopea:
        folder = tmp_path / f"nopea-{len(started)}"
        started.append(Nopea(kubeconfig=lab.kubeconfig, folder=folder, arguments=arguments))
        return started[-1]

    yield start
    for running in started:
        running.kill()
