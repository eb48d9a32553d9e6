"""What people ask for while no controller runs: they are told, and it is obeyed when one comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.e2e import yamls
from tests.e2e.commands import Said, say
from tests.e2e.process import Nopea
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Repo, Site
from tests.gitserver import GitServer

ROLLBACK = "nopea.io/rollback-to"


@pytest.fixture
def alone(cluster: Cluster, git_server: GitServer, namespace: str) -> Iterator[Site]:
    """A namespace that nobody looks after."""
    made = Site(cluster, git_server, namespace)
    yield made
    made.clear()


def web(colour: str) -> dict[str, str]:
    """Return the files of a commit."""
    return {"web.yaml": yamls.text(yamls.config_map("web", colour=colour))}


def colour_of(site: Site) -> str:
    """Return what is in the cluster."""
    return str(site.cluster.must_get(site.place("v1 configmaps", "web"))["data"]["colour"])


def run(site: Site, *arguments: str) -> Said:
    """Run a command for the site's namespace."""
    return say(site.cluster.lab, *arguments, "-n", site.namespace)


def two_commits(site: Site) -> tuple[Repo, str, str]:
    """Return a repository whose first commit was blue and whose second, applied now, is green."""
    repo = site.sync("shop", web("blue"))
    blue = str(repo.status()["lastAppliedCommit"])
    green = repo.git.commit(web("green"))
    repo.sync_now()
    repo.wait_synced(green)
    return repo, blue, green


def test_the_time_ends_the_wait(alone: Site) -> None:
    """Exit code 1, and what may be wrong; the request stays for the controller that comes."""
    repo = alone.follow("shop")

    said = run(alone, "sync", "shop", "--wait", "--timeout", "1s")

    assert (said.code, said.out) == (1, ""), said
    assert "no controller has handled the request within 1.00s" in said.err
    assert "nopea run" in said.err
    assert "nopea.io/sync-requested-at" in repo.get()["metadata"]["annotations"]


def test_an_empty_history_says_why(alone: Site) -> None:
    """It is no error: there is nothing yet."""
    repo = alone.follow("shop")

    said = run(alone, "history", "shop")

    assert said.code == 0, said
    assert said.out.splitlines() == [
        f"GitRepository {repo.log_key} (nothing applied yet), follows branch main",
        "No sync yet. Check that `nopea run` runs and watches this namespace.",
    ]
    assert run(alone, "history", "shop", "-o", "json").json["history"] == []


def test_a_rollback_without_a_history_says_why(alone: Site) -> None:
    """There is no commit before; a full id is taken all the same."""
    repo = alone.follow("shop")

    said = run(alone, "rollback", "shop")

    assert (said.code, "No commit was ever applied" in said.err) == (3, True), said
    assert run(alone, "rollback", "shop", "a" * 40).code == 0
    assert repo.get()["metadata"]["annotations"][ROLLBACK] == "a" * 40


def test_a_repository_that_goes_meanwhile_ends_the_wait(alone: Site) -> None:
    """With a sentence, not at the end of the time."""
    repo = alone.follow("shop")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run, alone, "sync", "shop", "--wait", "--timeout", "60s")

        def asked() -> None:
            assert "nopea.io/sync-requested-at" in repo.get()["metadata"].get("annotations", {})

        eventually(asked)
        alone.clear()
        said = waiting.result(timeout=60)

    assert said.code == 3, said
    assert f"GitRepository {repo.log_key} was deleted while" in said.err


def test_somebody_elses_rollback_ends_the_wait_for_mine(alone: Site) -> None:
    """It would never come true."""
    repo = alone.follow("shop")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run, alone, "rollback", "shop", "a" * 40, "--wait", "--timeout", "60s")

        def pinned() -> None:
            assert repo.get()["metadata"].get("annotations", {}).get(ROLLBACK) == "a" * 40

        eventually(pinned)
        assert run(alone, "rollback", "shop", "b" * 40).code == 0
        said = waiting.result(timeout=60)

    assert said.code == 1, said
    assert "Another user has changed the rollback" in said.err
    assert "b" * 40 in said.err


def test_a_restart_keeps_the_pin(alone: Site, start_nopea: Callable[..., Nopea]) -> None:
    """A new process, with no mirror of its own yet, fetches the pinned commit and not the branch."""
    scope = f"--namespace={alone.namespace}"
    first = start_nopea(alone.cluster.lab, scope)
    first.wait_until_ready()
    repo, blue, _ = two_commits(alone)
    assert run(alone, "rollback", "shop", "--wait").code == 0
    first.kill()
    repo.git.commit(web("red"))
    alone.cluster.merge(alone.place("v1 configmaps", "web"), {"data": {"colour": "grey"}})

    start_nopea(alone.cluster.lab, scope).wait_until_ready()

    eventually(lambda: _assert_colour(alone, "blue"))
    repo.sync_and_wait()
    assert (colour_of(alone), repo.status()["lastAttemptedCommit"]) == ("blue", blue)
    assert repo.status()["history"][0]["trigger"] in ("manual,rollback", "rollback,startup")


def test_a_rollback_is_obeyed_by_the_controller_that_comes(
    alone: Site, start_nopea: Callable[..., Nopea]
) -> None:
    """Pinned and released while nobody looked."""
    scope = f"--namespace={alone.namespace}"
    first = start_nopea(alone.cluster.lab, scope)
    first.wait_until_ready()
    repo, blue, green = two_commits(alone)
    assert first.stop() == 0

    assert run(alone, "rollback", "shop").code == 0
    second = start_nopea(alone.cluster.lab, scope)
    second.wait_until_ready()
    repo.wait_synced(blue)
    assert second.stop() == 0
    assert run(alone, "rollback", "shop", "--resume").code == 0
    start_nopea(alone.cluster.lab, scope).wait_until_ready()

    repo.wait_synced(green)
    assert repo.condition("RolledBack") == {}


def _assert_colour(site: Site, colour: str) -> None:
    assert colour_of(site) == colour
