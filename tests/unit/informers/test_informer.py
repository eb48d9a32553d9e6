"""Informers and how they are found."""

from __future__ import annotations

from typing import Any, cast

from nopea.core.objects import GroupKind, Resource
from nopea.informers.informer import EVERYWHERE, Informer, Informers, Scope, is_newer

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
