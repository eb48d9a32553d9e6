"""A hostile tenant stops nobody: another tenant's push is applied in its normal time, whatever the attack.

The attacker has every right in its own namespace and none elsewhere. It acts by pushes, by Git servers of its
own and by kubectl. The controller runs with the rights of deploy/base.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.tenancy import Tenant, least_rights, neighbour, tenant
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Repo
from tests.git.faulty import FaultyServer, big_pack, drip_refs
from tests.gitserver import GitServer

pytestmark = pytest.mark.alone

MIB = 1024 * 1024
PUSHES = 4
NORMAL_SECONDS = 3.0
"""Alone a push takes 0.1 s; the machine runs an API server and the attack beside it."""
PROBE_SECONDS = 0.25
"""A quarter of the second that the kubelet waits; a busy machine alone takes 0.1 s now and then."""
CONTROLLER_BYTES = 400 * MIB
POD_BYTES = 2048 * MIB
"""The limit of deploy/base/deployment.yaml, for the controller and its Git children together."""


@pytest.fixture(scope="module")
def controller(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nopea]:
    """The module's controller, with the flags of deploy/base but for plain http."""
    flags = ("--default-service-account=deployer", "--allow-http-credentials")
    with least_rights(cluster.lab, tmp_path_factory.mktemp("least"), *flags) as running:
        yield running


@pytest.fixture
def victim(cluster: Cluster, git_server: GitServer, namespace: str, controller: Nopea) -> Iterator[Tenant]:
    """A tenant that does nothing wrong."""
    del controller
    made = tenant(cluster, git_server, namespace)
    yield made
    made.clear()


@pytest.fixture
def mallory(victim: Tenant) -> Iterator[Tenant]:
    """The attacker."""
    with neighbour(victim, "mallory") as made:
        yield made


@contextmanager
def patterns_and_many_paths(mallory: Tenant, victim: Tenant) -> Iterator[None]:
    """Thousands of patterns for deep folders, and many objects at many paths of one blob."""
    del victim
    patterns = "\n".join(f"**/{'a' * 40}{number}/**/*.b" for number in range(700))
    deep = {f"{'d/' * 30}{number}.yaml": "a: 1" for number in range(700)}
    mallory.origin("patterns", {".nopeaignore": patterns, **deep})
    bomb = "---\n".join([yamls.text(yamls.config_map("x", colour="blue"))] * 2_000)
    mallory.origin("bomb", {f"{number}/bomb.yaml": bomb for number in range(20)})
    for name in ("patterns", "bomb"):
        mallory.follow(name, interval="1s")
    yield


@contextmanager
def big_files(mallory: Tenant, victim: Tenant) -> Iterator[None]:
    """Files of three megabytes, each a list of numbers, at new commits all the time."""
    del victim
    for number in range(6):
        text = f"list{number}: [{'1,' * 1_400_000}1]\n"
        mallory.origin(f"big-{number}", {f"{each}.yaml": f"# {each}\n{text}" for each in range(8)})
        mallory.follow(f"big-{number}", interval="1s")
    yield


@contextmanager
def dripping_servers(mallory: Tenant, victim: Tenant) -> Iterator[None]:
    """More servers that never end than there are threads and turns."""
    del victim
    with FaultyServer(drip_refs) as dripping:
        for number in range(70):
            mallory.follow(f"drip-{number}", url=dripping.url(f"{number}.git"), timeout="1h")
        eventually(lambda: _assert_asked(dripping, 20))
        yield
        mallory.clear()


@contextmanager
def endless_packs(mallory: Tenant, victim: Tenant) -> Iterator[None]:
    """Servers that send a pack of 40 MB and hold the connection open."""
    del victim
    with FaultyServer(big_pack(40 * MIB)) as server:
        for number in range(8):
            mallory.follow(f"pack-{number}", url=server.url(f"{number}.git"), timeout="1h")
        eventually(lambda: _assert_asked(server, 4))
        yield
        mallory.clear()


