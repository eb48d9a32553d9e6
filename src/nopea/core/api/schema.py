"""Convert the model of the custom resources to the structural OpenAPI v3 schemas of the CRDs.

Never reads or writes a file (`deploy/generate.py` does that).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import NODEFAULT
from msgspec.inspect import (
    AnyType,
    BoolType,
    DictType,
    EnumType,
    Field,
    IntType,
    Metadata,
    NoneType,
    StrType,
    StructType,
    Type,
    UnionType,
    VarTupleType,
    type_info,
)

Schema = dict[str, Any]
_PYTHON_END = r"\Z"


def schema_of(model: type[msgspec.Struct], *, defaults: bool) -> Schema:
    """Return the structural schema of a model; raises TypeError for a type that a CRD cannot express.

    With `defaults`, the API server sets absent fields to the defaults of the model, except None and empty
    lists, which mean the same as absent.
    """
    return _schema(type_info(model), defaults=defaults)


def _schema(kind: Type, *, defaults: bool) -> Schema:
    match kind:
        case Metadata(type=inner, extra_json_schema=extra):
            return _schema(inner, defaults=defaults) | _plain(extra or {})
        case UnionType(types=types):
            return _optional(types, defaults=defaults)
        case StructType():
            return _object(kind, defaults=defaults)
        case VarTupleType(item_type=item, min_length=shortest, max_length=longest):
            # lists without a key are atomic by default; the schema says so explicitly
            return _given(
                type="array",
                items=_schema(item, defaults=defaults),
                minItems=shortest,
                maxItems=longest,
            ) | {"x-kubernetes-list-type": "atomic"}
        case DictType(key_type=StrType(), value_type=AnyType(), max_length=int() as longest):
            return _given(type="object", maxProperties=longest) | {
                "x-kubernetes-preserve-unknown-fields": True
            }
        case DictType(key_type=StrType(), value_type=value, max_length=longest):
            values = _schema(value, defaults=defaults)
            return _given(type="object", additionalProperties=values, maxProperties=longest)
        case EnumType(cls=cls):
            return {"type": "string", "enum": [member.value for member in cls]}
        case StrType(min_length=shortest, max_length=longest, pattern=pattern):
            return _given(
                type="string",
                minLength=shortest,
                maxLength=longest,
                pattern=_go_pattern(pattern),
            )
        case IntType(gt=None, ge=least, lt=None, le=most, multiple_of=None):
            return _given(type="integer", minimum=least, maximum=most)
        case BoolType():
            return {"type": "boolean"}
        case _:
            raise TypeError(f"{kind} has no structural schema; use another type in the model")


def _plain(keywords: Mapping[str, Any]) -> Schema:
    """Return a copy with plain JSON types, so that a YAML writer emits neither anchors nor tags."""
    return {keyword: msgspec.to_builtins(value) for keyword, value in keywords.items()}


def _given(**keywords: Any) -> Schema:
    return {keyword: value for keyword, value in keywords.items() if value is not None}


def _go_pattern(pattern: str | None) -> str | None:
    """Return the pattern for Go, whose `$` matches only at the end; Python's also before a last newline."""
    return pattern.replace(_PYTHON_END, "$") if pattern else None


def _optional(types: tuple[Type, ...], *, defaults: bool) -> Schema:
    """Return the schema of X for `X | None`: the API server drops nulls before it validates.

    The only other union is Kubernetes' IntOrString: each keyword constrains one of the two.
    """
    given = [type_ for type_ in types if not isinstance(type_, NoneType)]
    if sorted(type(_bare(type_)).__name__ for type_ in given) == [IntType.__name__, StrType.__name__]:
        schemas = [_schema(type_, defaults=defaults) for type_ in given]
        merged = {keyword: value for schema in schemas for keyword, value in schema.items()}
        del merged["type"]
        return {"x-kubernetes-int-or-string": True} | merged
    if len(given) != 1:
        raise TypeError("a structural schema has no unions; use one type, optionally with None")
    return _schema(given[0], defaults=defaults)


def _bare(kind: Type) -> Type:
    return kind.type if isinstance(kind, Metadata) else kind


def _object(kind: StructType, *, defaults: bool) -> Schema:
    properties = {field.encode_name: _property(field, defaults=defaults) for field in kind.fields}
    schema: Schema = {"type": "object"}
    if kind.cls.__doc__:
        schema["description"] = inspect.cleandoc(kind.cls.__doc__)
    if required := [field.encode_name for field in kind.fields if field.required]:
        schema["required"] = required
    return schema | {"properties": properties}


def _property(field: Field, *, defaults: bool) -> Schema:
    schema = _schema(field.type, defaults=defaults)
    if defaults and field.default not in (NODEFAULT, None, ()):
        schema["default"] = msgspec.to_builtins(field.default)
    return schema


def root(*, description: str, required: tuple[str, ...], **parts: Schema) -> Schema:
    """Return the schema of a whole object: the fields of every Kubernetes object, and these parts."""
    return {
        "type": "object",
        "description": description,
        "required": list(required),
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
        }
        | parts,
    }
