"""The one node of a lab with Pods: an object that the simulator keeps Ready, with no machine behind it.

Creates it and asks for it; never changes one that is there.
"""

from __future__ import annotations

import platform
from typing import Any

from nopea_lab.api import Client
from nopea_lab.programs import architecture

NODE_NAME = "lab-node"
_NODES = "/api/v1/nodes"
_NOT_READY = "node.kubernetes.io/not-ready"


def is_ready(client: Client) -> bool:
    """Say whether Pods can be placed on the node; create it when it is not there."""
    try:
        answer = client.request("GET", f"{_NODES}/{NODE_NAME}")
        if answer.status == 404:
            client.request("POST", _NODES, _node())
            return False
    except OSError:
        return False
    if answer.status != 200:
        return False
    conditions = answer.body.get("status", {}).get("conditions", [])
    taints = answer.body.get("spec", {}).get("taints", [])
    is_up = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return is_up and not any(taint["key"] == _NOT_READY for taint in taints)


def _node() -> dict[str, Any]:
    labels = {
        "kubernetes.io/hostname": NODE_NAME,
        "kubernetes.io/os": platform.system().lower(),
        "kubernetes.io/arch": architecture(),
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE_NAME, "labels": labels}}
