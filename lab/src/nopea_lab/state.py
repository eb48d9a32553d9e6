"""The keeper's record of what runs, in a file that outlives it: how a later command finds the processes.

Only the keeper writes it. A reader trusts no pid in it without its start time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nopea_lab.files import write_private
from nopea_lab.identity import ProcessIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class LabState:
    """The keeper and its children, by name, in the order in which they were first started."""

    keeper: ProcessIdentity | None = None
    processes: Mapping[str, ProcessIdentity] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> LabState:
        """Return what the file says; nothing when it is not there or not ours."""
        try:
            raw = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            return cls()
        if not isinstance(raw, dict) or not isinstance(raw.get("processes"), dict):
            return cls()
        parsed = {name: ProcessIdentity.parse(entry) for name, entry in raw["processes"].items()}
        return cls(
            keeper=ProcessIdentity.parse(raw.get("keeper")),
            processes={name: entry for name, entry in parsed.items() if entry is not None},
        )

    def write(self, path: Path) -> None:
        """Replace the file."""
        raw = {
            "keeper": self.keeper.as_json() if self.keeper else None,
            "processes": {name: process.as_json() for name, process in self.processes.items()},
        }
        write_private(path, json.dumps(raw, indent=2) + "\n")

    def survivors(self) -> dict[str, ProcessIdentity]:
        """Return those that still run, the keeper last."""
        everyone = {**self.processes, **({"keeper": self.keeper} if self.keeper else {})}
        return {name: process for name, process in everyone.items() if process.is_alive()}
