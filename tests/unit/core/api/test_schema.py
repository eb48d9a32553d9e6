"""The structural schemas that are generated from msgspec models."""

from __future__ import annotations

import enum
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from nopea.core.api.model import Model
from nopea.core.api.schema import root, schema_of


class Colour(enum.StrEnum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


class Wheel(Model, frozen=True, kw_only=True):
    """A wheel."""

    spoke_count: Annotated[int, Meta(ge=1, le=64, extra_json_schema={"format": "int32"})]


class Cart(Model, frozen=True, kw_only=True):
    """A cart with wheels."""

    name: Annotated[str, Meta(min_length=1, max_length=9, pattern=r"^[a-z]+\Z", description="Its name.")]
    colour: Colour = Colour.RED
    owner: Annotated[str, Meta(max_length=5)] | None = None
    wheels: Annotated[tuple[Wheel, ...], Meta(max_length=4)] = ()
    spare: Annotated[Wheel, Meta(description="The fifth.")] | None = None
    is_locked: bool = False


CART = {
    "type": "object",
    "description": "A cart with wheels.",
    "required": ["name"],
    "properties": {
        "name": {
            "type": "string",
            "minLength": 1,
            "maxLength": 9,
            "pattern": "^[a-z]+$",
            "description": "Its name.",
        },
        "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "owner": {"type": "string", "maxLength": 5},
        "wheels": {
            "type": "array",
            "maxItems": 4,
            "x-kubernetes-list-type": "atomic",
            "items": {
                "type": "object",
                "description": "A wheel.",
                "required": ["spokeCount"],
                "properties": {
                    "spokeCount": {"type": "integer", "minimum": 1, "maximum": 64, "format": "int32"}
                },
            },
        },
        "spare": {
            "type": "object",
            "description": "The fifth.",
            "required": ["spokeCount"],
            "properties": {"spokeCount": {"type": "integer", "minimum": 1, "maximum": 64, "format": "int32"}},
        },
        "isLocked": {"type": "boolean", "default": False},
    },
}


def test_schema_of_a_model() -> None:
    """Names, bounds, descriptions, defaults, choices, lists and nested objects are all in the schema."""
    assert schema_of(Cart, defaults=True) == CART


def test_an_int_or_a_string_is_kubernetes_own_union() -> None:
    """The bounds of the number and those of the string stand side by side; each applies to its own type."""
    assert schema_of(Share, defaults=True)["properties"]["of"] == {
        "x-kubernetes-int-or-string": True,
        "minimum": 0,
        "maximum": 9,
        "maxLength": 4,
        "pattern": "^[0-9]+%$",
        "description": "How much.",
        "default": "25%",
    }


def test_schema_without_defaults() -> None:
    """A status has no defaults, as the API server must not add values that were not reported."""
    properties = schema_of(Cart, defaults=False)["properties"]

    assert not [name for name, schema in properties.items() if "default" in schema]


class Share(Model, frozen=True, kw_only=True):
    """A number or a percentage."""

    of: Annotated[
        Annotated[int, Meta(ge=0, le=9)] | Annotated[str, Meta(max_length=4, pattern=r"^[0-9]+%\Z")],
        Meta(description="How much."),
    ] = "25%"


class Loose(msgspec.Struct):
    """A model with a union, which a structural schema cannot express."""

    either: bool | str


class Wild(msgspec.Struct):
    """A model with a type without bounds."""

    anything: dict[str, Any]


class Odd(msgspec.Struct):
    """A model with a bound that the generator does not support."""

    above: Annotated[int, Meta(gt=0)]


@pytest.mark.parametrize("model", [Loose, Wild, Odd])
def test_unsupported_types_are_refused(model: type[msgspec.Struct]) -> None:
    """The generator rejects a model that the API server could not enforce."""
    with pytest.raises(TypeError, match="structural schema"):
        schema_of(model, defaults=False)


def test_root_has_the_fields_of_every_object() -> None:
    """The schema of an object has apiVersion, kind and metadata besides its own parts."""
    schema = root(description="A cart.", required=("spec",), spec={"type": "object"})

    assert list(schema["properties"]) == ["apiVersion", "kind", "metadata", "spec"]
    assert schema["required"] == ["spec"]
