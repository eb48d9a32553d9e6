"""Which deliveries count as taken, and for how long."""

from __future__ import annotations

from tests.unit.web.edge import Clock

from nopea.web.seen import RecentDeliveries


def test_an_id_is_known_for_its_address_only() -> None:
    """Two webhooks of one forge send the same id to two addresses."""
    seen = RecentDeliveries(Clock())
    seen.add(("/webhook", "d-1"))

    assert ("/webhook", "d-1") in seen
    assert ("/webhook/shop/api", "d-1") not in seen


def test_without_an_id_nothing_is_a_repetition() -> None:
    """Senders of their own making have none."""
    seen = RecentDeliveries(Clock())
    seen.add(("/webhook", ""))

    assert ("/webhook", "") not in seen
    assert len(seen) == 0


def test_the_old_and_the_many_are_forgotten() -> None:
    """The memory has a bound in time and in number, and the length of an id has one too."""
    clock = Clock()
    seen = RecentDeliveries(clock, seconds=10, most=3)
    for number in range(5):
        seen.add(("/webhook", f"{number}" + "x" * 10_000))
    assert len(seen) == 3
    assert ("/webhook", "1" + "x" * 10_000) not in seen
    assert all(len(id_) <= 200 for _, id_ in seen._taken_at)

    clock.seconds += 10
    assert ("/webhook", "4" + "x" * 10_000) not in seen
    seen.add(("/webhook", "new"))
    assert len(seen) == 1
