"""The command lines of the control plane keep to loopback, TLS and the lab's own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from nopea_lab.components import (
    APISERVER,
    COMPONENTS,
    CONTROLLER_MANAGER,
    ETCD,
    KWOK,
    POD_COMPONENTS,
    SCHEDULER,
    Component,
    components,
    port_names,
)
from nopea_lab.layout import LabOptions, LabPlan, Layout

LAYOUT = Layout(Path("/lab"))
PORTS = {name: 20000 + place for place, name in enumerate(port_names())}
PLAN = LabPlan(ports=PORTS)


@pytest.mark.parametrize("component", [*COMPONENTS, *POD_COMPONENTS], ids=lambda component: component.name)
def test_nothing_listens_outside_this_machine_or_in_the_clear(component: Component) -> None:
    """Every address is https on 127.0.0.1, or there is none."""
    arguments = component.arguments(LAYOUT, PLAN)

    addresses = [argument.partition("://")[2] for argument in arguments if "://" in argument]
    assert not [argument for argument in arguments if "http://" in argument or "0.0.0.0" in argument]
    assert all(address.startswith(("127.0.0.1:", "kubernetes.default.svc")) for address in addresses)
    if component is APISERVER:
        assert "--bind-address=127.0.0.1" in arguments
    if component in (CONTROLLER_MANAGER, SCHEDULER):
        assert "--secure-port=0" in arguments
    if component is KWOK:
        assert {"--server-address=", "--node-port=0"} <= set(arguments)


def test_each_process_uses_its_own_ports() -> None:
    """No two share one, and `status` shows the first."""
    assert len(set(port_names())) == len(port_names())
    assert ETCD.url(PLAN) == f"https://127.0.0.1:{PORTS['etcd']}"
    assert CONTROLLER_MANAGER.url(PLAN) == ""


def test_pods_need_two_more_processes() -> None:
    """They come last: the simulator, whose stages are there, and the scheduler."""
    assert components(LabOptions()) == COMPONENTS
    assert components(LabOptions(pods=True)) == (*COMPONENTS, KWOK, SCHEDULER)
    stages = [each.partition("=")[2] for each in KWOK.arguments(LAYOUT, PLAN) if each.startswith("--config=")]
    assert [Path(stage).name for stage in stages if Path(stage).exists()] == ["node.yaml", "pod.yaml"]


def test_options_reach_the_api_server() -> None:
    """The watch cache can be switched off, and flags of one's own come last, so that they win."""
    options = LabOptions(watch_cache=False, apiserver_flags=("--v=4",))

    arguments = APISERVER.arguments(LAYOUT, LabPlan(ports=PORTS, options=options))

    assert arguments[-2:] == ["--watch-cache=false", "--v=4"]
    assert "--watch-cache=false" not in APISERVER.arguments(LAYOUT, PLAN)
