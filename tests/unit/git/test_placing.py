"""Which request is next, and where it runs: a table of pools."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from nopea.core.objects import RepoKey
from nopea.git.placing import LOCAL_PER_CHILD, NewChild, Placement, heaviest, next_step
from nopea.git.process import GitProcess, Trust
from nopea.git.protocol import ErrorKind, Op
from nopea.git.request import GitRequest, Lane, Member
from nopea.git.settings import MIB, GitSettings

SETTINGS = GitSettings(cache_dir=Path("/nowhere"), children=2)
MAIN = Trust()


class Place:
    """A pool of main children without processes: requests are placed in it until none can begin."""

    def __init__(self, settings: GitSettings = SETTINGS) -> None:
        self.settings = settings
        self.members: list[Member] = []
        self.waiting: list[GitRequest] = []
        self.written: set[str] = set()
        self.may_start = True
        self._arrivals = 0
        for _ in range(settings.children):
            self.child()

    @property
    def extras(self) -> list[Member]:
        """The children beside the main ones."""
        return [member for member in self.members if member.is_extra]

    def ask(self, namespace: str, *, name: str = "", count: int = 1, **more: Any) -> list[GitRequest]:
        """Add requests of different repositories of a namespace, or of one."""
        made = []
        for _ in range(count):
            self._arrivals += 1
            fields: dict[str, Any] = {
                "lane": Lane.YOUNG, "alone": False, "trust": MAIN, "namespaces": {namespace}, **more,
            }  # fmt: skip
            made.append(
                GitRequest(
                    op=Op.SYNC, fields={}, key="key", deadline=0, future=asyncio.Future(),
                    owner=RepoKey(namespace, name or str(self._arrivals)), arrival=self._arrivals, **fields,
                )
            )  # fmt: skip
        self.waiting += made
        return made

    def step(self) -> Placement | None:
        """Return the next step."""
        return next_step(
            self.waiting, self.members, self.settings, written=self.written, may_start=self.may_start
        )

    def run(self) -> None:
        """Take steps until there is none."""
        while step := self.step():
            child = step.child
            if isinstance(child, NewChild):
                if child.instead_of is not None:
                    self.members.remove(child.instead_of)
                child = self.child(trust=child.trust, alone=child.alone)
            step.request.namespace, step.request.member = step.namespace, child
            child.running[step.request.arrival] = step.request
            self.waiting.remove(step.request)

    def child(self, *, trust: Trust = MAIN, alone: bool = False, idle_since: float = 0) -> Member:
        """Add an idle child."""
        process = GitProcess("1", self.settings, trust, on_answer=lambda _: None)
        member = Member(process=process, trust=trust, alone=alone, idle_since=idle_since)
        self.members.append(member)
        return member

    def running(self, namespace: str) -> int:
        """Return how many requests of a namespace run."""
        return sum(each.namespace == namespace for member in self.members for each in member.running.values())


def hosts(name: str) -> Trust:
    """Return a trust."""
    return Trust(known_hosts=name)


async def test_new_requests_are_spread_over_the_main_children() -> None:
    """Each gets half of the requests, and one that is missing is started."""
    place = Place()
    place.ask("shop", count=6)
    place.run()

    assert [len(member.running) for member in place.members] == [3, 3]
    place.members.clear()
    place.ask("shop")
    assert (step := place.step()) is not None
    assert step.child == NewChild(MAIN, alone=False)


async def test_a_namespace_leaves_half_of_the_places_to_others() -> None:
    """However many requests it has, another one's begin at once, and so do those of a third."""
    for lane, capacity in ((Lane.YOUNG, 32), (Lane.LOCAL, 8), (Lane.PARSING, 4)):
        place = Place()
        place.ask("mallory", count=100, lane=lane)
        place.run()
        assert place.running("mallory") == capacity // 2

        place.ask("shop", count=100, lane=lane)
        place.run()
        place.ask("bank", lane=lane)
        place.run()
        assert place.running("shop") == capacity // 4
        assert place.running("bank") == 1


async def test_slow_requests_leave_places_to_new_ones_of_all_namespaces() -> None:
    """Requests that became slow count, and those that worked before have some places for themselves."""
    place = Place()
    for _ in range(10):
        place.ask("mallory", count=100)
        place.run()
        for member in place.members:
            for request in member.running.values():
                request.lane = Lane.SLOW
        place.waiting.clear()
    held = place.running("mallory")
    assert held < 58

    place.ask("mallory", lane=Lane.SLOW)
    place.run()
    assert place.running("mallory") == held
    place.ask("mallory", proven=True, count=2)
    place.ask("shop", lane=Lane.SLOW)
    place.ask("shop", count=4)
    place.run()
    assert place.running("mallory") == held + 2
    assert place.running("shop") == 5


