"""Which repositories a change of a ConfigMap or Secret wakes, and what it costs to find out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.fakes.cluster import FakeCluster

from nopea.core.objects import ObjectKey, RepoKey
from nopea.informers import input_watches
from nopea.informers.input_watches import LOOK_SECONDS, RIGHTS_SECONDS, Input, InputWatches
from nopea.kube.client import ServiceAccount
from nopea.kube.kinds import CONFIG_MAPS, SECRETS
from nopea.tasks import end, spawn

pytestmark = pytest.mark.looptime
WEB, API = RepoKey("shop", "web"), RepoKey("shop", "api")
DEPLOYER = ServiceAccount(namespace="shop", name="deployer")
OURS = Input(resource=CONFIG_MAPS, name="ours")
AS_DEPLOYER = Input(resource=CONFIG_MAPS, name="ours", account=DEPLOYER)
KEY = ObjectKey("", "ConfigMap", "shop", "ours")


class Place:
    """A cluster, the watches on inputs, and whom they woke."""

    def __init__(self) -> None:
        self.cluster = FakeCluster(namespaces=("shop", "other"))
        self.cluster.allowed.add(str(DEPLOYER))
        self.woken: list[RepoKey] = []
        self.inputs = InputWatches(self.cluster.client, wake=self.woken.append)

    def put(self, name: str = "ours", **data: str) -> None:
        """Create or change a ConfigMap."""
        key = ObjectKey("", "ConfigMap", "shop", name)
        if key in self.cluster.objects:
            self.cluster.change(key, {"data": data})
            return
        head = {"name": name, "namespace": "shop"}
        self.cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": head, "data": data})

    def sync(self, *repositories: RepoKey, key: ObjectKey = KEY) -> None:
        """Read an object as the syncs of repositories do."""
        found = self.cluster.objects.get(key)
        version = found["metadata"]["resourceVersion"] if found else ""
        for each in repositories:
            self.inputs.was_read(each, key, version)

    async def woke(self, seconds: float = 1.0) -> list[RepoKey]:
        """Wait, and return who was woken since the last call, sorted."""
        await asyncio.sleep(seconds)
        woken, self.woken[:] = sorted(self.woken), []
        return woken

    def asked(self) -> list[str]:
        """Return the requests since the last call."""
        asked, self.cluster.requests[:] = list(self.cluster.requests), []
        return asked


@asynccontextmanager
async def watching(*, denied: str | None = None) -> AsyncIterator[Place]:
    """Run the watches; this account may not list and watch, the empty name is Nopea."""
    place = Place()
    if denied is not None:
        place.cluster.without_watch.add(denied)
    running = spawn(place.inputs.run(), name="inputs")
    yield place
    await end(running)


@pytest.mark.parametrize("each", [OURS, AS_DEPLOYER])
async def test_a_change_wakes_who_has_read_the_object(each: Input) -> None:
    """Also its deletion, and its creation after a sync that missed it."""
    async with watching() as place:
        place.put(colour="blue")
        place.inputs.follow(WEB, [each])
        place.sync(WEB)
        assert await place.woke() == []

        place.put(colour="green")
        assert await place.woke() == [WEB]
        place.sync(WEB)
        place.cluster.delete(KEY)
        assert await place.woke() == [WEB]
        place.sync(WEB)
        place.put(colour="red")
        assert await place.woke() == [WEB]


async def test_one_watch_of_metadata_serves_all_and_costs_nothing_more() -> None:
    """A name that joins later is followed too; objects that nobody refers to wake nobody."""
    async with watching() as place:
        place.put(colour="blue")
        place.inputs.follow(WEB, [OURS])
        place.sync(WEB)
        await place.woke()
        place.put("theirs")
        place.inputs.follow(API, [OURS, Input(resource=CONFIG_MAPS, name="theirs")])
        place.sync(API)
        place.sync(API, key=ObjectKey("", "ConfigMap", "shop", "theirs"))
        place.asked()

        place.put("strange")
        assert await place.woke() == []
        place.put("theirs", a="b")
        assert await place.woke() == [API]
        place.put(colour="green")
        assert await place.woke(200.0) == [API, WEB]

        assert place.asked() == []
        assert len(place.inputs) == 1
        assert all(set(each.known) <= {"ours", "theirs"} for each in place.inputs._watches.values())


async def test_a_change_between_the_read_and_the_first_list_is_seen() -> None:
    """Whatever comes first, and whichever way it changed."""
    async with watching() as place:
        place.inputs.follow(WEB, [OURS])
        place.sync(WEB)
        place.put(colour="blue")
        assert await place.woke() == [WEB]

        late = place.cluster.objects[KEY]["metadata"]["resourceVersion"]
        place.put(colour="green")
        await place.woke()
        place.inputs.follow(API, [OURS])
        place.put(colour="red")
        await place.woke()
        place.inputs.was_read(API, KEY, late)
        assert await place.woke() == [API]
        place.inputs.was_read(API, KEY, late)
        assert await place.woke() == []


async def test_a_sync_that_reads_more_than_the_watch_has_told_is_not_woken() -> None:
    """An answer can be faster than an event."""
    async with watching() as place:
        place.put(colour="blue")
        place.inputs.follow(WEB, [OURS])
        await place.woke()
        place.put(colour="green")
        place.sync(WEB)

        assert await place.woke() == []


async def test_a_list_after_a_gap_tells_what_has_changed() -> None:
    """The API server was away, and its history too."""
    async with watching() as place:
        place.put(colour="blue")
        place.put("theirs")
        place.inputs.follow(WEB, [OURS])
        place.inputs.follow(API, [Input(resource=CONFIG_MAPS, name="theirs")])
        place.sync(WEB)
        place.sync(API, key=ObjectKey("", "ConfigMap", "shop", "theirs"))
        await place.woke()
        place.cluster.stop()
        place.put(colour="green")
        place.cluster.compact()
        await asyncio.sleep(5)
        place.cluster.down = False

        assert await place.woke(60.0) == [WEB]


@pytest.mark.parametrize("denied", ["", str(DEPLOYER)])
async def test_where_the_reader_may_not_watch_the_objects_are_asked_for(denied: str) -> None:
    """Their metadata, at a modest pace; no request is refused."""
    async with watching(denied=denied) as place:
        place.inputs.follow(WEB, [AS_DEPLOYER if denied else OURS])
        place.sync(WEB)
        await place.woke()
        assert place.asked() == ["create selfsubjectaccessreviews.authorization.k8s.io/v1"]

        for change in ({"colour": "blue"}, {"colour": "green"}):
            place.put(**change)
            assert await place.woke(LOOK_SECONDS + 1) == [WEB]
            place.sync(WEB)
        place.cluster.delete(KEY)
        assert await place.woke(LOOK_SECONDS + 1) == [WEB]
        place.sync(WEB)
        assert await place.woke(LOOK_SECONDS + 1) == []
        assert place.asked() == ["get configmaps/v1 shop/ours"] * 4


async def test_a_reader_that_gets_the_right_watches() -> None:
    """It is asked again from time to time; then nothing is looked at."""
    async with watching(denied="") as place:
        place.inputs.follow(WEB, [OURS])
        place.sync(WEB)
        await place.woke()
        place.cluster.without_watch.clear()
        await asyncio.sleep(RIGHTS_SECONDS)
        place.asked()

        place.put(colour="blue")
        assert await place.woke() == [WEB]
        await asyncio.sleep(10 * LOOK_SECONDS)
        assert [each for each in place.asked() if each.startswith("get")] == []


async def test_looks_are_bounded_and_reach_every_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """A namespace with many references has its share of a round; the next round goes on."""
    monkeypatch.setattr(input_watches, "MOST_LOOKS", 2)
    async with watching(denied="") as place:
        names = [f"map-{number}" for number in range(5)]
        place.inputs.follow(WEB, [Input(resource=CONFIG_MAPS, name=name) for name in names])
        place.inputs.follow(RepoKey("other", "web"), [OURS])
        await place.woke()
        place.asked()

        rounds = []
        for _ in range(3):
            await asyncio.sleep(LOOK_SECONDS + 1)
            rounds.append(place.asked())

        assert [len(each) for each in rounds] == [3, 3, 3]
        asked = {each.rpartition("/")[2] for one in rounds for each in one}
        assert asked == {*names, "ours"}


async def test_a_namespace_has_so_many_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit objects are asked for, until a watch ends; other namespaces have their own."""
    monkeypatch.setattr(input_watches, "MOST_INPUT_WATCHES", 1)
    async with watching() as place:
        place.inputs.follow(WEB, [Input(resource=SECRETS, name="ours")])
        place.inputs.follow(RepoKey("other", "web"), [OURS])
        await place.woke()
        place.inputs.follow(API, [OURS])
        place.sync(API)
        await place.woke()
        watches = [each for each in place.asked() if each.startswith("watch")]
        assert watches == ["watch secrets/v1 in shop", "watch configmaps/v1 in other"]

        place.put(colour="blue")
        assert await place.woke(LOOK_SECONDS + 1) == [API]
        place.inputs.follow(WEB, [])
        await place.woke()
        assert "watch configmaps/v1 in shop" in place.asked()


