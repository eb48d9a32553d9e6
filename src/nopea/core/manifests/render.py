"""Turn parsed files into the objects to apply: set namespaces and ownership, refuse duplicates.

The caller says what each kind's scope is; nothing is read or written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from nopea.core.api import names
from nopea.core.api.spec import IgnoreRule
from nopea.core.apply.ignore_rules import NO_RULES, IgnoreRules, rules_for
from nopea.core.git.source import ParsedFile
from nopea.core.manifests.stages import Stage, stage_of
from nopea.core.objects import (
    CUSTOM_RESOURCE_DEFINITION,
    GroupKind,
    ObjectKey,
    Resource,
    Target,
    split_api_version,
)
from nopea.core.problem import Code, Problem
from nopea.core.secret import NO_KEY, Secret, keyed_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """One object as Git describes it; `body` is the JSON to apply, `hash` changes when it or its rules do.

    `content` is the hash of what a Job runs, see `content_of`; it is empty for other kinds. What comes after
    an `awaited` Job waits until it has succeeded. `delete_after` says with which ends it is deleted then.
    """

    key: ObjectKey
    resource: Resource
    source: str
    body: bytes
    hash: str
    stage: Stage
    wave: int
    force: bool
    rules: IgnoreRules = NO_RULES
    content: str = ""
    awaited: bool = False
    delete_after: frozenset[str] = frozenset()

    @property
    def target(self) -> Target:
        """Where the API serves it."""
        return self.resource.at(name=self.key.name, namespace=self.key.namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What a GitRepository sets on each of its objects: owner, namespaces, force and ignore rules."""

    owner: str
    default_namespace: str
    target_namespace: str | None
    force: bool
    ignore: tuple[IgnoreRule, ...] = ()
    hash_key: Secret = NO_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One object of a file, with its place, before its kind has been looked up."""

    path: str
    index: str
    api_version: str
    kind: str
    object: Mapping[str, Any]

    @property
    def source(self) -> str:
        """The place in messages: `path/in/repo.yaml#2`."""
        return f"{self.path}#{self.index}"


def read_documents(files: Mapping[str, ParsedFile]) -> tuple[list[Document], list[Problem]]:
    """Return every object of every file, sorted by path, and the files' problems with their path."""
    documents: list[Document] = []
    problems: list[Problem] = []
    for path in sorted(files):
        file = files[path]
        for parsed in file.documents:
            body = orjson.loads(parsed.body)
            documents.append(
                Document(
                    path=path,
                    index=parsed.index,
                    api_version=body["apiVersion"],
                    kind=body["kind"],
                    object=body,
                )
            )
        problems.extend(replace(problem, source=f"{path}{problem.source}") for problem in file.problems)
    return documents, problems


JOB: Final = GroupKind("batch", "Job")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")


def resources_of_definitions(documents: Iterable[Document]) -> dict[tuple[str, str], Resource]:
    """Return the kinds that the repository's own CRDs will serve, by (apiVersion, kind)."""
    resources: dict[tuple[str, str], Resource] = {}
    for document in documents:
        if GroupKind(split_api_version(document.api_version)[0], document.kind) != CUSTOM_RESOURCE_DEFINITION:
            continue
        for resource in _served(document.object.get("spec")):
            resources[(resource.api_version, resource.kind)] = resource
    return resources


def _served(spec: Any) -> list[Resource]:
    """Return the served versions; empty for a malformed spec, which the API server will reject."""
    try:
        resources = [
            Resource(
                group=str(spec["group"]),
                version=str(version["name"]),
                kind=str(spec["names"]["kind"]),
                plural=str(spec["names"]["plural"]),
                namespaced=_is_namespaced(spec),
            )
            for version in spec["versions"]
            if version.get("served", True)
        ]
        return [resource for resource in resources if _has_valid_names(resource)]
    except (KeyError, TypeError, ValueError, AttributeError):
        return []


def _has_valid_names(resource: Resource) -> bool:
    """Return whether the API server could serve it: the names become parts of paths."""
    labels = (resource.version, resource.plural, *resource.group.split("."))
    return all(map(_LABEL.fullmatch, labels)) and _KIND.fullmatch(resource.kind) is not None


def _is_namespaced(spec: Mapping[str, Any]) -> bool:
    """Return whether the scope is Namespaced; raises KeyError for an unknown scope."""
    return {"Namespaced": True, "Cluster": False}[spec.get("scope", "Namespaced")]


