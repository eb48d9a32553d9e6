"""One message for each cause, the first after a time, and one about its end; the laws for any history."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.samples import NOW, problem, report
from tests.fakes.transitions import History, synced

from nopea.core.api.notify import NotificationKind
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.notify.notification import Notification, plain
from nopea.core.notify.outages import GATHER_SECONDS, PERIOD_SECONDS, Outages
from nopea.core.objects import RepoKey
from nopea.core.problem import Code
from nopea.core.status.report import ReconcileReport, Result

HOLD = 120.0


class World:
    """Repositories on one Git server, and what receivers are told, in virtual time."""

    def __init__(self, *names: str, hold_seconds: float = HOLD) -> None:
        self.outages = Outages(hold_seconds=hold_seconds)
        self.repositories = {name: History(name=name) for name in names}
        self.seen: set[str] = set()
        self.seconds = 0.0
        self.told: list[tuple[float, Notification]] = []

    def fails(self, *names: str, code: Code = Code.GIT_UNREACHABLE) -> None:
        """Let a sync of each fail."""
        for name in names:
            self._observe(name, report(Result.FAILED, problems=[problem(code)]))

    def works(self, *names: str) -> None:
        """Let a sync of each succeed."""
        for name in names:
            self._observe(name, synced())

    def wait(self, seconds: float) -> list[str]:
        """Let time pass, and return the titles of what is told meanwhile."""
        before, end = len(self.told), self.seconds + seconds
        while (due := self.outages.next_at()) is not None and due <= end:
            self.seconds = max(self.seconds, due)
            self._take()
        self.seconds = end
        self._take()
        return [notification.title for _, notification in self.told[before:]]

    def restarted(self) -> World:
        """Return the world after a restart: only the statuses stay."""
        again = World(hold_seconds=HOLD)
        again.repositories, again.seconds = self.repositories, self.seconds
        return again

    def _observe(self, name: str, done: ReconcileReport) -> None:
        history = self.repositories[name]
        history.now = NOW + timedelta(seconds=self.seconds)
        step = history.did(done)
        self.outages.observe(step, now=self.seconds, is_first=name not in self.seen)
        self.seen.add(name)

    def _take(self) -> None:
        at = NOW + timedelta(seconds=self.seconds)
        self.told += [(self.seconds, each) for each in self.outages.take(now=self.seconds, at=at)]


def keys(notification: Notification) -> set[str]:
    """Return the names of the repositories of a message."""
    return {key.name for key in (notification.repository, *notification.others)}


def test_an_outage_of_a_git_server_is_one_message() -> None:
    """It names the server and all repositories, once, and so does its end."""
    world = World("a", "b", "c")
    world.fails("a", "b", "c")
    assert world.wait(HOLD - 1) == []
    assert world.wait(3 * PERIOD_SECONDS) == [
        "git.acme.example: 3 GitRepositories cannot sync (GitUnreachable)"
    ]
    text = [plain(line) for line in world.told[0][1].lines]
    assert "Failing since 2026-11-24T05:00:00Z: shop/a, shop/b, shop/c" in text
    world.works("a", "b", "c")
    assert world.wait(1) == ["git.acme.example: 3 GitRepositories synced again"]


def test_a_blip_is_not_told() -> None:
    """What ends before the time is over never was worth a message, nor is its end."""
    world = World("a", "b")
    for _ in range(20):
        world.fails("a")
        world.wait(HOLD - 1)
        world.works("a")
        world.fails("b")
        world.wait(HOLD - 1)
        world.works("b")
    assert world.told == []


def test_the_time_counts_and_not_the_tries() -> None:
    """Many attempts in a short time tell nothing; one attempt, and time, do."""
    world = World("a")
    for _ in range(50):
        world.fails("a")
        assert world.wait(1) == []
    assert world.wait(HOLD) == ["shop/a: sync failed (GitUnreachable)"]


def test_what_a_person_must_correct_is_told_soon() -> None:
    """A refused login waits only for other repositories with the same cause."""
    world = World("a", "b")
    world.fails("a", code=Code.GIT_AUTHENTICATION)
    world.wait(1)
    world.fails("b", code=Code.GIT_AUTHENTICATION)
    assert world.wait(GATHER_SECONDS) == [
        "git.acme.example: 2 GitRepositories cannot sync (GitAuthentication)"
    ]


def test_those_that_follow_are_told_once_a_period() -> None:
    """A repository that is stopped later is in the next message, and those that went on as well."""
    world = World("a", "b", "c")
    world.fails("a", "b")
    world.wait(HOLD)
    world.fails("c")
    world.works("b")
    assert world.wait(PERIOD_SECONDS - 1) == []
    assert world.wait(1) == ["git.acme.example: 2 GitRepositories cannot sync (GitUnreachable)"]
    assert "Without this problem again: shop/b" in [plain(line) for line in world.told[-1][1].lines]


def test_a_waiting_repository_is_no_error() -> None:
    """It waits for another one, which is told of by itself."""
    world = World("a")
    world.fails("a", code=Code.DEPENDENCY_NOT_READY)
    world.wait(HOLD)
    assert [str(each.severity) for _, each in world.told] == ["warning"]


def test_a_restart_repeats_nothing_and_forgets_no_end() -> None:
    """What was told before the restart is not news; its end is."""
    world = World("a", "b")
    world.fails("a", "b")
    world.wait(HOLD)
    for name in ("a", "b"):
        history = world.repositories[name]
        later = (NOW + timedelta(seconds=3 * HOLD)).strftime("%Y-%m-%dT%H:%M:%SZ")
        history.status = _next_sync(history.status, later)
    again = world.restarted()
    again.fails("a")
    again.works("b")
    assert again.wait(5 * HOLD) == ["git.acme.example: 1 GitRepository synced again, 1 not yet"]
    again.works("a")
    assert again.wait(1) == ["shop/a: sync works again"]


def _next_sync(status: GitRepositoryStatus, at: str) -> GitRepositoryStatus:
    return msgspec.structs.replace(status, next_sync_time=at)


def test_a_repository_that_is_gone_is_forgotten() -> None:
    """Neither its failure nor an end is told after that."""
    world = World("a")
    world.fails("a")
    world.outages.forget(RepoKey("shop", "a"))
    assert world.wait(10 * PERIOD_SECONDS) == []


STEP = st.tuples(
    st.sampled_from("abcd"), st.booleans(), st.sampled_from([1.0, 30.0, 119.0, 121.0, 400.0, 601.0])
)


@settings(max_examples=100, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_the_laws_of_grouping(steps: list[tuple[str, bool, float]]) -> None:
    """No lasting failure is untold; one message about failures a period; each that was told has an end."""
    world = World(*"abcd")
    failing: dict[str, float] = {}
    for name, fails, seconds in steps:
        if fails:
            failing.setdefault(name, world.seconds)
            world.fails(name)
        else:
            failing.pop(name, None)
            world.works(name)
        world.wait(seconds)
        told = _told_now(notification for _, notification in world.told)
        lasting = {each for each, since in failing.items() if world.seconds - since > HOLD + PERIOD_SECONDS}
        assert lasting <= told
        assert failing or not told
    failures = [at for at, each in world.told if each.kind is NotificationKind.FAILURE]
    assert all(later - earlier >= PERIOD_SECONDS for earlier, later in pairwise(failures))

    world.works(*"abcd")
    world.wait(0)
    assert _told_now(notification for _, notification in world.told) == set()
    kinds = [each.kind for _, each in world.told]
    assert (kinds[-1:] == [NotificationKind.RECOVERY]) == bool(kinds)


def _told_now(notifications: Iterable[Notification]) -> set[str]:
    """Return the repositories that a reader of the messages takes for failing."""
    told: set[str] = set()
    for each in notifications:
        if each.kind is NotificationKind.FAILURE:
            told = keys(each)
        else:
            assert keys(each) <= told  # no end without a beginning
            told -= keys(each)
    return told


def test_a_later_message_names_the_new_ones() -> None:
    """However many have been told before: they come first, and so the count is of what is known."""
    old, new = [f"r{number:02}" for number in range(20)], ["x", "y", "z"]
    world = World(*old, *new)
    world.fails(*old)
    world.wait(HOLD)
    world.fails(*new)
    world.wait(PERIOD_SECONDS + HOLD)

    text = [plain(line) for line in world.told[-1][1].lines]
    (line,) = [each for each in text if each.startswith("Failing since")]
    assert "shop/x, shop/y, shop/z, shop/r00" in line
    assert line.endswith("and 8 more")


def test_a_message_of_several_namespaces_is_charged_to_none() -> None:
    """Also if it was the trouble of one at first."""
    world = World("a")
    world.repositories["b"] = History(name="b", namespace="other")
    world.fails("a")
    world.wait(HOLD)
    world.fails("b")
    world.wait(PERIOD_SECONDS + HOLD)

    assert [notification.namespace for _, notification in world.told] == ["shop", ""]
