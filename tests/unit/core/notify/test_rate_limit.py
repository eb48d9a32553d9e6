"""The rate limit of notifications: how many per minute, how often the same, and what is held back."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from nopea.core.notify import rate_limit as ratelimit
from nopea.core.notify.rate_limit import MAX_WAITING, QUIET_SECONDS, AlertState, RateLimit


@dataclass(frozen=True)
class News:
    """An item for the rate limit."""

    subject: str
    fingerprint: str = "x"
    alert_state: AlertState = AlertState.EVENT
    sent_once: bool = False
    namespace: str = "shop"


def told(limit: RateLimit[News], now: float) -> list[tuple[str, str, int]]:
    """Return subject, fingerprint and held-back count of all items that may be sent now."""
    return [(one.item.subject, one.item.fingerprint, one.held_back) for one in limit.take(now=now)]


FAILED = News("a", "failed", AlertState.FIRING)
WORKS = News("a", "works", AlertState.RESOLVED)


def test_an_item_is_sent_at_once() -> None:
    """The first item does not wait."""
    limit = RateLimit[News](per_minute=30)
    limit.offer(News("a"), now=0)
    assert told(limit, 0) == [("a", "x", 0)]
    assert limit.next_at(now=0) is None


def test_the_same_item_is_sent_once_in_the_quiet_time() -> None:
    """The next message contains the number of items that were held back."""
    limit = RateLimit[News](per_minute=30)
    for now in (0, 1, 2):
        limit.offer(News("a"), now=now)
        told(limit, now)
    limit.offer(News("a"), now=QUIET_SECONDS + 1)
    assert told(limit, QUIET_SECONDS + 1) == [("a", "x", 2)]


def test_the_last_state_is_sent_in_the_end() -> None:
    """While a subject flaps, items wait; after the quiet time the last state is sent."""
    limit = RateLimit[News](per_minute=30)
    limit.offer(FAILED, now=0)
    limit.offer(WORKS, now=1)
    assert told(limit, 1) == [("a", "works", 1)]
    limit = RateLimit[News](per_minute=30)
    for now, one in enumerate([FAILED, WORKS, FAILED]):
        limit.offer(one, now=now)
        if now < 2:
            assert len(told(limit, now)) == 1
    assert told(limit, 2) == []
    due = limit.next_at(now=2)
    assert due == QUIET_SECONDS
    assert told(limit, due) == [("a", "failed", 0)]


def test_flapping_back_to_the_sent_state_sends_nothing() -> None:
    """A failure that was held back and has recovered is not sent."""
    limit = RateLimit[News](per_minute=30)
    for now, one in enumerate([FAILED, WORKS, FAILED, WORKS]):
        limit.offer(one, now=now)
        told(limit, now)
    assert limit.next_at(now=4) is None


def test_the_number_of_items_per_minute_is_limited() -> None:
    """The bucket holds the items of a minute; further items wait in their order."""
    limit = RateLimit[News](per_minute=2)
    for name in "abcd":
        limit.offer(News(name), now=0)
    assert [name for name, _, _ in told(limit, 0)] == ["a", "b"]
    assert limit.next_at(now=0) == 30
    assert told(limit, 29) == []
    assert told(limit, 30) == [("c", "x", 0)]
    assert told(limit, 60) == [("d", "x", 0)]


def test_dropped_items_are_counted() -> None:
    """If too many items wait, the oldest is dropped, and the next message contains the count."""
    limit = RateLimit[News](per_minute=1)
    for number in range(MAX_WAITING + 13):
        limit.offer(News(str(number)), now=0)
    assert told(limit, 0) == [("13", "x", 13)]
    assert told(limit, 60) == [("14", "x", 0)]


def test_a_resolution_is_sent_only_after_its_alert() -> None:
    """A RESOLVED_IF_FIRING item is sent only if the subject's alert was sent."""
    over = News("a", "works", AlertState.RESOLVED_IF_FIRING)
    limit = RateLimit[News](per_minute=30)
    limit.offer(over, now=0)
    assert told(limit, 0) == []
    limit.offer(FAILED, now=1)
    assert len(told(limit, 1)) == 1
    limit.offer(over, now=2)
    assert told(limit, 2) == [("a", "works", 0)]
    limit.offer(over, now=QUIET_SECONDS * 2)
    assert told(limit, QUIET_SECONDS * 2) == []


def test_a_lasting_item_is_sent_once_and_last() -> None:
    """A commit status is stored by the Git server, so it is sent once and after notifications."""
    status = News("a status", "c0ffee success", sent_once=True)
    limit = RateLimit[News](per_minute=30)
    limit.offer(status, now=0)
    limit.offer(News("b"), now=0)
    assert [name for name, _, _ in told(limit, 0)] == ["b", "a status"]
    limit.offer(status, now=QUIET_SECONDS * 100)
    assert told(limit, QUIET_SECONDS * 100) == []


