"""docs/runbook.md describes every metric and every alert."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from docs import generate
from nopea.metrics import catalogue

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
RULES: dict[str, Any] = yaml.safe_load(
    (ROOT / "deploy" / "monitoring" / "rules.yaml").read_text(encoding="utf-8")
)
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def sections(chapter: str) -> dict[str, str]:
    """Return the sections (`### …`) of a chapter (`## …`) by heading."""
    (body,) = re.findall(rf"^## {chapter}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return dict(part.split("\n", 1) for part in re.split(r"^### ", body, flags=re.MULTILINE)[1:])


def test_every_metric_is_documented_with_type_and_labels() -> None:
    """The table contains exactly the metrics that exist."""
    documented = {
        name: (type_, tuple(re.findall(r"`(\w+)`", labels))) for name, type_, labels, *_ in ROW.findall(TEXT)
    }
    assert documented == {metric.name: (metric.type.value, metric.labels) for metric in catalogue.ALL}


def test_every_metric_has_a_text_on_unusual_values() -> None:
    """Each metric has a meaning and a text about unusual values, at least `none`."""
    assert len(ROW.findall(TEXT)) == len(catalogue.ALL)
    for name, _, _, means, wrong in ROW.findall(TEXT):
        assert means.strip(), name
        assert wrong.strip(), name


def test_every_alert_has_its_section_in_the_order_of_the_rules() -> None:
    """Each section says what to do, and the alert links to it."""
    alerts = sections("Alerts")

    assert list(alerts) == [alert["alert"] for alert in ALERTS]
    for alert in ALERTS:
        name = alert["alert"]
        assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
        assert "\n- " in alerts[name], f"{name} says nothing to do"


def test_the_log_messages_in_the_runbook_exist() -> None:
    """The texts for which the runbook greps are messages of the log."""
    log = generate.page("log.md")
    for words in re.findall(r"grep '([a-z ]+)'", TEXT):
        assert words in log, words
