"""What a lab keeps for its life."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from nopea_lab.errors import LabError
from nopea_lab.layout import PORT_RANGE, LabOptions, LabPlan, default_folder, free_ports


def test_the_default_folder_follows_the_base_directories() -> None:
    """An absolute XDG_STATE_HOME counts, a relative one does not."""
    assert default_folder({"XDG_STATE_HOME": "/state"}) == Path("/state/nopea/lab")
    assert default_folder({"XDG_STATE_HOME": "state"}) == Path.home() / ".local/state/nopea/lab"


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    """A restarted lab has the same ports and options."""
    options = LabOptions(watch_cache=False, apiserver_flags=("--v=2",), pods=True)
    plan = LabPlan(ports={"etcd": 20001}, options=options)

    plan.write(tmp_path / "lab.json")

    assert LabPlan.read(tmp_path / "lab.json") == plan
    assert LabPlan.read(tmp_path / "none.json") is None


def test_a_plan_from_before_there_were_pods_has_none(tmp_path: Path) -> None:
    """A lab that is kept over an update is still a lab."""
    options = '{"watch_cache": true, "apiserver_flags": []}'
    (tmp_path / "lab.json").write_text(f'{{"ports": {{"etcd": 20001}}, "options": {options}}}')

    assert LabPlan.read(tmp_path / "lab.json") == LabPlan(ports={"etcd": 20001})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"ports": {"etcd": "x"}, "options": {}}'])
def test_a_broken_plan_is_an_error_that_says_what_to_do(tmp_path: Path, text: str) -> None:
    """Not a traceback, and not a lab on other ports."""
    (tmp_path / "lab.json").write_text(text)

    with pytest.raises(LabError, match="nopea lab down"):
        LabPlan.read(tmp_path / "lab.json")


def test_ports_are_free_different_and_out_of_the_way() -> None:
    """Nobody listens on them, and the kernel gives them to no outgoing connection."""
    ports = free_ports(["one", "two", "three"])

    assert list(ports) == ["one", "two", "three"]
    assert len(set(ports.values())) == 3
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(port in PORT_RANGE and port < first_outgoing for port in ports.values())
    for port in ports.values():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
