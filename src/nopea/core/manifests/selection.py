"""Decide what of a repository's files is applied, and what stands in the way. Reads nothing."""

from __future__ import annotations

from dataclasses import dataclass

from nopea.core.git.source import FileEntry, FileListing, Skipped, SkipReason
from nopea.core.manifests.file_names import BUILD_FILES, IGNORE_FILE
from nopea.core.manifests.ignore import Ignore
from nopea.core.manifests.yaml.problems import EXCLUDE
from nopea.core.problem import Code, Problem

_COMMANDS = {"Kustomize": "kubectl kustomize", "Helm": "helm template"}
_EXCLUDE = "exclude it with spec.exclude or .nopeaignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedFiles:
    """The manifests of a repository; `refused` says why none of it may be applied."""

    manifests: tuple[FileEntry, ...]
    problems: tuple[Problem, ...] = ()
    refused: Problem | None = None


def select(listing: FileListing, ignore: Ignore) -> SelectedFiles:
    """Return the manifests and the problems of the selection: links, submodules, folders of other tools.

    A folder with a file of Kustomize or Helm belongs to that tool as a whole: a patch or a template in it may
    look like an object and is none.
    """
    builds = _build_files(listing, ignore)
    root = "/".join(ignore.root)
    if root in builds:
        return SelectedFiles(manifests=(), refused=_not_rendered(builds[root], is_root=True))
    manifests = tuple(
        entry for entry in listing.files if ignore.wants(entry.path) and not _is_built(entry.path, builds)
    )
    above = (path for folder, path in sorted(builds.items()) if not _is_built(folder, builds))
    problems = [_not_rendered(path, is_root=False) for path in above]
    problems += [
        _unreadable(each) for each in listing.skipped
        if _matters(each, ignore) and not _is_built(each.path, builds)
    ]  # fmt: skip
    if not manifests and not problems and not ignore.problems:
        problems.append(no_manifests(root))
    return SelectedFiles(manifests=manifests, problems=(*ignore.problems, *problems))


def no_manifests(path: str) -> Problem:
    """Return the problem of a folder without any manifest."""
    where = f"The folder {path}" if path else "The repository"
    return Problem(
        code=Code.NO_MANIFESTS,
        message=f"{where} contains no manifests (*.yaml, *.yml, *.json).",
        hint="Correct spec.path, or check the patterns of spec.exclude and .nopeaignore.",
    )


def _build_files(listing: FileListing, ignore: Ignore) -> dict[str, str]:
    """Return the file that makes a folder the input of a tool, by folder."""
    found: dict[str, str] = {}
    for entry in listing.files:
        folder, _, name = entry.path.rpartition("/")
        if name in BUILD_FILES and ignore.selects(entry.path):
            found.setdefault(folder, entry.path)
    return found


def _is_built(path: str, builds: dict[str, str]) -> bool:
    """Whether a folder above the path belongs to a tool."""
    if not builds:
        return False
    parts = path.split("/")
    return any("/".join(parts[:depth]) in builds for depth in range(len(parts)))


def _not_rendered(path: str, *, is_root: bool) -> Problem:
    folder, _, name = path.rpartition("/")
    tool = BUILD_FILES[name]
    if is_root:
        hint = (
            f"Commit the output of `{_COMMANDS[tool]} {folder or '.'}` and set spec.path to its folder, or "
            f"exclude {name} with spec.exclude or .nopeaignore if the other files are plain manifests."
        )
    else:
        hint = (
            f"Exclude the folder with spec.exclude or .nopeaignore and set up a GitRepository with spec.path "
            f"{folder}, or exclude {name} if the other files are plain manifests."
        )
    return Problem(
        code=Code.NOT_RENDERED,
        message=f"The file makes its folder the input of {tool}, which Nopea does not run. Nothing in the "
        "folder is applied.",
        hint=hint,
        source=path,
    )


def _matters(skipped: Skipped, ignore: Ignore) -> bool:
    """Whether a manifest or an ignore file could be there: what cannot be read may be a folder too."""
    if skipped.path.rpartition("/")[2] == IGNORE_FILE:
        return not ignore.is_ignored(skipped.path)
    return ignore.selects(skipped.path, may_be_folder=True)


def _unreadable(skipped: Skipped) -> Problem:
    code, message, hint = _WORDS[skipped.reason]
    return Problem(
        code=code,
        message=message.format(target=skipped.target or "nothing"),
        hint=hint,
        source=skipped.path,
    )


_LINK = f"Correct the link, replace it with a copy, or {_EXCLUDE}."
_WORDS = {
    SkipReason.SUBMODULE: (
        Code.NOT_A_FILE,
        "It is a submodule, which Nopea does not read.",
        f"Set up a GitRepository for the submodule's repository, and {_EXCLUDE}.",
    ),
    SkipReason.FOLDER: (
        Code.NOT_A_FILE,
        "It has the name of a file, but it is a folder.",
        f"Rename the folder, or {EXCLUDE.replace('the file', 'it')}.",
    ),
    SkipReason.NOT_THERE: (
        Code.SYMLINK,
        "The symbolic link leads to {target}, which is not in the repository.",
        _LINK,
    ),
    SkipReason.TO_SUBMODULE: (
        Code.SYMLINK,
        "The symbolic link leads to {target}, which is in a submodule.",
        _LINK,
    ),
    SkipReason.OUTSIDE: (
        Code.SYMLINK,
        "The symbolic link leads to {target}, which is outside the repository.",
        _LINK,
    ),
    SkipReason.LOOP: (
        Code.SYMLINK,
        "The symbolic link leads to {target}, and so back to itself.",
        _LINK,
    ),
}