@pytest.mark.parametrize("left", [(), (Input(resource=SECRETS, name="other"),)])
async def test_what_is_no_longer_referred_to_is_forgotten(left: tuple[Input, ...]) -> None:
    """The watch ends, and a sync that ends late leaves nothing behind."""
    async with watching() as place:
        place.put(colour="blue")
        place.inputs.follow(WEB, [OURS, *left])
        place.inputs.follow(API, [OURS])
        place.sync(WEB, API)
        await place.woke()
        place.inputs.follow(API, ())
        place.put(colour="green")
        assert await place.woke() == [WEB]

        place.inputs.follow(WEB, left)
        place.sync(WEB)
        place.put(colour="red")

        assert await place.woke() == []
        assert len(place.inputs) == len(place.cluster._watches) == len(left)
        assert place.inputs._read == {}


async def test_a_server_that_is_away_or_refuses_is_waited_for() -> None:
    """Neither at the start nor at a look does it end anything."""
    async with watching(denied=str(DEPLOYER)) as place:
        place.cluster.allowed.clear()
        place.cluster.stop()
        place.inputs.follow(WEB, [AS_DEPLOYER])
        await place.woke(2 * LOOK_SECONDS)
        place.cluster.down = False
        await place.woke(2 * LOOK_SECONDS)
        place.cluster.allowed.add(str(DEPLOYER))
        place.sync(WEB)
        place.put(colour="blue")

        assert await place.woke(2 * LOOK_SECONDS) == [WEB]


async def test_a_key_and_a_variable_of_one_object_are_one_read() -> None:
    """Both readers see it; it is forgotten when neither refers to it."""
    async with watching() as place:
        place.inputs.follow(WEB, [OURS, AS_DEPLOYER])
        place.sync(WEB)
        place.inputs.follow(WEB, [AS_DEPLOYER])
        place.put(colour="blue")
        assert await place.woke() == [WEB]
