"""Generate values at and just beyond every bound of a structural schema, with whether it allows them.

Pure: it reads the schema and generates values; the tests pass them to the API server and the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nopea.core import duration
from nopea.core.api import references, spec

Schema = dict[str, Any]
TIME = "2026-11-24T05:00:00Z"


@dataclass(frozen=True, slots=True)
class Case:
    """A value for the field at `path`, and whether the schema allows it."""

    path: str
    value: Any
    allowed: bool
    model_tells: bool = True
    """False for a format: only the API server checks it, and what it stores can always be read."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A function that returns a matching text of any length, and texts that the pattern does not allow."""

    of_length: Callable[[int], str]
    wrong: tuple[str, ...]
    shortest: int = 1


def _go(pattern: str) -> str:
    return pattern.replace(r"\Z", "$")


PATTERNS = {
    _go(references.NAME): Pattern(lambda n: "a" * n, ("A", "-a", "a-", "a b", "a_b", "a/b")),
    _go(spec.NAMESPACE): Pattern(lambda n: "a" * n, ("A", "-a", "a-", "a.b", "a/b")),
    _go(duration.PATTERN): Pattern(
        lambda n: "5m".rjust(n, "0"), ("5", "m", "-5m", "5 m", "5d", ".5m", "5m!"), shortest=2
    ),
    "^sha256:[0-9a-f]{64}$": Pattern(
        lambda n: "sha256:".ljust(n, "0"), (f"sha256:{'0' * 63}", "0" * 64, f"sha512:{'0' * 64}"), shortest=71
    ),
    "^([0-9a-f]{40}|[0-9a-f]{64})$": Pattern(
        lambda n: "0" * n, ("0" * 39, "0" * 41, "g" * 40, "A" * 40), shortest=40
    ),
    "^(100|[1-9]?[0-9])%$": Pattern(
        lambda n: "100%"[-n:], ("101%", "-1%", "+1%", "25", "%", "2.5%", "25 %", "025%", "all"), shortest=4
    ),
    r"^refs/[^\s~^:?*\[\\]+$": Pattern(
        lambda n: "refs/".ljust(n, "a"),
        ("main", "refs/", "Refs/a", "refs/a b", "refs/a~1", "refs/a[b]"),
        shortest=6,
    ),
    r"^v?[0-9]+\.[0-9]+(\.[0-9]+)?$": Pattern(
        lambda n: "1.".ljust(n, "0"), ("1", "1.", "v", "latest", "1.2.3.4", "1.2-x"), shortest=3
    ),
    "^/": Pattern(lambda n: "/" + "a" * (n - 1), ("a", "a/")),
    "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$": Pattern(lambda n: "A" * n, ("1A", "A-", "A b", "A:")),
}


def sample(schema: Schema) -> Any:
    """Return the simplest value that the schema allows."""
    match _type(schema):
        case "object":
            return {name: sample(schema["properties"][name]) for name in schema.get("required", ())}
        case "array":
            return [sample(schema["items"])]
        case "integer":
            return 1
        case "boolean":
            return True
        case _:
            return _text(schema)


def _type(schema: Schema) -> str:
    return "int-or-string" if schema.get("x-kubernetes-int-or-string") else str(schema["type"])


def _text(schema: Schema) -> str:
    if "enum" in schema:
        return str(schema["enum"][0])
    if schema.get("format") == "date-time":
        return TIME
    pattern = PATTERNS.get(schema.get("pattern", ""))
    return pattern.of_length(pattern.shortest) if pattern else "a"


def cases(schema: Schema, path: str, bases: dict[str, Any]) -> Iterator[Case]:
    """Yield the cases of the schema and of all nested schemas, each as a value for the whole.

    `bases` gives the value to start from where the simplest one breaks a rule over several fields.
    """
    match _type(schema):
        case "int-or-string":
            yield from _int_or_string(schema, path)
        case "object":
            yield from _object(schema, path, bases)
        case "array":
            yield from _array(schema, path, bases)
        case "integer":
            yield from _integer(schema, path)
        case "boolean":
            yield from (Case(path, value, isinstance(value, bool)) for value in (True, False, "true", 1))
        case _:
            yield from _string(schema, path, bases)


