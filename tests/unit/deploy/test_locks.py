"""What is installed is locked: every version has hashes, both locks agree, and images are named by digest."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LAB = tomllib.loads((ROOT / "lab" / "pyproject.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Locked:
    """One package of a lock: its version and the hashes that may be installed."""

    version: str
    hashes: list[str] = field(default_factory=list)


def lock(name: str) -> dict[str, Locked]:
    """Return the packages of a lock by name; fails on a line that is neither a version nor a hash."""
    found: dict[str, Locked] = {}
    last = Locked("")
    for line in (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        text = line.removesuffix("\\").strip()
        if text.startswith("--hash="):
            last.hashes.append(text.removeprefix("--hash="))
            continue
        package = re.fullmatch(r"([a-z0-9-]+)==([^ ]+)( ; .+)?", text)
        assert package, f"{name}.txt: {line}"
        assert package[1] not in found, package[1]
        last = found[package[1]] = Locked(package[2])
    return found


RUNTIME, DEV = lock("runtime"), lock("dev")


@pytest.mark.parametrize("locked", [RUNTIME, DEV], ids=["runtime", "dev"])
def test_every_version_has_hashes(locked: dict[str, Locked]) -> None:
    """pip refuses a package whose bytes are not those that were locked."""
    assert len(locked) > 20
    for name, one in locked.items():
        assert one.hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in one.hashes), name


def test_both_locks_agree() -> None:
    """What is tested is what the image has: the same version and the same hashes of each package."""
    assert RUNTIME.keys() <= DEV.keys()
    assert {name: DEV[name] for name in RUNTIME} == RUNTIME


@pytest.mark.parametrize(
    ("locked", "requirements"),
    [
        (RUNTIME, PROJECT["project"]["dependencies"]),
        (DEV, PROJECT["dependency-groups"]["dev"]),
        (DEV, [line for line in LAB["project"]["dependencies"] if not line.startswith("nopea==")]),
        (DEV, PROJECT["build-system"]["requires"] + LAB["build-system"]["requires"]),
    ],
    ids=["run time", "development", "lab", "build"],
)
def test_every_requirement_is_locked(locked: dict[str, Locked], requirements: list[str]) -> None:
    """Each requirement of the project has a locked version that satisfies it."""
    for line in requirements:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        assert name in locked, line
        assert requirement.specifier.contains(locked[name].version, prereleases=True), line


def test_the_second_lock_is_constrained_by_the_first() -> None:
    """`make lock` cannot choose two versions of one package."""
    script = (ROOT / "requirements" / "lock.sh").read_text(encoding="utf-8")
    runtime, dev = re.findall(r"^uv pip compile .*$", script, re.MULTILINE)

    assert "--output-file requirements/runtime.txt" in runtime
    assert "--constraint requirements/runtime.txt" in dev


def test_the_image_installs_by_hash() -> None:
    """Every installation in the Dockerfile needs hashes, or needs no index."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    installs = re.findall(r"pip (?:--python \S+ )?install ([^\n\\]+)", text)

    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)


def test_each_base_image_is_named_once() -> None:
    """So a digest holds for every stage with it."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert re.findall(r"^ARG (\w+_IMAGE)=", text, re.MULTILINE) == ["PYTHON_IMAGE", "GO_IMAGE"]
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${PYTHON_IMAGE}", "${GO_IMAGE}"}


@pytest.mark.xfail(strict=True, reason="the digest is read from a container registry")
def test_the_base_images_are_named_by_digest() -> None:
    """A tag can be moved to other content; a digest cannot. `make lock` writes it; then remove the mark."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert len(re.findall(r"^ARG \w+_IMAGE=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)) == 2
