"""The CRDs as the model generates them, and as they are committed in deploy/base/crds/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy.generate import PACKAGE, packaged, rendered

from nopea.core.api.crds import git_repository_crd, inventory_crd

Schema = dict[str, Any]
CRDS = {"GitRepository": git_repository_crd(), "Inventory": inventory_crd()}
FOLDER = Path(__file__).parents[4] / "deploy" / "base" / "crds"


def test_committed_files_are_the_generated_ones() -> None:
    """The folder deploy/base/crds/ contains exactly the CRDs of the model; `make crds` writes them."""
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == rendered()
    assert {path.name: path.read_text(encoding="utf-8") for path in PACKAGE.iterdir()} == packaged()


def fields(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every field below a schema with its path, including the fields of list items."""
    if schema.get("type") == "array":
        yield from fields(schema["items"], f"{path}[]")
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from fields(inner, f"{path}.{name}")


def own_fields(crd: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the fields of spec and status; the other fields are defined by Kubernetes."""
    properties = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    for part in ("spec", "status"):
        if part in properties:
            yield from fields(properties[part], part)


@pytest.mark.parametrize("crd", CRDS.values(), ids=CRDS)
def test_every_field_is_described(crd: Schema) -> None:
    """`kubectl explain` shows a sentence for every field."""
    assert [path for path, schema in own_fields(crd) if not schema.get("description", "").endswith(".")] == []


@pytest.mark.parametrize("crd", CRDS.values(), ids=CRDS)
def test_everything_that_grows_is_bounded(crd: Schema) -> None:
    """Every string, list and number has a limit, because of etcd's object size and CEL's cost estimate."""
    assert [path for path, schema in own_fields(crd) if not _is_bounded(schema)] == []


def _is_bounded(schema: Schema) -> bool:
    if schema.get("x-kubernetes-int-or-string"):
        return "maximum" in schema and "maxLength" in schema
    match schema["type"]:
        case "string":
            return "maxLength" in schema or "enum" in schema
        case "array":
            item_is_bounded = "items" in schema and _is_bounded(schema["items"])
            return "maxItems" in schema and item_is_bounded
        case "integer":
            return "minimum" in schema and ("maximum" in schema or schema["format"] == "int64")
        case kind:
            return kind in ("boolean", "object")


def test_a_full_object_fits_into_etcd() -> None:
    """A GitRepository or Inventory with all fields at their limits is smaller than etcd's 1.5 MiB."""
    for crd in CRDS.values():
        properties = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        assert (
            sum(_longest(properties.get(part, {"type": "boolean"})) for part in ("spec", "status")) < 1.52e6
        )


def _longest(schema: Schema) -> int:
    match schema.get("type"):
        case "string":
            return int(schema.get("maxLength", 32))
        case "array":
            return int(schema["maxItems"]) * (_longest(schema["items"]) + 1)
        case "object" if "x-kubernetes-preserve-unknown-fields" in schema:
            return 0  # values of charts: the API server refuses an object that is too big for etcd
        case "object" if "additionalProperties" in schema:
            return int(schema["maxProperties"]) * (256 + _longest(schema["additionalProperties"]))
        case "object":
            return sum(len(name) + 4 + _longest(inner) for name, inner in schema["properties"].items())
        case _:
            return 20
