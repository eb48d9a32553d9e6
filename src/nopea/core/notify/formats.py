"""The formats of a notification: generic JSON, Slack's, Teams' and Discord's. Pure; decides nothing.

The Slack format is text with one attachment instead of blocks, which Mattermost, Rocket.Chat and Discord's
`/slack` understand as well.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Any, Final

import orjson

from nopea.core.api.notify import Severity
from nopea.core.api.times import format_time
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.notify.notification import CodeText, Line, Notification, plain
from nopea.core.secret import Secret

VERSION: Final = 1
SIGNATURE_HEADER: Final = "X-Signature"
SLACK_TEXT: Final = 3000
"""Characters of the attachment's text, after escaping."""
DISCORD_TEXT: Final = 3800
"""Characters of the description; all of an embed may have 6000."""
TEAMS_TEXT: Final = 6000
"""Characters of all blocks: Teams refuses messages above 28 KB, and a character may be four bytes."""

_COLOURS: Final = {Severity.ERROR: "#d50200", Severity.WARNING: "#de9e31", Severity.INFO: "#2fa44f"}
_SIGNS: Final = {
    Severity.ERROR: ":red_circle:",
    Severity.WARNING: ":warning:",
    Severity.INFO: ":white_check_mark:",
}
_TEAMS_COLOURS: Final = {Severity.ERROR: "Attention", Severity.WARNING: "Warning", Severity.INFO: "Good"}
_MARKDOWN: Final = re.compile(r"[\\`*_~|\[\]()<>#]")
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def notification_id(notification: Notification) -> str:
    """Return the id of the message, which is the same at each attempt."""
    parts = (notification.subject, notification.fingerprint, notification.at.isoformat())
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:32]


def json_body(notification: Notification, *, held_back: int, cluster: str) -> bytes:
    """Return the generic message; its schema is in docs/notifications.md, and `version` changes with it."""
    commit = notification.commit
    return orjson.dumps(
        {
            "version": VERSION,
            "id": notification_id(notification),
            "time": format_time(notification.at),
            "kind": notification.kind,
            "severity": notification.severity,
            "cluster": cluster or None,
            "repository": {
                "namespace": notification.repository.namespace,
                "name": notification.repository.name,
                "url": notification.url or None,
                "ref": notification.ref or None,
            },
            "repositories": [str(key) for key in (notification.repository, *notification.others)],
            "commit": commit
            and {"id": commit.id, "message": commit.message or None, "author": commit.author or None},
            "title": notification.title,
            "text": [plain(line) for line in notification.lines],
            "facts": notification.facts,
            "heldBack": held_back,
        }
    )


def signature(secret: Secret, body: bytes) -> str:
    """Return the value of `X-Signature`: HMAC-SHA256 of the body, as Nopea's generic webhook expects it."""
    return f"sha256={hmac.new(secret.reveal(), body, hashlib.sha256).hexdigest()}"


def slack_body(notification: Notification, *, held_back: int, cluster: str) -> bytes:
    """Return the message in Slack's format."""
    lines = [_mrkdwn(line) for line in notification.lines]
    if held_back:
        lines.append(f"_{_held(held_back)}_")
    attachment: dict[str, Any] = {
        "fallback": _escaped(notification.title),
        "color": _COLOURS[notification.severity],
        "text": _bounded(lines, SLACK_TEXT),
        "footer": _escaped(_footer(notification, cluster)),
        "ts": int(notification.at.timestamp()),
        "mrkdwn_in": ["text"],
    }
    text = f"{_SIGNS[notification.severity]} *{_escaped(notification.title)}*"
    return orjson.dumps({"text": text, "attachments": [attachment]})


def discord_body(notification: Notification, *, held_back: int, cluster: str) -> bytes:
    """Return the message as an embed of Discord's Execute Webhook; it mentions nobody."""
    embed = {
        "title": _literal(notification.title)[:256],
        "description": _bounded((_markdown(line) for line in _lines(notification, held_back)), DISCORD_TEXT),
        "color": int(_COLOURS[notification.severity][1:], 16),
        "footer": {"text": _footer(notification, cluster)},
        "timestamp": format_time(notification.at),
    }
    return orjson.dumps({"embeds": [embed], "allowed_mentions": {"parse": []}})


def teams_body(notification: Notification, *, held_back: int, cluster: str) -> bytes:
    """Return the message as an Adaptive Card, as Workflows in Microsoft Teams take it."""

    def block(text: str, **style: Any) -> dict[str, Any]:
        return {"type": "TextBlock", "text": text, "wrap": True, **style}

    text = _bounded((_markdown(line, code=False) for line in _lines(notification, held_back)), TEAMS_TEXT)
    colour = _TEAMS_COLOURS[notification.severity]
    title = block(_literal(notification.title), weight="Bolder", size="Medium", color=colour)
    shown = [block(line, spacing="Small") for line in text.split("\n") if line]
    footer = _footer(notification, cluster)
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [title, *shown, *([block(_literal(footer), isSubtle=True, size="Small")] if footer else [])],
        "msteams": {"width": "Full"},
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return orjson.dumps({"type": "message", "attachments": [attachment]})


def _lines(notification: Notification, held_back: int) -> list[Line]:
    return [*notification.lines, *([(_held(held_back),)] if held_back else [])]


def _held(held_back: int) -> str:
    return f"and {held_back} more {'was' if held_back == 1 else 'were'} held back"


def _markdown(line: Line, *, code: bool = True) -> str:
    """Return a line as Markdown; Adaptive Cards know no code."""
    return "".join(
        _code(part.text) if isinstance(part, CodeText) and code else _literal(_text(part)) for part in line
    )


def _text(part: str | CodeText) -> str:
    return part.text if isinstance(part, CodeText) else part


def _code(text: str) -> str:
    return f"`{text.replace('`', chr(0x2019))}`" if text.strip() else ""


def _literal(text: str) -> str:
    """Return text that Markdown shows as it is: it can neither format, nor hide a link behind words."""
    return _MARKDOWN.sub(r"\\\g<0>", text)


def _mrkdwn(line: Line) -> str:
    return "".join(_span(part.text) if isinstance(part, CodeText) else _escaped(part) for part in line)


def _span(text: str) -> str:
    """Return a code span; a backquote inside would end it, and Slack does not render an empty one."""
    return f"`{_escaped(text.replace('`', chr(0x2019)))}`" if text.strip() else ""


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


def _bounded(lines: Iterable[str], limit: int) -> str:
    """Join as many whole lines as fit: a cut inside a line could split an escape."""
    fitting: list[str] = []
    size = 0
    for line in lines:
        size += len(line) + 1
        if size > limit:
            return "\n".join([*fitting, "…"])
        fitting.append(line)
    return "\n".join(fitting)


def _footer(notification: Notification, cluster: str) -> str:
    commit = notification.commit
    parts = [
        cluster,
        f"{notification.ref} @ {commit.id[:SHORT_COMMIT]}" if commit else notification.ref,
        commit.message if commit else "",
        commit.author.partition(" <")[0] if commit else "",  # the address is in the JSON
    ]
    return " · ".join(part for part in parts if part)[:250]