def render(
    documents: Iterable[Document], rendering: Rendering, find: Callable[[str, str], Resource | None]
) -> tuple[list[Desired], list[Problem]]:
    """Return the objects to apply; unknown kinds and duplicate objects become problems instead.

    `find` looks up a kind by apiVersion and kind, and returns None for an unknown one.
    """
    by_key: dict[ObjectKey, list[Desired]] = {}
    problems: list[Problem] = []
    for document in documents:
        resource = find(document.api_version, document.kind)
        if resource is None:
            problems.append(_unknown_kind(document))
            continue
        rendered = _render_document(document, rendering, resource)
        if isinstance(rendered, Problem):
            problems.append(rendered)
        else:
            by_key.setdefault(rendered.key, []).append(rendered)
    desired = []
    for key, candidates in by_key.items():
        if len(candidates) == 1:
            desired.append(candidates[0])
        else:
            problems.append(_duplicate(key, candidates))
    return desired, problems


def _render_document(document: Document, rendering: Rendering, resource: Resource) -> Desired | Problem:
    metadata = dict(document.object["metadata"])
    if not resource.namespaced:
        metadata.pop("namespace", None)
        namespace = ""
    else:
        namespace = rendering.target_namespace or metadata.get("namespace") or rendering.default_namespace
        metadata["namespace"] = namespace
    annotations = metadata.get("annotations") or {}
    key = ObjectKey(resource.group, resource.kind, namespace, metadata["name"])
    wave = _wave(annotations.get(names.WAVE_ANNOTATION, "0"))
    if wave is None:
        return Problem(
            code=Code.OBJECT_METADATA,
            message=f"The annotation {names.WAVE_ANNOTATION} must be an integer from -1000 to 1000.",
            hint='Write it as a quoted number, such as "1".',
            source=document.source,
            object=str(key),
        )
    metadata["labels"] = {**(metadata.get("labels") or {}), names.REPOSITORY_LABEL: rendering.owner}
    metadata["annotations"] = {**annotations, names.SOURCE_ANNOTATION: document.source}
    body = orjson.dumps({**document.object, "metadata": metadata}, option=orjson.OPT_SORT_KEYS)
    is_job = key.group_kind == JOB
    rules = rules_for(rendering.ignore, key) if rendering.ignore else NO_RULES
    return Desired(
        key=key,
        resource=resource,
        source=document.source,
        body=body,
        hash=_digest(body, rules, rendering.hash_key),
        stage=stage_of(key.group_kind),
        wave=wave,
        force=rendering.force or annotations.get(names.FORCE_ANNOTATION) == "true",
        rules=rules,
        content=content_of(body, rendering.hash_key) if is_job else "",
        awaited=is_job and annotations.get(names.AWAIT_ANNOTATION) == "true",
        delete_after=frozenset((annotations.get(names.DELETE_AFTER_ANNOTATION) or "").split(",")),
    )


def content_of(body: bytes, key: Secret = NO_KEY) -> str:
    """Hash a manifest without Nopea's own metadata: a Job does not run again because its file was moved."""
    manifest: Mapping[str, Any] = orjson.loads(body)
    metadata = dict(manifest.get("metadata") or {})
    for field in ("annotations", "labels"):
        texts: Mapping[str, Any] = metadata.pop(field, None) or {}
        if rest := {name: text for name, text in texts.items() if not name.startswith(f"{names.GROUP}/")}:
            metadata[field] = rest
    return keyed_hash(orjson.dumps({**manifest, "metadata": metadata}, option=orjson.OPT_SORT_KEYS), key)


def _digest(body: bytes, rules: IgnoreRules, key: Secret) -> str:
    """Hash the manifest and its ignore rules: the rules change which fields the baseline covers."""
    content = body if rules == NO_RULES else body + repr(rules).encode()
    return keyed_hash(content, key)


def _wave(text: str | None) -> int | None:
    try:
        wave = int(text or "")
    except ValueError:
        return None
    return wave if -1000 <= wave <= 1000 else None


def _unknown_kind(document: Document) -> Problem:
    name = document.object["metadata"]["name"]
    return Problem(
        code=Code.KIND_UNKNOWN,
        message=f"The API server does not serve kind {document.kind} in {document.api_version}.",
        hint="Correct apiVersion and kind, or install the CustomResourceDefinition. "
        "Nopea applies the object as soon as the kind is served.",
        source=document.source,
        object=f"{GroupKind(split_api_version(document.api_version)[0], document.kind)} {name}",
    )


def _duplicate(key: ObjectKey, candidates: list[Desired]) -> Problem:
    sources = [candidate.source for candidate in candidates]
    return Problem(
        code=Code.DUPLICATE_OBJECT,
        message=f"{len(sources)} documents describe this object: {', '.join(sources[:5])}. None was applied.",
        hint="Keep one of them and remove the others.",
        source=sources[0],
        object=str(key),
    )
