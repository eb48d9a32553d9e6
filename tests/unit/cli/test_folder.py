"""A local folder is read in the same way as a Git repository."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.fakes.renderer import FakeRenderer, renderings

from nopea.cli.folder import read_folder
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.manifests.rendering import RenderAnswer, RenderedObject, RenderRequest
from nopea.core.problem import StalledError
from nopea.reconcile.fetch import Snapshot

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n"


JSON = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}'


def _spec(*, path: str = "", exclude: Sequence[str] = ()) -> GitRepositorySpec:
    return GitRepositorySpec(url="file:///nowhere", path=path, exclude=tuple(exclude))


async def _read(root: Path, *, path: str = "", exclude: Sequence[str] = ()) -> Snapshot:
    return await read_folder(root, _spec(path=path, exclude=exclude), renderings())


def _write(root: Path, *names: str, text: str = MAP) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


async def test_manifests_are_found_at_any_depth(tmp_path: Path) -> None:
    """Files are listed by their path from the root; other files and hidden ones are ignored."""
    _write(tmp_path, "b.yaml", "sub/deep/a.YML", "c.json", "README.md", ".git/d.yaml", "sub/.hidden.yaml")

    assert list((await _read(tmp_path)).files) == ["b.yaml", "c.json", "sub/deep/a.YML"]


async def test_path_exclude_and_ignore_files_count(tmp_path: Path) -> None:
    """The path, exclude patterns and .nopeaignore files select files as for a GitRepository."""
    _write(tmp_path, "top.yaml", "deploy/a.yaml", "deploy/values.yaml", "deploy/old/b.yaml")
    _write(tmp_path, "deploy/.nopeaignore", text="old/\n")

    assert list((await _read(tmp_path, path="deploy/", exclude=["values.yaml"])).files) == ["deploy/a.yaml"]


async def test_a_single_file_is_enough(tmp_path: Path) -> None:
    """A single file is read whatever its suffix, and listed by its name."""
    _write(tmp_path, "web.txt")

    assert list((await _read(tmp_path / "web.txt")).files) == ["web.txt"]


async def test_links_are_followed_within_the_folder(tmp_path: Path) -> None:
    """Files are named by the path through the links, as in a commit."""
    _write(tmp_path, "base/a.yaml", "apps/b.yaml")
    (tmp_path / "apps" / "base").symlink_to("../base")
    (tmp_path / "apps" / "c.yaml").symlink_to("base/a.yaml")

    found = await _read(tmp_path, path="apps")

    assert list(found.files) == ["apps/b.yaml", "apps/base/a.yaml", "apps/c.yaml"]
    assert found.problems == ()


@pytest.mark.parametrize("target", ["../out", "../out/b.yaml", "/etc", "gone", ".", "loop", "../in"])
async def test_other_links_are_reported(tmp_path: Path, target: str) -> None:
    """A link out of the folder, a dangling one and a loop are problems, whatever their names."""
    _write(tmp_path, "in/a.yaml", "out/b.yaml")
    (tmp_path / "in" / "loop").symlink_to(target)

    found = await _read(tmp_path / "in")

    assert list(found.files) == ["a.yaml"]
    assert [(problem.code, problem.source) for problem in found.problems] == [("NOPEA-M012", "loop")]


async def test_a_folder_with_the_name_of_a_manifest_is_reported(tmp_path: Path) -> None:
    """Its files are read, as in a commit."""
    _write(tmp_path, "a.yaml/b.yaml")

    found = await _read(tmp_path)

    assert list(found.files) == ["a.yaml/b.yaml"]
    assert [(problem.code, problem.source) for problem in found.problems] == [("NOPEA-M014", "a.yaml")]


async def test_a_folder_of_kustomize_is_given_to_the_renderer(tmp_path: Path) -> None:
    """It gets the folder and what it asks for, and nothing outside the root of the repository."""
    _write(tmp_path, "in/prod/kustomization.yaml", "in/base/a.yaml", "in/base/.env", "out.yaml", "in/.git/x")
    (tmp_path / "in" / "base" / "out").symlink_to("../../out.yaml")

    def answer(request: RenderRequest) -> RenderAnswer:
        if "base" not in request.folders:
            return RenderAnswer(need=("base", "../out.yaml"))
        return RenderAnswer(objects=(RenderedObject("base/a.yaml", 0, JSON),))

    renderer = FakeRenderer(answer)
    found = await read_folder(tmp_path / "in", _spec(path="prod"), renderings(renderer))

    assert list(found.files) == ["base/a.yaml"]
    last = renderer.requests[-1]
    assert sorted(last.files) == ["base/.env", "base/a.yaml", "prod/kustomization.yaml"]
    assert last.missing == ("../out.yaml",)


async def test_a_folder_without_manifests_is_a_problem(tmp_path: Path) -> None:
    """A folder without manifests is a problem, not an empty plan."""
    assert [problem.code for problem in (await _read(tmp_path)).problems] == ["NOPEA-M011"]


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The error contains the folder and the system's reason."""
    with pytest.raises(StalledError, match="nowhere cannot be read: No such file"):
        await _read(tmp_path / "nowhere")


async def test_a_file_beyond_the_limit_is_a_problem(tmp_path: Path) -> None:
    """A file over the size limit is a problem and is not read in full."""
    with (tmp_path / "big.yaml").open("wb") as stream:
        stream.truncate(200 * 1024 * 1024)

    (parsed,) = (await _read(tmp_path)).files.values()

    assert [problem.code for problem in parsed.problems] == ["NOPEA-M003"]
