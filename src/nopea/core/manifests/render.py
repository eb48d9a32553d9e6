"""From parsed files to the objects that Git wants: namespaces filled in, ownership marked, doubles refused.

Pure: scopes of kinds come in as a function; nothing is read or written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from nopea.core.api import names
from nopea.core.api.spec import IgnoreRule
from nopea.core.apply.ignore_rules import NO_RULES, IgnoreRules, rules_for
from nopea.core.git.source import ParsedFile
from nopea.core.manifests.stages import Stage, stage_of
from nopea.core.objects import GroupKind, ObjectKey, Resource, Target, split_api_version
from nopea.core.problem import Code, Problem

CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """One object as Git wants it; `body` is the JSON to apply, `hash` tells two wishes apart."""

    key: ObjectKey
    resource: Resource
    source: str
    body: bytes
    hash: str
    stage: Stage
    wave: int
    force: bool
    rules: IgnoreRules = NO_RULES

    @property
    def target(self) -> Target:
        """Where the API serves it."""
        return self.resource.at(name=self.key.name, namespace=self.key.namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What a pass puts into every object: the owner, the namespaces, and whether all may be recreated."""

    owner: str
    default_namespace: str
    target_namespace: str | None
    force: bool
    ignore: tuple[IgnoreRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document with its place, before its kind has been looked up."""

    path: str
    index: str
    api_version: str
    kind: str
    object: Mapping[str, Any]

    @property
    def source(self) -> str:
        """The place for people: `path/in/repo.yaml#2`."""
        return f"{self.path}#{self.index}"


def read_documents(files: Mapping[str, ParsedFile]) -> tuple[list[Document], list[Problem]]:
    """Open every document of every file, in the order of paths; problems get their path."""
    wishes: list[Document] = []
    problems: list[Problem] = []
    for path in sorted(files):
        parsed = files[path]
        for document in parsed.documents:
            body = orjson.loads(document.body)
            wishes.append(
                Document(
                    path=path,
                    index=document.index,
                    api_version=body["apiVersion"],
                    kind=body["kind"],
                    object=body,
                )
            )
        problems.extend(
            Problem(
                code=problem.code,
                message=problem.message,
                hint=problem.hint,
                source=f"{path}{problem.source}",
                object=problem.object,
            )
            for problem in parsed.problems
        )
    return wishes, problems


def resources_of_definitions(wishes: Iterable[Document]) -> dict[tuple[str, str], Resource]:
    """Return the kinds that the repository's own CRDs will serve, by (apiVersion, kind)."""
    found: dict[tuple[str, str], Resource] = {}
    for wish in wishes:
        if GroupKind(split_api_version(wish.api_version)[0], wish.kind) != CRD:
            continue
        for resource in _served(wish.object.get("spec")):
            found[(resource.api_version, resource.kind)] = resource
    return found


def _served(spec: Any) -> list[Resource]:
    """Read a CRD's spec leniently: what is wrong with it, the API server will say."""
    try:
        return [
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
    except (KeyError, TypeError, ValueError, AttributeError):
        return []


def _is_namespaced(spec: Mapping[str, Any]) -> bool:
    """Raises KeyError for a scope that Kubernetes does not have."""
    return {"Namespaced": True, "Cluster": False}[spec.get("scope", "Namespaced")]


def render(
    wishes: Iterable[Document], rendering: Rendering, find: Callable[[str, str], Resource | None]
) -> tuple[list[Desired], list[Problem]]:
    """Turn wishes into objects to apply; unknown kinds and doubled objects become problems instead."""
    by_key: dict[ObjectKey, list[Desired]] = {}
    problems: list[Problem] = []
    for wish in wishes:
        resource = find(wish.api_version, wish.kind)
        if resource is None:
            problems.append(_unknown_kind(wish))
            continue
        outcome = _render_one(wish, rendering, resource)
        if isinstance(outcome, Problem):
            problems.append(outcome)
        else:
            by_key.setdefault(outcome.key, []).append(outcome)
    desired = []
    for key, candidates in by_key.items():
        if len(candidates) == 1:
            desired.append(candidates[0])
        else:
            problems.append(_doubled(key, candidates))
    return desired, problems


def _render_one(wish: Document, rendering: Rendering, resource: Resource) -> Desired | Problem:
    metadata = dict(wish.object["metadata"])
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
            message=f"the annotation {names.WAVE_ANNOTATION} must be a whole number from -1000 to 1000",
            hint='Write it as a quoted number, like "1".',
            source=wish.source,
            object=str(key),
        )
    metadata["labels"] = {**(metadata.get("labels") or {}), names.REPOSITORY_LABEL: rendering.owner}
    metadata["annotations"] = {**annotations, names.SOURCE_ANNOTATION: wish.source}
    body = orjson.dumps({**wish.object, "metadata": metadata}, option=orjson.OPT_SORT_KEYS)
    rules = rules_for(rendering.ignore, key) if rendering.ignore else NO_RULES
    return Desired(
        key=key,
        resource=resource,
        source=wish.source,
        body=body,
        hash=_digest(body, rules),
        stage=stage_of(key.group_kind),
        wave=wave,
        force=rendering.force or annotations.get(names.FORCE_ANNOTATION) == "true",
        rules=rules,
    )


def _digest(body: bytes, rules: IgnoreRules) -> str:
    """Tell wishes apart, also by what they leave to others: it changes what the baseline covers."""
    said = body if rules == NO_RULES else body + repr(rules).encode()
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def _wave(text: str) -> int | None:
    try:
        wave = int(text)
    except ValueError:
        return None
    return wave if -1000 <= wave <= 1000 else None


def _unknown_kind(wish: Document) -> Problem:
    name = wish.object["metadata"]["name"]
    return Problem(
        code=Code.KIND_UNKNOWN,
        message=f"the API server does not know kind {wish.kind} in {wish.api_version}",
        hint="Install its CustomResourceDefinition, here or elsewhere, or correct apiVersion and kind; "
        "it is tried again as soon as the kind appears.",
        source=wish.source,
        object=f"{GroupKind(split_api_version(wish.api_version)[0], wish.kind)} {name}",
    )


def _doubled(key: ObjectKey, candidates: list[Desired]) -> Problem:
    sources = [candidate.source for candidate in candidates]
    return Problem(
        code=Code.DUPLICATE_OBJECT,
        message=f"{len(sources)} documents describe this object: {', '.join(sources[:5])}; none was applied",
        hint="Keep one of them.",
        source=sources[0],
        object=str(key),
    )
