"""A notification: its texts are masked when it is created, for all receivers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nopea.core.api.notify import NotificationKind, Severity
from nopea.core.notify.notification import (
    MAX_LINES,
    CodeText,
    CommitFacts,
    Notification,
    make_notification,
    plain,
)
from nopea.core.objects import RepoKey
from nopea.core.secret import Secret

TOKEN = "s3cr3t-token"


def made(**texts: Any) -> Notification:
    """Return a notification with these texts, in which the token must be masked."""
    fields: dict[str, Any] = {
        "kind": NotificationKind.FAILURE,
        "severity": Severity.ERROR,
        "repository": RepoKey("shop", "api"),
        "url": "",
        "ref": "",
        "commit": None,
        "at": datetime(2026, 11, 24, tzinfo=UTC),
        "fingerprint": "x",
        "title": "",
        "lines": (),
        "facts": {},
    }
    return make_notification(hidden=[Secret(TOKEN)], **{**fields, **texts})


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_field_shows_a_hidden_secret(before: str, after: str) -> None:
    """Title, lines, commit, URL and nested facts are all masked."""
    text = f"{before}{TOKEN}{after}"
    notification = made(
        title=text,
        url=text,
        ref=text,
        lines=[(text, CodeText(text))],
        commit=CommitFacts(id="c0", message=text),
        facts={"a": text, "b": [{"c": text}], "d": {"e": (text,)}},
    )
    assert TOKEN not in repr(notification)


def test_spaces_between_parts_are_kept() -> None:
    """A line consists of parts, and the spaces between them are kept."""
    notification = made(lines=[(CodeText("web"), " was changed by ", CodeText("k9s"), ", at\nnoon")])
    assert plain(notification.lines[0]) == "web was changed by k9s, at noon"


def test_lines_and_lists_are_bounded() -> None:
    """A repository with a thousand problems sends one message of readable size."""
    notification = made(lines=[("x",)] * 1000, facts={"many": ["y"] * 1000, "deep": [[[[[[[[["z"]]]]]]]]]})
    assert len(notification.lines) == MAX_LINES + 1
    assert len(notification.facts["many"]) == 50
    assert "z" not in str(notification.facts)


def test_failure_and_recovery_are_one_subject() -> None:
    """Only the newer of the two is sent; health is another subject."""
    assert made(kind=NotificationKind.FAILURE).subject == made(kind=NotificationKind.RECOVERY).subject
    assert made(kind=NotificationKind.FAILURE).subject != made(kind=NotificationKind.HEALTH).subject
