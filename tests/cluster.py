"""Fixtures for tests that need a real API server: shared labs, a namespace for each test, kubectl.

Every test that uses one is marked `cluster`. A lab belongs to the test process: its keeper
notices when that process ends, so nothing is left running after Ctrl-C, a crash or SIGKILL.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from nopea_lab.api import ApiAnswer
from nopea_lab.binaries import Binaries, ensure
from nopea_lab.errors import LabError
from nopea_lab.kubectl import Kubectl
from nopea_lab.lab import Lab
from nopea_lab.layout import ORDINARY, LabOptions
from nopea_lab.progress import Terminal

CRDS = Path(__file__).parents[1] / "deploy" / "base" / "crds"
_WITH_PODS = {"pods_binaries", "pods_lab", "pods_namespace"}
_FIXTURES = {"lab", "namespace", "kubectl", "private_lab", "make_lab", "bare_lab", *_WITH_PODS}
_ACCOUNT_SECONDS = 60.0
_PORT_TAKEN = "address already in use"
_Found = Binaries | LabError
_BINARIES = pytest.StashKey[_Found]()
_POD_BINARIES = pytest.StashKey[_Found]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs a lab as `cluster`."""
    for item in items:
        if isinstance(item, pytest.Function) and _FIXTURES & set(item.fixturenames):
            item.add_marker("cluster")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Find or build the binaries before the first test: this can take minutes, and a test has a timeout."""
    if session.config.option.collectonly or not any(
        item.get_closest_marker("cluster") for item in session.items
    ):
        return
    with_pods = any(_WITH_PODS & set(getattr(item, "fixturenames", ())) for item in session.items)
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        session.config.stash[_BINARIES] = _ensured(pods=False)
        if with_pods:  # separately: a failure here must not fail the other tests
            session.config.stash[_POD_BINARIES] = _ensured(pods=True)


def _ensured(*, pods: bool) -> _Found:
    try:
        return ensure(pods=pods, progress=Terminal())
    except LabError as error:
        return error


def _started(config: pytest.Config, folder: Path, options: LabOptions = ORDINARY) -> Lab:
    binaries = config.stash[_POD_BINARIES if options.pods else _BINARIES]
    try:
        if isinstance(binaries, LabError):
            raise binaries
        lab = Lab.open(folder, options=options, binaries=binaries)
        try:
            lab.start(owned=True, progress=Terminal())
        except LabError as error:
            if _PORT_TAKEN not in str(error):
                raise
            # Between the choice of a port and its use, another test's lab took it. Another folder has others.
            lab.stop()
            lab = Lab.open(folder.with_name(f"{folder.name}-2"), options=options, binaries=binaries)
            lab.start(owned=True, progress=Terminal())
    except LabError as error:
        pytest.fail(f"no local control plane for the tests:\n{error}", pytrace=False)
    return lab


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A control plane that all tests share: use only a namespace of your own, and never kill it."""
    started = _started(pytestconfig, tmp_path_factory.mktemp("lab") / "lab")
    yield started
    started.stop()


def install_crds(lab: Lab) -> None:
    """Install the CustomResourceDefinitions of deploy/base/crds in a lab."""
    lab.define(yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml")))


@pytest.fixture(scope="session")
def crds(lab: Lab) -> None:
    """Install Nopea's CustomResourceDefinitions in the shared lab."""
    install_crds(lab)


@pytest.fixture(scope="session")
def pods_binaries(pytestconfig: pytest.Config) -> Binaries:
    """The binaries for a private lab with `LabOptions(pods=True)`, built before the first test."""
    found = pytestconfig.stash[_POD_BINARIES]
    if isinstance(found, LabError):
        pytest.fail(f"no local control plane for the tests:\n{found}", pytrace=False)
    return found


@pytest.fixture(scope="session")
def pods_lab(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Another shared lab, in which Pods run on a simulated node: use only `pods_namespace`."""
    started = _started(pytestconfig, tmp_path_factory.mktemp("pods-lab") / "lab", LabOptions(pods=True))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def bare_lab(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Another shared lab, without Nopea's kinds: a test that installs Nopea there removes it again."""
    started = _started(pytestconfig, tmp_path_factory.mktemp("bare-lab") / "lab")
    yield started
    started.stop()


@pytest.fixture
def make_lab(pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[Callable[[LabOptions], Lab]]:
    """Return a function that starts private labs with options; they stop when the test ends."""
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
    with _new_namespace(lab) as name:
        yield name


@pytest.fixture
def pods_namespace(pods_lab: Lab) -> Iterator[str]:
    """A new namespace of the shared lab with Pods, like `namespace`."""
    with _new_namespace(pods_lab) as name:
        yield name


@contextlib.contextmanager
def _new_namespace(lab: Lab) -> Iterator[str]:
    name = f"test-{secrets.token_hex(4)}"
    made = lab.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert made.status == 201, made.body
    _wait_found(lambda: lab.request("GET", f"/api/v1/namespaces/{name}/serviceaccounts/default"))
    try:
        yield name
    finally:
        lab.request("DELETE", f"/api/v1/namespaces/{name}")


def _wait_found(ask: Callable[[], ApiAnswer]) -> None:
    give_up_at = time.monotonic() + _ACCOUNT_SECONDS
    while (answer := ask()).status != 200:
        assert time.monotonic() < give_up_at, answer.body
        time.sleep(0.02)
