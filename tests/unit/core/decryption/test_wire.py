"""What answers have in common."""

from __future__ import annotations

import base64
import json

import pytest

from nopea.core.decryption.wire import MAX_DATA_KEY, Declined, data_key, declined
from nopea.core.secret import Secret


@pytest.mark.parametrize(
    ("size", "is_key"), [(0, False), (1, True), (MAX_DATA_KEY, True), (MAX_DATA_KEY + 1, False)]
)
def test_a_data_key_has_a_size(size: int, is_key: bool) -> None:
    """It is sent to the renderer."""
    key = b"k" * size
    found = data_key(json.dumps({"a": {"b": base64.b64encode(key).decode()}}).encode(), "a", "b")

    assert (found == Secret(key)) is is_key
    assert isinstance(found, Declined) is not is_key


@pytest.mark.parametrize(
    ("status", "is_busy"), [(400, False), (404, False), (408, True), (429, True), (500, True)]
)
def test_time_mends_some_answers(status: int, is_busy: bool) -> None:
    """A server that is down, or has too much to do."""
    assert declined(status, "").is_busy is is_busy
    assert declined(status, "Throttling", is_busy=True).is_busy
