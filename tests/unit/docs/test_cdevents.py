"""What docs/cdevents.md says of event types, subjects, facts and limits is so in the code."""

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
    """Return what stands below a heading, up to the next."""
    return re.split(r"^#+ ", PAGE.partition(f"## {heading}\n")[2], flags=re.MULTILINE)[0]


def test_types_are_told() -> None:
    """Every type in both spellings, and no other."""
    rows = re.findall(r"^\| (\S+) \| `(\S+)` \| `(\S+)` \|", chapter("Events"), re.MULTILINE)

    assert rows == [
        (one.value, one.spelled(SpecVersion.V0_5_1), one.spelled(SpecVersion.V0_4_1)) for one in EventType
    ]


def test_numbers_are_told() -> None:
    """How many events, how many failures, how long."""
    assert f"at most {mapping.MAX_EVENTS} events" in PAGE
    assert f"{MAPPER.failing_after} attempts in a row failed" in PAGE
    assert f"at most {event.MAX_BYTES // 1024} KiB" in PAGE
    assert f"at most {syncs._ERRORS} characters" in PAGE
    assert f"`{truncate.CUT}`" in PAGE


def test_facts_are_told() -> None:
    """Every field of `customData.nopea` that a repository's life brings, and those that few lives bring."""
    told: set[str] = set()
    for row in re.findall(r"^\| (`.+?) \|", chapter("Custom data"), re.MULTILINE):
        told |= set(re.findall(r"`(\w+)`", row))
    found: dict[str, Any] = {}
    for one in life():
        found |= facts(one)

    assert told == found.keys() | {"path", "leftOut", "truncated"}
    assert all(f"`{outcome}`" in chapter("Custom data") for outcome in Outcome)
    assert all(f"`{key}`" in chapter("Custom data") for key in found["drift"])


def test_subjects_are_told() -> None:
    """Every subject of that life has a pattern in the table."""
    patterns = [
        re.sub(r"[A-Z]+", r"[^/]+", re.escape(one))
        for one in re.findall(r"^\| `(gitrepository\S+)` \|", PAGE, re.MULTILINE)
    ]
    subjects = {one.subject_id for one in life() if "environment" not in one.type.value}

    assert [one for one in subjects if not any(re.fullmatch(p, one) for p in patterns)] == []
    assert all(any(re.fullmatch(p, one) for one in subjects) for p in patterns)
