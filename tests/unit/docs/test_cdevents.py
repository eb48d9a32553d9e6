"""The event types, subjects, facts and limits in docs/cdevents.md match the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.unit.core.cdevents.mapped import MAPPER, facts
from tests.unit.core.cdevents.test_mapping import life

from nopea.core.cdevents import event, mapping, syncs, truncate
from nopea.core.cdevents.vocabulary import EventType, SpecVersion
from nopea.core.status.report import Outcome

PAGE = (Path(__file__).parents[3] / "docs" / "cdevents.md").read_text(encoding="utf-8")


def chapter(heading: str) -> str:
    """Return the text below a heading, up to the next heading."""
    return re.split(r"^#+ ", PAGE.partition(f"## {heading}\n")[2], flags=re.MULTILINE)[0]


def test_types_are_documented() -> None:
    """The table contains every type in both versions, and no others."""
    rows = re.findall(r"^\| (\S+) \| `(\S+)` \| `(\S+)` \|", chapter("Events"), re.MULTILINE)

    assert rows == [
        (one.value, one.spelled(SpecVersion.V0_5_1), one.spelled(SpecVersion.V0_4_1)) for one in EventType
    ]


def test_limits_are_documented() -> None:
    """The page contains the limits of events, failures and sizes."""
    assert f"at most {mapping.MAX_EVENTS} events" in PAGE
    assert f"{MAPPER.failing_after} attempts in a row failed" in PAGE
    assert f"at most {event.MAX_BYTES // 1024} KiB" in PAGE
    assert f"at most {syncs._ERRORS} characters" in PAGE
    assert f"`{truncate.CUT}`" in PAGE


def test_facts_are_documented() -> None:
    """The page lists every field of `customData.nopea`."""
    documented: set[str] = set()
    for row in re.findall(r"^\| (`.+?) \|", chapter("Custom data"), re.MULTILINE):
        documented |= set(re.findall(r"`(\w+)`", row))
    found: dict[str, Any] = {}
    for one in life():
        found |= facts(one)

    assert documented == found.keys() | {"path", "leftOut", "truncated"}
    assert all(f"`{outcome}`" in chapter("Custom data") for outcome in Outcome)
    assert all(f"`{key}`" in chapter("Custom data") for key in found["drift"])


def test_subjects_are_documented() -> None:
    """Every subject matches a pattern in the table, and every pattern is used."""
    patterns = [
        re.sub(r"[A-Z]+", r"[^/]+", re.escape(one))
        for one in re.findall(r"^\| `(gitrepository\S+)` \|", PAGE, re.MULTILINE)
    ]
    subjects = {one.subject_id for one in life() if "environment" not in one.type.value}

    assert [one for one in subjects if not any(re.fullmatch(p, one) for p in patterns)] == []
    assert all(any(re.fullmatch(p, one) for one in subjects) for p in patterns)