def _object(schema: Schema, path: str, bases: dict[str, Any]) -> Iterator[Case]:
    base = bases.get(path, sample(schema))
    yield Case(path, base, allowed=True)
    yield Case(path, "text", allowed=False)
    for name in schema.get("required", ()):
        yield Case(f"{path}.{name}", {key: base[key] for key in base if key != name}, allowed=False)
    if (values := schema.get("additionalProperties")) is not None:
        for case in cases(values, f"{path}.x", bases):
            yield Case(case.path, {"x": case.value}, case.allowed, case.model_tells)
        most = schema["maxProperties"]
        for count, allowed in ((most, True), (most + 1, False)):
            yield Case(path, {f"x{number}": sample(values) for number in range(count)}, allowed=allowed)
    for name, inner in schema.get("properties", {}).items():
        around = bases.get(f"{path}.{name}<", base)
        for case in cases(inner, f"{path}.{name}", bases):
            yield Case(case.path, {**around, name: case.value}, case.allowed, case.model_tells)


def _array(schema: Schema, path: str, bases: dict[str, Any]) -> Iterator[Case]:
    item, most = schema["items"], schema["maxItems"]
    one = bases.get(f"{path}[]", sample(item))
    keys = schema.get("x-kubernetes-list-map-keys", ())
    many = [one | dict.fromkeys(keys, f"T{number}") if keys else one for number in range(most + 1)]
    yield Case(path, many[:most], allowed=True)
    yield Case(path, many, allowed=False)
    yield Case(path, [], allowed=not schema.get("minItems"))
    yield Case(path, "text", allowed=False)
    for case in cases(item, f"{path}[]", bases):
        yield Case(case.path, [case.value], case.allowed, case.model_tells)


def _integer(schema: Schema, path: str) -> Iterator[Case]:
    least, most = schema["minimum"], schema.get("maximum")
    yield Case(path, least, allowed=True)
    yield Case(path, least - 1, allowed=False)
    yield Case(path, "1", allowed=False)
    if most is not None:
        yield Case(path, most, allowed=True)
        yield Case(path, most + 1, allowed=False)


def _int_or_string(schema: Schema, path: str) -> Iterator[Case]:
    pattern = PATTERNS[schema["pattern"]]
    for value in (schema["minimum"], schema["maximum"], pattern.of_length(schema["maxLength"])):
        yield Case(path, value, allowed=True)
    wrong: tuple[Any, ...] = (schema["minimum"] - 1, schema["maximum"] + 1, 1.5, True, [], {}, "")
    for value in (*wrong, *pattern.wrong, pattern.of_length(schema["maxLength"]) + "\n"):
        yield Case(path, value, allowed=False)


def _string(schema: Schema, path: str, bases: dict[str, Any]) -> Iterator[Case]:
    yield Case(path, 5, allowed=False)
    if "format" not in schema:  # the API server accepts a list for a string with a format (1.36)
        yield Case(path, [], allowed=False)
    if "enum" in schema:
        yield from (Case(path, value, allowed=True) for value in schema["enum"])
        yield from (Case(path, value, allowed=False) for value in ("", "nonsense", f"{schema['enum'][0]}\n"))
        return
    most = schema["maxLength"]
    if schema.get("format") == "date-time":
        yield Case(path, TIME, allowed=True)
        yield Case(path, "yesterday", allowed=False, model_tells=False)
        yield Case(path, "x" * (most + 1), allowed=False)
        return
    if pattern := PATTERNS.get(schema.get("pattern", "")):
        yield from (Case(path, value, allowed=False) for value in pattern.wrong)
        yield Case(path, pattern.of_length(pattern.shortest), allowed=True)
        if "$" in schema["pattern"]:
            yield Case(path, pattern.of_length(pattern.shortest) + "\n", allowed=False)
    yield from _lengths(schema, path, bases, pattern.of_length if pattern else None)


def _lengths(
    schema: Schema, path: str, bases: dict[str, Any], of_length: Callable[[int], str] | None
) -> Iterator[Case]:
    start = bases.get(path, "ä")  # two bytes in UTF-8: lengths count characters
    fill = of_length or (lambda n: start.ljust(n, "ä"))
    yield Case(path, fill(schema["maxLength"]), allowed=True)
    yield Case(path, fill(schema["maxLength"] + 1), allowed=False)
    yield Case(path, "", allowed=not schema.get("minLength") and not schema.get("pattern"))
