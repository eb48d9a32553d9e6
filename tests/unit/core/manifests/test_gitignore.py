"""A gitignore pattern: which paths it matches, compared with Git, and how fast."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.core.manifests.gitignore import parse
from nopea.core.manifests.ignore import Ignore

PATTERN_PARTS = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        "*",
        "**",
        "?",
        "/",
        "/",
        "[ab]",
        "[!a]",
        "[a-b]",
        "[]a]",
        "[",
        "\\a",
        "\\*",
        "!",
        "#",
        " ",
        "\\ ",
        ".",
    ]
)
PATHS = [
    "a",
    "b",
    "ab",
    "a/b",
    "a/a",
    "b/a",
    "b/ab",
    "a/b/a",
    "b/b/ab",
    "ab/a/b/a",
    "a b/a",
    "*",
    "b/*",
    "[/a",
    "!a",
    "#",
    "b ",
    ".a/b",
]


def named(pattern: str, path: str, *, is_folder: bool = False) -> bool:
    """Return whether a pattern matches a path."""
    glob = parse(pattern)
    return glob is not None and glob.matches(path.split("/"), is_folder=is_folder)


@pytest.mark.parametrize(
    ("pattern", "path", "answer"),
    [
        ("a.yaml", "x/y/a.yaml", True),
        ("/a.yaml", "x/a.yaml", False),
        ("x/a.yaml", "x/a.yaml", True),
        ("x/a.yaml", "y/x/a.yaml", False),
        ("**/x/a.yaml", "y/x/a.yaml", True),
        ("**/x/a.yaml", "x/a.yaml", True),
        ("x/**", "x/y/z", True),
        ("x/**", "x", False),
        ("x/**/z", "x/z", True),
        ("x/**/z", "x/a/b/z", True),
        ("x/**/z/**/z", "x/z/a/z/b", False),
        ("*.yaml", "x/a.yaml", True),
        ("x/*", "x/y/z", False),
        ("a?c", "abc", True),
        ("a[0-9]", "a7", True),
        ("a[!0-9]", "a7", False),
        ("a[[:digit:]x]", "ax", True),
        ("a[[:what:]]", "a:", False),
        ("a[", "a[", False),
        ("a[/]b", "a/b", False),
        ("[/a]", "a", True),
        ("a\\/b", "a/b", True),
        ("a[/b", "a[/b", False),
        ("a[z-a]", "az", False),
        ("\\#a", "#a", True),
        ("\\!a", "!a", True),
        ("a\\", "a\\", False),
        ("a\\ ", "a ", True),
        ("a  ", "a", True),
        ("a**b", "axyb", True),
        ("a*b*c", "a-b-b-c", True),
        ("*ab", "aab", True),
        ("A", "a", False),
    ],
)
def test_a_pattern_matches_as_in_gitignore(pattern: str, path: str, answer: bool) -> None:
    """Anchors, stars, classes, escapes and trailing spaces have the meaning of Git's manual."""
    assert named(pattern, path) is answer


@pytest.mark.parametrize("line", ["", "   ", "# comment"])
def test_blank_lines_and_comments_are_not_patterns(line: str) -> None:
    """Blank lines and comments are skipped."""
    assert parse(line) is None


def test_a_trailing_slash_matches_folders_only() -> None:
    """The pattern `a/` does not match a file."""
    assert named("a/", "x/a", is_folder=True)
    assert not named("a/", "x/a")


@pytest.mark.parametrize(
    "pattern", ["*a" * 100 + "*b", "**/" * 100 + "b", "?*" * 100 + "b", "[ab]*" * 80 + "c"]
)
def test_no_pattern_takes_long(pattern: str) -> None:
    """Patterns that take exponential time with backtracking are matched quickly."""
    assert not named(pattern, "/".join(["a" * 250] * 15))


@pytest.fixture(scope="module")
def work_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository without a commit, in which Git reads .gitignore."""
    path = tmp_path_factory.mktemp("ignore")
    subprocess.run(["git", "init", "--quiet", str(path)], check=True, timeout=30)
    return path


@settings(max_examples=120, deadline=None)
@given(
    patterns=st.lists(st.lists(PATTERN_PARTS, min_size=1, max_size=6).map("".join), min_size=1, max_size=4)
)
def test_git_ignores_the_same_paths(work_tree: Path, patterns: list[str]) -> None:
    """An ignore file matches the same paths as in Git."""
    # Git strips the literal prefix of a pattern first, and then finds `**` at the start of the rest:
    # contrary to its manual, `a**/b` matches across folders. Nopea follows the manual.
    text = "\n".join(re.sub(r"(?<=[^/*!])\*{2,}", "*", pattern) for pattern in patterns) + "\n"
    work_tree.joinpath(".gitignore").write_text(text)
    asked = "\0".join(PATHS).encode()
    command = ["git", "-C", str(work_tree), "check-ignore", "--no-index", "--stdin", "-z"]
    done = subprocess.run(command, input=asked, capture_output=True, timeout=30, check=False)
    assert done.returncode in (0, 1), done.stderr
    ignore = Ignore(ignore_files={".nopeaignore": text.encode()})
    assert [path for path in PATHS if ignore.is_ignored(path)] == done.stdout.decode().split("\0")[:-1]
