"""The observation of the live objects before a decision, and the requests that it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from tests.fakes.installation import Installation, config_map, installed, key_of, manifest
from tests.fakes.object_store import CONFIG_MAPS, served

from nopea.core.manifests.render import Desired
from nopea.core.manifests.stages import stage_of
from nopea.core.objects import ObjectKey, Resource
from nopea.core.plan.finished import finished_as
from nopea.core.plan.model import Finish, LastApplied
from nopea.core.problem import Code, TransientError
from nopea.informers.informer import Informers
from nopea.kube.errors import ApiFailure, ForbiddenError, ServerError
from nopea.reconcile.observe import Observation, Observer
from nopea.state.store import FirstSeen

pytestmark = pytest.mark.looptime

WIDGETS = Resource(group="shop.example.com", version="v1", kind="Widget", plural="widgets", namespaced=True)
KEY, OTHER = key_of("a"), key_of("b")
FILES = {"a.yaml": config_map("a", colour="blue"), "b.yaml": config_map("b", colour="blue")}
FORBIDDEN = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="a policy says no"))
BROKEN = ServerError(ApiFailure(code=500, reason="InternalError", message="a webhook is broken"))
OLD_COMMIT = "01d" + "0" * 37


@asynccontextmanager
async def synced(**spec: str) -> AsyncIterator[Installation]:
    """Yield an installation in which the ConfigMaps `a` and `b` are as applied, with no requests recorded."""
    async with installed(FILES, **spec) as place:
        await place.sync()
        place.cluster.requests.clear()
        yield place


def desired(name: str, *, resource: Resource = CONFIG_MAPS, **data: str) -> Desired:
    """Return a desired ConfigMap; without data it is the one that was applied."""
    labels = {"nopea.io/repository": "shop.web"}
    metadata = {"name": name, "namespace": "shop", "labels": labels}
    body = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {"colour": "blue"},
    }  # fmt: skip
    key = ObjectKey(resource.group, resource.kind, "shop", name)
    return Desired(
        key=key,
        resource=resource,
        source=f"{name}.yaml#1",
        body=orjson.dumps(body),
        hash="" if data else "as applied",
        content=f"content {data}",
        stage=stage_of(key.group_kind),
        wave=0,
        force=False,
    )


def observer(
    place: Installation,
    *,
    released: Iterable[str] = (),
    before: Mapping[ObjectKey, bytes] | None = None,
    keeps_objects: bool = False,
) -> Observer:
    """Return the observer of `shop/web`, for which the last apply has the hash of `desired` without data."""
    for key, last in place.state().applied.items():
        place.state().applied[key] = LastApplied(
            hash="as applied", projection=last.projection, commit=OLD_COMMIT
        )

    async def previous(commit: str) -> Mapping[ObjectKey, bytes]:
        return before or {} if commit == OLD_COMMIT else {}

    return Observer(
        client=place.cluster.client,
        object_cache=place.services.object_cache,
        watcher=None,
        discovery=place.services.discovery,
        owner="shop.web",
        is_released=lambda _, owner: owner in released,
        previous=previous,
        keeps_objects=keeps_objects,
    )


async def observe(place: Installation, *wanted: Desired, looking: Observer | None = None) -> Observation:
    """Wait until the watches have caught up, clear the record of requests, and observe."""
    await place.settle()
    place.cluster.requests.clear()
    return await (looking or observer(place)).observe(wanted, place.state())


def fields(observation: Observation, key: ObjectKey = KEY) -> list[str]:
    """Return the paths of an object's drifted fields."""
    return [field.path for field in observation.seen[key].drift.fields]


async def test_unchanged_objects_cost_no_request() -> None:
    """The object cache has the state of the objects."""
    async with synced() as place:
        observation = await observe(place, desired("a"), desired("b"))

        assert set(observation.observed) == {KEY, OTHER}
        assert observation.seen == {}
        assert place.cluster.requests == []


