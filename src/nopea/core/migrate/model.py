"""What a migration works with: fields that are taken once, and notes about what has no place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from nopea.core.api import names
from nopea.core.api.repository import parse_spec
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.migrate.violations import violations
from nopea.core.problem import Problem

NOT_MAPPED = "not mapped:"
IN_GIT = "values files must be in the Git repository"
ELSEWHERE = "it applies to another cluster; run Nopea and this command there"
_CREDENTIALS = re.compile(r"^((?:https?|file|oci)://)[^/]*@|^(ssh://[^/:@]*):[^/]*(?=@)")
_DURATIONS = ("interval", "retryInterval", "timeout")


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

    def copy_secret(self, reference: Any, *, of: str, to: str) -> None:
        """Note that a Secret must be copied, if it is in another namespace than the GitRepository."""
        if isinstance(reference, Mapping) and of != to:
            where = to or "the namespace of the GitRepository"
            self.add(f"copy the Secret {reference.get('name')} from namespace {of} to {where}")


class Fields:
    """The fields of a mapping and of the mappings in it. What nobody takes is noted as not mapped."""

    def __init__(self, value: Any, path: str, notes: Notes) -> None:
        self._rest: dict[str, Any] = dict(value) if isinstance(value, Mapping) else {}
        self._below: list[Fields] = []
        self._path = path
        self._notes = notes

    def has(self, name: str) -> bool:
        """Return whether a field is set and was not taken."""
        return self._rest.get(name) not in (None, "")

    def take(self, name: str) -> Any:
        """Return a field and count it as mapped; None if it is not set."""
        return self._rest.pop(name, None)

    def text(self, name: str) -> str:
        """Return a field that is a string; empty if it is not set."""
        return str(self.take(name) or "")

    def below(self, name: str) -> Fields:
        """Return the fields of a field."""
        return self._inner(self.take(name), name)

    def each(self, name: str) -> list[Fields]:
        """Return the fields of each mapping in a list."""
        return [self._inner(item, f"{name}[{index}]") for index, item in enumerate(items(self.take(name)))]

    def pick(self, *names: str) -> dict[str, Any]:
        """Return the fields that are set, of those that have the same name and meaning in Nopea."""
        return without_empty({name: self.take(name) for name in names})

    def ignore(self, *names: str) -> None:
        """Count fields as mapped that mean nothing to Nopea."""
        for name in names:
            self.take(name)

    def note(self, name: str, why: str) -> None:
        """Note a field as not mapped, with what to do instead."""
        self._notes.not_mapped(f"{self._path}.{name}", why)

    def refuse(self, name: str, why: str) -> None:
        """Note a field as not mapped if it is set."""
        if self.take(name) is not None:
            self.note(name, why)

    def rest(self) -> None:
        """Note everything that is left, also in what is below."""
        for name, value in without_empty(self._rest).items():
            if value is not False:
                self._notes.not_mapped(f"{self._path}.{name}")
        self._rest.clear()
        for fields in self._below:
            fields.rest()

    def _inner(self, value: Any, name: str) -> Fields:
        fields = Fields(value, f"{self._path}.{name}", self._notes)
        self._below.append(fields)
        return fields


def without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that have a value: an empty one says nothing."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}


def items(value: Any) -> list[Mapping[str, Any]]:
    """Return the mappings in a list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def strings(value: Any) -> list[str]:
    """Return the strings in a list."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def path_of(text: str, *, folder: str = "") -> str:
    """Return a path from the root of a repository, which it does not leave.

    One that does not begin with a slash is relative to the folder.
    """
    parts: list[str] = []
    for part in (text if text.startswith("/") else f"{folder}/{text}").split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def url_of(given: Fields, name: str, *, login: str) -> str:
    """Return a URL without credentials, which a spec must not have; `login` is the field for them."""
    url = given.text(name)
    clean = _CREDENTIALS.sub(r"\1\2", url)
    if clean != url:
        given.note(name, f"its credentials are left out; put them into a Secret and name it in {login}")
    return clean


def git_repository(name: str, namespace: str, spec: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """Return a GitRepository that the API server accepts, or note why it will not.

    Raises NotMappedError for a spec that cannot be written.
    """
    order = [field.encode_name for field in msgspec.structs.fields(GitRepositorySpec)]
    spec = without_empty({field: spec.get(field) for field in order})
    parsed = parse_spec(spec)
    if isinstance(parsed, Problem):
        notes.not_mapped(f"{parsed.message} {parsed.hint}")
    else:
        for field, message in violations(spec):
            if field not in _DURATIONS:
                raise NotMappedError(f"the API server would refuse it: spec.{field} {message}")
            del spec[field]
            notes.not_mapped(f"spec.{field}", message)
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
