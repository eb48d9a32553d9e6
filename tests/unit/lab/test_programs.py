"""The table of programs agrees with the pinned modules."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from nopea.lab.components import COMPONENTS
from nopea.lab.programs import (
    ETCD_VERSION,
    KUBERNETES_VERSION,
    LINKER_FLAGS,
    MODULE_FOLDER,
    PROGRAM_NAMES,
    PROGRAMS,
    architecture,
    cache_key,
)

GO_MOD = (MODULE_FOLDER / "go.mod").read_text()


def test_the_versions_are_those_that_go_mod_pins() -> None:
    """A version changed in one place only is noticed."""
    assert re.search(rf"^\s*k8s\.io/kubernetes {re.escape(KUBERNETES_VERSION)}( |$)", GO_MOD, re.MULTILINE)
    assert re.search(rf"^\s*go\.etcd\.io/etcd/server/v3 {re.escape(ETCD_VERSION)} ", GO_MOD, re.MULTILINE)


def test_every_program_is_a_tool_of_the_module() -> None:
    """What is built is what go.mod lists as `tool`."""
    tools = GO_MOD.partition("tool (")[2].partition(")")[0].split()

    assert sorted(tools) == sorted(program.package for program in PROGRAMS)


def test_every_process_has_a_program() -> None:
    """A component is started from the program of its name."""
    assert {component.name for component in COMPONENTS} <= set(PROGRAM_NAMES)


def test_the_build_tells_the_api_server_its_version() -> None:
    """Without these flags the API server calls itself v0.0.0, and clients refuse it."""
    assert f"gitVersion={KUBERNETES_VERSION} " in LINKER_FLAGS
    assert LINKER_FLAGS.endswith("gitMinor=36")


def test_another_go_sum_is_another_cache_folder(tmp_path: Path) -> None:
    """A changed dependency never meets an old binary."""
    shutil.copytree(MODULE_FOLDER, tmp_path / "module")
    assert cache_key(tmp_path / "module") == cache_key()

    (tmp_path / "module" / "go.sum").write_text("changed")

    assert cache_key(tmp_path / "module") != cache_key()
    assert cache_key().startswith(f"{KUBERNETES_VERSION}-")


def test_architectures_are_spelled_as_releases_do() -> None:
    """The kernel's names and the releases' names differ."""
    assert [architecture(name) for name in ("x86_64", "aarch64", "arm64")] == ["amd64", "arm64", "arm64"]
