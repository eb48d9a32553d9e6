"""Health follows the watches and waits for nothing; dependants wait for it. On a lab in which Pods run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.cluster import install_crds
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Repo, Site
from tests.gitserver import GitServer

from nopea_lab.lab import Lab


@pytest.fixture
def pods_site(
    pods_lab: Lab, pods_namespace: str, git_server: GitServer, start_nopea: Callable[..., Nopea]
) -> Site:
    """A namespace in which Pods run, and a controller."""
    install_crds(pods_lab)
    start_nopea(pods_lab).wait_until_ready()
    return Site(Cluster(pods_lab), git_server, pods_namespace)


def _healthy(repo: Repo, status: str, *, says: str = "") -> None:
    found = repo.condition("Healthy")
    assert found.get("status") == status, found
    assert says in found["message"], found


def test_health_is_told_and_carried_up(pods_site: Site) -> None:
    """A good Deployment makes Healthy True; a crashing one makes it False with its container's words."""
    site = pods_site
    good = site.sync("good", {"web.yaml": yamls.text(yamls.deployment("web"))})
    eventually(lambda: _healthy(good, "True"), seconds=60)
    crash = yamls.deployment("crash", app="crash")
    crash["spec"]["template"]["metadata"]["labels"]["lab.nopea.io/behaviour"] = "crash"
    crash["spec"]["template"]["metadata"]["annotations"] = {"lab.nopea.io/behaviour": "crash"}
    bad = site.sync("bad", {"crash.yaml": yamls.text(crash)})
    assert bad.condition("Ready")["status"] == "True"  # applied is applied, whatever becomes of it
    eventually(lambda: _healthy(bad, "False", says="CrashLoopBackOff"), seconds=60)


def test_a_repository_waits_for_what_it_depends_on(site: Site) -> None:
    """Nothing is applied before the other is Ready and Healthy, and then at once; a circle is named."""
    site.origin("infra")
    web = {"web.yaml": yamls.text(yamls.config_map("web"))}
    site.origin("shop", web)
    infra = site.follow("infra")
    shop = site.follow("shop", dependsOn=[{"name": "infra"}])
    shop.wait_failed("NOPEA-S002")
    assert site.cluster.get(site.place("v1 configmaps", "web")) is None
    infra.git.commit({"base.yaml": yamls.text(yamls.config_map("base"))})
    infra.sync_now()
    shop.wait_synced(seconds=30)
    infra.change(dependsOn=[{"name": "shop"}])
    found = infra.wait_failed("NOPEA-S003")
    assert "shop" in found["status"]["errors"][0]["message"]


def test_a_fight_is_noticed_and_slowed_down(site: Site) -> None:
    """When the same manager changes an object back each time, healing backs off and names the rival."""
    repo = site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))})
    place = site.place("v1 configmaps", "web")

    def fight() -> None:
        found = site.cluster.must_get(place)
        if found["data"]["colour"] == "blue":
            wanted = yamls.config_map("web", namespace=site.namespace, colour="red")
            site.cluster.put(place, wanted, manager="rival")
        assert repo.condition("Contended").get("status") == "True"

    eventually(fight, seconds=40)
    assert "rival" in repo.condition("Contended")["message"]


def test_an_object_of_two_repositories_is_told_by_both(site: Site) -> None:
    """The refused one says so in its errors, the owner in an Event."""
    owner = site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web"))})
    site.follow("store", url=site.url("shop")).wait_failed("NOPEA-K004")
    assert "store" in owner.wait_event("AlsoDeclared")["note"]
