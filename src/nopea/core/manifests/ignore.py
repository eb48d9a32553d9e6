"""Choose a repository's manifests: by suffix, hidden name, `spec.exclude` and `.nopeaignore`.

Patterns have the syntax of .gitignore. All paths are from the repository's root, with slashes. Never reads a
file: the caller passes the content of the ignore files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from nopea.core.manifests.encrypted import LFS_POINTER, encrypted_file
from nopea.core.manifests.file_names import is_manifest_name
from nopea.core.manifests.gitignore import Glob, parse
from nopea.core.manifests.yaml.problems import at_line
from nopea.core.problem import Code, Problem

MAX_FILE_BYTES = 64 * 1024
MAX_PATTERNS = 1_000
MAX_PATTERN_CHARACTERS = 512

_UNKNOWN = "Nothing is applied, because what it excludes is not known."
_SPEC_PROBLEM = Problem(
    code=Code.SPEC_INVALID,
    message="",
    hint="Shorten spec.exclude, or move patterns to .nopeaignore files.",
    object="spec.exclude",
)


@dataclass(frozen=True, slots=True)
class _Layer:
    """The patterns of one source; they match paths relative to its folder."""

    folder: tuple[str, ...]
    globs: tuple[Glob, ...]

    def verdict(self, parts: Sequence[str], *, is_folder: bool) -> bool | None:
        """Return whether the last matching pattern ignores the path; None when no pattern matches."""
        depth = len(self.folder)
        if len(parts) <= depth or tuple(parts[:depth]) != self.folder:
            return None
        for glob in reversed(self.globs):
            if glob.matches(parts[depth:], is_folder=is_folder):
                return not glob.is_negated
        return None


class Ignore:
    """The files that a repository excludes. With `problems`, not all that is excluded is known.

    `patterns` is the number of patterns, `root` has the names of `spec.path`.

    `spec.exclude` overrides every `.nopeaignore`, and a deeper `.nopeaignore` a higher one; in one source the
    last matching pattern decides. As in Git, a file below an ignored folder cannot be included again.
    """

    def __init__(
        self,
        *,
        root: str = "",
        exclude: Sequence[str] = (),
        ignore_files: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        """Compile the patterns.

        `root` is `spec.path`, to whose folder `exclude` is relative; `ignore_files` maps the path of each
        `.nopeaignore` to its content.
        """
        self.root = _parts(root)
        problems: list[Problem] = []
        layers = [_layer(self.root, exclude, problems, _SPEC_PROBLEM)]
        deepest_first = sorted(ignore_files, key=lambda path: (-path.count("/"), path))
        layers.extend(_file_layer(path, ignore_files[path], problems) for path in deepest_first)
        self._layers = tuple(layer for layer in layers if layer.globs)
        self._ignored_folders: dict[tuple[str, ...], bool] = {(): False}
        self.problems = tuple(problems)
        self.patterns = sum(len(layer.globs) for layer in self._layers)

    def is_ignored(self, path: str, *, may_be_folder: bool = False) -> bool:
        """Whether a pattern excludes the file or a folder above it.

        With `may_be_folder`, a pattern that matches only folders excludes it too.
        """
        parts = _parts(path)
        folder = parts if may_be_folder else parts[:-1]
        return self._is_folder_ignored(folder) or self._verdict(parts, is_folder=False)

    def wants(self, path: str) -> bool:
        """Whether a file is a manifest: named like one, below `spec.path`, and not excluded."""
        return is_manifest_name(path.rpartition("/")[2]) and self.selects(path)

    def selects(self, path: str, *, may_be_folder: bool = False) -> bool:
        """Whether a file is below `spec.path`, not hidden and not excluded; `may_be_folder` as above.

        A leading dot hides a file, or a folder with all in it. That covers what Flux excludes by default
        (.git, .github, .circleci, .travis.yml, .gitlab-ci.yml, .sops.yaml …) and the settings of editors and
        linters.
        """
        parts = _parts(path)
        depth = len(self.root)
        if parts[:depth] != self.root or any(part.startswith(".") for part in parts[depth:]):
            return False
        return not self.is_ignored(path, may_be_folder=may_be_folder)

    def _is_folder_ignored(self, parts: tuple[str, ...]) -> bool:
        """Match from the top, and cache: a repository has far fewer folders than files."""
        for depth in range(1, len(parts) + 1):
            folder = parts[:depth]
            if folder not in self._ignored_folders:
                self._ignored_folders[folder] = self._ignored_folders[folder[:-1]] or self._verdict(
                    folder, is_folder=True
                )
            if self._ignored_folders[folder]:
                return True
        return False

    def _verdict(self, parts: Sequence[str], *, is_folder: bool) -> bool:
        verdicts = (layer.verdict(parts, is_folder=is_folder) for layer in self._layers)
        return next((verdict for verdict in verdicts if verdict is not None), False)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part not in ("", "."))


def _file_layer(path: str, raw: bytes, problems: list[Problem]) -> _Layer:
    folder = _parts(path)[:-1]
    problem = Problem(code=Code.YAML_LIMIT, message="", hint="Shorten the file.", source=path)
    if len(raw) > MAX_FILE_BYTES:
        message = f"The file has {len(raw):,} bytes, more than {MAX_FILE_BYTES:,}. {_UNKNOWN}"
        problems.append(replace(problem, message=message))
        return _Layer(folder, ())
    if raw.startswith(LFS_POINTER):
        hint = "Keep the file out of Git LFS."
        message = f"The file is a Git LFS pointer. {_UNKNOWN}"
        problems.append(replace(problem, code=Code.LFS_POINTER, message=message, hint=hint))
        return _Layer(folder, ())
    encrypted = encrypted_file(raw)
    if encrypted is not None:
        message = f"The file is encrypted. {_UNKNOWN}"
        problems.append(replace(encrypted, message=message, hint="Commit it as plain text.", source=path))
        return _Layer(folder, ())
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.append(
            Problem(
                code=Code.ENCODING,
                message=f"The file is not valid UTF-8. {_UNKNOWN}",
                hint="Save the file as UTF-8.",
                source=f"{path}{at_line(line)}",
            )
        )
        return _Layer(folder, ())
    return _layer(folder, (line.removesuffix("\r") for line in text.split("\n")), problems, problem)


def _layer(
    folder: tuple[str, ...], lines: Iterable[str], problems: list[Problem], problem: Problem
) -> _Layer:
    """Compile one source's lines; what exceeds a limit is reported as a copy of `problem`."""
    globs: list[Glob] = []
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_PATTERN_CHARACTERS:
            message = f"Pattern {number} is longer than {MAX_PATTERN_CHARACTERS} characters. {_UNKNOWN}"
            problems.append(replace(problem, message=message))
        elif (glob := parse(line)) is not None:
            if len(globs) == MAX_PATTERNS:
                message = f"There are more than {MAX_PATTERNS:,} patterns. {_UNKNOWN}"
                problems.append(replace(problem, message=message))
                break
            globs.append(glob)
    return _Layer(folder, tuple(globs))
