"""Bring a lab's processes up, or what is missing of them, and wait until each is ready.

Starts a keeper where there is none, and whatever happens leaves no process of its own behind: until the
launch is complete the keeper depends on a pipe that this process holds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from nopea_lab import node
from nopea_lab.binaries import Binaries
from nopea_lab.components import APISERVER, CONTROLLER_MANAGER, KWOK, Component, components
from nopea_lab.control import Control
from nopea_lab.errors import LabError, tail
from nopea_lab.layout import LabPlan, Layout
from nopea_lab.progress import LabProgress

READY_SECONDS = 60.0
_POLL_SECONDS = 0.05
_KEEPER_SECONDS = 10.0
_FIRST_OBJECTS = (
    "/api/v1/namespaces/default/serviceaccounts/default",
    "/api/v1/namespaces/default/configmaps/kube-root-ca.crt",
)


def start_keeper(layout: Layout) -> int:
    """Start a keeper and return our end of its owner pipe: when that closes, the lab ends."""
    theirs, ours = os.pipe()
    try:
        with layout.log("keeper").open("ab") as log:
            subprocess.run(
                [sys.executable, "-P", "-m", "nopea_lab.keeper", str(layout.folder), str(theirs)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(theirs,),
                timeout=_KEEPER_SECONDS,
                check=True,
            )
    except subprocess.SubprocessError as error:
        os.close(ours)
        log_file = layout.log("keeper")
        raise LabError(
            "The lab's keeper did not start.", detail=tail(log_file), hint=f"See {log_file}."
        ) from error
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One start or repair of the processes of the lab at `layout`."""

    layout: Layout
    plan: LabPlan
    binaries: Binaries
    progress: LabProgress

    @property
    def control(self) -> Control:
        """Return the way to the keeper."""
        return Control(self.layout.folder)

    def start_all(self) -> None:
        """Start what does not run, each after the one before is ready. Raises LabError with the log's end."""
        for component in components(self.plan.options):
            self.start(component)
        self._wait("The default service account", self._has_first_objects, needs=CONTROLLER_MANAGER)
        if self.plan.options.pods:
            client = APISERVER.client(self.layout, self.plan)
            self._wait("The simulated node", lambda: node.is_ready(client), needs=KWOK)

    def start(self, component: Component) -> None:
        """Start one process unless it runs, and wait until it is ready."""
        began_at = time.monotonic()
        program = str(self.binaries.path(component.name))
        command = [program, *component.arguments(self.layout, self.plan)]
        if component.environment:
            command = ["env", *component.environment, *command]
        self.control.start(component.name, command)
        if component.ready_path:
            self._wait(component.name, lambda: self._is_ready(component), needs=component)
        self.progress.say(f"✓ {component.name} ({time.monotonic() - began_at:.1f} s)")

    def _is_ready(self, component: Component) -> bool:
        try:
            return component.client(self.layout, self.plan).request("GET", component.ready_path).status == 200
        except OSError:
            return False

    def _has_first_objects(self) -> bool:
        client = APISERVER.client(self.layout, self.plan)
        try:
            return all(client.request("GET", path).status == 200 for path in _FIRST_OBJECTS)
        except OSError:
            return False

    def _wait(self, what: str, is_there: Callable[[], bool], *, needs: Component) -> None:
        give_up_at = time.monotonic() + READY_SECONDS
        log = self.layout.log(needs.name)
        while not is_there():
            exit_code = self.control.processes()[needs.name].exit_code
            if exit_code is not None:
                raise LabError(
                    f"{needs.name} ended with exit code {exit_code} while starting.",
                    detail=tail(log),
                    hint=f"The whole log is {log}. "
                    "`nopea lab down` removes the lab, `nopea lab up` makes a new one.",
                )
            if time.monotonic() > give_up_at:
                raise LabError(
                    f"{what} was not ready after {READY_SECONDS:.0f} s.",
                    detail=tail(log),
                    hint=f"Try again when the machine is less busy. The whole log is {log}.",
                )
            self.progress.tick(f"  Waiting for {what[0].lower()}{what[1:]}")
            time.sleep(_POLL_SECONDS)
