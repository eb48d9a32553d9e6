"""The packages work without the source tree: built, installed in a fresh environment, and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.markers import Marker

from nopea.cli.main import SUBCOMMANDS

ROOT = Path(__file__).parents[2]
_OF_THE_LAB = {"lab", "demo"}
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {greeting: hello}\n"


class Installation:
    """A virtual environment with wheels and with what they require, and with nothing else of this one."""

    def __init__(self, folder: Path, wheels: list[Path], requirements: list[str]) -> None:
        self.folder = folder / "venv"
        venv.create(self.folder, with_pip=False, symlinks=True)
        (site,) = (self.folder / "lib").glob("python*/site-packages")
        for name in requirements:
            _link(name, site)
        for wheel in wheels:
            self._pip("--target", str(site), str(wheel))
        self.site = site

    def run(self, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run `nopea` of this environment, in an empty home and without any variable of this process."""
        script = "import sys; from nopea.cli.main import main; main(prog_name='nopea')"
        return self.python("-W", "error", "-c", script, *arguments, folder=folder)

    def python(self, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run Python of this environment; `folder` is the current one."""
        return subprocess.run(
            [self.folder / "bin" / "python", "-P", *arguments],
            cwd=folder or self.folder,
            env={"HOME": str(self.folder), "PATH": os.defpath, "LANG": "C.UTF-8", "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @staticmethod
    def _pip(*arguments: str) -> None:
        options = ("--quiet", "--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check")
        subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, *arguments], check=True, timeout=120
        )


def _link(name: str, site: Path) -> None:
    """Make a package of this environment available in another."""
    found = distribution(name)
    for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
        source, target = Path(str(found.locate_file(top))), site / top
        if not target.exists():
            target.symlink_to(source)


def _locked(name: str) -> list[str]:
    """Return the packages of a lock: a package that is missing there is missing here."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"([a-z0-9-]+)==[^ ]+(?: ; (?P<marker>.*?))?(?: \\)?", line) for line in lines]
    return [one[1] for one in found if one and (not one["marker"] or Marker(one["marker"]).evaluate())]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution, and unpack it."""
    folder = tmp_path_factory.mktemp("sdist")
    (sdist,) = SdistBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (found,) = (path for path in folder.iterdir() if path.is_dir())
    return found


@pytest.fixture(scope="module")
def wheel(unpacked: Path) -> Path:
    """Build the wheel from the source distribution, as `pip install` of that would: so both are complete."""
    (built,) = WheelBuilder(str(unpacked)).build(directory=str(unpacked.parent), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="module")
def lab_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of nopea-lab."""
    folder = tmp_path_factory.mktemp("packages")
    (built,) = WheelBuilder(str(ROOT / "lab")).build(directory=str(folder), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Install the wheel with the locked dependencies of the image."""
    return Installation(tmp_path_factory.mktemp("alone"), [wheel], _locked("runtime"))


@pytest.fixture(scope="module")
def installed_with_lab(
    wheel: Path, lab_wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """Install both wheels, as `pip install 'nopea[lab]'` does, and what tests need."""
    return Installation(tmp_path_factory.mktemp("with-lab"), [wheel, lab_wheel], _locked("dev"))


def test_nothing_comes_from_the_source_tree(installed: Installation) -> None:
    """The package that runs is that of the wheel."""
    done = installed.python("-c", "import nopea; print(nopea.__file__)")

    assert done.stdout.startswith(str(installed.site)), done.stderr
    assert (installed.site / "nopea" / "py.typed").exists()


def test_version(installed: Installation) -> None:
    """`nopea version` prints the version of the wheel."""
    done = installed.run("version")

    assert (done.returncode, done.stdout) == (0, "nopea 0.1.0\n"), done.stderr


@pytest.mark.parametrize("name", sorted(set(SUBCOMMANDS) - _OF_THE_LAB))
def test_every_command_has_its_modules(installed: Installation, name: str) -> None:
    """Each subcommand can be imported and shows its help."""
    done = installed.run(name, "--help")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: nopea {name}")


def test_render_a_folder(installed: Installation, tmp_path: Path) -> None:
    """Plain manifests need neither a cluster nor the renderer."""
    (tmp_path / "web.yaml").write_text(CONFIG)
    done = installed.run("render", ".", folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "greeting: hello" in done.stdout


def test_install_has_its_manifests(installed: Installation) -> None:
    """The objects that `nopea install` applies are in the wheel; printing them needs no cluster."""
    done = installed.run("install", "--dry-run", "--profile", "cluster-admin")

    assert done.returncode == 0, done.stderr
    assert {"CustomResourceDefinition", "ClusterRole", "Deployment"} <= {
        line.removeprefix("kind: ") for line in done.stdout.splitlines() if line.startswith("kind: ")
    }


def test_all_data_files_are_in_the_wheel(wheel: Path) -> None:
    """What the dashboard serves, and every other file of the package that is not Python."""
    data = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "nopea").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    with zipfile.ZipFile(wheel) as archive:
        assert data <= set(archive.namelist())
    assert "nopea/py.typed" in data
    assert any(name.startswith("nopea/dashboard/templates/") for name in data)


def test_a_kustomization_says_that_the_renderer_is_missing(installed: Installation, tmp_path: Path) -> None:
    """The wheel has no `nopea-render`; the message says how to get it."""
    (tmp_path / "web.yaml").write_text(CONFIG)
    (tmp_path / "kustomization.yaml").write_text("resources: [web.yaml]\n")
    done = installed.run("render", ".", folder=tmp_path)

    assert done.returncode == 3
    assert "NOPEA-R001" in done.stderr
    assert "nopea-render" in done.stderr


@pytest.mark.parametrize("name", sorted(_OF_THE_LAB))
def test_without_the_lab_its_commands_say_how_to_install_it(installed: Installation, name: str) -> None:
    """One sentence and no traceback."""
    done = installed.run(name)

    assert done.returncode == 1
    assert "pip install 'nopea[lab]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", sorted(_OF_THE_LAB))
def test_with_the_lab_its_commands_run(installed_with_lab: Installation, name: str) -> None:
    """The extra `lab` brings what both commands import."""
    done = installed_with_lab.run(name, "--help")

    assert done.returncode == 0, done.stderr


def test_the_lab_has_its_data(lab_wheel: Path) -> None:
    """The pinned modules of the control plane, and what the simulator makes of Pods, are in the wheel."""
    data = {
        path.relative_to(ROOT / "lab" / "src").as_posix()
        for path in (ROOT / "lab" / "src").rglob("*")
        if path.suffix in (".mod", ".sum", ".yaml")
    }
    with zipfile.ZipFile(lab_wheel) as archive:
        assert data <= set(archive.namelist())
    assert len(data) >= 6


def test_tests_of_the_source_distribution_pass_from_the_wheel(
    unpacked: Path, installed_with_lab: Installation, tmp_path: Path
) -> None:
    """The tests of the plan, without the sources: only the wheel has the code that they test."""
    shutil.copytree(unpacked / "tests", tmp_path / "tests")
    shutil.copy(unpacked / "pyproject.toml", tmp_path)
    options = ("-q", "-p", "no:cacheprovider", "tests/unit/core/plan")
    done = installed_with_lab.python("-B", "-m", "pytest", *options, folder=tmp_path)

    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"\b[1-9]\d\d passed", done.stdout)
