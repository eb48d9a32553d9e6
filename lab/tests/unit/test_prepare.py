"""A lab's files are made once, and only in a folder that is the lab's."""

from __future__ import annotations

import base64
import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from nopea_lab.errors import LabError
from nopea_lab.layout import ORDINARY, LabOptions, Layout
from nopea_lab.prepare import prepare, refuse_foreign_folder


def test_a_second_preparation_changes_nothing(tmp_path: Path) -> None:
    """Ports, options and keys stay over restarts, whatever options are asked for later."""
    layout = Layout(tmp_path / "lab")
    layout.folder.mkdir()
    first = prepare(layout, LabOptions(watch_cache=False))
    before = {path: path.read_bytes() for path in layout.folder.rglob("*") if path.is_file()}

    assert prepare(layout, ORDINARY) == first

    assert {path: path.read_bytes() for path in layout.folder.rglob("*") if path.is_file()} == before


def test_pods_can_be_added_and_stay(tmp_path: Path) -> None:
    """A lab gets them later, on the ports that it has, and keeps them when nobody asks for them again."""
    layout = Layout(tmp_path)
    first = prepare(layout, LabOptions(watch_cache=False))

    added = prepare(layout, LabOptions(pods=True))

    assert added == replace(first, options=LabOptions(watch_cache=False, pods=True))
    assert prepare(layout, ORDINARY) == added


def test_the_kubeconfig_is_whole_and_private(tmp_path: Path) -> None:
    """It holds its certificates itself, so that it works from anywhere, for its owner only."""
    layout = Layout(tmp_path)
    plan = prepare(layout, ORDINARY)

    config = json.loads(layout.kubeconfig.read_text())

    assert config["clusters"][0]["cluster"]["server"] == f"https://127.0.0.1:{plan.ports['kube-apiserver']}"
    key = base64.b64decode(config["users"][0]["user"]["client-key-data"])
    assert key == layout.certificates.key("admin").read_bytes()
    assert stat.S_IMODE(layout.kubeconfig.stat().st_mode) == 0o600


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    """Nobody's home is taken for a lab, to be removed by `down` later."""
    refuse_foreign_folder(Layout(tmp_path / "new"))
    refuse_foreign_folder(Layout(tmp_path))
    (tmp_path / "thesis.txt").touch()

    with pytest.raises(LabError, match=r"is not a lab: it holds thesis\.txt"):
        refuse_foreign_folder(Layout(tmp_path))
    with pytest.raises(LabError, match="is not a folder"):
        refuse_foreign_folder(Layout(tmp_path / "thesis.txt"))
