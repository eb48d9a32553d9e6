"""When a repository is applied: newest commit, suspension, kinds that are installed later, many objects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Json, Repo, Site

CONFIG_MAPS = "v1 configmaps"
MANY = 1_000
SECONDS = 90.0


def _many(version: str) -> dict[str, str]:
    """Return a thousand ConfigMaps, fifty in a file."""
    names = [f"web-{number:04}" for number in range(MANY)]
    return {
        f"maps-{start:04}.yaml": yamls.text(
            *(yamls.config_map(name, version=version) for name in names[start : start + 50])
        )
        for start in range(0, MANY, 50)
    }


def _versions(site: Site, repo: Repo) -> list[str]:
    """Return the version in each of the repository's ConfigMaps."""
    query = f"labelSelector=nopea.io/repository={repo.label}"
    return [live["data"]["version"] for live in site.cluster.list(site.place(CONFIG_MAPS), query=query)]


def _begun(site: Site, repo: Repo) -> int:
    """Wait until the first objects of a big repository exist and return their number."""

    def some() -> int:
        found = len(_versions(site, repo))
        assert found
        return found

    return eventually(some, seconds=SECONDS)


def test_a_big_repository_is_applied_in_one_sync(site: Site, nopea: Nopea) -> None:
    """A thousand objects are applied and counted; a commit that adds one object creates only that one."""
    files = _many("1")
    site.origin("shop", files)
    repo = site.follow("shop")
    status = repo.wait_synced(repo.git.tip(), seconds=SECONDS)["status"]
    assert (status["resourceCount"], status["inSyncCount"], status["failedCount"]) == (MANY, MANY, 0)
    assert _versions(site, repo) == ["1"] * MANY
    (line,) = nopea.logs("sync finished", repo=repo.log_key)
    assert line["created"] == MANY

    repo.git.commit({**files, "more.yaml": yamls.text(yamls.config_map("more", version="2"))})
    repo.sync_and_wait(seconds=SECONDS)

    last = nopea.logs("sync finished", repo=repo.log_key)[-1]
    assert (last["objects"], last["created"], last["configured"]) == (MANY + 1, 1, 0)


def test_the_newest_commit_wins(site: Site, nopea: Nopea) -> None:
    """The sync of a big commit stops between two objects when a newer one arrives; the newest is applied."""
    site.origin("shop", _many("1"))
    repo = site.follow("shop")
    assert _begun(site, repo) < MANY
    newest = repo.git.commit(_many("2"))

    repo.sync_now()

    status = repo.wait_synced(newest, seconds=SECONDS)["status"]
    assert _versions(site, repo) == ["2"] * MANY
    assert [entry["commit"] for entry in status["history"]] == [newest]
    first, *_, last = nopea.logs("sync finished", repo=repo.log_key)
    assert (first["result"], last["result"], last["commit"]) == ("superseded", "synced", newest)
    assert first["created"] < MANY


# Suspended: nothing is written, whatever wakes the worker.


def _nothing(site: Site, repo: Repo) -> None:
    assert _versions(site, repo) == []


def test_a_repository_that_starts_suspended_writes_nothing(site: Site) -> None:
    """Startup, a sync request and a change of the spec are handled, but no object is written."""
    site.origin("shop", {f"{n}/web.yaml": yamls.text(yamls.config_map("web", version=n)) for n in "ab"})
    repo = site.follow("shop", path="a", suspend=True)
    eventually(lambda: _assert_suspended(repo, generation=1))
    assert repo.sync_and_wait()["summary"].startswith("Suspended")
    repo.change(path="b")
    eventually(lambda: _assert_suspended(repo, generation=2))
    always(lambda: _nothing(site, repo), seconds=1)

    repo.change(suspend=False)

    repo.wait_synced(repo.git.tip())
    assert _versions(site, repo) == ["b"]


def test_a_suspended_repository_applies_no_commit_and_reverts_no_drift(site: Site) -> None:
    """Neither polls nor requests apply a new commit or restore a deleted object; resuming does both."""
    files = {
        name: yamls.text(yamls.config_map(name.removesuffix(".yaml"), version="1"))
        for name in ("api.yaml", "web.yaml")
    }
    repo = site.sync("shop", files, interval="1s")
    repo.change(suspend=True)
    eventually(lambda: _assert_suspended(repo, generation=2))
    newest = repo.git.commit({**files, "web.yaml": yamls.text(yamls.config_map("web", version="2"))})
    site.cluster.delete(site.place(CONFIG_MAPS, "api"))
    repo.sync_and_wait()

    def untouched() -> None:
        assert _versions(site, repo) == ["1"]

    always(untouched, seconds=3)  # polls came every second before

    repo.change(suspend=False)

    repo.wait_synced(newest)
    assert sorted(_versions(site, repo)) == ["1", "2"]


def test_suspending_stops_a_sync_between_two_objects(site: Site) -> None:
    """A running sync of many objects stops soon after suspension, and resuming completes it."""
    site.origin("shop", _many("1"))
    repo = site.follow("shop")
    _begun(site, repo)

    repo.change(suspend=True)

    eventually(lambda: _assert_suspended(repo, generation=2), seconds=SECONDS)
    there = len(_versions(site, repo))
    assert there < MANY

    def no_more() -> None:
        assert len(_versions(site, repo)) == there

    always(no_more, seconds=1)
    repo.change(suspend=False)
    repo.wait_synced(repo.git.tip(), seconds=SECONDS)
    assert len(_versions(site, repo)) == MANY


def _assert_suspended(repo: Repo, *, generation: int) -> None:
    status = repo.status()
    assert status.get("summary", "").startswith("Suspended"), status
    assert status.get("observedGeneration") == generation, status


# A kind that is unknown at first.


def _next_try_is_far_off(repo: Repo) -> None:
    status = repo.status()
    assert [error["code"] for error in status.get("errors", ())] == ["NOPEA-K001"], status
    assert _next_sync(status) - datetime.now(UTC) > timedelta(seconds=20), status["nextSyncTime"]


def _next_sync(status: Json) -> datetime:
    return datetime.fromisoformat(status["nextSyncTime"])


def test_a_kind_that_appears_elsewhere_is_applied_at_once(site: Site, nopea: Nopea) -> None:
    """When the missing definition is installed, its objects are applied without waiting for a timer."""
    group = f"{site.namespace}.acme.example"
    site.origin("shop", {"widget.yaml": yamls.text(yamls.custom("Widget", "small", group=group, size=1))})
    repo = site.follow("shop")
    eventually(lambda: _next_try_is_far_off(repo), seconds=120)
    next_try = _next_sync(repo.status())
    place = f"apiextensions.k8s.io/v1 customresourcedefinitions /widgets.{group}"

    site.cluster.put(place, yamls.definition("Widget", group=group))

    repo.wait_synced(repo.git.tip())
    assert datetime.now(UTC) < next_try
    assert nopea.logs("sync finished", repo=repo.log_key)[0]["triggers"] == ["kind change"]
    assert site.cluster.must_get(site.place(f"{group}/v1 widgets", "small"))["spec"] == {"size": 1}
    site.cluster.delete(place)
