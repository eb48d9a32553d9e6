"""Limits of one repository, checked before the work is done: one tenant must not stop the others. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nopea.core.git.source import FileEntry, ParsedFile
from nopea.core.manifests.ignore import IGNORE_FILE, Ignore
from nopea.core.problem import Code, Problem

MAX_FILES = 10_000
MAX_IGNORE_FILES = 100
MAX_MATCHES = 500_000
"""Patterns times files: a pattern costs some microseconds for each file."""

MAX_BYTES = 64 * 1024 * 1024
"""Of all objects as JSON; a file that is at two paths counts twice."""

_SPLIT = "Set spec.path to a smaller folder, or divide the repository between several GitRepositories."


def problem_of_listing(entries: Sequence[FileEntry]) -> Problem | None:
    """Return the problem of a folder that must not even be matched with patterns."""
    ignore_files = sum(entry.path.rpartition("/")[2] == IGNORE_FILE for entry in entries)
    if ignore_files > MAX_IGNORE_FILES:
        return _too_big(f"It has {ignore_files:,} {IGNORE_FILE} files, more than {MAX_IGNORE_FILES:,}.")
    return None


def problem_of_matching(entries: Sequence[FileEntry], ignore: Ignore) -> Problem | None:
    """Return the problem of patterns that would be matched too often."""
    matches = ignore.patterns * len(entries)
    if matches <= MAX_MATCHES:
        return None
    return _too_big(
        f"{ignore.patterns:,} patterns of spec.exclude and {IGNORE_FILE} and {len(entries):,} files are "
        f"{matches:,} matches, more than {MAX_MATCHES:,}."
    )


def problem_of_files(wanted: Sequence[FileEntry]) -> Problem | None:
    """Return the problem of too many manifests."""
    if len(wanted) <= MAX_FILES:
        return None
    return _too_big(f"It has {len(wanted):,} manifest files, more than {MAX_FILES:,}.")


def problem_of_content(files: Mapping[str, ParsedFile], *, max_objects: int) -> Problem | None:
    """Return the problem of too many objects, or of too much in them."""
    objects = sum(len(file.documents) for file in files.values())
    if objects > max_objects:
        return _too_big(f"It declares {objects:,} objects, more than {max_objects:,} (--max-objects).")
    size = sum(len(document.body) for file in files.values() for document in file.documents)
    if size > MAX_BYTES:
        return _too_big(f"Its objects have {size:,} bytes, more than {MAX_BYTES:,}.")
    return None


def _too_big(message: str) -> Problem:
    return Problem(code=Code.REPOSITORY_TOO_BIG, message=f"The repository is too big. {message}", hint=_SPLIT)
