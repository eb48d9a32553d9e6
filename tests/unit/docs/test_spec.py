"""docs/spec.md matches the CRDs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nopea.core.api import names
from nopea.core.api.crds import INVENTORY_COLUMNS, REPOSITORY_COLUMNS, git_repository_crd
from nopea.core.api.rules import RULES

TEXT = (Path(__file__).parents[3] / "docs" / "spec.md").read_text(encoding="utf-8")
CHAPTERS = dict(chapter.split("\n", 1) for chapter in re.split(r"\n##+ ", TEXT)[1:])
Schema = dict[str, Any]


def rows(chapter: str) -> list[list[str]]:
    """Return the cells of the table in a chapter, without its head."""
    lines = [line for line in CHAPTERS[chapter].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def fields(crd: Schema, part: str) -> dict[str, Schema]:
    """Return the schema of every field of spec or status, by path."""
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part]
    return dict(_below(schema, part))


def _below(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    if schema.get("type") == "array":
        yield from _below(schema["items"], f"{path}[]")
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from _below(inner, f"{path}.{name}")


def named(chapter: str) -> list[str]:
    """Return the first cell of each row, without backquotes."""
    return [row[0].strip("`") for row in rows(chapter)]


def test_every_field_of_the_spec_is_documented() -> None:
    """The table of the spec has exactly the CRD's fields, in its order."""
    assert named("Spec") == list(fields(git_repository_crd(), "spec"))


def test_defaults_are_documented() -> None:
    """The table contains every default of the schema."""
    documented = {row[0].strip("`"): row[1].strip("`") for row in rows("Spec")}
    for path, schema in fields(git_repository_crd(), "spec").items():
        if schema.get("default", "") != "":
            assert documented[path] == str(schema["default"]).replace("True", "true").replace(
                "False", "false"
            )


def test_every_validation_message_is_documented() -> None:
    """The messages of all validation rules are in the table, word for word, in the order of the fields."""
    messages = [
        [path + ("[]" if schema.get("type") == "array" else ""), rule["message"]]
        for path, schema in fields(git_repository_crd(), "spec").items()
        for rule in (schema["items"] if schema.get("type") == "array" else schema).get(RULES, ())
    ]

    assert [[row[0].strip("`"), row[1]] for row in rows("Validation")] == messages


def test_columns_are_documented() -> None:
    """The table contains the columns of `kubectl get`, in their order."""
    assert named("Columns") == [column["name"] for column in REPOSITORY_COLUMNS]
    assert all(f"`{column['name']}`" in CHAPTERS["Inventory"] for column in INVENTORY_COLUMNS)


def test_names_are_documented() -> None:
    """The table contains exactly our labels, annotations and the finalizer."""
    ours = {
        value for value in vars(names).values() if isinstance(value, str) and value.startswith("nopea.io/")
    }

    assert set(named("Labels and annotations")) == ours - {names.API_VERSION}
