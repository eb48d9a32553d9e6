"""Informers and how they are found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from tests.unit.informers.caching import WEB, key, observed

from nopea.core.objects import GroupKind, ObjectKey, Resource
from nopea.core.plan.model import Finish, ObservedObject
from nopea.informers.informer import EVERYWHERE, MOST_ENDED, Informer, Informers, Scope

NOBODY = cast("Any", None)
MAPS = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)
OLD = Resource(group="", version="v1beta1", kind="ConfigMap", plural="configmaps", namespaced=True)


def test_informers_are_found_by_what_they_see() -> None:
    """All namespaces, or the namespace that is asked for; the working ones come first."""
    everywhere = Informer(MAPS, NOBODY)
    shop = Informer(MAPS, NOBODY, Scope("deployer", "shop"))
    older = Informer(OLD, NOBODY, Scope("deployer", "shop"))
    informers = Informers()
    for each in (everywhere, shop, older):
        informers.add(each)
    shop.health.synced = True

    assert informers.of(MAPS, "shop") == [shop, everywhere]
    assert informers.of(MAPS, "other") == [everywhere]
    assert informers.about(MAPS.group_kind, "shop")[0] is shop
    assert set(informers.about(MAPS.group_kind, "shop")) == {everywhere, shop, older}
    assert informers.about(GroupKind("", "Secret"), "shop") == []
    assert informers.find(MAPS, EVERYWHERE) is everywhere


def test_a_removed_informer_is_found_no_more() -> None:
    """Another one of the same kind stays."""
    informers = Informers()
    one, two = Informer(MAPS, NOBODY, Scope("a", "shop")), Informer(MAPS, NOBODY, Scope("b", "shop"))
    informers.add(one)
    informers.add(two)

    informers.remove(one)

    assert [*informers] == informers.of(MAPS, "shop") == [two]
    informers.remove(two)
    assert informers.about(MAPS.group_kind, "shop") == []


def current(version: int) -> Informer:
    """Return an informer whose watch works and has seen everything up to a version."""
    informer = Informer(MAPS, NOBODY)
    informer.health.synced = True
    informer.health.version, informer.health.lists_begun = str(version), 1
    return informer


def test_a_list_replaces_what_was_known_in_later_versions() -> None:
    """After etcd was restored, versions are lower; objects that are only known from before are gone."""
    informer = current(900)
    for name in ("a", "b", "c"):
        informer.put(key(name), observed(900, name=name))
    informer.assume(key("d"), observed(901, name="d"))
    informer.health.lists_begun += 1

    told = informer.replace(
        {key("a"): observed(7, projection="old"), key("b"): observed(8, name="b")}, version="20"
    )

    assert set(informer.objects) == {key("a"), key("b")}
    assert informer.objects[key("a")] == observed(7, projection="old")
    assert told == {WEB}
    assert informer.went_back == {key("a")}
    assert informer.take(key("a"), observed(21)) == {WEB}  # a later event in the restored history


def test_an_answer_that_came_during_a_list_is_newer_than_the_list() -> None:
    """It is not forgotten until its event comes; one that the list already contains is."""
    informer = current(5)
    informer.health.lists_begun += 1
    informer.assume(key("new"), observed(12, name="new"))
    informer.assume(key("changed"), observed(13, name="changed"))
    informer.assume(key("gone"), observed(9, name="gone"))

    told = informer.replace({key("changed"): observed(8, name="changed")}, version="10")

    assert {key.name: known.resource_version for key, known in informer.objects.items()} == {
        "new": "12", "changed": "13",
    }  # fmt: skip
    assert told == {WEB}


def test_an_answer_that_the_watch_has_overtaken_is_ignored() -> None:
    """The deletion of the object has been seen already: with the answer it would stay for ever."""
    informer = current(20)
    informer.assume(key(), observed(20))
    assert informer.objects == {}
    informer.assume(key(), observed(21))
    assert set(informer.objects) == {key()}
    informer.assume(key(), observed(20, projection="before"))
    assert informer.objects[key()] == observed(21)


def test_what_an_answer_told_is_no_news() -> None:
    """The watch sends each of our own writes once more; most of them need not be read again."""
    informer = current(5)
    informer.assume(key("web"), observed(7))

    told = [version for version in ("6", "7", "8", "10") if informer.is_news(key("web"), version)]

    assert told == ["8", "10"]
    assert informer.is_news(key("api"), "1")


def test_a_watch_that_does_not_work_overrules_no_answer() -> None:
    """What it said last may be older than the answer, whatever the versions say."""
    informer = current(900)
    informer.put(key(), observed(900))
    informer.health.synced = False

    informer.assume(key(), observed(7))

    assert informer.objects[key()] == observed(7)


def test_what_an_account_watches_is_counted_by_its_namespace() -> None:
    """A tenant may have any number of accounts."""
    informers = Informers()
    for number in range(3):
        informers.add(Informer(MAPS, NOBODY, Scope(f"system:serviceaccount:shop:a{number}", "shop")))
    informers.add(Informer(MAPS, NOBODY))

    assert (informers.count("shop"), informers.count("")) == (3, 1)
    for each in informers:
        informers.remove(each)
    assert (informers.count("shop"), informers.count("")) == (0, 0)


def test_a_deleted_job_is_remembered_if_it_had_ended() -> None:
    """Until an object of this name is there again; other deleted objects are forgotten."""
    informer, migrate = Informer(MAPS, NOBODY), ObjectKey("batch", "Job", "shop", "migrate")
    live = ObservedObject(owner="shop.web", resource_version="1", finish=Finish.COMPLETE)
    informer.put(migrate, live)
    informer.lose(migrate, live.finish)
    assert (informer.objects, informer.by_owner, dict(informer.ended)) == ({}, {}, {migrate: Finish.COMPLETE})

    informer.put(migrate, replace(live, finish=None))
    informer.lose(migrate, None)
    assert not informer.ended


def test_few_ended_jobs_are_remembered() -> None:
    """The oldest are forgotten first."""
    informer = Informer(MAPS, NOBODY)
    for number in range(MOST_ENDED + 1):
        informer.lose(ObjectKey("batch", "Job", "shop", str(number)), Finish.COMPLETE)
    assert len(informer.ended) == MOST_ENDED
    assert ObjectKey("batch", "Job", "shop", "0") not in informer.ended
