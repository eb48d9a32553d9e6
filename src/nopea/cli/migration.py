"""Find the objects of Flux and Argo CD for `migrate`: in a folder, or in a cluster. Never writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from nopea.cli.folder import read_manifests
from nopea.core.git.source import ParsedFile
from nopea.core.manifests.file import parse_file
from nopea.core.manifests.render import read_documents
from nopea.core.migrate.migrate import KINDS, SOURCES, ForeignObject
from nopea.core.problem import Code, Problem
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ForbiddenError, UnknownKindError
from nopea.kube.requests import Selection

_UNREADABLE = (Code.YAML_SYNTAX, Code.YAML_VALUE, Code.YAML_DUPLICATE_KEY, Code.YAML_LIMIT, Code.ENCODING)
_KIND = re.compile(rb"kind:\s*[\"']?(%s)\b" % "|".join(kind.kind for kind in KINDS).encode())
_GROUP = re.compile("|".join(re.escape(kind.group) for kind in KINDS).encode())


def find_in_folder(folder: Path) -> tuple[list[ForeignObject], list[Problem]]:
    """Return the objects of a folder or file, and the problems of unreadable files that may have some.

    Raises StalledError when the folder cannot be read.
    """
    is_folder = folder.is_dir()
    return _found(read_manifests(folder), lambda path: (folder / path if is_folder else folder).read_bytes())


def find_in_text(raw: bytes) -> tuple[list[ForeignObject], list[Problem]]:
    """Return the objects of a stream of documents, as of a file with the name `-`."""
    return _found({"-": parse_file(raw)}, lambda _: raw)


def _found(
    files: Mapping[str, ParsedFile], read: Callable[[str], bytes]
) -> tuple[list[ForeignObject], list[Problem]]:
    documents, problems = read_documents(files)
    broken = {path for path, file in files.items() if file.problems and _may_matter(read(path))}
    hint = "Correct the file, or render its folder first: `nopea render DIR | nopea migrate -f -`."
    return [ForeignObject(document.object, document.source) for document in documents], [
        replace(problem, hint=hint)
        for problem in problems
        if problem.code in _UNREADABLE and (problem.source.rpartition(":")[0] or problem.source) in broken
    ]


def _may_matter(content: bytes) -> bool:
    return _GROUP.search(content) is not None and _KIND.search(content) is not None


async def find_in_cluster(client: KubeClient, namespace: str | None) -> list[ForeignObject]:
    """Return the objects in a namespace, or in all; sources are read in all where that is allowed.

    Raises ApiError.
    """
    discovery = Discovery(client)
    found: list[ForeignObject] = []
    for kind in KINDS:
        try:
            resource = await discovery.find_preferred(kind)
        except UnknownKindError:
            continue
        chosen = Selection(namespace=namespace or "")
        try:
            listed = await client.list(resource, Selection() if kind in SOURCES else chosen)
        except ForbiddenError:
            if kind not in SOURCES or not namespace:
                raise
            listed = await client.list(resource, chosen)
        found += [ForeignObject(live.json()) for live in listed.items]
    return found
