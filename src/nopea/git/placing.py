"""Decide which waiting request is next, and which child takes it. Pure.

It is fair between namespaces, then between repositories. In everything that is shared, a namespace may hold
half of what the others leave, at least one: so it cannot take the last free place from another namespace,
however many of its servers hang.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from nopea.core.objects import RepoKey
from nopea.git.process import Trust
from nopea.git.request import GitRequest, Lane, Member
from nopea.git.settings import MIB, PoolSettings

LOCAL_PER_CHILD = 4
PARSING_PER_CHILD = 2
"""Python parses in one thread at a time; a second one keeps a big file from holding up the small ones."""
_NETWORK = (Lane.YOUNG, Lane.SLOW)
_BLOATED = 64 * MIB
"""A main child that holds so much while it is idle is better started again."""


@dataclass(frozen=True, slots=True)
class NewChild:
    """Start a child for this trust, or for one request alone; `instead_of` is an idle one that ends first."""

    trust: Trust
    alone: bool
    instead_of: Member | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """What the pool does next: send the request to a child, and count it as held by the namespace."""

    request: GitRequest
    namespace: str
    child: Member | NewChild


def next_step(
    waiting: Sequence[GitRequest],
    members: Sequence[Member],
    settings: PoolSettings,
    *,
    written: Collection[str],
    may_start: bool,
) -> Placement | None:
    """Return the first request that can begin, or None.

    A request for a mirror in `written` waits. Without `may_start` no child is added beside the main ones; an
    idle one can still be replaced.
    """
    queues: dict[tuple[Trust, bool, Lane, bool, str], list[GitRequest]] = {}
    for request in waiting:
        if request.writes not in written:
            place = request.trust, request.alone, request.lane, request.proven
            for namespace in request.namespaces:
                queues.setdefault((*place, namespace), []).append(request)
    if not queues:
        return None
    load = _Load(members, settings, may_start=may_start)
    by_turn = sorted(queues, key=lambda key: (load.held(queues[key][0], key[-1]), queues[key][0].arrival))
    for key in by_turn:
        child = load.child_for(queues[key][0], key[-1])  # the same for the whole queue
        if child is not None:
            return Placement(min(queues[key], key=load.order), key[-1], child)
    return None


def heaviest(usage: Iterable[tuple[Member, int]]) -> Member | None:
    """Return the child that must end when all together hold too many bytes; `usage` is what each holds.

    A child that is idle for nothing comes first. Else it is the biggest child of the namespace that causes
    most: of what a child holds, each of its requests has an equal part.
    """
    sizes = list(usage)
    idle = [each for each in sizes if not each[0].running and (each[0].is_extra or each[1] > _BLOATED)]
    if idle:
        return max(idle, key=lambda each: each[1])[0]
    parts: Counter[str] = Counter()
    by_child: Counter[tuple[str, int]] = Counter()
    for number, (member, size) in enumerate(sizes):
        for request in member.running.values():
            parts[request.namespace] += size // len(member.running)
            by_child[(request.namespace, number)] += size // len(member.running)
    if not parts:
        return None
    namespace = max(parts, key=parts.__getitem__)
    return max(enumerate(sizes), key=lambda each: by_child[(namespace, each[0])])[1][0]


def _may_take(held: int, *, others: int, capacity: int) -> bool:
    return held < max(1, (capacity - others) // 2)


class _Load:
    """Who holds what at the moment."""

    def __init__(self, members: Sequence[Member], settings: PoolSettings, *, may_start: bool) -> None:
        self._settings = settings
        self._may_start = may_start
        self._members = [member for member in members if member.cause is None]
        self._network = settings.threads_per_child - LOCAL_PER_CHILD - PARSING_PER_CHILD
        self._lanes: Counter[tuple[Trust, Lane, str]] = Counter()
        self._alone: Counter[str] = Counter()
        self._trusts: Counter[str] = Counter()
        self._repositories: Counter[tuple[Lane, RepoKey]] = Counter()
        for member in self._members:
            self._count(member)

    def _count(self, member: Member) -> None:
        holders = {request.namespace for request in member.running.values()}
        if member.trust != Trust() and not member.alone and len(holders) == 1:
            self._trusts.update(holders)  # nobody else uses this child
        for request in member.running.values():
            if member.alone:
                self._alone[request.namespace] += 1
            else:
                self._lanes[(member.trust, request.lane, request.namespace)] += 1
            self._repositories[(request.lane, request.owner)] += 1

    def held(self, request: GitRequest, namespace: str) -> int:
        """Return how many places of the sort that the request needs the namespace holds."""
        if request.alone:
            return self._alone[namespace]
        return self._lanes[(request.trust, request.lane, namespace)]

    def order(self, request: GitRequest) -> tuple[int, int]:
        """Return the sort key of a request among those of its namespace."""
        return self._repositories[(request.lane, request.owner)], request.arrival

    def child_for(self, request: GitRequest, namespace: str) -> Member | NewChild | None:
        """Return the child that takes a request of the namespace now."""
        if request.alone:
            return self._quarantine(request.trust, namespace)
        own = [member for member in self._members if not member.alone and member.trust == request.trust]
        if own and not self._has_share(request, namespace, len(own)):
            return None
        free = [member for member in own if self._fits(member, request)]
        if free:
            return min(free, key=lambda member: len(member.running))
        if request.trust == Trust():
            return NewChild(Trust(), alone=False) if len(own) < self._settings.children else None
        return None if own else self._new_trust(request.trust, namespace)  # a trust has one child

    def _has_share(self, request: GitRequest, namespace: str, children: int) -> bool:
        return all(
            self._may_take(request.trust, lanes, namespace, capacity * children)
            for lanes, capacity in self._capacities(request)
        )

    def _capacities(self, request: GitRequest) -> list[tuple[tuple[Lane, ...], int]]:
        """Return the lanes that share places with the request, and how many places a child has for them.

        Servers that hang now, or may hang because they are new, leave places for those that never did.
        """
        match request.lane:
            case Lane.LOCAL:
                return [((Lane.LOCAL,), LOCAL_PER_CHILD)]
            case Lane.PARSING:
                return [((Lane.PARSING,), PARSING_PER_CHILD)]
            case Lane.SLOW:
                return [(_NETWORK, self._network - self._settings.young_per_child)]
            case Lane.YOUNG:
                young = self._settings.young_per_child
                total = self._network if request.proven else self._network - young
                return [((Lane.YOUNG,), young), (_NETWORK, total)]

    def _may_take(self, trust: Trust, lanes: tuple[Lane, ...], namespace: str, capacity: int) -> bool:
        counts = {key: count for key, count in self._lanes.items() if key[0] == trust and key[1] in lanes}
        held = sum(count for key, count in counts.items() if key[2] == namespace)
        return _may_take(held, others=sum(counts.values()) - held, capacity=capacity)

    def _fits(self, member: Member, request: GitRequest) -> bool:
        return all(
            sum(member.busy(each) for each in lanes) < max(1, capacity)
            for lanes, capacity in self._capacities(request)
        )

    def _quarantine(self, trust: Trust, namespace: str) -> Member | NewChild | None:
        peers = [member for member in self._members if member.alone]
        held, limit = self._alone[namespace], self._settings.quarantine_children
        if not _may_take(held, others=self._alone.total() - held, capacity=limit):
            return None
        free = [member for member in peers if member.trust == trust and not member.running]
        return free[0] if free else self._new(trust, peers, limit, alone=True)

    def _new_trust(self, trust: Trust, namespace: str) -> NewChild | None:
        peers = [member for member in self._members if member.trust != Trust() and not member.alone]
        held, limit = self._trusts[namespace], self._settings.trust_children
        busy = sum(bool(member.running) for member in peers)
        if not _may_take(held, others=busy - held, capacity=limit):
            return None
        return self._new(trust, peers, limit, alone=False)

    def _new(self, trust: Trust, peers: Sequence[Member], limit: int, *, alone: bool) -> NewChild | None:
        """Return a new child, in the place of the longest idle one if there is no room for one more."""
        if len(peers) < limit and self._may_start:
            return NewChild(trust, alone)
        idle = [member for member in peers if not member.running]
        return NewChild(trust, alone, min(idle, key=lambda each: each.idle_since)) if idle else None