@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.sampled_from("abcdef"),
            st.sampled_from("xyz"),
            st.sampled_from(AlertState),
            st.booleans(),
        ),
        max_size=120,
    )
)
def test_the_limit_holds_for_any_items(offered: list[tuple[int, str, str, AlertState, bool]]) -> None:
    """The rate and the quiet time are never exceeded, and the queue becomes empty."""
    limit = RateLimit[News](per_minute=6)
    now, sent = 0.0, list[tuple[float, str, str]]()
    for wait, subject, same, alert_state, sent_once in offered:
        now += wait
        limit.offer(News(f"{subject}{sent_once}", same, alert_state, sent_once), now=now)
        sent += [(now, name, what) for name, what, _ in told(limit, now)]
    for _ in range(200):
        due = limit.next_at(now=now)
        if due is None:
            break
        now = max(now, due) + 0.001
        sent += [(now, name, what) for name, what, _ in told(limit, now)]
    assert limit.next_at(now=now) is None
    for index, (at, name, what) in enumerate(sent):
        assert sum(1 for other, _, _ in sent if at - 60 < other <= at) <= 12
        assert not [
            other
            for other, one, same in sent[:index]
            if (one, same) == (name, what) and at - other < QUIET_SECONDS
        ]


def test_old_subjects_are_forgotten() -> None:
    """The number of remembered subjects is bounded."""
    limit = RateLimit[News](per_minute=10**9)
    for number in range(ratelimit.MAX_SUBJECTS + 50):
        limit.offer(News(str(number)), now=number)
        assert len(told(limit, number)) == 1
    assert limit.subjects == ratelimit.MAX_SUBJECTS


QUIET = News("b", "failed", AlertState.FIRING, namespace="quiet")


def test_a_flood_of_one_namespace_does_not_hold_back_the_alert_of_another() -> None:
    """Of 10,000 messages of one namespace the latest wait; the one of the other is the next that is sent."""
    limit = RateLimit[News](per_minute=30)
    for number in range(10_000):
        limit.offer(News(f"n{number}", namespace="noisy"), now=number / 1000)
        told(limit, number / 1000)

    limit.offer(QUIET, now=10)
    for number in range(10_000):
        limit.offer(News(f"m{number}", namespace="noisy"), now=10)

    due = limit.next_at(now=10)
    assert due is not None
    assert due - 10 <= 60 / 30
    assert told(limit, due) == [("b", "failed", 0)]


def test_what_a_namespace_overflows_is_counted_in_its_own_messages() -> None:
    """The other namespace does not learn how much its neighbour sends."""
    limit = RateLimit[News](per_minute=2)
    for number in range(MAX_WAITING + 10):
        limit.offer(News(f"n{number}", namespace="noisy"), now=0)
    limit.offer(QUIET, now=0)

    (first, second) = told(limit, 0)
    assert {first, second} == {("b", "failed", 0), ("n11", "x", 11)}


def test_a_flood_of_subjects_does_not_forget_the_alert_of_another() -> None:
    """The end of an alert is sent although the neighbour has had more subjects than are remembered."""
    limit = RateLimit[News](per_minute=10**9)
    limit.offer(QUIET, now=0)
    assert len(told(limit, 0)) == 1
    for number in range(ratelimit.MAX_SUBJECTS + 50):
        limit.offer(News(f"n{number}", namespace="noisy"), now=1)
        told(limit, 1)

    limit.offer(News("b", "works", AlertState.RESOLVED_IF_FIRING, namespace="quiet"), now=2)
    assert told(limit, 2) == [("b", "works", 0)]


def test_alerts_without_end_do_not_hold_back_all_statuses() -> None:
    """Every fourth message is one that is sent once."""
    limit = RateLimit[News](per_minute=60)
    limit.offer(News("s", "c0ffee success", sent_once=True, namespace="quiet"), now=0)
    for number in range(20):
        limit.offer(News(f"n{number}", namespace="noisy"), now=0)

    assert [name for name, _, _ in told(limit, 0)][:4] == ["n0", "n1", "n2", "s"]


def test_namespaces_take_turns() -> None:
    """The one whose last message was sent longest ago comes first."""
    limit = RateLimit[News](per_minute=60)
    for name in ("a1", "a2", "a3", "b1", "b2", "c1"):
        limit.offer(News(name, namespace=name[0]), now=0)

    names = [name for name, _, _ in told(limit, 0)]
    assert sorted(names[:3]) == ["a1", "b1", "c1"]
    assert sorted(names[3:5]) == ["a2", "b2"]
    assert names[5] == "a3"
