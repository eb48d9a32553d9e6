"""A notification as JSON and as a Slack message: fields, escaping, limits, and no secrets."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.samples import problem, report
from tests.fakes.transitions import History, edited, synced

from nopea.core.notify.formats import (
    SLACK_TEXT,
    discord_body,
    json_body,
    notification_id,
    signature,
    slack_body,
    teams_body,
)
from nopea.core.notify.notification import Notification
from nopea.core.notify.rules import notifications_of
from nopea.core.objects import ObjectKey
from nopea.core.problem import Code
from nopea.core.secret import Secret
from nopea.core.status.report import Result

SECRET = ObjectKey("", "Secret", "shop", "key")


def drift(**change: Any) -> Notification:
    """Return a notification of drift under `healPolicy: notify`."""
    world = History(healPolicy="notify")
    world.did(synced())
    (notification,) = notifications_of(world.did(synced(edited(**change))))
    return notification


def slack(notification: Notification, *, held_back: int = 0, cluster: str = "") -> dict[str, Any]:
    """Return the parsed Slack message."""
    return dict(json.loads(slack_body(notification, held_back=held_back, cluster=cluster)))


def test_the_json_has_the_documented_fields() -> None:
    """The schema is documented; removing or changing a field needs another version."""
    found = json.loads(json_body(drift(), held_back=3, cluster="acme-production"))
    assert {key: value for key, value in found.items() if key not in ("id", "text", "facts")} == {
        "version": 1, "time": "2026-11-24T05:00:00Z", "kind": "drift", "severity": "warning",
        "cluster": "acme-production", "heldBack": 3,
        "title": "shop/api: ConfigMap shop/web was changed by kubectl-edit",
        "repository": {
            "namespace": "shop", "name": "api", "url": "https://git.acme.example/shop/api.git",
            "ref": "branch main",
        },
        "repositories": ["shop/api"],
        "commit": {"id": "c0ffee0" + "0" * 33, "message": "Raise the replicas", "author": "Deploy Bot"},
    }  # fmt: skip
    assert len(found["id"]) == 32
    assert found["text"][1] == "• .data.greeting"


def test_unknown_fields_are_null() -> None:
    """Every field is in every message."""
    world = History()
    done = report(Result.FAILED, problems=[problem(Code.SPEC_INVALID)], commit=None)
    (notification,) = notifications_of(world.did(done))
    found = json.loads(json_body(notification, held_back=0, cluster=""))
    assert (found["commit"], found["cluster"], found["heldBack"]) == (None, None, 0)


def test_the_id_identifies_the_message() -> None:
    """The same message has the same id at each try; another message has another id."""
    assert notification_id(drift()) == notification_id(drift())
    assert notification_id(drift()) != notification_id(drift(to="Open"))


def test_the_signature_is_the_hmac_of_the_body() -> None:
    """The receiver can compute the signature from the body."""
    wanted = hmac.new(b"key", b"body", hashlib.sha256).hexdigest()
    assert signature(Secret("key"), b"body") == f"sha256={wanted}"


def test_the_parts_of_a_slack_message() -> None:
    """The title has an icon, the attachment the changes, and its footer the cluster, ref and commit."""
    message = slack(drift(), cluster="acme-production")
    (attachment,) = message["attachments"]
    assert message["text"] == ":warning: *shop/api: ConfigMap shop/web was changed by kubectl-edit*"
    assert attachment["text"].splitlines() == [
        "`ConfigMap shop/web` was changed by `kubectl-edit` at 2026-11-24T05:00:00Z",
        "• `.data.greeting`",
        "Not healed because of healPolicy: notify. To heal it: `nopea heal api --namespace shop`",
    ]
    assert attachment["footer"] == "acme-production · branch main @ c0ffee0 · Raise the replicas · Deploy Bot"
    assert attachment["fallback"] == "shop/api: ConfigMap shop/web was changed by kubectl-edit"


def test_slack_markup_is_escaped() -> None:
    """Names of an object cannot mention a channel or contain a link."""
    text = slack(drift(manager="<!channel> <https://evil.example|log in> &lt; `rm`"))["attachments"][0][
        "text"
    ]
    assert "<" not in text
    assert "&lt;!channel&gt; &lt;https://evil.example|log in&gt; &amp;lt; ’rm’`" in text


def test_slack_says_what_was_held_back() -> None:
    """The message contains the number of notifications that were held back."""
    assert slack(drift(), held_back=12)["attachments"][0]["text"].endswith("_and 12 more were held back_")
    assert slack(drift(), held_back=1)["attachments"][0]["text"].endswith("_and 1 more was held back_")


@given(st.lists(st.text(min_size=1, max_size=2000), min_size=1, max_size=30))
def test_a_slack_message_is_bounded_and_valid(texts: list[str]) -> None:
    """For any texts the message is within the limit, and markup is escaped."""
    world = History()
    problems = [problem(Code.FORBIDDEN, text) for text in texts]
    (notification,) = notifications_of(world.did(report(Result.FAILED, problems=problems)))
    message = slack(notification, held_back=5)
    text = message["attachments"][0]["text"]
    assert len(text) <= SLACK_TEXT + 2
    assert "<" not in text
    assert ">" not in text
    assert text.count("&") == text.count("&amp;") + text.count("&lt;") + text.count("&gt;")
    json_body(notification, held_back=0, cluster="")


@given(
    before=st.text("ghjkmpqvwxyz", min_size=12, max_size=40),
    after=st.text("ABCDEFGHJKLMNPQRSTUVWXYZ", min_size=12, max_size=40),
    whole=st.booleans(),
)
def test_a_secrets_value_is_in_no_message(before: str, after: str, whole: bool) -> None:
    """No message contains the value, encoded or not, whether a key drifted or the Secret was deleted."""
    old, new = (base64.b64encode(value.encode()).decode() for value in (before, after))
    if whole:
        manifest = {"apiVersion": "v1", "kind": "Secret", "data": {"password": old}}
        notification = drift(path="", from_=manifest, to=None, manager="", key=SECRET)
    else:
        notification = drift(path=".data.password", from_=old, to=new, key=SECRET)
    sent = json_body(notification, held_back=0, cluster="") + slack_body(
        notification, held_back=0, cluster=""
    )
    for value in (before, after, old, new):
        assert value.encode() not in sent
    assert b"Secret shop/key" in sent


def test_the_parts_of_a_discord_message() -> None:
    """An embed, as Discord's Execute Webhook takes it: bounded, and it mentions nobody."""
    message = json.loads(
        discord_body(drift(manager="@everyone [log in](https://evil.example)"), held_back=2, cluster="c")
    )
    (embed,) = message["embeds"]
    assert message["allowed_mentions"] == {"parse": []}
    assert embed["title"].startswith("shop/api: ConfigMap shop/web was changed by @everyone \\[log in\\]\\(")
    assert embed["description"].splitlines()[1:] == [
        "• `.data.greeting`",
        "Not healed because of healPolicy: notify. To heal it: `nopea heal api --namespace shop`",
        "and 2 more were held back",
    ]
    assert (embed["color"], embed["timestamp"]) == (0xDE9E31, "2026-11-24T05:00:00Z")
    assert embed["footer"]["text"].startswith("c · branch main @ c0ffee0")


