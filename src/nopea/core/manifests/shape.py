"""Check that a value has the shape of a Kubernetes object, and unfold lists of objects.

Checks only what Nopea relies on and what people get wrong in YAML; the schema is the API server's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nopea.core.manifests.encrypted import encrypted_with, is_sops
from nopea.core.manifests.yaml.positions import Positions
from nopea.core.manifests.yaml.problems import EXCLUDE, at_line, shown
from nopea.core.objects import ObjectKey, split_api_version
from nopea.core.problem import Code, Problem

_EXCLUDE = f"If the file is not a manifest, {EXCLUDE}."
_QUOTE = "Put the value in quotes."
_STRING_MAPS = {"ConfigMap": ("data", "binaryData"), "Secret": ("data", "stringData")}
_TYPES = ((bool, "a boolean"), (int, "a number"), (float, "a number"), (list, "a list"), (dict, "a mapping"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A value that should be an object: its index (`2`, `2[0]`), the line where it starts, its path.

    `source` is its place for a problem: the line, or the index of an item whose line is not known.
    """

    value: Any
    index: str
    line: int
    source: str
    path: tuple[str | int, ...] = ()


def has_no_type(value: Any) -> bool:
    """Whether the value has neither apiVersion nor kind, so that it may be anything but an object."""
    return not isinstance(value, Mapping) or ("apiVersion" not in value and "kind" not in value)


def unfold(value: Any, *, index: str, line: int, item_lines: Sequence[int] = ()) -> Iterator[Found]:
    """Yield the objects of a list kind, nested lists too, or the value itself, in order.

    Items without apiVersion and kind take them from a typed list (`ConfigMapList`), as in kubectl.
    """
    yield from _unfold(Found(value=value, index=index, line=line, source=at_line(line)), item_lines)


def _unfold(found: Found, item_lines: Sequence[int]) -> Iterator[Found]:
    value = found.value
    if not _is_list(value) or is_sops(value):  # the items of an encrypted list do not show it
        yield found
        return
    kind = value["kind"].removesuffix("List")
    for position, item in enumerate(value["items"] or ()):
        if kind and isinstance(item, dict) and has_no_type(item):
            item = {"apiVersion": value.get("apiVersion"), "kind": kind, **item}
        index = f"{found.index}[{position}]"
        has_line = position < len(item_lines)
        line = item_lines[position] if has_line else found.line
        yield from _unfold(
            Found(
                value=item,
                index=index,
                line=line,
                source=at_line(line) if has_line else f"#{index}",
                path=(*found.path, "items", position),
            ),
            (),
        )


