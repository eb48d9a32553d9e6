"""What is asked of the renderer and what it answers: values that its port and the sync share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from nopea.core.decryption.keys import Opening
from nopea.core.downloads.items import RemoteItem
from nopea.core.git.source import ParsedDocument, ParsedFile
from nopea.core.manifests.file import check_objects
from nopea.core.manifests.hooks import from_helm, named
from nopea.core.manifests.tool import Tool
from nopea.core.problem import Problem


@dataclass(frozen=True, slots=True)
class RenderedObject:
    """One object: the file that a person edits to change it, its number in that file from 0, and its JSON."""

    source: str
    index: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderRequest:
    """A folder to render, with the files that the renderer may see: it sees no others.

    All paths are from the root of the repository. Of `folders`, all files are given; what is `missing` does
    not exist. `remotes` says where among the files a `RemoteItem` is, by its key. `documents` are plain
    manifests that were parsed already. `options` are further fields of the request, as they are on the wire.
    """

    tool: Tool
    path: str
    files: Mapping[str, bytes] = field(repr=False)
    folders: Sequence[str] = ()
    missing: Sequence[str] = ()
    remotes: Mapping[str, str] = field(default_factory=dict)
    documents: Sequence[RenderedObject] = ()
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderAnswer:
    """What a folder renders to, or what the renderer needs to see first: files and folders (`need`), and what
    lies elsewhere (`fetch`), and data keys that a key service must open (`open`).

    `read` are the files that it read, `looked` the paths that it looked for in vain, and `folders` those of
    which every file counts: a commit that changes none of these changes nothing.
    """

    objects: tuple[RenderedObject, ...] = ()
    read: tuple[str, ...] = ()
    looked: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    need: tuple[str, ...] = ()
    fetch: tuple[RemoteItem, ...] = ()
    open: tuple[Opening, ...] = ()
    notes: tuple[str, ...] = ()
    """What users should know, in sentences."""


def files_of(objects: Sequence[RenderedObject], tool: Tool) -> tuple[dict[str, ParsedFile], int]:
    """Return rendered objects as if each had been read from its source, normalized and checked.

    The number is that of Helm's hooks that are left out.
    """
    documents: dict[str, list[ParsedDocument]] = {}
    problems: dict[str, list[Problem]] = {}
    left_out = 0
    for one in objects:
        body = _named(one) if tool is Tool.HELM and b'"generateName"' in one.body else one.body
        for found in check_objects(body, index=str(one.index + 1)):
            if isinstance(found, Problem):
                problems.setdefault(one.source, []).append(found)
                continue
            if tool is Tool.HELM:
                manifest = from_helm(orjson.loads(found.body))
                if manifest is None:
                    left_out += 1
                    continue
                found = replace(found, body=orjson.dumps(manifest))
            documents.setdefault(one.source, []).append(found)
    return {
        source: ParsedFile(
            documents=tuple(documents.get(source, ())), problems=tuple(problems.get(source, ()))
        )
        for source in documents.keys() | problems.keys()
    }, left_out


def _named(one: RenderedObject) -> bytes:
    manifest = orjson.loads(one.body)
    return (
        orjson.dumps(named(manifest, f"{one.source}#{one.index}")) if isinstance(manifest, dict) else one.body
    )


def changed_files(
    files: Mapping[str, ParsedFile], objects: Sequence[RenderedObject]
) -> dict[str, ParsedFile]:
    """Return plain files with what became of their documents; decrypted objects come before those.

    The documents of `files`, sorted by path, are the last of the objects.
    """
    count = sum(len(file.documents) for file in files.values())
    decrypted, _ = files_of(objects[: len(objects) - count], Tool.PLAIN)
    rest = iter(objects[len(objects) - count :])
    changed = {path: _changed(files[path], rest) for path in sorted(files)}
    return changed | decrypted


def with_problems(
    rendered: Mapping[str, ParsedFile], plain: Mapping[str, ParsedFile]
) -> dict[str, ParsedFile]:
    """Return rendered files with the problems of the plain files that they were rendered from."""
    nothing = ParsedFile(documents=(), problems=())
    files = dict(rendered)
    for path, file in plain.items():
        if file.problems:
            known = files.get(path, nothing)
            files[path] = replace(known, problems=(*known.problems, *file.problems))
    return files


def _changed(file: ParsedFile, objects: Iterator[RenderedObject]) -> ParsedFile:
    documents: list[ParsedDocument] = []
    problems = list(file.problems)
    for document, one in zip(file.documents, objects, strict=False):
        if one.body == document.body:
            documents.append(document)
            continue
        for found in check_objects(one.body, index=document.index):
            if isinstance(found, Problem):
                problems.append(found)
            else:
                documents.append(replace(found, line=document.line))
    return ParsedFile(documents=tuple(documents), problems=tuple(problems))
