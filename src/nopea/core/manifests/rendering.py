"""What is asked of the renderer and what it answers: values that its port and the sync share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nopea.core.git.source import ParsedDocument, ParsedFile
from nopea.core.manifests.file import check_object
from nopea.core.manifests.tool import Tool
from nopea.core.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderRequest:
    """A folder to render, with the files that the renderer may see: it sees no others.

    All paths are from the root of the repository. Of `folders`, all files are given; what is `missing` does
    not exist. `options` are fields of the request as they are on the wire.
    """

    tool: Tool
    path: str
    files: Mapping[str, bytes]
    folders: Sequence[str] = ()
    missing: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RenderedObject:
    """One object: the file that a person edits to change it, its number in that file from 0, and its JSON."""

    source: str
    index: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderAnswer:
    """What a folder renders to, or the files and folders that the renderer needs to see first (`need`).

    `read` are the files that it read, `looked` the paths that it looked for in vain, and `folders` those of
    which every file counts: a commit that changes none of these changes nothing.
    """

    objects: tuple[RenderedObject, ...] = ()
    read: tuple[str, ...] = ()
    looked: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    need: tuple[str, ...] = ()


def files_of(objects: Sequence[RenderedObject]) -> dict[str, ParsedFile]:
    """Return rendered objects as if each had been read from its source, normalized and checked."""
    documents: dict[str, list[ParsedDocument]] = {}
    problems: dict[str, list[Problem]] = {}
    for one in objects:
        index = str(one.index + 1)
        body, found = check_object(one.body, index=index)
        if found:
            problems.setdefault(one.source, []).extend(found)
        else:
            documents.setdefault(one.source, []).append(ParsedDocument(index=index, line=0, body=body))
    return {
        source: ParsedFile(
            documents=tuple(documents.get(source, ())), problems=tuple(problems.get(source, ()))
        )
        for source in documents.keys() | problems.keys()
    }
