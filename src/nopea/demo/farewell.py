"""What the user is told when the demo stays: how to look at it, how to change it, how to end it.

Decides the text only.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from nopea.demo.folder import DemoFolder, default_folder
from nopea.demo.world import World


def what_to_try(world: World) -> Iterator[tuple[str, str]]:
    """Yield pairs of a purpose and a command line that can be pasted into a shell."""
    path = "" if shutil.which("kubectl") else f' PATH="$PATH:{world.binaries.folder}"'
    yield "use its cluster", f"export KUBECONFIG={_quoted(world.lab.kubeconfig)}{path}"
    yield "look", "kubectl get gr -w"
    yield "change it", f"cd {_quoted(world.folder.clone)} && sed -i 's/replicas: .*/replicas: 9/' web.yaml"
    yield "", "git commit -qam 'Even more visitors' && git push -q"
    yield "or clone", f"git clone {world.git_url}"
    yield "ready?", f"curl {world.ready_url}"
    yield "log", f"tail -f {_quoted(world.folder.lab / 'logs' / 'nopea.log')}"
    yield "end it all", end_command(world.folder)


def end_command(folder: DemoFolder) -> str:
    """Return the one command that ends a demo which was left running."""
    where = "" if folder.path == default_folder() else f" --dir {_quoted(folder.path)}"
    return f"nopea demo --end{where}"


def _quoted(path: Path) -> str:
    """Return the path for a shell, with `~` where it fits."""
    home = Path.home()
    if path.is_relative_to(home) and home != Path("/"):
        return f"~/{shlex.quote(str(path.relative_to(home)))}"
    return shlex.quote(str(path))
