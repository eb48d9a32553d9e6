"""What the user is told when the demo stays: how to look at it, how to change it, how to end it.

Decides the text only.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from nopea_lab.demo.shell import quoted
from nopea_lab.demo.world import DemoWorld


def what_to_try(world: DemoWorld) -> Iterator[tuple[str, str]]:
    """Yield pairs of a purpose and a command line that can be pasted into a shell."""
    path = "" if shutil.which("kubectl") else f' PATH="$PATH:{world.binaries.folder}"'
    yield "use its cluster", f"export KUBECONFIG={quoted(world.lab.kubeconfig)}{path}"
    yield "look", "kubectl get gr; kubectl -n shop get deploy,svc,cm,discounts"
    yield "drift", "kubectl -n shop scale deploy web --replicas=1; kubectl get events"
    yield "change it", f"cd {quoted(world.folder.clone)} && sed -i 's/replicas: .*/replicas: 9/' web.yaml"
    yield "", "git commit -qam 'Even more visitors' && git push -q"
    yield "or clone", f"git clone {world.git_url}"
    yield "ready?", f"curl {world.ready_url}"
    yield "log", f"tail -f {quoted(world.folder.lab / 'logs' / 'nopea.log')}"
    yield "end it all", world.folder.end_command