@contextmanager
def claims_and_forgeries(mallory: Tenant, victim: Tenant) -> Iterator[None]:
    """The victim's objects in 30 repositories, and objects with its label that change all the time."""
    declared = yamls.text(yamls.config_map("web", namespace=victim.namespace, colour="red"))
    for number in range(30):
        mallory.origin(f"claim-{number}", {"web.yaml": declared})
        mallory.follow(f"claim-{number}", interval="1s", retryInterval="1s")
    ended = threading.Event()

    def forge() -> None:
        number = 0
        while not ended.wait(0.05):
            number += 1
            forged = yamls.config_map(f"forged-{number % 20}", colour=str(number))
            forged["metadata"]["labels"] = {"nopea.io/repository": f"{victim.namespace}.app"}
            mallory.cluster.put(
                mallory.place("v1 configmaps", f"forged-{number % 20}"), forged, manager="nopea"
            )

    forging = threading.Thread(target=forge)
    forging.start()
    try:
        yield
    finally:
        ended.set()
        forging.join(timeout=30)


@contextmanager
def many_broken_repositories(mallory: Tenant, victim: Tenant) -> Iterator[None]:
    """A hundred repositories that fail as often as they can."""
    del victim
    for number in range(100):
        url = mallory.url(f"missing-{number}")
        mallory.follow(f"missing-{number}", url=url, interval="1s", retryInterval="1s")
    yield


ATTACKS: tuple[Callable[[Tenant, Tenant], AbstractContextManager[None]], ...] = (
    patterns_and_many_paths,
    big_files,
    endless_packs,
    dripping_servers,
    claims_and_forgeries,
    many_broken_repositories,
)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_one_attack_stops_nobody(
    victim: Tenant,
    mallory: Tenant,
    controller: Nopea,
    attack: Callable[[Tenant, Tenant], AbstractContextManager[None]],
) -> None:
    """The victim's pushes are applied in their normal time, probes answer, and memory is bounded."""
    app = victim.sync("app", web("blue"))
    with attack(mallory, victim):
        _assert_undisturbed(app, controller)


@pytest.mark.timeout(180)
def test_all_attacks_together_stop_nobody(victim: Tenant, mallory: Tenant, controller: Nopea) -> None:
    """The same while everything above goes on at once."""
    app = victim.sync("app", web("blue"))
    with ExitStack() as attacks:
        for attack in ATTACKS:
            attacks.enter_context(attack(mallory, victim))
        _assert_undisturbed(app, controller)


def web(colour: str) -> dict[str, str]:
    """Return a folder with one ConfigMap."""
    return {"web.yaml": yamls.text(yamls.config_map("web", colour=colour))}


def _assert_undisturbed(app: Repo, controller: Nopea) -> None:
    probes, memory, ended = list[float](), [0, 0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            asked = time.monotonic()
            assert controller.get("/health").status == 200
            probes.append(time.monotonic() - asked)
            own = _resident(controller.pid)
            together = own + sum(map(_resident, controller.children()))
            memory[:] = max(memory[0], own), max(memory[1], together)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        for number in range(PUSHES):
            began = time.monotonic()
            commit = app.git.commit(web(f"green-{number}"))
            app.sync_now()
            app.wait_synced(commit)
            assert time.monotonic() - began < NORMAL_SECONDS, number
            time.sleep(0.5)
    finally:
        ended.set()
        watching.join(timeout=30)
    assert len(probes) > 20
    assert statistics.quantiles(probes, n=20)[-1] < PROBE_SECONDS, probes  # the rest is the machine's
    assert memory[0] < CONTROLLER_BYTES, memory
    assert memory[1] < POD_BYTES, memory


def _resident(pid: int) -> int:
    """Return the private and shared memory of a process in bytes; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    found = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
    return int(found[0]) * 1024 if found else 0


def _assert_asked(server: FaultyServer, count: int) -> None:
    assert len(server.requests) >= count
