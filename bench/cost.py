"""What a time span costs: processor time by process, and the API server's requests by verb and resource."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from nopea.kube.client import KubeClient
from nopea_lab.lab import Lab

SERVERS = ("etcd", "kube-apiserver")
_OF_OTHERS = ("leases", "replicasets", "endpoints", "endpointslices", "ipaddresses")
"""What only the controller manager and the API server itself write."""


def memory_mib(pid: int) -> float:
    """Return the proportional set size of a process and its children."""
    return sum(_pss(each) for each in [pid, *children(pid)]) / 1024


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the processor time of these processes so far."""
    return sum(_cpu(pid) for pid in pids)


def children(pid: int) -> list[int]:
    """Return the child processes of a process."""
    try:
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def server_cpu(lab: Lab) -> dict[str, float]:
    """Return the processor time of etcd and of the API server so far, in seconds."""
    return {row.name: _cpu(row.pid) for row in lab.status() if row.pid and row.name in SERVERS}


async def requests(client: KubeClient) -> Counter[str]:
    """Return how many requests the API server has answered, by verb and resource, as `APPLY configmaps`."""
    text = (await client.read("/metrics", accept="text/plain")).body.decode()
    found: Counter[str] = Counter()
    for line in text.splitlines():
        if not line.startswith("apiserver_request_total{"):
            continue
        labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
        if labels["resource"] not in _OF_OTHERS and labels["resource"]:
            part = f"/{labels['subresource']}" if labels["subresource"] else ""
            found[f"{labels['verb']} {labels['resource']}{part}"] += round(float(line.rpartition(" ")[2]))
    return found


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