async def test_an_object_is_observed_in_another_version_while_its_own_is_not_served() -> None:
    """The version in Git may come with the definition that this sync applies; the object is there before."""
    async with synced() as place:
        place.cluster.change(KEY, {"metadata": {"annotations": {"nopea.io/suspend-heal": "true"}}})
        one = desired("a", resource=replace(CONFIG_MAPS, version="v2"), colour="red")
        observation = await observe(place, one)

        assert observation.observed[KEY].break_glass is not None
        assert observation.seen == {}
        assert place.cluster.requests == []


async def test_an_object_that_was_never_applied_costs_no_request() -> None:
    """The apply creates it, or finds that it exists."""
    async with synced() as place:
        observation = await observe(place, desired("c"))

        assert place.cluster.requests == []
        assert observation.observed == {}


async def test_a_plan_that_is_shown_reads_what_was_never_applied() -> None:
    """`nopea diff` says whether an object without the ownership label exists."""
    async with synced() as place:
        place.cluster.create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}}
        )

        looking = observer(place, keeps_objects=True)
        observation = await observe(place, desired("c"), desired("d"), looking=looking)

        assert place.cluster.requests == ["get configmaps/v1 shop/c", "get configmaps/v1 shop/d"]
        assert set(observation.observed) == {key_of("c")}
        assert observation.observed[key_of("c")].owner is None
        assert observation.seen == {}


async def test_a_drifted_object_is_read_once_and_described() -> None:
    """The managedFields show which fields changed, who changed them and when."""
    async with synced() as place:
        at = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
        place.cluster.now = lambda: at
        place.edit("a", {"colour": "red"})

        observation = await observe(place, desired("a"), desired("b"))

        assert place.cluster.requests == ["get configmaps/v1 shop/a"]
        assert fields(observation) == [".data.colour"]
        (drift,) = observation.seen[KEY].drift.fields
        assert drift.manager == "kubectl-edit"
        assert observation.seen[KEY].since == at
        assert observation.live == {}


async def test_whole_objects_are_kept_only_on_request() -> None:
    """`nopea diff` shows them; a sync that adopts 10,000 objects must not hold them all."""
    async with synced() as place:
        place.edit("a", {"colour": "red"})

        looking = observer(place, keeps_objects=True)
        observation = await observe(place, desired("a"), looking=looking)

        assert observation.live[KEY]["data"] == {"colour": "red"}


async def test_a_deleted_object_drifts_since_its_deletion_was_noticed() -> None:
    """Nothing in the cluster dates a deletion, so the process remembers when it noticed it."""
    async with synced() as place:
        place.cluster.delete(KEY)
        first = await observe(place, desired("a"))
        second = await observe(place, desired("a"))

        assert KEY not in first.observed
        assert fields(first)
        assert first.seen[KEY].since == second.seen[KEY].since
        assert datetime.now(UTC) - first.seen[KEY].since < timedelta(minutes=1)


async def test_a_second_drift_has_its_own_date() -> None:
    """With the date of an earlier drift, the grace period would protect an object only once."""
    async with synced() as place:
        place.state().drifted_since[KEY] = FirstSeen(0, datetime(2026, 11, 1, tzinfo=UTC))
        await observe(place, desired("a"))
        assert KEY not in place.state().drifted_since

        place.cluster.delete(KEY)
        observation = await observe(place, desired("a"))

        assert datetime.now(UTC) - observation.seen[KEY].since < timedelta(minutes=1)


async def test_drift_that_was_there_at_the_start_has_no_date() -> None:
    """Nothing dates a deletion, and when this process found it is not when it was."""
    async with synced() as place:
        place.state().as_applied.clear()  # as after a restart
        place.cluster.delete(KEY)
        found = await observe(place, desired("a"))
        assert not found.seen[KEY].is_dated

    async with synced() as place:
        await observe(place, desired("a"))
        place.cluster.delete(KEY)
        found = await observe(place, desired("a"))
        assert found.seen[KEY].is_dated


