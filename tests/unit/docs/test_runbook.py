"""docs/runbook.md tells of every metric and every alert, as they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from nopea.metrics import catalogue

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
RULES: dict[str, Any] = yaml.safe_load(
    (ROOT / "deploy" / "monitoring" / "rules.yaml").read_text(encoding="utf-8")
)
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def sections(chapter: str) -> dict[str, str]:
    """Return the parts of a chapter (`## …`) by their headings (`### …`)."""
    (body,) = re.findall(rf"^## {chapter}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return dict(part.split("\n", 1) for part in re.split(r"^### ", body, flags=re.MULTILINE)[1:])


def test_every_metric_is_told_with_type_and_labels() -> None:
    """And no metric that nobody exposes."""
    told = {
        name: (type_, tuple(re.findall(r"`(\w+)`", labels))) for name, type_, labels, *_ in ROW.findall(TEXT)
    }
    assert told == {metric.name: (metric.type.value, metric.labels) for metric in catalogue.ALL}


def test_every_metric_says_what_to_do() -> None:
    """What it means, and what when it looks wrong: `none` at least where there is nothing to do."""
    assert len(ROW.findall(TEXT)) == len(catalogue.ALL)
    for name, _, _, means, wrong in ROW.findall(TEXT):
        assert means.strip(), name
        assert wrong.strip(), name


def test_every_alert_has_its_section_in_the_order_of_the_rules() -> None:
    """With what it means and what to do, and the alert's link leads there."""
    alerts = sections("Alerts")

    assert list(alerts) == [alert["alert"] for alert in ALERTS]
    for alert in ALERTS:
        name = alert["alert"]
        assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
        assert "\n- " in alerts[name], f"{name} says nothing to do"


def test_what_is_looked_for_in_the_log_can_be_found() -> None:
    """The runbook greps for words of messages that docs/configuration.md has."""
    log = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for words in re.findall(r"grep '([a-z ]+)'", TEXT):
        assert words in log, words
