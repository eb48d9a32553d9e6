"""A demo's world that starts nothing: what the cluster holds is what the test puts into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nopea_lab.binaries import Binaries
from nopea_lab.demo.folder import DemoFolder
from nopea_lab.demo.world import CONTROLLER, EVENT_SINK, GIT_SERVER, WEBHOOKS, DemoWorld


class StillWorld(DemoWorld):
    """Answers from `objects`, by path; no keeper holds any process of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(DemoFolder(path), binaries=Binaries(folder=path / "bin", origin="a test"))
        self.objects: dict[str, dict[str, Any]] = {}
        self._ports = {GIT_SERVER: 20001, CONTROLLER: 20002, EVENT_SINK: 20003, WEBHOOKS: 20004}

    def find(self, path: str) -> dict[str, Any] | None:
        """Return what the test put there."""
        return self.objects.get(path)
