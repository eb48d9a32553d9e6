"""What one repository may hold."""

from __future__ import annotations

from dataclasses import replace

from nopea.core.git.source import (
    FileEntry,
    FileListing,
    ParsedDocument,
    ParsedFile,
    Skipped,
    SkipReason,
)
from nopea.core.manifests import limits
from nopea.core.manifests.ignore import Ignore
from nopea.core.problem import Code


def entries(count: int, name: str = "a.yaml") -> list[FileEntry]:
    """Return the files of this number of folders, all of them one blob."""
    return [FileEntry(path=f"d{number}/{name}", blob="b", size=1) for number in range(count)]


def listing(count: int, name: str = "a.yaml", *, size: int = 1, links: int = 0) -> FileListing:
    """Return a listing with these files, each of this size, and with links."""
    return FileListing(
        files=tuple(replace(entry, size=size) for entry in entries(count, name)),
        skipped=tuple(Skipped(f"link{number}.yaml", SkipReason.OUTSIDE) for number in range(links)),
    )


def parsed(objects: int, size: int = 10) -> ParsedFile:
    """Return a file with this number of objects of this size."""
    document = ParsedDocument(index="1", line=1, body=b"x" * size)
    return ParsedFile(documents=(document,) * objects, problems=())


def test_the_limits_are_inclusive() -> None:
    """What reaches a limit is fine; one more is a problem with both numbers."""
    ignore_bytes = limits.MAX_IGNORE_BYTES // 10
    assert limits.problem_of_listing(listing(limits.MAX_IGNORE_FILES, ".nopeaignore")) is None
    assert limits.problem_of_listing(listing(10, ".nopeaignore", size=ignore_bytes)) is None
    assert limits.problem_of_files(entries(limits.MAX_FILES)) is None
    assert limits.problem_of_content({"a": parsed(3), "b": parsed(2)}, max_objects=5) is None

    found = [
        limits.problem_of_listing(listing(limits.MAX_IGNORE_FILES + 1, ".nopeaignore")),
        limits.problem_of_content({"a": parsed(3), "b": parsed(3)}, max_objects=5),
        limits.problem_of_files(entries(limits.MAX_FILES + 1)),
        limits.problem_of_listing(listing(11, ".nopeaignore", size=ignore_bytes)),
        limits.problem_of_files(listing(65, size=1024 * 1024).files),
        limits.problem_of_content({"a": parsed(65, 1024 * 1024)}, max_objects=100),
    ]

    assert {problem.code for problem in found if problem} == {Code.REPOSITORY_TOO_BIG}
    assert all(found)
    assert "6 objects, more than 5" in str(found[1])
    assert not Code.REPOSITORY_TOO_BIG.transient


def test_one_file_at_many_paths_counts_at_each() -> None:
    """Its objects are rendered at each path, although it is parsed once."""
    bomb = parsed(1000)

    assert limits.problem_of_content({f"{n}.yaml": bomb for n in range(20)}, max_objects=10_000) is not None


def test_patterns_count_for_each_file() -> None:
    """Both may be many, but not at once."""
    ignore = Ignore(exclude=[f"x{number}" for number in range(1000)])

    assert ignore.patterns == 1000
    most = limits.MAX_MATCHES // 1000
    assert limits.problem_of_matching(listing(most), ignore) is None
    problem = limits.problem_of_matching(listing(most, links=1), ignore)
    assert problem is not None
    assert "501,000 matches" in problem.message
    assert limits.problem_of_matching(listing(limits.MAX_FILES), Ignore()) is None
