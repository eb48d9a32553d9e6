"""Informers and how they are found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from nopea.core.objects import GroupKind, ObjectKey, Resource
from nopea.core.plan.model import Finish, ObservedObject
from nopea.informers.informer import EVERYWHERE, MOST_ENDED, Informer, Informers, Scope, is_newer

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


def test_versions_are_compared_as_numbers() -> None:
    """A longer number is a higher one."""
    assert is_newer("10", "9")
    assert not is_newer("9", "10")
    assert not is_newer("9", "9")


def test_a_deleted_job_is_remembered_if_it_had_ended() -> None:
    """Until an object of this name is there again; other deleted objects are forgotten."""
    informer, key = Informer(MAPS, NOBODY), ObjectKey("batch", "Job", "shop", "migrate")
    live = ObservedObject(owner="shop.web", resource_version="1", finish=Finish.COMPLETE)
    informer.put(key, live)
    informer.lose(key, live.finish)
    assert (informer.objects, informer.by_owner, dict(informer.ended)) == ({}, {}, {key: Finish.COMPLETE})

    informer.put(key, replace(live, finish=None))
    informer.lose(key, None)
    assert not informer.ended


def test_few_ended_jobs_are_remembered() -> None:
    """The oldest are forgotten first."""
    informer = Informer(MAPS, NOBODY)
    for number in range(MOST_ENDED + 1):
        informer.lose(ObjectKey("batch", "Job", "shop", str(number)), Finish.COMPLETE)
    assert len(informer.ended) == MOST_ENDED
    assert ObjectKey("batch", "Job", "shop", "0") not in informer.ended
