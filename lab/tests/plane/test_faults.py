"""A lab can be hurt in the ways that a controller must survive, and comes back as the same cluster."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from nopea_lab.lab import Lab
from nopea_lab.layout import LabOptions
from nopea_lab.state import LabState

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def _version(lab: Lab) -> str:
    version = lab.request("GET", CONFIG_MAPS).body["metadata"]["resourceVersion"]
    assert isinstance(version, str)
    return version


def _create(lab: Lab, name: str) -> None:
    assert lab.request("POST", CONFIG_MAPS, {"metadata": {"name": name}}).status == 201


def _watch(lab: Lab, version: str) -> Any:
    """Return the first event (parsed when it is the only one, as an error is)."""
    answer = lab.request("GET", f"{CONFIG_MAPS}?watch=1&resourceVersion={version}&timeoutSeconds=1")
    assert answer.status == 200
    return answer.body


def _assert_expired(event: Any) -> None:
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_api_server_keeper_and_processes_can_die_and_come_back(private_lab: Lab) -> None:
    """Same port, same objects, same certificates; expired watches get 410 in between."""
    lab, url = private_lab, private_lab.api_url
    old = _version(lab)
    _create(lab, "one")
    lab.compact_etcd()
    assert '"ADDED"' in str(_watch(lab, old)).replace("'", '"')  # the watch cache still remembers

    lab.kill_apiserver()
    with pytest.raises(ConnectionRefusedError):
        _version(lab)
    assert {row.name: row.state for row in lab.status()}["kube-apiserver"] == "killed (SIGKILL)"
    lab.start_apiserver()
    assert lab.api_url == url
    _assert_expired(_watch(lab, old))

    state = LabState.read(lab.folder / "state.json")
    assert state.keeper
    state.keeper.send(signal.SIGKILL)
    for process in (state.keeper, *state.processes.values()):
        assert process.wait_gone(deadline_seconds=5)
    assert not lab.is_running()
    lab.start(owned=True)
    assert lab.api_url == url
    assert lab.request("GET", f"{CONFIG_MAPS}/one").status == 200


def test_without_watch_cache_a_compaction_alone_expires(make_lab: Callable[[LabOptions], Lab]) -> None:
    """A watch gets an ERROR event with code 410, a list with `continue` the status 410."""
    lab = make_lab(LabOptions(watch_cache=False))
    old = _version(lab)
    for name in ("one", "two"):
        _create(lab, name)
    page = lab.request("GET", f"{CONFIG_MAPS}?limit=1").body["metadata"]["continue"]

    lab.compact_etcd()

    _assert_expired(_watch(lab, old))
    assert lab.request("GET", f"{CONFIG_MAPS}?limit=1&continue={page}").status == 410