def test_the_parts_of_a_teams_message() -> None:
    """An Adaptive Card in an attachment, as Workflows take it, with a block for each line."""
    message = json.loads(teams_body(drift(manager="[log in](https://evil.example)"), held_back=0, cluster=""))
    (attachment,) = message["attachments"]
    assert message["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"TextBlock"}
    assert card["body"][0]["color"] == "Warning"
    assert "\\[log in\\]\\(https://evil.example\\)" in card["body"][0]["text"]
    assert "• .data.greeting" in [block["text"] for block in card["body"]]


@given(st.lists(st.text(min_size=1, max_size=2000), min_size=1, max_size=30))
def test_cards_and_embeds_are_bounded(texts: list[str]) -> None:
    """Discord refuses embeds of more than 6000 characters, Teams messages of more than 28 KB."""
    world = History()
    problems = [problem(Code.FORBIDDEN, text) for text in texts]
    (notification,) = notifications_of(world.did(report(Result.FAILED, problems=problems)))
    (embed,) = json.loads(discord_body(notification, held_back=5, cluster="c" * 100))["embeds"]
    assert len(embed["title"]) + len(embed["description"]) + len(embed["footer"]["text"]) <= 6000
    assert len(teams_body(notification, held_back=5, cluster="c" * 100)) <= 28 * 1024
