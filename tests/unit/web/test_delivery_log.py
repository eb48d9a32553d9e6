"""The log lines of deliveries, and the limit on their number."""

from __future__ import annotations

import pytest
from tests.unit.notify.posting import facts
from tests.unit.web.edge import Clock

from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem
from nopea.web.delivery_log import DeliveryLog, TokenBucket

REFUSAL = Problem(code=Code.WEBHOOK_SIGNATURE, message="The header x does not match.", hint="")


def test_a_bucket_allows_a_burst_and_counts_what_it_suppresses() -> None:
    """The next allowed event has the number of the suppressed ones."""
    clock = Clock()
    bucket = TokenBucket(clock, burst=2, seconds=10)
    assert [bucket.take() for _ in range(5)] == [0, 0, None, None, None]

    clock.seconds += 10
    assert [bucket.take() for _ in range(2)] == [3, None]


def test_a_quiet_hour_allows_one_burst() -> None:
    """The bucket never holds more than one burst."""
    clock = Clock()
    bucket = TokenBucket(clock, burst=2, seconds=10)
    clock.seconds += 3600

    assert [bucket.take() for _ in range(3)] == [0, 0, None]


def test_a_delivery_that_wakes_a_repository_is_always_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Pushes bound the number of these lines; unsafe characters of the path are replaced."""
    caplog.set_level("INFO", logger="nopea")
    log = DeliveryLog(Clock())
    for _ in range(150):
        log.received("/webhook/\x1b[31m", "github", [RepoKey("shop", "api")], ignored="", seconds=0.00126)

    assert len(caplog.records) == 150
    assert facts(caplog.records[0]) == {
        "address": "/webhook/?[31m", "provider": "github", "woken": [RepoKey("shop", "api")],
        "planned": (), "ignored": "", "seconds": 0.0013, "suppressed": 0,
    }  # fmt: skip


def test_a_flood_of_pings_and_refusals_writes_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Pings and refusals have separate buckets; the next line has the number of suppressed ones."""
    caplog.set_level("INFO", logger="nopea")
    clock = Clock()
    log = DeliveryLog(clock)
    for _ in range(1000):
        log.received("/webhook", "github", [], ignored="ping", seconds=0)
        log.refused("/webhook", REFUSAL, status=401)
    assert len(caplog.records) == 120

    clock.seconds += 3
    log.refused("/webhook", REFUSAL, status=401)
    assert facts(caplog.records[-1]) == {
        "address": "/webhook", "status": 401, "code": Code.WEBHOOK_SIGNATURE, "problem": REFUSAL.message,
        "hint": REFUSAL.hint, "suppressed": 980,
    }  # fmt: skip


def test_each_namespace_has_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """A flood at one address does not hide what is refused at another."""
    caplog.set_level("INFO", logger="nopea")
    clock = Clock()
    log = DeliveryLog(clock)
    for _ in range(1000):
        log.received("/webhook/noisy/a", "github", [], ignored="ping", seconds=0, namespace="noisy")
        log.refused("/webhook/noisy/a", REFUSAL, status=401, namespace="noisy")
    for seconds in (0, 30, 60):
        clock.seconds += seconds
        for _ in range(1000):
            log.refused("/webhook", REFUSAL, status=401)
        caplog.clear()
        log.refused("/webhook/quiet/b", REFUSAL, status=401, namespace="quiet")
        log.refused("/webhook/quiet/b", REFUSAL, status=401, namespace="quiet")
        assert len(caplog.records) == (0 if seconds == 30 else 1)