async def test_the_namespace_that_holds_least_is_next_then_the_repository() -> None:
    """Arrival decides only between equals."""
    place = Place(GitSettings(cache_dir=Path("/nowhere"), children=1))
    place.ask("mallory", name="a", lane=Lane.LOCAL)
    place.run()
    first, second = place.ask("mallory", name="a", lane=Lane.LOCAL) + place.ask("mallory", lane=Lane.LOCAL)
    (third,) = place.ask("shop", lane=Lane.LOCAL)

    order = []
    while place.waiting and (step := place.step()):
        order.append(step.request)
        place.waiting.remove(step.request)
    assert order == [third, second, first]


async def test_whoever_waits_for_a_request_lends_it_a_place() -> None:
    """It counts as held by the one who had room."""
    place = Place()
    place.ask("mallory", count=100, lane=Lane.LOCAL)
    (shared,) = place.ask("mallory", lane=Lane.LOCAL)
    place.run()
    assert shared in place.waiting

    shared.namespaces.add("shop")
    place.run()
    assert (shared.namespace, place.running("shop")) == ("shop", 1)


async def test_one_request_at_a_time_writes_into_a_mirror() -> None:
    """The others do not keep their place in the queue from anybody."""
    place = Place()
    place.written = {"m"}
    place.ask("shop", writes="m")
    (other,) = place.ask("shop", writes="n")

    step = place.step()
    assert step is not None
    assert step.request is other


async def test_a_namespace_gets_half_of_the_children_for_trusts_that_others_leave() -> None:
    """One that only it uses counts; an idle one is replaced."""
    place = Place()
    for number in range(10):
        place.ask("mallory", trust=hosts(f"m{number}"))
    place.run()
    assert place.running("mallory") == 4

    for namespace in ("shop", "bank"):
        for number in range(10):
            place.ask(namespace, trust=hosts(f"{namespace}{number}"))
    place.run()
    assert [place.running(each) for each in ("shop", "bank")] == [2, 1]

    place.ask("cafe", trust=hosts("c"))
    place.run()
    assert len(place.extras) == 8
    oldest = place.extras[0]
    oldest.running.clear()
    place.ask("tea", trust=hosts("t"))
    place.run()
    assert place.running("tea") == 1
    assert oldest not in place.members


async def test_requests_with_the_same_trust_share_its_child() -> None:
    """Its places are shared as those of the main children."""
    place = Place()
    place.ask("mallory", trust=hosts("x"), count=100)
    place.run()
    place.ask("shop", trust=hosts("x"))
    place.run()

    assert len(place.extras) == 1
    assert (place.running("mallory"), place.running("shop")) == (8, 1)


async def test_quarantine_is_shared_too() -> None:
    """A child there has one request; a namespace has half of them."""
    place = Place()
    for namespace in ("mallory", "shop", "bank"):
        place.ask(namespace, alone=True, count=9)
        place.run()

    assert [place.running(each) for each in ("mallory", "shop", "bank")] == [4, 2, 1]
    assert {len(member.running) for member in place.extras} == {1}


async def test_no_extra_child_is_started_while_memory_is_used_up() -> None:
    """An idle one is replaced, and the main ones are always started."""
    place = Place()
    place.may_start = False
    place.ask("shop", alone=True)
    place.ask("shop", trust=hosts("x"))
    place.ask("shop")
    place.run()
    assert place.running("shop") == 1

    idle = place.child(trust=hosts("y"))
    place.run()
    assert idle not in place.members
    assert len(place.extras) == 1
    assert len(place.waiting) == 1


async def test_a_child_that_is_being_killed_gets_nothing() -> None:
    """Nor does what it does count for its namespaces."""
    place = Place()
    place.ask("shop", lane=Lane.LOCAL, count=LOCAL_PER_CHILD)
    place.run()
    for member in place.members:
        member.cause = ErrorKind.TIMEOUT
    place.ask("shop", lane=Lane.LOCAL)
    place.run()

    assert place.running("shop") == LOCAL_PER_CHILD + 1
    assert len(place.members) == 3


async def test_the_heaviest_is_the_biggest_child_of_the_namespace_that_causes_most() -> None:
    """Many children of one namespace do not make another one's bigger child the heaviest."""
    place = Place()
    place.ask("mallory", alone=True, count=2)
    place.run()
    place.ask("shop", alone=True)
    place.run()
    first, second, honest = place.extras
    idle = place.members[0]
    usage = {first: 90 * MIB, second: 80 * MIB, honest: 150 * MIB, idle: 20 * MIB}

    assert heaviest(usage.items()) is first
    assert heaviest({honest: 150 * MIB, first: 90 * MIB, idle: 20 * MIB}.items()) is honest
    assert heaviest({honest: 150 * MIB, idle: 80 * MIB}.items()) is idle
    assert heaviest({idle: 20 * MIB}.items()) is None
    extra = place.child(trust=hosts("x"))
    assert heaviest({honest: 150 * MIB, extra: 20 * MIB}.items()) is extra
