"""A controller whose requests to the API server are recorded, so that tests can count them.

The controller is the real one; the tap records a line for each request and forwards it unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.process import PROGRAM, Nopea
from tests.e2e.waiting import eventually

from nopea.core.api.names import LEASE
from nopea_lab.lab import Lab

_TAP = """
from nopea.kube.transport import Transport
_exchange = Transport._exchange
async def _noted(self, request, headers, identity):
    with open({path!r}, 'a') as notes:
        notes.write(request.method + ' ' + request.path + chr(10))
    return await _exchange(self, request, headers, identity)
Transport._exchange = _noted
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it was sent."""

    method: str
    path: str

    @property
    def writes(self) -> bool:
        """True if the request can change something."""
        return self.method != "GET" and not self.path.partition("?")[0].endswith("accessreviews")

    @property
    def watches(self) -> bool:
        """True if the request is a watch."""
        return "watch=" in self.path

    def names_one_of(self, names: Sequence[str]) -> bool:
        """Return whether the request addresses an object with one of these names."""
        return self.path.partition("?")[0].rsplit("/", 1)[-1] in names


class Tapped(Nopea):
    """`nopea run` whose requests are recorded."""

    def __init__(self, lab: Lab, folder: Path, *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._notes = folder / "requests.txt"
        self._notes.touch()
        super().__init__(
            kubeconfig=lab.kubeconfig,
            folder=folder,
            arguments=arguments,
            program=_TAP.format(path=str(self._notes)) + PROGRAM,
        )

    def asked(self, since: int = 0) -> list[Asked]:
        """Return the requests so far, without the first `since` and without the heartbeat."""
        lines = self._notes.read_text().splitlines(keepends=True)
        whole = [Asked(*line.split()) for line in lines if line.endswith("\n")]
        return [one for one in whole if not one.names_one_of((LEASE,))][since:]


_GATE = """
import asyncio, pathlib
from nopea.kube.transport import Transport
_exchange = Transport._exchange
_folder = pathlib.Path({folder!r})
async def _held(self, request, headers, identity):
    shut, waits = _folder / 'shut', _folder / 'waits'
    named = request.path.partition('?')[0].rsplit('/', 1)[-1]
    if request.method == 'PATCH' and shut.exists() and named == shut.read_text():
        waits.touch()
        while shut.exists():
            await asyncio.sleep(0.02)
    return await _exchange(self, request, headers, identity)
Transport._exchange = _held
"""


class Gated(Nopea):
    """`nopea run` whose writes to one object can be held before they reach the API server.

    A held write continues unchanged after the release; the client's own timeout limits the hold.
    """

    def __init__(self, lab: Lab, folder: Path, *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._shut, self._waits = folder / "shut", folder / "waits"
        super().__init__(
            kubeconfig=lab.kubeconfig,
            folder=folder,
            arguments=arguments,
            program=_GATE.format(folder=str(folder)) + PROGRAM,
        )

    def shut(self, name: str) -> None:
        """Hold every write to an object of this name from now on."""
        self._waits.unlink(missing_ok=True)
        self._shut.write_text(name)

    def wait_for_a_write(self) -> None:
        """Wait until a write is held."""
        eventually(self._assert_waits)

    def open(self) -> None:
        """Release the held write, and hold no further writes."""
        self._shut.unlink(missing_ok=True)

    def _assert_waits(self) -> None:
        assert self._waits.exists(), "no write was held"
