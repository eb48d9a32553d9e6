"""A bug that affects one repository: its worker crashes, is restarted, reports the crash, and recovers.

The controller is the real one with one function replaced before it starts; a file switches the bug on.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.e2e import yamls
from tests.e2e.process import PROGRAM, Nopea
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Json, Repo, Site, condition

SECONDS = 60.0
LAST_LINE = "ZeroDivisionError: the bug of acme"
BUGGY = """
import functools, pathlib
from nopea.controller import controller
from nopea.reconcile import sync as work
sound = work.plan
def plan(*, policy, **rest):
    if policy.owner.endswith('.buggy') and pathlib.Path({switch!r}).exists():
        raise ZeroDivisionError('the bug of acme')
    return sound(policy=policy, **rest)
work.plan = plan
controller.RestartPolicy = functools.partial(controller.RestartPolicy, first_seconds={first_seconds})
"""


def _start(cluster: Cluster, folder: Path, bug: Path, *, first_seconds: float) -> Nopea:
    """Start the controller with the bug; `first_seconds` is the delay after the first crash of a worker."""
    program = BUGGY.format(switch=str(bug), first_seconds=first_seconds) + PROGRAM
    return Nopea(kubeconfig=cluster.lab.kubeconfig, folder=folder, program=program)


@pytest.fixture(scope="module")
def bug(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that enables the bug: while it exists, planning for a repository named `buggy` raises."""
    return tmp_path_factory.mktemp("bug") / "switch"


@pytest.fixture(scope="module")
def nopea(cluster: Cluster, bug: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nopea]:
    """The module's controller, with the bug; it must still stop with exit code 0."""
    running = _start(cluster, tmp_path_factory.mktemp("nopea"), bug, first_seconds=0.25)
    try:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0, running.log_text()
    finally:
        running.kill()


@pytest.fixture
def buggy(site: Site, bug: Path) -> Iterator[Repo]:
    """A repository that the bug affects, created while the bug is enabled."""
    bug.touch()
    site.origin("buggy", _files("1"))
    yield site.follow("buggy", interval="1s")
    bug.unlink(missing_ok=True)


def _files(number: str) -> dict[str, str]:
    return {"web.yaml": yamls.text(yamls.config_map("web", number=number))}


def _crashes(nopea: Nopea, repo: Repo, count: int) -> list[Json]:
    """Wait for `count` crashes of the repository's worker and return their log lines."""

    def crashed() -> list[Json]:
        lines = nopea.logs("worker crashed", repo=repo.log_key)
        assert len(lines) >= count
        return lines

    return eventually(crashed, seconds=SECONDS)


def _stalled(repo: Repo) -> Json:
    found = repo.get()
    assert condition(found, "Stalled").get("reason") == "WorkerCrashed", found.get("status")
    return found


def test_a_crashing_worker_stalls_only_its_repository_and_recovers(
    site: Site, nopea: Nopea, bug: Path, buggy: Repo
) -> None:
    """It restarts with growing delays, reports the exception after five crashes, and recovers afterwards."""
    other = site.sync("healthy", {"api.yaml": yamls.text(yamls.config_map("api", number="1"))}, interval="1s")

    found = eventually(lambda: _stalled(buggy), seconds=SECONDS)

    crashes = _crashes(nopea, buggy, 5)
    assert [line["crashes"] for line in crashes[:5]] == [1, 2, 3, 4, 5]
    waits = [line["restart_in"] for line in crashes]
    assert all(after == 2 * before for before, after in pairwise(waits)), waits
    assert all(LAST_LINE in line["traceback"] for line in crashes)
    (error,) = found["status"]["errors"]
    assert (error["code"], found["status"]["summary"]) == ("NOPEA-P001", "Worker keeps crashing")
    for text in (
        error["message"],
        condition(found, "Ready")["message"],
        buggy.wait_event("WorkerCrashed")["note"],
    ):
        assert LAST_LINE in text
    assert condition(found, "Ready")["status"] == "False"
    newest = other.git.commit({"api.yaml": yamls.text(yamls.config_map("api", number="2"))})
    other.wait_synced(newest)
    assert {line["repo"] for line in nopea.logs("worker crashed")} == {buggy.log_key}
    assert (nopea.exit_code, nopea.get("/health").status, nopea.get("/ready").status) == (None, 200, 200)

    bug.unlink()

    healed = buggy.wait_synced(buggy.git.tip(), seconds=SECONDS)
    assert {one["type"] for one in healed["status"]["conditions"]} <= {
        "Healthy",
        "Ready",
        "Fetched",
        "Applied",
        "Watching",
    }
    assert healed["status"].get("errors", []) == []
    newest = buggy.git.commit(_files("2"))
    buggy.wait_synced(newest)


def test_fewer_than_five_crashes_leave_no_trace_in_the_status(nopea: Nopea, bug: Path, buggy: Repo) -> None:
    """Before the fifth crash, the status does not change; the next restart syncs as usual."""
    _crashes(nopea, buggy, 1)
    bug.unlink()
    status = buggy.wait_synced(buggy.git.tip(), seconds=SECONDS)["status"]
    assert [entry["outcome"] for entry in status["history"]] == ["synced"]


def test_a_repository_can_be_deleted_and_created_again_while_its_worker_waits(
    cluster: Cluster, nopea: Nopea, buggy: Repo
) -> None:
    """Deleting the repository ends the wait for a restart; a new one of the same name counts from one."""
    before = len(_crashes(nopea, buggy, 3))
    cluster.delete(buggy.place)
    eventually(lambda: _assert_gone(nopea, buggy))
    again = buggy.site.follow("buggy")
    assert 1 in [line["crashes"] for line in _crashes(nopea, again, before + 2)[before:]]


def _assert_gone(nopea: Nopea, repo: Repo) -> None:
    assert nopea.logs("repository deleted", repo=repo.log_key)


def test_a_crashed_worker_does_not_hold_up_the_shutdown(
    cluster: Cluster, nopea: Nopea, buggy: Repo, bug: Path, tmp_path: Path
) -> None:
    """The controller stops while the worker waits for its restart, and no sync is interrupted."""
    assert nopea.stop() == 0  # the last test of the module: one controller at a time
    patient = _start(cluster, tmp_path, bug, first_seconds=120)
    try:
        _crashes(patient, buggy, 1)
        assert patient.stop() == 0
        assert patient.logs("syncs interrupted at shutdown") == []
    finally:
        patient.kill()
