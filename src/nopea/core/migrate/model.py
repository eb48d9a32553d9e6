"""What a migration works with: fields that are taken once, and notes about what has no place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from nopea.core.api import names
from nopea.core.api.repository import ref_of
from nopea.core.api.spec import GitRepositorySpec

NOT_MAPPED = "not mapped:"
IN_GIT = "values files must be in the Git repository"
ELSEWHERE = "it applies to another cluster; run Nopea and this command there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """The GitRepository for one object of another tool, None where there cannot be one.

    `notes` say what was not mapped and what to look at, one line each.
    """

    origin: str
    manifest: Mapping[str, Any] | None
    notes: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every field has a place in the GitRepository."""
        return self.manifest is not None and not any(note.startswith(NOT_MAPPED) for note in self.notes)


class NotMappedError(Exception):
    """An object cannot become a GitRepository; the text says why."""


@dataclass(slots=True)
class Notes:
    """Collects notes about one object."""

    lines: list[str] = field(default_factory=list)

    def not_mapped(self, path: str, why: str = "") -> None:
        """Note a field that has no place in a GitRepository."""
        self.lines.append(f"{NOT_MAPPED} {path}{f': {why}' if why else ''}")

    def add(self, text: str) -> None:
        """Note what a user should look at."""
        self.lines.append(f"note: {text}")


class Fields:
    """The fields of a mapping. What nobody takes is noted as not mapped."""

    def __init__(self, value: Any, path: str, notes: Notes) -> None:
        self._rest: dict[str, Any] = dict(value) if isinstance(value, Mapping) else {}
        self._path = path
        self._notes = notes

    def take(self, name: str) -> Any:
        """Return a field and count it as mapped; None if it is not set."""
        return self._rest.pop(name, None)

    def text(self, name: str) -> str:
        """Return a field that is a string; empty if it is not set."""
        return str(self.take(name) or "")

    def below(self, name: str) -> Fields:
        """Return the fields of a field."""
        return Fields(self.take(name), f"{self._path}.{name}", self._notes)

    def copy(self, to: dict[str, Any], *fields: str) -> None:
        """Copy fields that have the same name and meaning."""
        for name in fields:
            if (value := self.take(name)) is not None:
                to[name] = value

    def note(self, name: str, why: str) -> None:
        """Note a field as not mapped, with what to do instead."""
        self._notes.not_mapped(f"{self._path}.{name}", why)

    def refuse(self, name: str, why: str) -> None:
        """Note a field as not mapped if it is set."""
        if self.take(name) is not None:
            self.note(name, why)

    def rest(self) -> None:
        """Note everything that is left."""
        for name, value in self._rest.items():
            if value not in (None, {}, [], False):
                self._notes.not_mapped(f"{self._path}.{name}")


def items(value: Any) -> list[Mapping[str, Any]]:
    """Return the mappings in a list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def strings(value: Any) -> list[str]:
    """Return the strings in a list."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def git_repository(name: str, namespace: str, spec: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """Return a GitRepository; what its model does not accept is noted."""
    order = [field.encode_name for field in msgspec.structs.fields(GitRepositorySpec)]
    spec = {field: spec[field] for field in order if spec.get(field) not in (None, {}, [])}
    try:
        ref_of(msgspec.convert(spec, GitRepositorySpec))
    except (msgspec.ValidationError, ValueError) as error:
        notes.add(f"the spec is invalid, correct it first: {error}")
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": spec}


def name_of(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """Return namespace and name of an object."""
    metadata = manifest.get("metadata") or {}
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def origin_of(manifest: Mapping[str, Any]) -> str:
    """Return an object as notes name it: `Kustomization team-shop/shop`."""
    namespace, name = name_of(manifest)
    return f"{manifest.get('kind')} {f'{namespace}/' if namespace else ''}{name}"
