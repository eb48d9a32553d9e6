"""Decide what of a repository's files is applied, and what stands in the way. Reads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.source import FileEntry, FileListing, Skipped, SkipReason
from nopea.core.manifests.file_names import BUILD_FILES, IGNORE_FILE, is_misspelt
from nopea.core.manifests.ignore import Ignore
from nopea.core.manifests.tool import Tool
from nopea.core.manifests.yaml.problems import EXCLUDE
from nopea.core.problem import Code, Problem

_MAX_PROBLEMS = 100
_EXCLUDE = "exclude it with spec.exclude or .nopeaignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedFiles:
    """The manifests of a repository; `refused` says why none of it may be applied.

    With a `tool`, there are none: the folder is its input.
    """

    manifests: tuple[FileEntry, ...]
    tool: Tool | None = None
    problems: tuple[Problem, ...] = ()
    refused: tuple[Problem, ...] = ()


def select(listing: FileListing, ignore: Ignore) -> SelectedFiles:
    """Return the manifests and the problems of the selection: links, submodules, folders of other tools.

    A folder with a file of Kustomize or Helm belongs to that tool as a whole: a patch or a template in it may
    look like an object and is none. If it is the root, it is rendered. If not all that is excluded is known,
    all is refused.
    """
    skipped = [each for each in listing.skipped if _matters(each, ignore)]
    unknown = [unreadable(each) for each in skipped if _name(each.path) == IGNORE_FILE]
    if unknown or ignore.problems:
        return SelectedFiles(manifests=(), refused=(*ignore.problems, *unknown)[:_MAX_PROBLEMS])
    builds = _build_files([*(entry.path for entry in listing.files), *_broken_builds(skipped)], ignore)
    root = "/".join(ignore.root)
    broken = [unreadable(each) for each in skipped if each.path == builds.get(root)]
    if broken:
        return SelectedFiles(manifests=(), refused=tuple(broken))
    if is_misspelt(_name(builds.get(root, ""))):
        return SelectedFiles(manifests=(), refused=(_not_rendered(builds[root]),))
    if root in builds:
        return SelectedFiles(manifests=(), tool=BUILD_FILES[_name(builds[root])])
    manifests = tuple(
        entry for entry in listing.files if ignore.wants(entry.path) and not _is_built(entry.path, builds)
    )
    above = (path for folder, path in sorted(builds.items()) if not _is_built(folder, builds))
    problems = [_not_rendered(path) for path in above]
    problems += [unreadable(each) for each in skipped if not _is_built(each.path, builds)]
    if not manifests and not problems:
        problems.append(no_manifests(root))
    return SelectedFiles(manifests=manifests, problems=_at_most(problems))


def _at_most(problems: list[Problem]) -> tuple[Problem, ...]:
    more = len(problems) - _MAX_PROBLEMS
    if more <= 0:
        return tuple(problems)
    last = replace(
        problems[_MAX_PROBLEMS],
        message=f"{more:,} more problems like this are not listed.",
        hint="Correct the listed ones first.",
        source="",
    )
    return (*problems[:_MAX_PROBLEMS], last)


def no_manifests(path: str) -> Problem:
    """Return the problem of a folder without any manifest."""
    where = f"The folder {path}" if path else "The repository"
    return Problem(
        code=Code.NO_MANIFESTS,
        message=f"{where} contains no manifests (*.yaml, *.yml, *.json).",
        hint="Correct spec.path, or check the patterns of spec.exclude and .nopeaignore.",
    )


def no_objects(path: str, tool: Tool) -> Problem:
    """Return the problem of a folder that renders to nothing: a mistake would delete all."""
    mend = "Set values that enable objects" if tool is Tool.HELM else "Add resources to the kustomization"
    return Problem(
        code=Code.NO_MANIFESTS,
        message=f"{f'The folder {path}' if path else 'The repository'} renders to no objects.",
        hint=f"{mend}, or correct spec.path.",
    )


def problem_of_options(spec: GitRepositorySpec, tool: Tool | None) -> Problem | None:
    """Return the problem of options that change nothing, because the folder is another tool's input."""
    if spec.helm is not None and tool is not Tool.HELM:
        field, message = "spec.helm", "spec.helm is set, and the folder has no Chart.yaml."
        hint = "Correct spec.path or spec.helm.chart"
        if tool is Tool.KUSTOMIZE:
            message = "spec.helm is set, and the folder is built with Kustomize."
            hint = "Correct spec.path, name the chart in spec.helm.chart"
    elif spec.kustomize is not None and tool is Tool.HELM:
        field, message = "spec.kustomize", "spec.kustomize is set, and the folder is a chart."
        hint = "Set the values of the chart"
    else:
        return None
    return Problem(code=Code.SPEC_INVALID, message=message, hint=f"{hint}, or remove {field}.")


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _broken_builds(skipped: Iterable[Skipped]) -> Iterator[str]:
    """Yield the links with the name of a build file that lead nowhere: the folder is that tool's even so."""
    return (each.path for each in skipped if each.reason is not SkipReason.FOLDER)


def _build_files(paths: Iterable[str], ignore: Ignore) -> dict[str, str]:
    """Return the file that makes a folder the input of a tool, by folder; a kustomization before a chart."""
    found: dict[str, str] = {}
    for path in paths:
        name, folder = _name(path), path.rpartition("/")[0]
        if (name in BUILD_FILES or is_misspelt(name)) and ignore.selects(path):
            found[folder] = min(found.get(folder, path), path, key=_rank)
    return found


def _rank(path: str) -> tuple[bool, bool]:
    tool = BUILD_FILES.get(_name(path))
    return (tool is None, tool is not Tool.KUSTOMIZE)


def _is_built(path: str, builds: dict[str, str]) -> bool:
    """Whether a folder above the path belongs to a tool."""
    if not builds:
        return False
    parts = path.split("/")
    return any("/".join(parts[:depth]) in builds for depth in range(len(parts)))


def _not_rendered(path: str) -> Problem:
    folder, _, name = path.rpartition("/")
    if is_misspelt(name):
        return Problem(
            code=Code.NOT_RENDERED,
            message="Kustomize does not read a file of this name: it tells case apart. The other files in "
            "the folder may be patches, so nothing in it is applied.",
            hint=f"Rename it to kustomization.yaml, or {_EXCLUDE} if the other files are plain manifests.",
            source=path,
        )
    return Problem(
        code=Code.NOT_RENDERED,
        message=f"The file makes its folder the input of {BUILD_FILES[name].capitalize()}. Nopea renders the "
        "folder of spec.path only, so nothing in this one is applied.",
        hint="Exclude the folder with spec.exclude or .nopeaignore and set up a GitRepository with spec.path "
        f"{folder}, or exclude {name} if the other files are plain manifests.",
        source=path,
    )


def _matters(skipped: Skipped, ignore: Ignore) -> bool:
    """Whether a manifest or an ignore file could be there: what cannot be read may be a folder too."""
    if _name(skipped.path) == IGNORE_FILE:
        return not ignore.is_ignored(skipped.path)
    return ignore.selects(skipped.path, may_be_folder=True)


def unreadable(skipped: Skipped) -> Problem:
    """Return the problem of a link that leads nowhere, a submodule, or a folder in the place of a file."""
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
