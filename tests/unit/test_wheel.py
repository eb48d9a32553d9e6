"""The contents of the wheels and of the image: the controller without the lab."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("project", "package"), [(PROJECT, "nopea"), (PROJECT / "lab", "nopea_lab")], ids=["nopea", "nopea-lab"]
)
def test_a_wheel_contains_only_its_package(project: Path, package: str, tmp_path: Path) -> None:
    """Neither wheel contains files of the other, tests or tools."""
    (wheel,) = WheelBuilder(str(project)).build(directory=str(tmp_path), versions=["standard"])

    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    folders = {name.partition("/")[0] for name in names}
    assert folders == {package, f"{package}-0.1.0.dist-info"}
    sources = {
        str(path.relative_to(project / "src"))
        for suffix in ("py", "yaml")  # `nopea install` applies what is in the wheel
        for path in (project / "src").rglob(f"*.{suffix}")
    }
    assert sources <= set(names)


def test_the_wheel_alone_can_install(tmp_path: Path) -> None:
    """`nopea install` needs no checkout: what it applies is in the package."""
    (wheel,) = WheelBuilder(str(PROJECT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    program = (
        "import nopea, sys; print(nopea.__file__, file=sys.stderr); from nopea.cli.main import main; main()"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, "install", "--dry-run"],
        env={"PYTHONPATH": str(tmp_path / "installed"), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr.startswith(str(tmp_path / "installed"))
    kinds = [each["kind"] for each in yaml.safe_load_all(done.stdout)]
    assert (len(kinds), kinds[0], kinds[-1]) == (19, "CustomResourceDefinition", "Deployment")


def test_the_image_copies_only_the_controllers_sources() -> None:
    """The folder of the lab is not even sent to the build."""
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    copied = [line for line in (PROJECT / "Dockerfile").read_text().splitlines() if line.startswith("COPY")]

    assert ignored[1] == "*"
    assert "!lab" not in ignored
    assert [line for line in copied if "lab" in line] == []
    assert "nopea-lab" not in (PROJECT / "requirements" / "runtime.txt").read_text()
