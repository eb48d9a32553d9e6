"""Limits of one repository, checked before the work is done: one tenant must not stop the others. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from nopea.core.git.source import FileEntry, FileListing, ParsedFile
from nopea.core.manifests.file_names import IGNORE_FILE
from nopea.core.manifests.ignore import Ignore
from nopea.core.problem import Code, Problem

MAX_FILES = 10_000
MAX_IGNORE_FILES = 100
MAX_IGNORE_BYTES = 1024 * 1024
"""Of all ignore files of the repository; `ignore` has the limits of each."""

MAX_MATCHES = 500_000
"""Patterns times files: a pattern costs some microseconds for each file."""

MAX_BYTES = 64 * 1024 * 1024
"""Of all files as they are in Git, and of all objects as JSON; a file that is at two paths counts twice."""

MAX_RENDERED_BYTES = 48 * 1024 * 1024
"""Of all files that one rendering reads; they are one frame of the protocol."""

_SPLIT = "Set spec.path to a smaller folder, or divide the repository between several GitRepositories."


def problem_of_listing(listing: FileListing) -> Problem | None:
    """Return the problem of ignore files that must not even be read."""
    sizes = [entry.size for entry in listing.files if entry.path.rpartition("/")[2] == IGNORE_FILE]
    if len(sizes) > MAX_IGNORE_FILES:
        return _too_big(f"It has {len(sizes):,} {IGNORE_FILE} files, more than {MAX_IGNORE_FILES:,}.")
    if (size := sum(sizes)) > MAX_IGNORE_BYTES:
        return _too_big(f"Its {IGNORE_FILE} files have {size:,} bytes, more than {MAX_IGNORE_BYTES:,}.")
    return None


def matches_of(listing: FileListing, ignore: Ignore) -> int:
    """Return how many times a pattern is matched with a path, at most."""
    return ignore.patterns * (len(listing.files) + len(listing.skipped))


def problem_of_matching(listing: FileListing, ignore: Ignore) -> Problem | None:
    """Return the problem of patterns that would be matched too often."""
    matches = matches_of(listing, ignore)
    if matches <= MAX_MATCHES:
        return None
    files = len(listing.files) + len(listing.skipped)
    return _too_big(
        f"{ignore.patterns:,} patterns of spec.exclude and {IGNORE_FILE} and {files:,} files are "
        f"{matches:,} matches, more than {MAX_MATCHES:,}."
    )


def problem_of_files(wanted: Sequence[FileEntry]) -> Problem | None:
    """Return the problem of manifests that must not even be parsed: too many, or too big together."""
    if len(wanted) > MAX_FILES:
        return _too_big(f"It has {len(wanted):,} manifest files, more than {MAX_FILES:,}.")
    if (size := sum(entry.size for entry in wanted)) > MAX_BYTES:
        return _too_big(f"Its manifest files have {size:,} bytes, more than {MAX_BYTES:,}.")
    return None


def problem_of_rendered(wanted: Collection[FileEntry]) -> Problem | None:
    """Return the problem of more files than a rendering may read."""
    if len(wanted) > MAX_FILES:
        return _too_big(f"Its rendering needs {len(wanted):,} files, more than {MAX_FILES:,}.")
    if (size := sum(entry.size for entry in wanted)) > MAX_RENDERED_BYTES:
        return _too_big(f"Its rendering needs files of {size:,} bytes, more than {MAX_RENDERED_BYTES:,}.")
    return None


def size_of(file: ParsedFile) -> int:
    """Return the bytes of a file's objects as JSON."""
    return sum(len(document.body) for document in file.documents)


def problem_of_size(size: int) -> Problem | None:
    """Return the problem of too much in the objects: aliases make them bigger than their files."""
    return (
        _too_big(f"Its objects have {size:,} bytes, more than {MAX_BYTES:,}.") if size > MAX_BYTES else None
    )


def problem_of_content(files: Mapping[str, ParsedFile], *, max_objects: int) -> Problem | None:
    """Return the problem of too many objects, or of too much in them."""
    objects = sum(len(file.documents) for file in files.values())
    if objects > max_objects:
        return _too_big(f"It declares {objects:,} objects, more than {max_objects:,} (--max-objects).")
    return problem_of_size(sum(size_of(file) for file in files.values()))


def _too_big(message: str) -> Problem:
    return Problem(code=Code.REPOSITORY_TOO_BIG, message=f"The repository is too big. {message}", hint=_SPLIT)
