"""A notice as messages: generic JSON in a schema of our own, and Slack's. Pure; nothing is decided here.

Slack's form is text with one attachment, not blocks: Mattermost, Rocket.Chat, Discord's `/slack` and others
that take Slack's messages understand it as well.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

import orjson

from nopea.core.api.conditions import format_time
from nopea.core.api.status import SHORT_COMMIT
from nopea.core.notify.notification import CodeText, Line, Notification, Severity, plain
from nopea.core.secret import Secret

VERSION: Final = 1
SIGNATURE_HEADER: Final = "X-Signature"
SLACK_TEXT: Final = 3000
"""Characters of Slack's that a text may have, after escaping."""

_COLOURS: Final = {Severity.ERROR: "#d50200", Severity.WARNING: "#de9e31", Severity.INFO: "#2fa44f"}
_SIGNS: Final = {
    Severity.ERROR: ":red_circle:",
    Severity.WARNING: ":warning:",
    Severity.INFO: ":white_check_mark:",
}
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def notice_id(notice: Notification) -> str:
    """Return what tells this message from others, the same at each try."""
    parts = (notice.subject, notice.same, notice.at.isoformat())
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:32]


def json_body(notice: Notification, *, held_back: int, cluster: str) -> bytes:
    """Return the generic message; docs/notifications.md has its schema, and `version` changes with it."""
    commit = notice.commit
    return orjson.dumps(
        {
            "version": VERSION,
            "id": notice_id(notice),
            "time": format_time(notice.at),
            "kind": notice.kind,
            "severity": notice.severity,
            "cluster": cluster or None,
            "repository": {
                "namespace": notice.repository.namespace,
                "name": notice.repository.name,
                "url": notice.url or None,
                "ref": notice.ref or None,
            },
            "commit": commit
            and {"id": commit.id, "message": commit.message or None, "author": commit.author or None},
            "title": notice.title,
            "text": [plain(line) for line in notice.lines],
            "facts": notice.facts,
            "heldBack": held_back,
        }
    )


def signature(secret: Secret, body: bytes) -> str:
    """Return the value of `X-Signature`: HMAC-SHA256 of the body, as our generic webhook takes it."""
    return f"sha256={hmac.new(secret.reveal(), body, hashlib.sha256).hexdigest()}"


def slack_body(notice: Notification, *, held_back: int, cluster: str) -> bytes:
    """Return the message for Slack and what understands its messages."""
    lines = [_mrkdwn(line) for line in notice.lines]
    if held_back:
        lines.append(f"_and {held_back} more {'was' if held_back == 1 else 'were'} held back_")
    attachment: dict[str, Any] = {
        "fallback": _escaped(notice.title),
        "color": _COLOURS[notice.severity],
        "text": _bounded(lines),
        "footer": _footer(notice, cluster),
        "ts": int(notice.at.timestamp()),
        "mrkdwn_in": ["text"],
    }
    text = f"{_SIGNS[notice.severity]} *{_escaped(notice.title)}*"
    return orjson.dumps({"text": text, "attachments": [attachment]})


def _mrkdwn(line: Line) -> str:
    return "".join(_span(part.text) if isinstance(part, CodeText) else _escaped(part) for part in line)


def _span(text: str) -> str:
    """A backquote would end the span, and an empty one is none."""
    return f"`{_escaped(text.replace('`', chr(0x2019)))}`" if text.strip() else ""


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


def _bounded(lines: list[str]) -> str:
    """Join whole lines as far as they fit: a cut inside one could split an escape."""
    kept: list[str] = []
    size = 0
    for line in lines:
        size += len(line) + 1
        if size > SLACK_TEXT:
            return "\n".join([*kept, "…"])
        kept.append(line)
    return "\n".join(kept)


def _footer(notice: Notification, cluster: str) -> str:
    commit = notice.commit
    parts = [
        cluster,
        f"{notice.ref} @ {commit.id[:SHORT_COMMIT]}" if commit else notice.ref,
        commit.message if commit else "",
        commit.author.partition(" <")[0] if commit else "",  # the address is in the JSON
    ]
    return _escaped(" · ".join(part for part in parts if part)[:250])
