"""Objects as YAML."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.manifests.file import parse_file
from nopea.core.show.yaml_text import yaml_of

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])) | st.sampled_from(
    ["y", "n", "on", "no", "~", "null", "1e3", "0o17", "0x1f", "1_000", "12:30:45", "2026-01-01", ".5", "5m",
     "a\nb\n", " a\n  b", "a: b", "# a", "", "a\tb\n", "-", "- a", "=", "<<", "*a", "!a"]
)  # fmt: skip


def _object(**data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


@given(TEXTS)
def test_every_text_is_read_as_the_same_text(text: str) -> None:
    """Kubernetes reads YAML in its own way; what is printed means the same in it."""
    written = yaml_of(_object(value=text))

    parsed = parse_file(written.encode())

    assert parsed.problems == ()
    assert orjson.loads(parsed.documents[0].body)["data"] == {"value": text}


def test_numbers_and_booleans_stay_what_they_are() -> None:
    """A text that looks like one is quoted, others are not."""
    written = yaml_of({"apiVersion": "v1", "kind": "X", "spec": {"a": 1, "b": True, "c": "1e3", "d": "5m"}})

    assert written.endswith('spec:\n  a: 1\n  b: true\n  c: "1e3"\n  d: 5m\n')
