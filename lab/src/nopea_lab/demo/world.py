"""The demo's processes: control plane, Git server and controller, all held by the lab's keeper.

Starts them and asks them; nothing that it starts outlives the keeper, and the keeper does not outlive this
process unless it is told to (`keep_running`). Never tells anything to the user.
"""

from __future__ import annotations

import http.client
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from nopea.core.api.crds import git_repository_crd, inventory_crd
from nopea.core.api.names import GROUP, PLURAL, VERSION
from nopea.render.program import find_program
from nopea_lab.binaries import Binaries
from nopea_lab.control import GRACE_SECONDS, Control, KeeperGoneError
from nopea_lab.demo import shop
from nopea_lab.demo.folder import DemoFolder
from nopea_lab.demo.origin import Origin
from nopea_lab.errors import LabError, tail
from nopea_lab.kubectl import Kubectl, KubectlError
from nopea_lab.lab import Lab
from nopea_lab.layout import Layout, free_ports
from nopea_lab.progress import LabProgress

T = TypeVar("T")

CONTROLLER = "nopea"
GIT_SERVER = "git-server"
WEBHOOKS = "webhooks"
EVENT_SINK = "event-sink"
READY_SECONDS = 30.0
_POLL_SECONDS = 0.03
_STATUS_PATH = f"/apis/{GROUP}/{VERSION}/namespaces/default/{PLURAL}/{shop.NAME}"
_EVENTS_PATH = "/apis/events.k8s.io/v1/namespaces/default/events"


