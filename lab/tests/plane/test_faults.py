"""A lab can simulate the faults that a controller must survive, and recovers as the same cluster."""

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
    """Return what a watch of one second receives: a single event is parsed, as an error is."""
    answer = lab.request("GET", f"{CONFIG_MAPS}?watch=1&resourceVersion={version}&timeoutSeconds=1")
    assert answer.status == 200
    return answer.body


def _assert_expired(event: Any) -> None:
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_a_lab_recovers_from_the_death_of_its_api_server_and_its_keeper(private_lab: Lab) -> None:
    """After a kill and a restart, a lab has the same port, objects and certificates; old watches get 410."""
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


def test_without_a_watch_cache_a_compaction_expires_watches_and_lists(
    make_lab: Callable[[LabOptions], Lab],
) -> None:
    """After a compaction, a watch gets an ERROR event with code 410; a list with `continue` gets 410."""
    lab = make_lab(LabOptions(watch_cache=False))
    old = _version(lab)
    for name in ("one", "two"):
        _create(lab, name)
    page = lab.request("GET", f"{CONFIG_MAPS}?limit=1").body["metadata"]["continue"]

    lab.compact_etcd()

    _assert_expired(_watch(lab, old))
    assert lab.request("GET", f"{CONFIG_MAPS}?limit=1&continue={page}").status == 410
