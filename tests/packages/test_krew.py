"""The krew plugin: a manifest by krew's rules, a reproducible archive, and a script that finds nopea."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
URL = "https://git.acme.example/acme/nopea"
Json = dict[str, Any]


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """Build the plugin of version 1.2.3, and return the folder."""
    return build(tmp_path / "first")


def build(folder: Path) -> Path:
    """Build as the release does."""
    folder.mkdir()
    script = ROOT / "packaging" / "krew" / "build.py"
    subprocess.run([sys.executable, str(script), f"{URL}/", "1.2.3", str(folder)], check=True, timeout=60)
    return folder


def manifest(folder: Path) -> Json:
    """Return the manifest."""
    return dict(yaml.safe_load((folder / "nopea.yaml").read_text(encoding="utf-8")))


def test_the_manifest_follows_the_rules_of_krew(built: Path) -> None:
    """As krew's own validation has them: names, a version with v, a checksum, a program among the files."""
    found = manifest(built)
    spec = found["spec"]

    assert found["apiVersion"] == "krew.googlecontainertools.github.com/v1alpha2"
    assert (found["kind"], found["metadata"]) == ("Plugin", {"name": "nopea"})
    assert set(spec) == {"version", "homepage", "shortDescription", "description", "caveats", "platforms"}
    assert spec["version"] == "v1.2.3"
    assert len(spec["shortDescription"]) <= 60
    assert not spec["shortDescription"].endswith(".")
    (platform,) = spec["platforms"]
    assert platform["uri"] == f"{URL}/releases/download/v1.2.3/kubectl-nopea-1.2.3.tar.gz"
    assert re.fullmatch(r"[0-9a-f]{64}", platform["sha256"])
    assert platform["selector"] == {"matchLabels": {"os": "linux"}}
    assert platform["bin"] in {one["from"] for one in platform["files"]}
    assert all(one["to"] == "." for one in platform["files"])
    assert "@" not in (built / "nopea.yaml").read_text(encoding="utf-8")


def test_the_archive_is_the_one_in_the_manifest(built: Path) -> None:
    """The checksum is right, the files are there, and the program can be run."""
    (platform,) = manifest(built)["spec"]["platforms"]
    archive = built / platform["uri"].rpartition("/")[2]

    assert hashlib.sha256(archive.read_bytes()).hexdigest() == platform["sha256"]
    with tarfile.open(archive) as opened:
        modes = {entry.name: entry.mode for entry in opened}
    assert modes == {"kubectl-nopea": 0o755, "LICENSE": 0o644}


def test_it_is_built_the_same_again(built: Path, tmp_path: Path) -> None:
    """Everybody can check that the release is what the sources make."""
    again = build(tmp_path / "second")

    assert [(again / path.name).read_bytes() == path.read_bytes() for path in built.iterdir()] == [True, True]


@pytest.mark.parametrize(
    ("programs", "said", "code"),
    [
        (["nopea", "uvx"], "nopea status -A\n", 0),
        (["uvx"], "uvx --quiet --from nopea==1.2.3 nopea status -A\n", 0),
        ([], "", 1),
    ],
    ids=["nopea", "uv", "neither"],
)
def test_the_plugin_runs_nopea(
    built: Path, tmp_path: Path, programs: list[str], said: str, code: int
) -> None:
    """It prefers the installed program, then uv with the same version, and else says what to install."""
    with tarfile.open(built / "kubectl-nopea-1.2.3.tar.gz") as opened:
        opened.extractall(tmp_path, filter="data")
    path = tmp_path / "bin"
    path.mkdir()
    (path / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    for name in programs:
        program = path / name
        program.write_text(f'#!/bin/sh\necho {name} "$@"\n')
        program.chmod(0o755)

    done = subprocess.run(
        [tmp_path / "kubectl-nopea", "status", "-A"],
        env={**os.environ, "PATH": str(path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (code, said)
    assert code == 0 or "pipx install nopea" in done.stderr
