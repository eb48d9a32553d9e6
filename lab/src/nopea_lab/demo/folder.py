"""The demo's folder: what is where, who may use it now, and what is left after a failure.

Never touches a folder that is not a demo's, nor one whose demo still runs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from nopea_lab.control import Control
from nopea_lab.demo.shell import quoted, this_program
from nopea_lab.errors import LabError
from nopea_lab.files import locked, make_private_folder
from nopea_lab.lab import Lab

_LOCK = "lock"
_MARK = "nopea-demo"
_MARK_TEXT = "This folder belongs to `nopea demo`, which removes it; `nopea demo --end` does so at once.\n"


def default_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the user's demo, by the XDG base directories; not the one of `nopea lab`."""
    state = environment.get("XDG_STATE_HOME") or ""
    home = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return home / "nopea" / "demo"


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """The names of a demo's files."""

    path: Path

    @property
    def lab(self) -> Path:
        """Return the control plane's folder."""
        return self.path / "lab"

    @property
    def repositories(self) -> Path:
        """Return the folder that the Git server serves."""
        return self.path / "git"

    @property
    def clone(self) -> Path:
        """Return the clone that the demo pushes from, and after it the user."""
        return self.path / "shop"

    @property
    def events(self) -> Path:
        """Return the file with a line for each CDEvent that the demo's receiver got."""
        return self.path / "cdevents"

    @property
    def webhook_secret(self) -> Path:
        """Return the file with the secret that signs announcements of pushes."""
        return self.path / "webhook-secret"

    @property
    def cache(self) -> Path:
        """Return the controller's cache."""
        return self.path / "cache"

    @property
    def logs(self) -> Path:
        """Return the folder where the logs of a failed demo are kept until the next one."""
        return self.path / "logs"

    @property
    def end_command(self) -> str:
        """Return the one command that ends a demo which was left running."""
        where = "" if self.path == default_folder() else f" --dir {quoted(self.path)}"
        return f"{this_program()} demo --end{where}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other demos out of the folder meanwhile. Raises LabError when one is in it.

        The kernel lets go when this process ends, however that happens.
        """
        self._refuse_foreign()
        make_private_folder(self.path)
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(self.path / _LOCK, deadline_seconds=0))
            except LabError as error:
                raise LabError(
                    f"Another `nopea demo` runs in {self.path}.",
                    hint="Wait until it ends, or end it with Ctrl-C in its terminal.",
                ) from error
            yield

    def claim(self) -> None:
        """Make the folder empty for a new demo; removes what a killed or failed one left. Needs `held`."""
        if Control(self.lab).is_there():
            raise LabError(
                f"A demo was left running in {self.path}.", hint=f"End it first: {self.end_command}"
            )
        self.clear()
        (self.path / _MARK).write_text(_MARK_TEXT)

    def clear(self, *, keep_logs: bool = False) -> None:
        """End the control plane and all that it holds; remove everything but the lock, and the logs if asked.

        Needs `held`. Idempotent.
        """
        if keep_logs and (self.lab / "logs").is_dir():
            shutil.copytree(self.lab / "logs", self.logs, dirs_exist_ok=True)
        Lab.open(self.lab).stop()
        kept = {_LOCK, *((_MARK, self.logs.name) if keep_logs else ())}
        for entry in self.path.iterdir():
            if entry.name in kept:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def remove(self) -> None:
        """Clear the folder and remove it. Needs `held`."""
        self.clear()
        shutil.rmtree(self.path)

    def _refuse_foreign(self) -> None:
        if not self.path.exists() or (self.path / _MARK).exists():
            return
        if not self.path.is_dir() or {entry.name for entry in self.path.iterdir()} - {_LOCK}:
            raise LabError(
                f"{self.path} is not a demo's folder.", hint="Give an empty or new folder with --dir."
            )
