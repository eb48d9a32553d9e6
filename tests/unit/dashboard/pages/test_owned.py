"""What a page shows below the objects of a repository."""

from __future__ import annotations

from nopea.core.health.descendants import Descendant
from nopea.core.health.rules import Health, HealthStatus
from nopea.core.objects import ObjectKey
from nopea.dashboard.pages.overview import Level
from nopea.dashboard.pages.owned import Room


def _pod(
    name: str, health: HealthStatus = HealthStatus.HEALTHY, *children: Descendant, message: str = ""
) -> Descendant:
    key = ObjectKey("", "Pod", "shop", name)
    return Descendant(
        key=key, state="Running", health=Health(status=health, message=message), children=children
    )


def test_unhealthy_ones_come_first() -> None:
    """Also those that only have something to say; otherwise the order stays."""
    bad, odd = _pod("z", HealthStatus.FAILED), _pod("y", message="restarted")
    shown, hidden = Room().owned([_pod("a"), _pod("b"), odd, bad])
    assert [each.name for each in shown] == ["y", "z", "a", "b"]
    assert [each.level for each in shown] == [Level.GOOD, Level.BAD, Level.GOOD, Level.GOOD]
    assert hidden == 0


def test_room_of_a_page_is_bounded() -> None:
    """For all objects together; what is not shown is counted where it is missing."""
    room = Room(most=4)
    parent = _pod("set", HealthStatus.HEALTHY, *(_pod(f"p{number}") for number in range(5)))
    (shown,), hidden = room.owned([parent])
    assert (len(shown.owned), shown.hidden, hidden) == (3, 2, 0)
    assert room.owned([_pod("q"), _pod("r")]) == ((), 2)