def _is_list(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    kind = value.get("kind")
    if not isinstance(kind, str) or not kind.endswith("List") or "items" not in value:
        return False
    return value["items"] is None or isinstance(value["items"], list)


def check(value: Any, found: Found, *, positions: Positions | None = None) -> tuple[Problem, ...]:
    """Return every problem with the shape of a normalized object; empty for a good one.

    `found` is the place of the value, `positions` those in its document, if they can be known.
    """
    if is_sops(value):
        return (encrypted_with("SOPS", what="document", source=found.source),)
    if has_no_type(value):
        what = "apiVersion and kind are missing" if isinstance(value, Mapping) else "it is not a mapping"
        message = f"The document is not a Kubernetes object: {what}."
        return (Problem(code=Code.NOT_AN_OBJECT, message=message, hint=_EXCLUDE, source=found.source),)
    checker = _Checker(value, found, positions)
    checker.run()
    return tuple(checker.problems)


class _Checker:
    """The checks of one object."""

    def __init__(self, value: Mapping[str, Any], found: Found, positions: Positions | None) -> None:
        self._value = value
        self._found = found
        self._positions = positions
        self.problems: list[Problem] = []

    def run(self) -> None:
        for name in ("apiVersion", "kind"):
            text = self._value.get(name)
            if not isinstance(text, str) or not text:
                message = f"{name} is missing or is not a string."
                self._report(Code.NOT_AN_OBJECT, message, f"Set {name}. {_EXCLUDE}")
        if self.problems or self._is_list_without_items():
            return
        metadata = self._value.get("metadata")
        if isinstance(metadata, Mapping):
            self._metadata(metadata)
        else:
            message = "metadata is missing or is not a mapping."
            self._report(Code.OBJECT_METADATA, message, "Set metadata.name.")
        if self._value["apiVersion"] == "v1":
            for name in _STRING_MAPS.get(self._value["kind"], ()):
                self._strings(Code.YAML_VALUE, (name,), self._value.get(name))

    def _is_list_without_items(self) -> bool:
        """Report a list of objects that lists none; a kind of its own may end in List and have a name."""
        kind, metadata = self._value["kind"], self._value.get("metadata")
        is_named = isinstance(metadata, Mapping) and "name" in metadata
        if not kind.endswith("List") or (is_named and kind != "List"):
            return False
        hint = f"Write the objects as a list under items, or {EXCLUDE}."
        self._report(Code.NOT_AN_OBJECT, f"The {kind} has no list of items.", hint)
        return True

    def _metadata(self, metadata: Mapping[str, Any]) -> None:
        name = metadata.get("name")
        if name is None and metadata.get("generateName") is not None:
            hint = "Set metadata.name: with a generated name, every sync would create another object."
            self._report(Code.OBJECT_METADATA, "metadata.generateName is set without metadata.name.", hint)
        elif name is None or name == "":
            self._report(Code.OBJECT_METADATA, "metadata.name is missing.", "Set metadata.name.")
        elif not isinstance(name, str):
            self._not_a_string(Code.OBJECT_METADATA, ("metadata", "name"), name)
        elif "{{" in name:
            message = "metadata.name has double braces, as in a template. Nopea does not render templates."
            self._report(Code.OBJECT_METADATA, message, f"Commit the rendered manifests, or {EXCLUDE}.")
        namespace = metadata.get("namespace")
        if not isinstance(namespace, str | None):
            self._not_a_string(Code.OBJECT_METADATA, ("metadata", "namespace"), namespace)
        for field in ("labels", "annotations"):
            self._strings(Code.OBJECT_METADATA, ("metadata", field), metadata.get(field))

    def _strings(self, code: Code, path: tuple[str, ...], strings: Any) -> None:
        """Report a field that is not a map of strings to strings."""
        if strings is None:
            return
        if not isinstance(strings, Mapping):
            field = ".".join(path)
            self._report(code, f"{field} is not a mapping.", f"Write {field} as lines of key: value.")
            return
        for key, value in strings.items():
            if not isinstance(value, str | None):  # the API server stores a null as an empty string
                self._not_a_string(code, (*path, key), value)

    def _not_a_string(self, code: Code, path: tuple[str, ...], value: Any) -> None:
        """Report a value of another type; names the field, and never quotes data: it may be a secret."""
        field = ".".join(shown(name) for name in path)
        written = self._positions.find((*self._found.path, *path)) if self._positions else None
        source = at_line(written.line) if written else self._found.source
        if isinstance(value, bool) and written and path[0] == "metadata":
            message = f"{field}: `{written.text}` means {str(value).lower()} in YAML."
            self._report(code, message, f'Write "{written.text}" in quotes.', source=source)
            return
        type_name = next((name for type_, name in _TYPES if isinstance(value, type_)), "null")
        hint = "Write one string." if isinstance(value, (list, dict)) else _QUOTE
        self._report(code, f"{field} is {type_name}, not a string.", hint, source=source)

    def _report(self, code: Code, message: str, hint: str, *, source: str | None = None) -> None:
        self.problems.append(
            Problem(
                code=code,
                message=message,
                hint=hint,
                source=source or self._found.source,
                object=self._name(),
            )
        )

    def _name(self) -> str:
        """Return the object's name as far as it is known."""
        api_version, kind = self._value.get("apiVersion"), self._value.get("kind")
        metadata = self._value.get("metadata")
        if not isinstance(api_version, str) or not isinstance(kind, str) or not isinstance(metadata, Mapping):
            return shown(kind) if isinstance(kind, str) else ""
        namespace, name = metadata.get("namespace", ""), metadata.get("name", "")
        known = [text if isinstance(text, str) else "" for text in (namespace, name)]
        return shown(str(ObjectKey(split_api_version(api_version)[0], kind, *known)).strip())
