"""The table of programs agrees with the pinned modules."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from nopea_lab.components import COMPONENTS, POD_COMPONENTS
from nopea_lab.programs import (
    CONTROL_PLANE,
    ETCD_VERSION,
    KUBERNETES_VERSION,
    KWOK_VERSION,
    MODULES,
    POD_PROGRAMS,
    PROGRAM_NAMES,
    SIMULATOR,
    Module,
    architecture,
    cache_key,
    programs,
)


def test_the_versions_are_those_that_go_mod_pins() -> None:
    """A version changed in one place only is noticed."""
    assert _pinned(CONTROL_PLANE, "k8s.io/kubernetes") == KUBERNETES_VERSION
    assert _pinned(CONTROL_PLANE, "go.etcd.io/etcd/server/v3") == ETCD_VERSION
    assert _pinned(SIMULATOR, "sigs.k8s.io/kwok") == KWOK_VERSION


def _pinned(module: Module, name: str) -> str:
    found = re.search(rf"^\s*{re.escape(name)} (v\S+)( |$)", _go_mod(module), re.MULTILINE)
    assert found is not None
    return found[1]


def _go_mod(module: Module) -> str:
    return (module.folder / "go.mod").read_text()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_every_program_is_a_tool_of_its_module(module: Module) -> None:
    """What is built is what go.mod lists as `tool`."""
    listed = re.search(r"^tool (?:\(([^)]*)\)|(.*))$", _go_mod(module), re.MULTILINE)
    assert listed is not None

    wanted = [program.package for program in programs(pods=True) if program.module is module]
    assert sorted((listed[1] or listed[2]).split()) == sorted(wanted)


def test_every_process_has_a_program() -> None:
    """A component is started from the program of its name."""
    assert {component.name for component in COMPONENTS} <= set(PROGRAM_NAMES)
    assert {component.name for component in POD_COMPONENTS} == {program.name for program in POD_PROGRAMS}


def test_the_build_tells_the_api_server_its_version() -> None:
    """Without these flags the API server calls itself v0.0.0, and clients refuse it."""
    assert f"gitVersion={KUBERNETES_VERSION} " in CONTROL_PLANE.linker_flags
    assert CONTROL_PLANE.linker_flags.endswith("gitMinor=36")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_another_go_sum_is_another_cache_folder(module: Module, tmp_path: Path) -> None:
    """A changed dependency never meets an old binary."""
    folders = [Path(shutil.copytree(each.folder, tmp_path / each.name)) for each in MODULES]
    assert cache_key(folders) == cache_key()

    (tmp_path / module.name / "go.sum").write_text("changed")

    assert cache_key(folders) != cache_key()
    assert cache_key().startswith(f"{KUBERNETES_VERSION}-")


def test_architectures_are_spelled_as_releases_do() -> None:
    """The kernel's names and the releases' names differ."""
    assert [architecture(name) for name in ("x86_64", "aarch64", "arm64")] == ["amd64", "arm64", "arm64"]
