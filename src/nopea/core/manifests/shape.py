"""Say whether a value has the shape of a Kubernetes object, and unfold lists of them.

Checks only what Nopea itself relies on and what people get wrong in YAML; the schema is the API server's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nopea.core.manifests.yaml.limits import at_line, shown
from nopea.core.objects import ObjectKey, split_api_version
from nopea.core.problem import Code, Problem

_EXCLUDE = "if it is no manifest, exclude the file by spec.exclude or .nopeaignore"
_QUOTE = 'quote it: "1" and "true" are texts, 1 and true are not'
_TEXT_MAPS = {"ConfigMap": ("data", "binaryData"), "Secret": ("data", "stringData")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A value that should be an object, its index (`2`, `2[0]`) and the line where it starts."""

    value: Any
    index: str
    line: int


def is_stranger(value: Any) -> bool:
    """Whether the value does not even claim to be a Kubernetes object."""
    return not isinstance(value, Mapping) or ("apiVersion" not in value and "kind" not in value)


def unfold(value: Any, *, index: str, line: int, item_lines: Sequence[int] = ()) -> Iterator[Found]:
    """Yield the objects of a list kind, lists in lists too, or the value itself; order is kept.

    Items without apiVersion and kind take them from a typed list (`ConfigMapList`), as in kubectl.
    """
    if not _is_list(value):
        yield Found(value=value, index=index, line=line)
        return
    items = value["items"] or ()
    kind = value["kind"].removesuffix("List")
    for position, item in enumerate(items):
        if kind and isinstance(item, dict) and is_stranger(item):
            item = {"apiVersion": value.get("apiVersion"), "kind": kind, **item}
        item_line = item_lines[position] if position < len(item_lines) else line
        yield from unfold(item, index=f"{index}[{position}]", line=item_line)


def _is_list(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    kind = value.get("kind")
    if not isinstance(kind, str) or not kind.endswith("List") or "items" not in value:
        return False
    return value["items"] is None or isinstance(value["items"], list)


def check(value: Any, *, index: str, line: int) -> tuple[Problem, ...]:
    """Return everything that is wrong with the shape of a normalized object; empty when nothing is."""
    if is_stranger(value):
        what = "a mapping without apiVersion and kind" if isinstance(value, Mapping) else "no mapping"
        message = f"document {index} is no Kubernetes object: {what}"
        return (Problem(code=Code.NOT_AN_OBJECT, message=message, hint=_EXCLUDE, source=at_line(line)),)
    checker = _Checker(value, index, line)
    checker.run()
    return tuple(checker.problems)


class _Checker:
    """The checks of one object."""

    def __init__(self, value: Mapping[str, Any], index: str, line: int) -> None:
        self._value = value
        self._index = index
        self._line = line
        self.problems: list[Problem] = []

    def run(self) -> None:
        for name in ("apiVersion", "kind"):
            text = self._value.get(name)
            if not isinstance(text, str) or not text:
                self._report(Code.NOT_AN_OBJECT, f"{name} is not a text", f"set {name}; {_EXCLUDE}")
        if self.problems:
            return
        metadata = self._value.get("metadata")
        if isinstance(metadata, Mapping):
            self._metadata(metadata)
        else:
            self._report(
                Code.OBJECT_METADATA, "metadata is missing or no mapping", self._advice("set metadata.name")
            )
        if self._value["apiVersion"] == "v1":
            for name in _TEXT_MAPS.get(self._value["kind"], ()):
                self._texts(Code.YAML_VALUE, name, self._value.get(name))

    def _metadata(self, metadata: Mapping[str, Any]) -> None:
        name = metadata.get("name")
        if name is None and "generateName" in metadata:
            hint = "set metadata.name: every sync would create another object under a generated name"
            self._report(Code.OBJECT_METADATA, "metadata.generateName stands without metadata.name", hint)
        elif name is None or name == "":
            self._report(Code.OBJECT_METADATA, "metadata.name is missing", self._advice("set metadata.name"))
        elif not isinstance(name, str):
            self._report(Code.OBJECT_METADATA, "metadata.name is not a text", _QUOTE)
        if not isinstance(metadata.get("namespace", ""), str):
            self._report(Code.OBJECT_METADATA, "metadata.namespace is not a text", _QUOTE)
        for field in ("labels", "annotations"):
            self._texts(Code.OBJECT_METADATA, f"metadata.{field}", metadata.get(field))

    def _texts(self, code: Code, field: str, texts: Any) -> None:
        """Report a field that is no map of texts to texts; names the keys, never the values."""
        if texts is None:
            return
        if not isinstance(texts, Mapping):
            self._report(code, f"{field} is no mapping", f"write {field} as key: value lines")
            return
        for key, text in texts.items():
            if not isinstance(text, str):
                self._report(code, f"{field}.{shown(key)} is not a text", _QUOTE)

    def _advice(self, usual: str) -> str:
        if str(self._value["apiVersion"]).startswith("kustomize.config.k8s.io/"):
            return "this file is for kustomize: exclude it by spec.exclude or .nopeaignore"
        return usual

    def _report(self, code: Code, message: str, hint: str) -> None:
        self.problems.append(
            Problem(
                code=code,
                message=f"document {self._index}: {message}",
                hint=hint,
                source=at_line(self._line),
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
