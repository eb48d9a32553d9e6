"""The record of what runs is read with suspicion."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from nopea_lab.identity import ProcessIdentity
from nopea_lab.state import LabState


def test_only_those_that_still_run_survive(tmp_path: Path) -> None:
    """A record from before a reboot names nobody, though its numbers are taken again."""
    me = ProcessIdentity.of(os.getpid())
    assert me is not None
    old = dataclasses.replace(me, boot="before")
    LabState(keeper=me, processes={"etcd": me, "kube-apiserver": old}).write(tmp_path / "state.json")

    state = LabState.read(tmp_path / "state.json")

    assert state.processes["kube-apiserver"] == old
    assert list(state.survivors()) == ["etcd", "keeper"]


@pytest.mark.parametrize("text", ["", "[]", '{"processes": 3}', '{"processes": {"etcd": {"pid": 0}}}'])
def test_a_broken_record_names_nobody(tmp_path: Path, text: str) -> None:
    """A half-written or foreign file never leads to a signal."""
    (tmp_path / "state.json").write_text(text)

    assert LabState.read(tmp_path / "state.json").survivors() == {}
    assert LabState.read(tmp_path / "none.json") == LabState()
