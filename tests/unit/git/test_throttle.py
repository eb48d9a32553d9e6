"""When a busy server wants to be asked again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.git import faulty
from tests.git.faulty import FaultyServer

from nopea.git.throttle import retry_after, seconds_of

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Sat, 28 Nov 2026 12:01:30 GMT", 90),
        ("Sat, 28 Nov 2026 11:00:00 GMT", 0),
        ("Sat, 28 Nov 2026 12:01:30 -0000", 90),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("9" * 400, None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    """What is neither is not there."""
    assert seconds_of(value, now=NOW) == seconds


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (faulty.answer("429 Too Many Requests", headers=b"Retry-After: 7\r\n"), 7),
        (faulty.answer("503 Busy", headers=b"retry-after: 8\r\n"), 8),
        (faulty.answer("503 Busy"), None),
        (faulty.answer("200 OK", headers=b"Retry-After: 7\r\n"), None),
        (b"nonsense\r\n\r\n", None),
    ],
)
def test_a_busy_server_is_asked_with_the_same_headers(answer: bytes, seconds: float | None) -> None:
    """A server that counts by account must see whose request it is."""
    with FaultyServer(faulty.always(answer)) as server:
        found = retry_after(
            server.url("a/shop.git/"), {"Authorization": "Bearer x"}, ca_file="", timeout_seconds=1
        )
        (request,) = server.requests

    assert found == seconds
    assert request.startswith(b"GET /a/shop.git/info/refs?service=git-upload-pack HTTP/1.1\r\n")
    assert b"Authorization: Bearer x\r\n" in request


def test_a_server_that_is_gone_asks_for_nothing() -> None:
    """The first answer counts."""
    with FaultyServer(faulty.hang_up) as server:
        url = server.url()
        assert retry_after(url, {}, ca_file="", timeout_seconds=1) is None
    assert retry_after(url, {}, ca_file="", timeout_seconds=1) is None
