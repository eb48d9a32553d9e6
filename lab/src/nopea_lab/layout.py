"""Where a lab's files are, and what stays the same for its whole life: ports and options.

Decides names only; starts nothing.
"""

from __future__ import annotations

import json
import os
import random
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nopea_lab.certificates import CertificateFolder
from nopea_lab.errors import LabError
from nopea_lab.files import write_private

# Below the kernel's range for outgoing connections: while a killed API server is down, nobody gets its port.
PORT_RANGE = range(20000, 32000)


def default_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the user's own lab, by the XDG base directories."""
    state = environment.get("XDG_STATE_HOME") or ""
    home = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return home / "nopea" / "lab"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabOptions:
    """How a lab differs from the ordinary one; fixed when it is first started.

    Without `watch_cache` the API server reads every watch from etcd, so that a compaction alone makes old
    watches end with 410. `apiserver_flags` are added at the end of the API server's command line. With `pods`
    there are a scheduler and a simulated node; these can also be given to a lab later.
    """

    watch_cache: bool = True
    apiserver_flags: tuple[str, ...] = ()
    pods: bool = False


ORDINARY = LabOptions()


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of a lab's files."""

    folder: Path

    @property
    def plan(self) -> Path:
        """Return the file that marks the folder as a lab and keeps its ports and options."""
        return self.folder / "lab.json"

    @property
    def state(self) -> Path:
        """Return the file with the running processes; the keeper writes it."""
        return self.folder / "state.json"

    @property
    def certificates(self) -> CertificateFolder:
        """Return the folder of keys and certificates."""
        return CertificateFolder(self.folder / "certificates")

    @property
    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""
        return self.folder / "kubeconfig"

    @property
    def data(self) -> Path:
        """Return the folder of etcd's data."""
        return self.folder / "data"

    def log(self, name: str) -> Path:
        """Return the log of a process."""
        return self.folder / "logs" / f"{name}.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPlan:
    """What a lab keeps over restarts."""

    ports: Mapping[str, int]
    options: LabOptions = ORDINARY

    @classmethod
    def read(cls, path: Path) -> LabPlan | None:
        """Return the plan in the file; None when there is none. Raises LabError when it cannot be read."""
        try:
            raw = json.loads(path.read_text())
            options = raw["options"]
            return cls(
                ports={str(name): int(port) for name, port in raw["ports"].items()},
                options=LabOptions(
                    watch_cache=bool(options["watch_cache"]),
                    apiserver_flags=tuple(options["apiserver_flags"]),
                    pods=bool(options.get("pods", False)),
                ),
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            hint = "Remove the lab with `nopea lab down` and start it again."
            raise LabError(f"{path} cannot be read: {error!r}.", hint=hint) from error

    def write(self, path: Path) -> None:
        """Keep the plan in the file."""
        options = {
            "watch_cache": self.options.watch_cache,
            "apiserver_flags": list(self.options.apiserver_flags),
            "pods": self.options.pods,
        }
        raw: dict[str, Any] = {"ports": dict(self.ports), "options": options}
        write_private(path, json.dumps(raw, indent=2) + "\n")


def free_ports(names: Sequence[str], *, tries: int = 200) -> dict[str, int]:
    """Return a loopback port for each name on which nobody listens now."""
    chosen: dict[str, int] = {}
    for port in random.sample(PORT_RANGE, tries):
        if len(chosen) == len(names):
            break
        if _is_free(port):
            chosen[names[len(chosen)]] = port
    if len(chosen) < len(names):
        low, high = PORT_RANGE.start, PORT_RANGE.stop - 1
        raise LabError(
            f"There are no free loopback ports between {low} and {high}.",
            hint="End what listens there and try again.",
        )
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
