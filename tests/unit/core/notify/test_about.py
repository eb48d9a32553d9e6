"""What all notifications about a repository have in common."""

from __future__ import annotations

from typing import Any

from tests.fakes.samples import NOW
from tests.fakes.transitions import History, synced

from nopea.core.api.notify import NotificationKind, Severity
from nopea.core.notify.about import about, more_than


def test_a_notification_names_its_repository_or_another_place() -> None:
    """The title begins with it; URL, ref and commit are those of the sync."""
    step = History().did(synced())
    rest: dict[str, Any] = {
        "kind": NotificationKind.HEALTH,
        "severity": Severity.INFO,
        "lines": [],
        "facts": {},
        "fingerprint": "",
    }
    found = about(step, title="it is so", **rest)
    assert (found.title, found.url, found.at) == (
        "shop/api: it is so",
        "https://git.acme.example/shop/api.git",
        NOW,
    )
    assert found.commit is not None
    elsewhere = about(step, title="it is so", place="git.acme.example", **rest)
    assert elsewhere.title == "git.acme.example: it is so"


def test_the_number_of_what_is_not_shown() -> None:
    """One is singular."""
    assert more_than("abc", 2, "field") == "1 more field"
    assert more_than("abc", 1, "field") == "2 more fields"
