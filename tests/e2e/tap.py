"""A controller whose every request to the API server is written down, to be counted from outside.

The controller is the real one; the tap notes a line for a request and passes it on untouched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.process import PROGRAM, Nopea

from nopea.lab.lab import Lab

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
        """True when it may change something."""
        return self.method != "GET"

    @property
    def watches(self) -> bool:
        """True when it follows a kind."""
        return "watch=" in self.path

    def names_one_of(self, names: Sequence[str]) -> bool:
        """True when it is about one object with one of these names."""
        return self.path.partition("?")[0].rsplit("/", 1)[-1] in names


class Tapped(Nopea):
    """`nopea run` with a tap."""

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
        """Return the requests so far, without the first `since`."""
        lines = self._notes.read_text().splitlines(keepends=True)[since:]
        whole = [line.split() for line in lines if line.endswith("\n")]
        return [Asked(method, path) for method, path in whole]
