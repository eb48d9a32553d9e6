"""docs/notifications.md matches the messages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.fakes.samples import problem, report
from tests.fakes.transitions import History, edited, synced

from nopea.core.api.notify import NotificationKind
from nopea.core.notify.alerts import MAX_ALERTS
from nopea.core.notify.failures import HOLD_SECONDS
from nopea.core.notify.formats import SIGNATURE_HEADER, json_body
from nopea.core.notify.notification import Notification
from nopea.core.notify.outages import GATHER_SECONDS, PERIOD_SECONDS
from nopea.core.notify.rate_limit import MAX_WAITING, QUIET_SECONDS
from nopea.core.notify.rules import notifications_of
from nopea.core.problem import Code
from nopea.core.status.report import Outcome, Result
from nopea.notify.tenants import MAX_RECEIVERS, MAX_RECEIVERS_OF_NAMESPACE
from nopea.settings import NotifySettings

TEXT = (Path(__file__).parents[3] / "docs" / "notifications.md").read_text(encoding="utf-8")


def samples() -> dict[str, Notification]:
    """Return one notification of each kind."""
    world = History(healPolicy="notify")
    steps = [
        world.did(synced(edited())),
        world.did(report(Result.FAILED, problems=[problem(Code.YAML_SYNTAX)])),
        world.did(synced(rivals="ConfigMap shop/web: changed back")),
        world.healthy("False"),
        world.rolled_back_to("d" * 40),
        world.did(report(Result.FAILED, problems=[problem(Code.PRUNE_GUARD)])),
        world.did(synced(replace(edited(), outcome=Outcome.CONFIGURED), id="01B")),
    ]
    return {str(notification.kind): notification for step in steps for notification in notifications_of(step)}


def shape(value: Any) -> Any:
    """Return the field names of a message, at any depth."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value[:1]] if isinstance(value, list) else None


def test_the_example_is_a_message() -> None:
    """The example has exactly the fields of a message about drift, in their order."""
    example = json.loads(TEXT.partition("```json\n")[2].partition("```")[0])
    sent = json.loads(json_body(samples()["drift"], held_back=0, cluster="production"))
    assert list(example) == list(sent)
    assert {**shape(example), "text": None} == {**shape(sent), "text": None} or _without_facts(example, sent)


def _without_facts(example: dict[str, Any], sent: dict[str, Any]) -> bool:
    facts = example["facts"]["drifts"][0].keys() ^ sent["facts"]["drifts"][0].keys()
    return not facts and shape({**example, "facts": {}}) == shape({**sent, "facts": {}})


def test_every_kind_and_its_facts_are_documented() -> None:
    """The two tables contain each kind and its facts."""
    found = samples()
    assert set(found) == {str(kind) for kind in NotificationKind}
    rows = dict(re.findall(r"^\| `(\w+)` \| (`.*) \|$", TEXT, re.MULTILINE))
    for kind, notification in found.items():
        assert f"| `{kind}` | " in TEXT.partition("## JSON")[0]
        for fact in notification.facts:
            assert f"`{fact}`" in rows[kind]


def test_limits_are_documented() -> None:
    """The page contains the times, the bounds, the rate limit and the quiet time."""
    assert f"{HOLD_SECONDS / 60:g} minutes (`--notify-after`)" in TEXT
    assert f"after {GATHER_SECONDS:g} seconds if a Git server refused it" in TEXT
    assert f"at most one in {PERIOD_SECONDS / 60:g} minutes" in TEXT
    assert f"at most {MAX_RECEIVERS_OF_NAMESPACE} receivers, the process {MAX_RECEIVERS}" in TEXT
    assert f"At most {MAX_ALERTS} alerts" in TEXT
    assert f"`--notify-per-minute` messages ({NotifySettings().per_minute})" in TEXT
    assert f"once in {QUIET_SECONDS / 60:g} minutes" in TEXT
    assert f"the {MAX_WAITING} that wait" in TEXT
    assert f"`{SIGNATURE_HEADER}: sha256=HEX`" in TEXT
