"""Health is updated from watches and does not delay a sync; dependent repositories wait for it."""

from __future__ import annotations

from tests.e2e import yamls
from tests.e2e.tenancy import BOTH_MODES
from tests.e2e.waiting import eventually
from tests.e2e.world import Repo, Site

pytestmark = BOTH_MODES


def _healthy(repo: Repo, status: str, *, says: str = "") -> None:
    found = repo.condition("Healthy")
    assert found.get("status") == status, found
    assert says in found["message"], found


def test_the_health_of_objects_is_reported_in_the_repository(pods_site: Site) -> None:
    """A healthy Deployment makes Healthy True; a crashing one makes it False with the container's reason."""
    site = pods_site
    good = site.sync("good", {"web.yaml": yamls.text(yamls.deployment("web"))})
    eventually(lambda: _healthy(good, "True"), seconds=60)
    bad = site.sync("bad", {"crash.yaml": yamls.text(yamls.crashing("crash"))})
    assert bad.condition("Ready")["status"] == "True"  # Ready means applied, not healthy
    eventually(lambda: _healthy(bad, "False", says="CrashLoopBackOff"), seconds=60)


def test_a_repository_waits_for_its_dependency(site: Site) -> None:
    """Nothing is applied before the dependency is Ready and Healthy; a dependency cycle is an error."""
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


def test_contention_with_another_manager_is_reported(site: Site) -> None:
    """When a manager reverts each healing, the Contended condition is True and names that manager."""
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


def test_an_object_of_two_repositories_is_reported_by_both(site: Site) -> None:
    """The refused repository has an error, and the owner gets an Event."""
    owner = site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web"))})
    site.follow("store", url=site.url("shop")).wait_failed("NOPEA-K004")
    assert "store" in owner.wait_event("AlsoDeclared")["note"]