async def test_the_date_stays_when_the_manager_writes_another_field() -> None:
    """managedFields has only the last write of a manager; the drift and its grace period are older."""
    async with synced() as place:
        at = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
        place.cluster.now = lambda: at
        place.edit("a", {"colour": "red"})
        assert (await observe(place, desired("a"))).seen[KEY].since == at

        place.cluster.now = lambda: at + timedelta(hours=1)
        place.cluster.change(KEY, {"metadata": {"annotations": {"nopea.io/prune": "false"}}})
        (drift,) = (again := await observe(place, desired("a"))).seen[KEY].drift.fields
        assert drift.manager == "kubectl-edit"
        assert again.seen[KEY].since == at


async def test_fields_that_git_changed_are_not_kept() -> None:
    """A drifted field is kept if Git did not change it since the previous commit."""
    async with synced() as place:
        place.edit("a", {"colour": "red"})
        before = {KEY: desired("a", colour="blue", size="1").body}

        left = await observe(
            place, desired("a", colour="blue", size="2"), looking=observer(place, before=before)
        )
        changed = await observe(place, desired("a", colour="green"), looking=observer(place, before=before))
        unknown = await observe(place, desired("a", colour="green"))

        assert left.seen[KEY].kept == (("f:data", "f:colour"),)
        assert changed.seen[KEY].kept == ()
        assert unknown.seen[KEY].kept == (("f:data", "f:colour"),)


async def test_an_object_that_cannot_be_read_is_reported_with_its_file() -> None:
    """The other objects are still observed."""
    async with synced() as place:
        place.edit("a", {"colour": "red"})
        place.cluster.fail_next("get", CONFIG_MAPS, FORBIDDEN)

        observation = await observe(place, desired("a"), desired("b"))

        (problem,) = observation.unreadable.values()
        assert (problem.code, problem.object, problem.source) == (
            Code.FORBIDDEN, "ConfigMap shop/a", "a.yaml#1",
        )  # fmt: skip
        assert set(observation.observed) == {OTHER}


async def test_without_an_api_server_nothing_is_observed() -> None:
    """If discovery fails, no object counts as gone."""
    async with synced() as place:
        looking = observer(place)
        place.services.discovery.invalidate()
        place.cluster.stop()
        with pytest.raises(TransientError) as error:
            await observe(place, desired("a"), looking=looking)
        assert error.value.problems[0].code is Code.API_UNREACHABLE


async def test_the_label_of_an_owner_that_released_the_object_does_not_count() -> None:
    """An owner that has not released the object keeps it."""
    async with synced() as place:
        place.cluster.change(KEY, {"metadata": {"labels": {"nopea.io/repository": "shop.api"}}})

        taken = await observe(place, desired("a"))
        free = await observe(place, desired("a"), looking=observer(place, released={"shop.api"}))

        assert taken.observed[KEY].owner == "shop.api"
        assert free.observed[KEY].owner is None


async def test_an_object_whose_definition_is_gone_has_drifted() -> None:
    """The object was deleted with its kind and cannot be read until the kind is served again."""
    widgets = Resource(
        group="shop.example.com", version="v1", kind="Widget", plural="widgets", namespaced=True
    )
    async with synced() as place:
        lost, new = desired("w", resource=widgets), desired("x", resource=widgets)
        place.state().applied[lost.key] = LastApplied(hash="as applied", projection="p")

        observation = await observe(place, lost, new)

        assert set(observation.seen) == {lost.key}
        assert place.cluster.requests == []


