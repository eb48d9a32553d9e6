"""What a demo that stays suggests to try can be pasted into a shell."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.tests.unit.demo.worlds import StillWorld

from nopea_lab.demo.farewell import what_to_try


def test_every_address_and_path_is_that_of_this_demo(tmp_path: Path) -> None:
    """The kubeconfig, the clone, the repository, the probe, the log and how to end it."""
    world = StillWorld(tmp_path / "demo")

    lines = dict(what_to_try(world))

    assert lines["use its cluster"].startswith(f"export KUBECONFIG={tmp_path}/demo/lab/kubeconfig")
    assert f"cd {tmp_path}/demo/shop" in lines["change it"]
    assert lines["or clone"] == "git clone http://127.0.0.1:20001/shop.git"
    assert lines["ready?"] == "curl http://127.0.0.1:20002/ready"
    assert lines["log"] == f"tail -f {tmp_path}/demo/lab/logs/nopea.log"
    assert lines["end it all"] == world.folder.end_command


def test_the_labs_kubectl_is_put_on_the_path_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's own kubectl comes first."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs))
    world = StillWorld(tmp_path / "demo")

    without = dict(what_to_try(world))["use its cluster"]
    (programs / "kubectl").touch(mode=0o755)
    with_it = dict(what_to_try(world))["use its cluster"]

    assert without.endswith(f'PATH="$PATH:{tmp_path}/demo/bin"')
    assert "PATH" not in with_it
