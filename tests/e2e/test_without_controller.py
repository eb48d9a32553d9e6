"""Commands while no controller runs: they say so, and a controller that starts later acts on them."""

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
    """A namespace without a controller."""
    made = Site(cluster, git_server, namespace)
    yield made
    made.clear()


def web(colour: str) -> dict[str, str]:
    """Return the files of a commit."""
    return {"web.yaml": yamls.text(yamls.config_map("web", colour=colour))}


def colour_of(site: Site) -> str:
    """Return the colour of the live ConfigMap."""
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


def test_the_timeout_ends_the_wait(alone: Site) -> None:
    """After the timeout, the command exits with 1 and a hint; the request stays for a later controller."""
    repo = alone.follow("shop")

    said = run(alone, "sync", "shop", "--wait", "--timeout", "1s")

    assert (said.code, said.out) == (1, ""), said
    assert "no controller has handled the request within 1.00s" in said.err
    assert "nopea run" in said.err
    assert "nopea.io/sync-requested-at" in repo.get()["metadata"]["annotations"]


def test_a_controller_that_does_not_run_is_told_from_a_quiet_one(
    alone: Site, start_nopea: Callable[..., Nopea]
) -> None:
    """Its Lease is renewed while it runs; a stopped one lets go of it, a killed one does not."""
    lease = f"coordination.k8s.io/v1 leases {alone.namespace}/nopea"
    running = start_nopea(alone.cluster.lab, f"--namespace={alone.namespace}")
    running.wait_until_ready()
    alone.sync("shop", web("blue"))

    def holder() -> str:
        name = alone.cluster.must_get(lease)["spec"].get("holderIdentity")
        assert name
        return str(name)

    name = eventually(holder)
    assert run(alone, "tree", "shop").err == ""

    running.stop()
    assert "The controller was stopped" in run(alone, "tree", "shop").err

    killed = start_nopea(alone.cluster.lab, f"--namespace={alone.namespace}")
    eventually(holder)
    killed.kill()
    old = '{"spec":{"renewTime":"2026-01-01T00:00:00.000000Z"}}'
    alone.cluster.lab.run_kubectl("patch", "lease", "nopea", "-n", alone.namespace, "--type=merge", "-p", old)
    said = run(alone, "sync", "shop", "--wait", "--timeout", "11s")
    assert f"{name} has not been heard of for" in said.err, said


def test_an_empty_history_says_why(alone: Site) -> None:
    """An empty history is not an error; the output says that there was no sync yet."""
    repo = alone.follow("shop")

    said = run(alone, "history", "shop")

    assert said.code == 0, said
    assert said.out.splitlines() == [
        f"GitRepository {repo.log_key} (nothing applied), follows branch main",
        "No sync yet. Check that `nopea run` runs and watches this namespace.",
    ]
    assert run(alone, "history", "shop", "-o", "json").json["history"] == []


def test_a_rollback_without_a_history_says_why(alone: Site) -> None:
    """Without a previous commit, rollback fails and says why; a full commit id is still accepted."""
    repo = alone.follow("shop")

    said = run(alone, "rollback", "shop")

    assert (said.code, "No commit was ever applied" in said.err) == (3, True), said
    assert run(alone, "rollback", "shop", "a" * 40).code == 0
    assert repo.get()["metadata"]["annotations"][ROLLBACK] == "a" * 40


def test_deleting_the_repository_ends_the_wait(alone: Site) -> None:
    """The command reports the deletion at once instead of waiting for its timeout."""
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


def test_another_rollback_ends_the_wait(alone: Site) -> None:
    """A rollback to another commit ends the wait, because the requested commit will not be applied."""
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
    """A new controller without a mirror fetches the pinned commit instead of the branch."""
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
    assert "rollback" in repo.status()["history"][0]["trigger"].split(",")


def test_a_rollback_is_applied_by_a_later_controller(alone: Site, start_nopea: Callable[..., Nopea]) -> None:
    """A rollback and its end, both requested while no controller runs, are applied after the next start."""
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
