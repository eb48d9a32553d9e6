"""The meaning of responses, the pauses between retries, and the Retry-After header."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from nopea.core.notify.delivery import DeliveryPolicy, DeliveryVerdict

NOW = datetime(2026, 5, 4, 9, 15, 0, tzinfo=UTC)
POLICY = DeliveryPolicy()


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ((200, 201, 202, 204, 299), DeliveryVerdict.DELIVERED),
        ((408, 425, 429, 500, 501, 502, 503, 504, 599), DeliveryVerdict.RETRY),
        ((401, 403, 404), DeliveryVerdict.RETRY),
        ((301, 302, 303, 307, 308), DeliveryVerdict.REFUSED),
        ((400, 405, 409, 413, 415, 422, 431), DeliveryVerdict.REFUSED),
        ((410,), DeliveryVerdict.GONE),
    ],
)
def test_statuses_have_a_verdict(statuses: tuple[int, ...], verdict: DeliveryVerdict) -> None:
    """A message is delivered, is retried, is refused, or the receiver is gone."""
    assert {POLICY.verdict(status) for status in statuses} == {verdict}


def test_a_queue_for_many_addresses_is_not_blocked() -> None:
    """With this policy refusals are not retried and 410 does not stop the queue of the other addresses."""
    shared = DeliveryPolicy(correctable=frozenset(), gone_stops=False)

    assert {shared.verdict(status) for status in (401, 403, 404, 410)} == {DeliveryVerdict.REFUSED}


def test_what_can_be_corrected_is_retried() -> None:
    """A 410 too, where the address is in a Secret."""
    own = DeliveryPolicy(correctable=frozenset({401, 410}), gone_stops=False)

    assert [own.verdict(status) for status in (401, 410)] == [DeliveryVerdict.RETRY] * 2


def test_pauses_double_up_to_a_bound() -> None:
    """The longest pause doubles with each failure in a row, up to a maximum."""
    assert [POLICY.ceiling_seconds(count) for count in (0, 1, 2, 3, 7, 1_000_000)] == [1, 1, 2, 4, 60, 60]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("86400", 300.0),
        ("9" * 5_000, 300.0),
        ("Mon, 04 May 2026 09:15:30 GMT", 30.0),
        ("Monday, 04-May-26 09:15:30 GMT", 30.0),
        ("Mon May  4 09:15:30 2026", 30.0),
        ("Mon, 04 May 2026 09:00:00 GMT", 0.0),
        ("Mon, 04 May 2099 09:00:00 GMT", 300.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),
        ("Mon, 99 May 2026 09:15:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_each_form(header: str, seconds: float | None) -> None:
    """The header contains seconds or one of three date formats; it is bounded, and ignored if invalid."""
    assert POLICY.retry_after_seconds(header, now=NOW) == seconds


def test_retry_after_does_not_depend_on_the_time_zone() -> None:
    """A current time in another time zone gives the same pause."""
    local = NOW.astimezone(timezone(timedelta(hours=2)))

    assert POLICY.retry_after_seconds("Mon, 04 May 2026 09:15:30 GMT", now=local) == 30.0
