"""A Job that has finished is done: it runs again only when its manifest changes, or a user asks for it."""

from __future__ import annotations

import re
from typing import Any

from tests.e2e import yamls
from tests.e2e.commands import say
from tests.e2e.pods import PODS, end_pods
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Repo, Site
from tests.e2e.yamls import Manifest

from nopea.core.plan.inventory import unpack

JOBS = "batch/v1 jobs"


def _job(image: str = "registry.example/migrate:1", **spec: Any) -> Manifest:
    made = yamls.job("migrate", image=image)
    return {**made, "spec": {**made["spec"], "backoffLimit": 0, **spec}}


def _uid(site: Site) -> str:
    return str(site.cluster.must_get(site.place(JOBS, "migrate"))["metadata"]["uid"])


def _end_pod(site: Site, phase: str = "Succeeded") -> None:
    eventually(lambda: end_pods(site, phase))


def _wait_recorded(repo: Repo) -> None:
    """Wait until the inventory records that the Job has finished."""

    def recorded() -> None:
        (last,) = unpack(repo.status()["inventory"]).values()
        assert last.finished is not None, last

    eventually(recorded)


def _assert_done(repo: Repo, *, health: str = "True", seconds: float = 3) -> None:
    """Fail unless the Job stays gone, is no drift, and counts as applied."""
    site = repo.site

    def done() -> None:
        site.cluster.assert_gone(site.place(JOBS, "migrate"))
        status = repo.status()
        assert repo.condition("Drifted") == {}
        assert repo.condition("Ready")["status"] == "True"
        assert status["inSyncCount"] == 1

    always(done, seconds=seconds)
    eventually(lambda: _assert_equal(repo.condition("Healthy")["status"], health))


def _assert_equal(one: Any, other: Any) -> None:
    assert one == other


def _is_gone(site: Site) -> None:
    site.cluster.assert_gone(site.place(JOBS, "migrate"))


def test_a_job_that_its_ttl_removes_does_not_run_again(site: Site) -> None:
    """With ttlSecondsAfterFinished, the Job runs once per manifest; a moved file is no other manifest."""
    repo = site.sync("shop", {"a.yaml": yamls.text(_job(ttlSecondsAfterFinished=0))})
    _end_pod(site)
    eventually(lambda: _is_gone(site))
    _assert_done(repo)
    repo.sync_and_wait()
    _assert_done(repo, seconds=1)

    repo.git.commit({"b.yaml": yamls.text(_job(ttlSecondsAfterFinished=0))})
    repo.sync_and_wait()
    _assert_done(repo, seconds=1)

    repo.git.commit({"b.yaml": yamls.text(_job("registry.example/migrate:2", ttlSecondsAfterFinished=0))})
    repo.sync_and_wait()
    _end_pod(site)
    eventually(lambda: _is_gone(site))
    _assert_done(repo, seconds=1)
    assert "DriftHealed" not in [event["reason"] for event in repo.events()]


def test_a_failed_job_that_somebody_deletes_does_not_run_again(site: Site) -> None:
    """Its health stays unhealthy; a user who heals it by name has it run again."""
    repo = site.sync("shop", {"a.yaml": yamls.text(_job())})
    _end_pod(site, "Failed")
    _wait_recorded(repo)
    site.cluster.delete(site.place(JOBS, "migrate"))
    eventually(lambda: _is_gone(site))  # a Job orphans its Pods by default, which the garbage collector does
    _assert_done(repo, health="False")

    key = f"batch/Job {site.namespace}/migrate"
    annotations = {"nopea.io/heal-requested": f"2026-11-28T15:00:00Z {key}"}
    site.cluster.merge(repo.place, {"metadata": {"annotations": annotations}})
    eventually(lambda: _uid(site))
    _end_pod(site)
    eventually(lambda: _assert_equal(repo.condition("Healthy")["status"], "True"))


def test_a_job_that_is_deleted_before_it_finished_is_created_again(site: Site) -> None:
    """Its work is not done."""
    repo = site.sync("shop", {"a.yaml": yamls.text(_job())})
    before = _uid(site)
    site.cluster.delete(site.place(JOBS, "migrate"))
    repo.wait_event("DriftHealed")
    eventually(lambda: _assert_not_equal(_uid(site), before))


def _assert_not_equal(one: Any, other: Any) -> None:
    assert one != other


def test_a_finished_job_is_replaced_when_its_manifest_changes(site: Site) -> None:
    """An upgrade of a chart with admission Jobs needs no force; the old Job's Pods go with it."""
    repo = site.sync("shop", {"a.yaml": yamls.text(_job())})
    before = _uid(site)
    _end_pod(site)
    _wait_recorded(repo)

    repo.git.commit({"a.yaml": yamls.text(_job("registry.example/migrate:2"))})
    repo.sync_now()
    repo.wait_synced(repo.git.tip())

    assert _uid(site) != before

    def images() -> None:
        pods = site.cluster.list(site.place(PODS))
        found = [pod["spec"]["containers"][0]["image"] for pod in pods]
        assert found == ["registry.example/migrate:2"]

    eventually(images)


def test_a_running_job_is_replaced_once_it_has_finished(site: Site) -> None:
    """A changed manifest does not interrupt it: the error says so, and goes when the Job ends."""
    repo = site.sync("shop", {"a.yaml": yamls.text(_job())}, retryInterval="5s")
    before = _uid(site)
    repo.git.commit({"a.yaml": yamls.text(_job("registry.example/migrate:2"))})
    repo.sync_now()
    (error,) = repo.wait_failed("NOPEA-K005")["status"]["errors"]
    assert error["message"] == 'Job.batch "migrate" is invalid: spec.template: field is immutable.'
    assert "finished" in error["hint"]
    assert _uid(site) == before

    _end_pod(site)
    repo.wait_synced(repo.git.tip())
    assert _uid(site) != before


def test_a_suspended_job_changes_in_place(site: Site) -> None:
    """It has not finished, so that its deletion is drift."""
    repo = site.sync("shop", {"a.yaml": yamls.text(_job(suspend=True))})
    before = _uid(site)
    repo.git.commit({"a.yaml": yamls.text(_job(suspend=True, parallelism=2))})
    repo.sync_and_wait()
    assert _uid(site) == before
    site.cluster.delete(site.place(JOBS, "migrate"))
    eventually(lambda: _assert_not_equal(_uid(site), before))


def test_diff_and_tree_say_that_a_job_has_finished(site: Site) -> None:
    """A finished Job that is gone is not a difference."""
    repo = site.sync("shop", {"a.yaml": yamls.text(_job(ttlSecondsAfterFinished=0))})
    _end_pod(site)
    eventually(lambda: _is_gone(site))
    _wait_recorded(repo)

    diff = say(site.cluster.lab, "diff", "shop", "-n", site.namespace)
    assert (diff.code, diff.out.splitlines()[1:]) == (0, ["Nothing differs."])
    tree = say(site.cluster.lab, "tree", "shop", "-n", site.namespace)
    assert re.search(r"migrate +Synced +Healthy +finished", tree.out), tree.out
