"""The bodies of Events."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.api.times import format_micro_time
from nopea.kube.event_body import (
    Regarding,
    Reporter,
    cut,
    event_body,
    event_namespace,
    happening,
    new_event_name,
    series_body,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WEB = Regarding(api_version="apps/v1", kind="Deployment", namespace="shop", name="web", uid="u")


@given(st.text(max_size=50), st.integers(3, 60))
def test_truncation_keeps_whole_characters(text: str, limit: int) -> None:
    """A truncated text fits, is valid, and starts like the original."""
    short = cut(text, limit)

    assert len(short.encode()) <= limit
    assert text.encode(errors="replace").decode().startswith(short.removesuffix("…"))


def test_micro_time_has_six_digits() -> None:
    """The API server requires six digits, even for a whole second."""
    assert format_micro_time(AT) == "2026-01-02T03:04:05.000000Z"


def test_an_events_fields() -> None:
    """All required fields are set, and no deprecated ones."""
    words = ("Warning", "ApplyFailed", "Apply", "no")
    body = orjson.loads(
        event_body(happening(WEB, words, at=AT), Reporter("nopea.io/controller", "me"), name="n")
    )

    assert body["regarding"] == {
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": "shop", "uid": "u",
    }  # fmt: skip
    assert (body["type"], body["reason"], body["action"], body["note"]) == words
    assert body["metadata"] == {"name": "n", "namespace": "shop"}
    assert not [key for key in body if key.startswith("deprecated")]
    assert orjson.loads(series_body(happening(WEB, words, at=AT), count=2)) == {
        "series": {"count": 2, "lastObservedTime": "2026-01-02T03:04:05.000000Z"}
    }


def test_which_events_are_one_series() -> None:
    """Time and resourceVersion do not matter; the note does."""
    later = datetime(2026, 2, 2, tzinfo=UTC)
    newer = Regarding(
        api_version="apps/v1", kind="Deployment", namespace="shop", name="web", uid="u", resource_version="9"
    )

    assert happening(WEB, ("Normal", "A", "B", "n"), at=AT) == happening(
        newer, ("Normal", "A", "B", "n"), at=later
    )
    assert happening(WEB, ("Normal", "A", "B", "n"), at=AT) != happening(
        WEB, ("Normal", "A", "B", "m"), at=AT
    )


@pytest.mark.parametrize(
    ("name", "used"), [("web", True), ("a:b", False), ("Web", False), ("x" * 250, False)]
)
def test_an_event_is_named_after_its_object(name: str, used: bool) -> None:
    """The name starts with that of the object if this is valid; otherwise it is a UUID."""
    about = happening(Regarding(api_version="v1", kind="X", name=name), ("Normal", "A", "B", ""), at=AT)

    assert new_event_name(about).startswith(f"{name}.") is used
    assert len(new_event_name(about)) <= 253
    assert event_namespace(about) == "default"
