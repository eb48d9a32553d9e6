"""What of a repository is applied, and what stands in the way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from nopea.core.git.source import FileEntry, FileListing, Skipped, SkipReason
from nopea.core.manifests.ignore import Ignore
from nopea.core.manifests.selection import SelectedFiles, no_objects, select
from nopea.core.manifests.tool import Tool
from nopea.core.problem import Code


def _select(
    *paths: str, skipped: Sequence[Skipped] = (), root: str = "", exclude: Sequence[str] = ()
) -> SelectedFiles:
    files = tuple(FileEntry(path, "0" * 40, 1) for path in paths)
    return select(FileListing(files, tuple(skipped)), Ignore(root=root, exclude=exclude))


def _paths(selection: SelectedFiles) -> list[str]:
    return [entry.path for entry in selection.manifests]


def _problems(selection: SelectedFiles) -> list[tuple[Code, str]]:
    return [(problem.code, problem.source) for problem in selection.problems]


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization", "Chart.yaml"])
def test_a_root_that_another_tool_builds_is_its_input(name: str) -> None:
    """None of its files is a manifest."""
    selection = _select(f"deploy/{name}", "deploy/a.yaml", root="./deploy/")

    assert (_paths(selection), selection.refused) == ([], ())
    assert selection.tool is (Tool.HELM if name == "Chart.yaml" else Tool.KUSTOMIZE)


def test_a_kustomization_beside_a_chart_is_built() -> None:
    """As in Flux and Argo CD."""
    assert _select("Chart.yaml", "kustomization.yaml", "templates/a.yaml").tool is Tool.KUSTOMIZE


@pytest.mark.parametrize("name", ["Kustomization.yaml", "KUSTOMIZATION.YML", "kustomization"])
def test_a_kustomization_that_kustomize_does_not_read_is_no_reason_to_apply_its_patches(name: str) -> None:
    """They would be taken for whole objects. The user renames the file, or excludes it."""
    (refused,) = _select(name, "patch.yaml").refused
    assert (refused.code, refused.source) == (Code.NOT_RENDERED, name)
    assert "Rename it to kustomization.yaml" in refused.hint

    below = _select("a.yaml", f"base/{name}", "base/patch.yaml")
    assert (_paths(below), _problems(below)) == (["a.yaml"], [(Code.NOT_RENDERED, f"base/{name}")])
    assert _paths(_select(name, "web.yaml", exclude=[name])) == ["web.yaml"]
    assert _select(name, "kustomization.yaml").tool is Tool.KUSTOMIZE


def test_a_folder_below_that_another_tool_builds_is_left_out() -> None:
    """Its patches, values and templates are no manifests, nor are those of the folders in it."""
    selection = _select(
        "a.yaml", "base/kustomization.yaml", "base/patch.yaml", "chart/Chart.yaml", "chart/values.yaml",
        "chart/charts/sub/Chart.yaml", "chart/templates/web.yaml", "charts.yaml",
    )  # fmt: skip

    assert selection.refused == ()
    assert _paths(selection) == ["a.yaml", "charts.yaml"]
    assert _problems(selection) == [
        (Code.NOT_RENDERED, "base/kustomization.yaml"),
        (Code.NOT_RENDERED, "chart/Chart.yaml"),
    ]
    assert "spec.path base," in selection.problems[0].hint
    assert "exclude kustomization.yaml" in selection.problems[0].hint


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [
        (["kustomization.yaml"], ["a.yaml", "base/b.yaml"]),
        (["/base/"], ["a.yaml"]),
    ],
)
def test_an_excluded_file_builds_nothing(exclude: list[str], expected: list[str]) -> None:
    """Either the file is excluded and the others are manifests, or the folder is."""
    selection = _select("a.yaml", "base/b.yaml", "base/kustomization.yaml", exclude=exclude)

    assert (_paths(selection), _problems(selection)) == (expected, [])


def test_a_hidden_file_of_a_tool_builds_nothing() -> None:
    """Nothing in a hidden folder counts, and names are compared with their case."""
    selection = _select(".ci/kustomization.yaml", "a.yaml", "b/chart.yaml")

    assert (_paths(selection), _problems(selection)) == (["a.yaml", "b/chart.yaml"], [])


@pytest.mark.parametrize(
    ("reason", "code", "words"),
    [
        (SkipReason.SUBMODULE, Code.NOT_A_FILE, "is a submodule"),
        (SkipReason.FOLDER, Code.NOT_A_FILE, "it is a folder"),
        (SkipReason.NOT_THERE, Code.SYMLINK, "leads to ../x, which is not in the repository"),
        (SkipReason.TO_SUBMODULE, Code.SYMLINK, "leads to ../x, which is in a submodule"),
        (SkipReason.OUTSIDE, Code.SYMLINK, "leads to ../x, which is outside the repository"),
        (SkipReason.LOOP, Code.SYMLINK, "leads to ../x, and so back to itself"),
    ],
)
def test_what_cannot_be_read_is_a_problem(reason: SkipReason, code: Code, words: str) -> None:
    """It may be what a folder of manifests has become, whatever its name."""
    selection = _select("a.yaml", skipped=[Skipped("b", reason, "../x")])

    assert _problems(selection) == [(code, "b")]
    assert words in selection.problems[0].message
    assert "spec.exclude or .nopeaignore" in selection.problems[0].hint


def test_what_is_hidden_excluded_or_built_by_a_tool_may_be_anything() -> None:
    """Nothing of it would be applied anyway."""
    places = [".github", "a/.cache", "vendor", "old.yaml", "chart/templates", "b/.nopeaignore"]
    skipped = [Skipped(path, SkipReason.SUBMODULE) for path in places]

    selection = _select("a.yaml", "chart/Chart.yaml", skipped=skipped, exclude=["vendor/", "old.yaml", "/b/"])

    assert selection.refused == ()
    assert _problems(selection) == [(Code.NOT_RENDERED, "chart/Chart.yaml")]


@pytest.mark.parametrize("reason", [SkipReason.NOT_THERE, SkipReason.FOLDER, SkipReason.SUBMODULE])
def test_without_an_ignore_file_nothing_is_applied(reason: SkipReason) -> None:
    """What it excludes is not known, and must not be applied."""
    selection = _select("a.yaml", skipped=[Skipped("b/.nopeaignore", reason, "gone")])

    assert _paths(selection) == []
    assert [problem.source for problem in selection.refused] == ["b/.nopeaignore"]


def test_an_ignore_file_with_a_problem_refuses_all() -> None:
    """The files that it means to exclude are not applied."""
    listing = FileListing((FileEntry("secret.yaml", "0" * 40, 1),), ())

    selection = select(listing, Ignore(ignore_files={".nopeaignore": b"secret.yaml\n\xff\n"}))

    assert (selection.manifests, [problem.code for problem in selection.refused]) == ((), [Code.ENCODING])


def test_a_file_of_a_tool_that_cannot_be_read_refuses_its_folder_too() -> None:
    """A link that leads nowhere does not make patches manifests; a folder with that name says nothing."""
    broken = _select("patch.yaml", skipped=[Skipped("kustomization.yaml", SkipReason.NOT_THERE, "gone")])
    folder = _select("a.yaml", skipped=[Skipped("Chart.yaml", SkipReason.FOLDER)])

    assert [problem.code for problem in broken.refused] == [Code.SYMLINK]
    assert (_paths(folder), _problems(folder)) == (["a.yaml"], [(Code.NOT_A_FILE, "Chart.yaml")])


def test_thousands_of_broken_links_are_a_hundred_problems() -> None:
    """The others are counted."""
    skipped = [Skipped(f"link{number:04}", SkipReason.OUTSIDE) for number in range(5000)]

    selection = _select("a.yaml", skipped=skipped)

    assert len(selection.problems) == 101
    assert selection.problems[-1].message == "4,900 more problems like this are not listed."


def test_without_a_manifest_there_is_one_problem() -> None:
    """A problem of the selection says why; only without one is the folder called empty."""
    assert _problems(_select("README.md")) == [(Code.NO_MANIFESTS, "")]
    assert _problems(_select("b/Chart.yaml")) == [(Code.NOT_RENDERED, "b/Chart.yaml")]


@pytest.mark.parametrize(("tool", "step"), [(Tool.HELM, "values"), (Tool.KUSTOMIZE, "kustomization")])
def test_a_rendering_to_nothing_says_what_to_change(tool: Tool, step: str) -> None:
    """A chart has no kustomization to add resources to."""
    assert step in no_objects("web", tool).hint
