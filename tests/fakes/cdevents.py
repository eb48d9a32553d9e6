"""Checks of a CDEvent's JSON as a consumer does them: a strict checker, and the official schemas if present.

The checker knows both versions of the specification and runs everywhere; it does not use `src/nopea`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

MAX_MESSAGE = 64 * 1024
_SEGMENT = r"(?:[A-Za-z0-9.\-_~:]|%[0-9A-F]{2})+"
_PURL = re.compile(
    rf"pkg:(?P<type>[a-z][a-z0-9.\-]*)/(?P<names>{_SEGMENT}(?:/{_SEGMENT})*)(?:@(?P<version>{_SEGMENT}))?"
    rf"(?:\?(?P<qualifiers>[a-z][a-z0-9.\-_]*={_SEGMENT}))?(?:\#(?P<subpath>{_SEGMENT}(?:/{_SEGMENT})*))?"
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_CUSTOM = re.compile(r"dev\.cdeventsx\.nopea-(?P<subject>[a-z]+)\.[a-z]+\.\d\.\d\.\d")
_STANDARD = re.compile(r"dev\.cdevents\.(?P<subject>[a-z]+)\.(?P<predicate>[a-z]+)\.(?P<version>\d\.\d\.\d)")
_REFERENCE = {"id"}, {"source"}
_CONTENT: dict[str, tuple[set[str], set[str]]] = {
    "taskrun.started": (set(), {"taskName", "pipelineRun"}),
    "taskrun.finished": (set(), {"taskName", "pipelineRun", "outcome", "errors"}),
    "service.deployed": ({"environment", "artifactId"}, set()),
    "service.upgraded": ({"environment", "artifactId"}, set()),
    "service.rolledback": ({"environment", "artifactId"}, set()),
    "service.published": ({"environment"}, set()),
    "service.removed": ({"environment"}, set()),
    "environment.created": (set(), {"name"}),
    "environment.modified": (set(), {"name"}),
    "environment.deleted": (set(), {"name"}),
    "incident.detected": ({"environment"}, {"description", "service", "artifactId"}),
    "incident.resolved": ({"environment"}, {"description", "service", "artifactId"}),
}
"""Required and optional keys of the content; `uri` is left out, because it has another name in 0.4.1."""
_SUBJECT_TYPES = {
    "taskrun": "taskRun",
    "service": "service",
    "environment": "environment",
    "incident": "incident",
}


def is_purl(text: str) -> bool:
    """Return whether a text is a valid purl: percent-encoded, without empty segments, `.` or `..`."""
    found = _PURL.fullmatch(text)
    if found is None:
        return False
    decoded = [unquote(part) for part in (*found["names"].split("/"), *(found["subpath"] or "x").split("/"))]
    needs_namespace = found["type"] in ("git", "github", "bitbucket")
    return all(part not in ("", ".", "..") for part in decoded) and not (
        needs_namespace and "/" not in found["names"]
    )


def check(raw: bytes, version: str = "0.5.1") -> list[str]:
    """Return what is wrong with an event's JSON; an empty list if a strict consumer accepts it."""
    event = json.loads(raw)
    try:
        wrong = list(_check(event, version))
    except (KeyError, TypeError, ValueError) as error:
        wrong = [f"{type(error).__name__}: {error}"]
    if len(raw) > MAX_MESSAGE:
        wrong.append(f"{len(raw)} bytes")
    return wrong


def _check(event: dict[str, Any], version: str) -> Iterator[str]:
    is_old = version == "0.4.1"
    yield from _keys("event", event, {"context", "subject"}, {"customData", "customDataContentType"})
    key = "version" if is_old else "specversion"
    context, subject = event["context"], event["subject"]
    yield from _keys("context", context, {key, "id", "source", "type", "timestamp", "chainId"}, {"links"})
    yield from _keys("subject", subject, {"id", "content", *(["type"] if is_old else [])}, set())
    if context.get(key) != version:
        yield f"{key} {context.get(key)}"
    for name in ("id", "source", "type", "timestamp", "chainId"):
        if not isinstance(context.get(name), str) or not context[name]:
            yield f"context.{name}"
    if not isinstance(subject["id"], str) or not subject["id"]:
        yield "subject.id"
    if not _TIME.fullmatch(context["timestamp"]):
        yield f"timestamp {context['timestamp']}"
    else:
        datetime.fromisoformat(context["timestamp"])
    chain = UUID(context["chainId"])
    if chain.version != 4 or str(chain) != context["chainId"]:
        yield f"chainId {chain}"
    for link in context.get("links", ()):
        yield from _link(link)
    if "customData" in event and not isinstance(event["customData"], dict):
        yield "customData"
    yield from _typed(context["type"], subject, is_old=is_old)


