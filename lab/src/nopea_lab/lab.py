"""A lab: one control plane in a folder of its own; start it, stop it, hurt it, ask it.

Synchronous, for tests, benchmarks and the demo. Never touches a folder that is not a lab's.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nopea_lab import kubeconfig
from nopea_lab.api import ApiAnswer
from nopea_lab.binaries import Binaries, ensure
from nopea_lab.components import APISERVER, ETCD, Component, components
from nopea_lab.control import GRACE_SECONDS, Control, KeeperGoneError, ProcessReport
from nopea_lab.errors import LabError
from nopea_lab.files import locked, make_private_folder
from nopea_lab.kubectl import Kubectl
from nopea_lab.launch import Launch, start_keeper
from nopea_lab.layout import ORDINARY, LabOptions, LabPlan, Layout
from nopea_lab.prepare import prepare, refuse_foreign_folder
from nopea_lab.progress import SILENCE, LabProgress
from nopea_lab.state import LabState

LOCK_SECONDS = 120.0
_GONE_SECONDS = 10.0
_SERVED_SECONDS = 30.0
_POLL_SECONDS = 0.05
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """One row of `nopea lab status`; `state` is `running`, or says how the process ended."""

    name: str
    pid: int | None
    state: str
    url: str

    @property
    def is_running(self) -> bool:
        """Say whether the process runs."""
        return self.state == "running"


class Lab:
    """The lab in `folder`; making the object starts nothing.

    `with Lab.open(folder) as lab:` starts one that ends with the block, or with this process however it ends.
    """

    def __init__(self, folder: Path, *, options: LabOptions, binaries: Binaries | None) -> None:
        self._layout = Layout(folder)
        self._control = Control(folder)
        self._options = options
        self._binaries = binaries
        self._owner_pipe: int | None = None

    @classmethod
    def open(cls, folder: Path, *, options: LabOptions = ORDINARY, binaries: Binaries | None = None) -> Lab:
        """Return the lab in the folder, started or not.

        `options` count when it is first started; `pods` also when it is started again.
        """
        return cls(folder.absolute(), options=options, binaries=binaries)

    def __enter__(self) -> Self:
        self.start(owned=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def folder(self) -> Path:
        """Return the lab's folder."""
        return self._layout.folder

    @property
    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""
        return self._layout.kubeconfig

    @property
    def api_url(self) -> str:
        """Return the API server's URL; the same for the lab's whole life."""
        return APISERVER.url(self._plan())

    @property
    def has_pods(self) -> bool:
        """Say whether Pods run in it, or will when it is started."""
        return self._options.pods or self._known_options().pods

    @property
    def kubectl(self) -> Path:
        """Return the path of the kubectl that fits this API server."""
        return self._find_binaries(SILENCE).path("kubectl")

    def start(self, *, owned: bool = False, progress: LabProgress = SILENCE) -> None:
        """Start the lab, or what is missing of it; return when it is ready to use.

        An `owned` lab ends when this process does, however that happens; children that this process forks
        without exec must close the pipe too. Raises LabError, and then nothing runs that did not run before.
        """
        refuse_foreign_folder(self._layout)
        binaries = self._find_binaries(progress)
        make_private_folder(self.folder)
        with self._locked(progress):
            launch = self._launch(prepare(self._layout, self._options), binaries=binaries, progress=progress)
            if self._control.is_there():
                if owned and self._owner_pipe is None:
                    raise LabError(
                        f"The lab in {self.folder} runs already and has no owner.",
                        hint="End it with `nopea lab down`, or take another folder.",
                    )
                launch.start_all()
            else:
                self._end_survivors()
                self._close_owner_pipe()
                self._start_anew(launch, owned=owned)

    def stop(self, *, keep_data: bool = False) -> None:
        """End the processes, the latest started first, and remove the folder unless `keep_data`.

        With `keep_data` a later start finds the same objects, certificates and ports. Idempotent.
        """
        if not self.folder.exists():
            return
        refuse_foreign_folder(self._layout)
        with self._locked(SILENCE):
            # Data that is thrown away needs no orderly end.
            self._shut_down(grace_seconds=GRACE_SECONDS if keep_data else 0)
            self._close_owner_pipe()
            if not keep_data:
                shutil.rmtree(self.folder)

    def status(self) -> list[ProcessStatus]:
        """Return one row per process, in starting order; works for a lab that was never started."""
        plan = LabPlan.read(self._layout.plan)
        reports = self._reports()
        return [
            ProcessStatus(
                name=component.name,
                pid=reports[component.name].pid if component.name in reports else None,
                state=_state(reports.get(component.name)),
                url=component.url(plan) if plan else "",
            )
            for component in components(self._known_options())
        ]

    def is_running(self) -> bool:
        """Say whether every process runs."""
        return all(row.is_running for row in self.status())

    def kill(self, component: Component, *, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one process from outside, as an accident would; the keeper does not revive it."""
        process = LabState.read(self._layout.state).processes.get(component.name)
        if process is None:
            raise LabError(f"{component.name} does not run.", hint="Start it first.")
        process.send(number)
        if number is signal.SIGKILL and not process.wait_gone(deadline_seconds=_GONE_SECONDS):
            raise LabError(f"{component.name} did not end after SIGKILL.", hint=f"See process {process.pid}.")

    def kill_apiserver(self) -> None:
        """Kill the API server with SIGKILL and return when it is gone."""
        self.kill(APISERVER)

    def start_apiserver(self) -> None:
        """Start the API server on its port again and return when it is ready."""
        self._launch(self._plan(), binaries=self._find_binaries(SILENCE), progress=SILENCE).start(APISERVER)

    def restart_apiserver(self) -> None:
        """Kill the API server and start it again: its watch caches begin again at the current revision."""
        self._control.end(APISERVER.name, grace_seconds=0)
        self.start_apiserver()

    def compact_etcd(self) -> int:
        """Forget etcd's history before now; return the revision of now.

        The API server's watch cache still remembers: see `expire_watches`.
        """
        revision = 0
        for _ in range(2):  # a watch from the last revision asks for the one after it
            written = self._ask_etcd("/v3/kv/put", {"key": _base64("/nopea-lab/tick"), "value": _base64("x")})
            revision = int(written["header"]["revision"])
        self._ask_etcd("/v3/kv/compaction", {"revision": revision, "physical": True})
        return revision

    def expire_watches(self) -> None:
        """Make every resourceVersion known so far too old: a watch or list from one gets 410."""
        self.compact_etcd()
        self.restart_apiserver()

    def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> ApiAnswer:
        """Ask the API server as administrator; return the answer, whatever its status. Raises OSError."""
        return APISERVER.client(self._layout, self._plan()).request(
            method, path, body, content_type=content_type
        )

    def define(self, definitions: Iterable[Mapping[str, Any]]) -> None:
        """Apply CustomResourceDefinitions and return when the API server serves each version of them.

        Unknown fields are refused. Raises LabError for a definition that is refused or not served in 30 s.
        (`kubectl wait` fails on a definition whose `status.conditions` is still null.)
        """
        known = list(definitions)
        for definition in known:
            name = definition["metadata"]["name"]
            path = f"{_DEFINITIONS}/{name}?fieldManager=kubectl&force=true&fieldValidation=Strict"
            answer = self.request("PATCH", path, definition, content_type="application/apply-patch+yaml")
            if answer.status not in (200, 201):
                raise LabError(
                    f"The API server refused the CustomResourceDefinition {name}.",
                    detail=f"  | {answer.body}",
                    hint="Correct the definition.",
                )
        for definition in known:
            self._wait_served(definition)

    def run_kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as administrator; see `Kubectl`."""
        return Kubectl(binary=self.kubectl, kubeconfig=self.kubeconfig)(*arguments, stdin=stdin)

    def write_kubeconfig(self, path: Path, *, token: str) -> None:
        """Write a kubeconfig that logs in with a token, such as `kubectl create token` prints."""
        authority = self._layout.certificates.certificate("ca")
        kubeconfig.write_for_token(path, server=self.api_url, authority=authority, token=token)

    def _wait_served(self, definition: Mapping[str, Any]) -> None:
        name, spec = definition["metadata"]["name"], definition["spec"]
        root, plural = f"/apis/{spec['group']}", spec["names"]["plural"]
        lists = [f"{root}/{version['name']}/{plural}" for version in spec["versions"] if version["served"]]
        give_up_at = time.monotonic() + _SERVED_SECONDS
        while not (self._is_established(name) and all(self._answers(path) for path in lists)):
            if time.monotonic() > give_up_at:
                raise LabError(
                    f"The CustomResourceDefinition {name} is not served after {_SERVED_SECONDS:.0f} s.",
                    hint=f"See the conditions of {name}.",
                )
            time.sleep(_POLL_SECONDS)

    def _answers(self, path: str) -> bool:
        return self.request("GET", path).status == 200

    def _is_established(self, name: str) -> bool:
        status = self.request("GET", f"{_DEFINITIONS}/{name}").body.get("status") or {}
        conditions = status.get("conditions") or ()  # null for a moment after it was created
        return ("Established", "True") in [(each["type"], each["status"]) for each in conditions]

    def _start_anew(self, launch: Launch, *, owned: bool) -> None:
        self._owner_pipe = start_keeper(self._layout)
        try:
            launch.start_all()
            if not owned:
                self._control.detach()
                self._close_owner_pipe()
        except BaseException:
            self._shut_down(grace_seconds=0)
            self._close_owner_pipe()
            raise

    def _shut_down(self, *, grace_seconds: float) -> None:
        try:
            self._control.processes()  # a keeper that answers has written its record
            keeper = LabState.read(self._layout.state).keeper
            count = len(components(self._known_options()))
            self._control.shut_down(processes=count, grace_seconds=grace_seconds)
            if keeper is not None:
                keeper.wait_gone(deadline_seconds=_GONE_SECONDS)
        except KeeperGoneError:
            pass
        self._end_survivors()

    def _end_survivors(self) -> None:
        """Kill what an earlier keeper left, or a keeper that does not answer; by identity, not by pid."""
        for name, process in LabState.read(self._layout.state).survivors().items():
            process.send(signal.SIGKILL)
            if not process.wait_gone(deadline_seconds=_GONE_SECONDS):
                raise LabError(
                    f"{name} (process {process.pid}) did not end after SIGKILL.", hint="Try again."
                )

    def _close_owner_pipe(self) -> None:
        if self._owner_pipe is not None:
            os.close(self._owner_pipe)
            self._owner_pipe = None

    def _plan(self) -> LabPlan:
        plan = LabPlan.read(self._layout.plan)
        if plan is None:
            raise LabError(f"There is no lab in {self.folder}.", hint="Start one with `nopea lab up`.")
        return plan

    def _known_options(self) -> LabOptions:
        plan = LabPlan.read(self._layout.plan)
        return plan.options if plan else self._options

    def _launch(self, plan: LabPlan, *, binaries: Binaries, progress: LabProgress) -> Launch:
        return Launch(layout=self._layout, plan=plan, binaries=binaries, progress=progress)

    def _find_binaries(self, progress: LabProgress) -> Binaries:
        if self._binaries is None:
            self._binaries = ensure(pods=self.has_pods, progress=progress)
        return self._binaries

    def _reports(self) -> dict[str, ProcessReport]:
        try:
            return self._control.processes()
        except KeeperGoneError:
            return {}

    def _ask_etcd(self, path: str, body: dict[str, Any]) -> Any:
        answer = ETCD.client(self._layout, self._plan()).request("POST", path, body)
        if answer.status != 200:
            raise LabError(f"etcd answered {path} with {answer.status}: {answer.body}.", hint="See its log.")
        return answer.body

    @contextmanager
    def _locked(self, progress: LabProgress) -> Iterator[None]:
        def tell() -> None:
            progress.say("Another process starts or stops this lab. Waiting for it.")

        with locked(self.folder / "lock", deadline_seconds=LOCK_SECONDS, on_wait=tell):
            yield


def _state(report: ProcessReport | None) -> str:
    if report is None:
        return "not running"
    if report.exit_code is None:
        return "running"
    if report.exit_code < 0:
        return f"killed ({signal.Signals(-report.exit_code).name})"
    return f"exit code {report.exit_code}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
