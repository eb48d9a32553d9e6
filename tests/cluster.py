"""Fixtures for tests that need a real API server: a shared lab, a namespace of one's own, kubectl.

Every test that uses one is marked `cluster`. A lab belongs to the test process: the kernel tells its keeper
when that is gone, so nothing is left running after Ctrl-C, a crash or SIGKILL.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nopea.lab.api import Answer
from nopea.lab.binaries import Binaries, ensure
from nopea.lab.errors import LabError
from nopea.lab.kubectl import Kubectl
from nopea.lab.lab import Lab
from nopea.lab.layout import ORDINARY, LabOptions
from nopea.lab.progress import Terminal

_FIXTURES = {"lab", "namespace", "kubectl", "private_lab", "make_lab"}
_ACCOUNT_SECONDS = 20.0
_BINARIES = pytest.StashKey[Binaries | LabError]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs a lab, and give the first one time to make the binaries."""
    for item in items:
        if isinstance(item, pytest.Function) and _FIXTURES & set(item.fixturenames):
            item.add_marker("cluster")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Find or make the binaries before the first test: it may take minutes, and a test has a deadline."""
    if session.config.option.collectonly or not any(
        item.get_closest_marker("cluster") for item in session.items
    ):
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        try:
            session.config.stash[_BINARIES] = ensure(progress=Terminal())
        except LabError as error:
            session.config.stash[_BINARIES] = error


def _started(config: pytest.Config, folder: Path, options: LabOptions = ORDINARY) -> Lab:
    binaries = config.stash[_BINARIES]
    try:
        if isinstance(binaries, LabError):
            raise binaries
        lab = Lab.open(folder, options=options, binaries=binaries)
        lab.start(owned=True, progress=Terminal())
    except LabError as error:
        pytest.fail(f"no local control plane for the tests:\n{error}", pytrace=False)
    return lab


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A control plane that all tests share: keep to a namespace of your own, and never kill it."""
    started = _started(pytestconfig, tmp_path_factory.mktemp("lab") / "lab")
    yield started
    started.stop()


@pytest.fixture
def make_lab(pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[Callable[[LabOptions], Lab]]:
    """Start labs of one's own, with options; they end with the test."""
    labs: list[Lab] = []

    def make(options: LabOptions) -> Lab:
        labs.append(_started(pytestconfig, tmp_path / f"lab-{len(labs)}", options))
        return labs[-1]

    yield make
    for started in labs:
        started.stop()


@pytest.fixture
def private_lab(make_lab: Callable[[LabOptions], Lab]) -> Lab:
    """A control plane for one test, which may kill, restart and compact it. Costs about 6 s."""
    return make_lab(ORDINARY)


@pytest.fixture
def kubectl(lab: Lab) -> Kubectl:
    """kubectl as the shared lab's administrator: `kubectl("get", "pods", stdin=...)` returns its output."""
    return Kubectl(binary=lab.kubectl, kubeconfig=lab.kubeconfig)


@pytest.fixture
def namespace(lab: Lab) -> Iterator[str]:
    """A new namespace of the shared lab, with its `default` service account; deleted without waiting."""
    name = f"test-{secrets.token_hex(4)}"
    made = lab.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert made.status == 201, made.body
    _wait_found(lambda: lab.request("GET", f"/api/v1/namespaces/{name}/serviceaccounts/default"))
    yield name
    lab.request("DELETE", f"/api/v1/namespaces/{name}")


def _wait_found(ask: Callable[[], Answer]) -> None:
    give_up_at = time.monotonic() + _ACCOUNT_SECONDS
    while (answer := ask()).status != 200:
        assert time.monotonic() < give_up_at, answer.body
        time.sleep(0.02)