def _typed(type_: str, subject: dict[str, Any], *, is_old: bool) -> Iterator[str]:
    custom, standard = _CUSTOM.fullmatch(type_), _STANDARD.fullmatch(type_)
    if custom is not None:
        subject_type = f"nopea-{custom['subject']}"
    elif standard is not None and standard["version"] == ("0.2.0" if is_old else "0.3.0"):
        subject_type = _SUBJECT_TYPES[standard["subject"]]
        keys = _CONTENT[f"{standard['subject']}.{standard['predicate']}"]
        yield from _keys("content", subject["content"], *keys)
    else:
        yield f"type {type_}"
        return
    if is_old and subject.get("type") != subject_type:
        yield f"subject.type {subject.get('type')}"
    yield from _content(subject["content"])


def _content(content: dict[str, Any]) -> Iterator[str]:
    for name in ("environment", "service"):
        if name in content:
            yield from _keys(name, content[name], *_REFERENCE)
            if not all(isinstance(one, str) and one for one in content[name].values()):
                yield name
    if "artifactId" in content and not is_purl(content["artifactId"]):
        yield f"artifactId {content['artifactId']}"
    if content.get("outcome", "success") not in ("success", "failure", "cancel", "error"):
        yield f"outcome {content['outcome']}"
    for name in ("description", "errors", "taskName", "name"):
        if name in content and not isinstance(content[name], str):
            yield f"content.{name}"


def _link(link: dict[str, Any]) -> Iterator[str]:
    if link.get("linkType") == "PATH":
        yield from _keys("link", link, {"linkType", "from"}, set())
        yield from _keys("from", link.get("from"), {"contextId"}, set())
    else:
        yield from _keys("link", link, {"linkType", "linkKind", "target"}, set())
        yield from _keys("target", link.get("target"), {"contextId"}, set())
        if link.get("linkType") != "RELATION" or not link.get("linkKind"):
            yield f"link {link}"


def _keys(where: str, value: Any, required: set[str], optional: set[str]) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} is no object"
        return
    yield from (f"{where} lacks {key}" for key in sorted(required - value.keys()))
    yield from (f"{where} has {key}" for key in sorted(value.keys() - required - optional))
    yield from (f"{where}.{key} is null" for key in sorted(value) if value[key] is None)


def has_reference() -> bool:
    """Return whether the official schemas are present."""
    return (_folder() / "schemas").is_dir()


def _folder() -> Path:
    given = os.environ.get("NOPEA_REFERENCE")
    root = Path(given) if given else Path(__file__).parents[3] / "shared" / "reference"
    return root / "cdevents"


def reference() -> Path:
    """Return the folder with the official schemas; skip the test if it is missing."""
    folder = _folder()
    if not has_reference():
        pytest.skip(f"no CDEvents schemas in {folder}; NOPEA_REFERENCE may name their parent folder")
    return folder


@cache
def _validators(folder: Path) -> tuple[dict[str, Draft202012Validator], Draft202012Validator]:
    registry: Registry[Any] = Registry()
    schemas = []
    for path in (*sorted(folder.glob("schemas/**/*.json")), folder / "custom" / "schema.json"):
        schema = json.loads(path.read_text(encoding="utf-8"))
        registry = registry.with_resource(schema["$id"], Resource.from_contents(schema))
        schemas.append(schema)
    made = [Draft202012Validator(one, registry=registry, format_checker=FormatChecker()) for one in schemas]
    by_type: dict[str, Draft202012Validator] = {}
    for schema, validator in zip(schemas, made, strict=True):
        types = schema.get("properties", {}).get("context", {}).get("properties", {}).get("type", {})
        by_type |= dict.fromkeys(types.get("enum", ()), validator)
    return by_type, made[-1]


def official_errors(raw: bytes) -> list[str]:
    """Return the errors by the official 0.5.1 schema of the event's type; skip the test without schemas."""
    event = json.loads(raw)
    by_type, custom = _validators(reference())
    type_ = event["context"]["type"]
    validator = custom if type_.startswith("dev.cdeventsx.") else by_type[type_]
    return [f"{'/'.join(map(str, one.path))}: {one.message}" for one in validator.iter_errors(event)]