@pytest.mark.parametrize("breaks", [False, True])
async def test_an_object_whose_version_is_not_served_yet_is_seen_in_another(*, breaks: bool) -> None:
    """The commit that adds the version to the definition moves the object to it: nobody has deleted it."""
    old, new = replace(WIDGETS, version="v1beta1"), replace(WIDGETS, version="v1")
    file = manifest(old.api_version, "Widget", "w", spec={"size": 1})
    key = ObjectKey(old.group, old.kind, "shop", "w")
    async with installed({"w.yaml": file}) as place:
        place.cluster.kinds.append(served(old))
        await place.sync()
        if breaks:
            annotations = {"nopea.io/suspend-heal": "true"}
            place.cluster.change(key, {"metadata": {"annotations": annotations}, "spec": {"size": 3}})

        observation = await observe(place, desired("w", resource=new))

        assert (observation.observed[key].break_glass is not None) is breaks
        assert set(observation.seen) == ({key} if breaks else set())
        assert place.cluster.requests == (["get widgets.shop.example.com/v1beta1 shop/w"] if breaks else [])


async def test_a_kind_that_cannot_be_listed_is_read_object_by_object() -> None:
    """After the first list has failed, the observation does not wait for another."""
    async with synced() as place:
        place.services.object_cache._informers = Informers()
        place.cluster.fail_next("list", CONFIG_MAPS, BROKEN, times=1000)
        looking = observer(place)
        begun = asyncio.get_running_loop().time()

        observation = await looking.observe([desired("a"), desired("b")], place.state())

        assert set(observation.observed) == {KEY, OTHER}
        assert observation.seen == {}
        assert not place.services.object_cache.knows(CONFIG_MAPS, "shop")
        assert asyncio.get_running_loop().time() - begun < 1


async def test_an_object_that_was_read_is_judged_without_a_request() -> None:
    """After a write conflict the object has been read already, so no second read is needed."""
    async with synced() as place:
        place.edit("a", {"colour": "red"})
        await place.settle()
        looking, live = observer(place), place.cluster.objects[KEY]
        place.cluster.requests.clear()

        drifted = await looking.judge(desired("a"), live, place.state())
        gone = await looking.judge(desired("a"), None, place.state())

        assert fields(drifted) == [".data.colour"]
        assert KEY not in gone.observed
        assert fields(gone)
        assert place.cluster.requests == []


async def test_the_clusters_state_says_when_a_contended_object_may_be_healed() -> None:
    """The state of the cluster combines the observation with the remembered state."""
    async with synced() as place:
        place.edit("a", {"colour": "red"})
        observation = await observe(place, desired("a"))
        now = datetime.now(UTC)
        for _ in range(6):
            fights = place.state().fights.healed(KEY, manager="kubectl-edit", at=now)
            place.state().fights = fights

        world = observation.world(place.state())

        assert world.seen is observation.seen
        assert world.last_applied is place.state().applied
        assert world.heal_at[KEY] > now


async def test_a_job_that_ended_is_recorded() -> None:
    """With its manifest, so that the record survives a restart; a changed manifest has not run."""
    async with synced() as place:
        looking, cache = observer(place), place.services.object_cache
        for key in (KEY, OTHER):
            known = cache.get(CONFIG_MAPS, key)
            assert known is not None
            cache.assume(CONFIG_MAPS, key, replace(known, finish=Finish.COMPLETE))

        await observe(place, desired("a"), desired("b", colour="red"), looking=looking)

        applied = place.state().applied
        assert applied[KEY].finished == finished_as(desired("a"), Finish.COMPLETE)
        assert applied[OTHER].finished is None


@pytest.mark.parametrize("has_changed", [False, True])
async def test_a_job_that_ended_and_is_gone_has_not_drifted(has_changed: bool) -> None:
    """It needs no request if its manifest is unchanged; a changed one is a change in Git."""
    async with synced() as place:
        looking, applied = observer(place), place.state().applied
        applied[KEY] = replace(applied[KEY], finished=finished_as(desired("a"), Finish.COMPLETE))
        place.cluster.delete(KEY)

        wanted = desired("a", colour="red") if has_changed else desired("a")
        observation = await observe(place, wanted, looking=looking)

        assert observation.seen == {}
        assert bool(place.cluster.requests) == has_changed