class DemoWorld:
    """What the demo runs, in one folder."""

    def __init__(self, folder: DemoFolder, *, binaries: Binaries) -> None:
        self.folder = folder
        self.binaries = binaries
        self.lab = Lab.open(folder.lab, binaries=binaries)
        self.origin = Origin(repositories=folder.repositories, clone=folder.clone)
        self._control = Control(folder.lab)
        self._kubectl = Kubectl(binary=binaries.path("kubectl"), kubeconfig=self.lab.kubeconfig)
        self._ports: dict[str, int] = {}

    @property
    def git_url(self) -> str:
        """Return the URL of the sample repository."""
        return f"http://127.0.0.1:{self._ports[GIT_SERVER]}/shop.git"

    @property
    def ready_url(self) -> str:
        """Return the controller's readiness probe."""
        return f"http://127.0.0.1:{self._ports[CONTROLLER]}/ready"

    def start_control_plane(self, progress: LabProgress) -> None:
        """Start it and define Nopea's kinds; it ends with this process, however that happens."""
        self.lab.start(owned=True, progress=progress)
        self._ports = free_ports([GIT_SERVER, CONTROLLER, WEBHOOKS, EVENT_SINK])
        progress.tick("Defining GitRepository and Inventory")
        self.lab.define([git_repository_crd(), inventory_crd()])

    def start_git_server(self) -> None:
        """Serve the repositories over HTTP on loopback; returns when it answers."""
        self._start(
            GIT_SERVER,
            ["nopea_lab.gitserver", str(self.folder.repositories), str(self._ports[GIT_SERVER])],
            is_ready=lambda: _status(self._ports[GIT_SERVER], "/shop.git/HEAD") == http.HTTPStatus.OK,
        )

    def start_event_sink(self) -> None:
        """Listen for CDEvents on loopback; returns when it answers."""
        port = self._ports[EVENT_SINK]
        self._start(
            EVENT_SINK,
            ["nopea_lab.demo.listen", str(port), str(self.folder.events)],
            is_ready=lambda: _status(port, "/") == http.HTTPStatus.OK,
        )

    def events_told(self) -> list[str]:
        """Return the types of the CDEvents that have arrived, in their order."""
        if not self.folder.events.exists():
            return []
        return [line.split()[0] for line in self.folder.events.read_text().splitlines()]

    def start_controller(self) -> None:
        """Start `nopea run` as administrator of the control plane; returns when it says that it is ready."""
        port = self._ports[CONTROLLER]
        self._start(
            CONTROLLER,
            [
                *("nopea", "run", "--apply-as-controller", "--kubeconfig", str(self.lab.kubeconfig)),
                *(
                    "--git-networks",
                    "any",
                    "--host",
                    "127.0.0.1",
                    "--probe-port",
                    str(port),
                    "--port",
                    str(self._ports[WEBHOOKS]),
                ),
                *("--cache-dir", str(self.folder.cache), "--log-format", "console"),
                *("--cdevents-sink", f"http://127.0.0.1:{self._ports[EVENT_SINK]}/"),
            ],
            is_ready=lambda: _status(port, "/ready") == http.HTTPStatus.OK,
        )

    @property
    def webhook_url(self) -> str:
        """Return where pushes to the sample repository are announced."""
        return f"http://127.0.0.1:{self._ports[WEBHOOKS]}/webhook/default/{shop.NAME}"

    def announce_pushes(self) -> str:
        """Let each push be announced to the controller by a signed webhook; returns the new secret."""
        token = secrets.token_hex(16)
        self.folder.webhook_secret.touch(mode=0o600)
        self.folder.webhook_secret.write_text(token)
        self.origin.announce_with(
            *(sys.executable, "-P", "-m", "nopea_lab.demo.announce"),
            *(self.webhook_url, str(self.folder.webhook_secret), self.git_url),
        )
        return token

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return its standard output. Raises LabError."""
        try:
            return self._kubectl(*arguments, stdin=stdin)
        except (KubectlError, subprocess.TimeoutExpired) as error:
            raise LabError(
                "kubectl failed.", detail=f"  | {error}", hint=self._look_at("kube-apiserver")
            ) from error

    def status(self) -> dict[str, Any]:
        """Return the GitRepository's status as stored; empty before the first and while nobody answers."""
        return dict((self.find(_STATUS_PATH) or {}).get("status") or {})

    @property
    def can_render(self) -> bool:
        """Whether the controller finds the program that renders."""
        return find_program({"PATH": os.environ.get("PATH", "")}, cache_dir=self.folder.cache) is not None

    def is_ready(self, name: str) -> bool:
        """Return whether another GitRepository is Ready."""
        found = self.find(_STATUS_PATH.removesuffix(shop.NAME) + name) or {}
        conditions = found.get("status", {}).get("conditions", ())
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def event(self, reason: str) -> str | None:
        """Return the sentence of an Event about the GitRepository; None while there is none."""
        events = (self.find(_EVENTS_PATH) or {}).get("items") or ()
        return next((str(one["note"]) for one in events if one["reason"] == reason), None)

    def find(self, path: str) -> dict[str, Any] | None:
        """Return what the API server has at the path; None where nothing is and while nobody answers."""
        try:
            answer = self.lab.request("GET", path)
        except OSError:
            return None  # `wait_for` looks whether the API server has ended
        return dict(answer.body) if answer.status == http.HTTPStatus.OK else None

    def wait_for(self, problem: str, ask: Callable[[], T | None]) -> T:
        """Ask again and again until the answer is neither None nor False, and return it.

        Raises LabError that names the `problem` after `READY_SECONDS`, or when a process has ended.
        """
        give_up_at = time.monotonic() + READY_SECONDS
        while (answer := ask()) is None or answer is False:
            self._require_running()
            if time.monotonic() > give_up_at:
                raise LabError(
                    f"{problem} after {READY_SECONDS:.0f} s.",
                    detail=tail(self._log(CONTROLLER)),
                    hint=self._look_at(CONTROLLER),
                )
            time.sleep(_POLL_SECONDS)
        return answer

    def end_controller(self) -> None:
        """Let the controller drain, before what it works on goes away."""
        self._control.end(CONTROLLER, grace_seconds=GRACE_SECONDS)

    def keep_running(self) -> None:
        """Let everything outlive this process; `DemoFolder.clear` ends it."""
        self._control.detach()

    def _start(self, name: str, module: Sequence[str], *, is_ready: Callable[[], bool]) -> None:
        # The user's own settings of a controller are not meant for this one.
        unset = [word for key in os.environ if key.startswith("NOPEA_") for word in ("-u", key)]
        self._control.start(name, ["env", *unset, sys.executable, "-P", "-m", *module])
        self.wait_for(f"{name} did not answer", is_ready)

    def _require_running(self) -> None:
        try:
            reports = self._control.processes()
        except KeeperGoneError as error:
            raise LabError(
                "The processes of the demo were ended from outside.", hint="Run the demo again."
            ) from error
        for name, report in reports.items():
            if report.exit_code is not None:
                raise LabError(
                    f"{name} ended with exit code {report.exit_code}.",
                    detail=tail(self._log(name)),
                    hint=self._look_at(name),
                )

    def _log(self, name: str) -> Any:
        return Layout(self.folder.lab).log(name)

    def _look_at(self, name: str) -> str:
        return f"See the log {self.folder.logs / self._log(name).name}, and run the demo again."


def _status(port: int, path: str) -> int:
    """Return the HTTP status of a GET on loopback; 0 while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
