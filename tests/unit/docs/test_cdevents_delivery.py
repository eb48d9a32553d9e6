"""The chapter about delivery in docs/cdevents.md matches the code."""

from __future__ import annotations

import re
from pathlib import Path

from nopea.core.notify.delivery import DeliveryPolicy, DeliveryVerdict, DropReason

TEXT = (Path(__file__).parents[3] / "docs" / "cdevents.md").read_text(encoding="utf-8")
DELIVERY = " ".join(re.split(r"^## ", TEXT.partition("## Delivery\n")[2], flags=re.MULTILINE)[0].split())
POLICY = DeliveryPolicy()


def test_every_reason_is_documented() -> None:
    """The table contains exactly the reasons that logs and metrics use."""
    table = DELIVERY.partition("| reason | means |")[2]

    assert set(re.findall(r"\| `(\w+)` \|", table)) == {reason.value for reason in DropReason}


def test_limits_are_documented() -> None:
    """Pauses, timeouts and limits are those of the policy."""
    assert f"nothing for {POLICY.attempt_seconds:g} s" in DELIVERY
    assert f"doubles from {POLICY.first_seconds:g} s to {POLICY.most_seconds:g} s" in DELIVERY
    assert f"up to {POLICY.retry_after_most_seconds / 60:g} minutes" in DELIVERY
    assert f"{POLICY.most_messages:,} messages and {POLICY.most_bytes >> 20} MiB" in DELIVERY
    assert POLICY.life_seconds == 3600
    assert "until it is an hour old" in DELIVERY


def test_responses_are_documented() -> None:
    """The statuses in the table have the documented effect."""
    assert "| 408, 425, 429, 5xx | retried |" in DELIVERY
    assert "| 401, 403, 404 | retried" in DELIVERY
    assert {POLICY.verdict(status) for status in (408, 425, 429, 500, 599, 401, 403, 404)} == {
        DeliveryVerdict.RETRY
    }
    assert "| other 4xx | dropped" in DELIVERY
    assert POLICY.verdict(422) is DeliveryVerdict.REFUSED
