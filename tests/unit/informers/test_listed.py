"""The object cache of commands."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes.watch import FakeWatch
from tests.unit.informers.caching import MAPS, OTHERS, WEB, config, key, observed

from nopea.core.apply.ignore_rules import NO_RULES
from nopea.informers.listed import ListedObjects
from nopea.informers.object_cache import OURS
from nopea.kube.errors import ApiFailure, ForbiddenError


async def test_each_kind_is_listed_once() -> None:
    """Only one owner's objects are listed."""
    watch = FakeWatch([config()])
    objects = ListedObjects(watch.client, owner=WEB, rules=lambda *_: NO_RULES)

    for _ in range(2):
        await objects.ensure([(MAPS, "shop"), (MAPS, "other")])

    assert watch.selections == [replace(OURS, labels=f"nopea.io/repository={WEB}")]
    assert objects.owned(WEB) == {key(): observed(1)}
    assert objects.knows(MAPS, "other")


async def test_what_may_not_be_listed_stays_unknown() -> None:
    """Each object of the kind is read then. Without an owner nothing is listed."""
    watch = FakeWatch([config()])
    watch.refuse = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="no"))
    objects = ListedObjects(watch.client, owner=WEB, rules=lambda *_: NO_RULES)
    nobody = ListedObjects(watch.client, owner="", rules=lambda *_: NO_RULES)

    await objects.ensure([(OTHERS, "shop")])
    await nobody.ensure([(MAPS, "shop")])

    assert not objects.knows(OTHERS, "shop")
    assert not nobody.knows(MAPS, "shop")
    assert [each.namespace for each in watch.selections] == ["", "shop"]


async def test_who_may_not_list_everywhere_lists_each_namespace() -> None:
    """As the account of a tenant may; nothing is known of other namespaces."""
    watch = FakeWatch([config()])
    watch.refuse_everywhere = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="no"))
    objects = ListedObjects(watch.client, owner=WEB, rules=lambda *_: NO_RULES)

    await objects.ensure([(MAPS, "shop")])

    assert objects.knows(MAPS, "shop")
    assert not objects.knows(MAPS, "other")
    assert objects.owned(WEB) == {key(): observed(1)}
