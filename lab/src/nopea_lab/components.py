"""The control plane's processes: what each is called, how it is started, how one sees that it is ready.

One row per process, in starting order; to add one, add a row (and its program to `nopea_lab.programs`).
Decides command lines only; starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nopea_lab.api import Client
from nopea_lab.layout import LabOptions, LabPlan, Layout
from nopea_lab.programs import SIMULATOR

SERVICE_NETWORK = "10.96.0.0/16"
POD_NETWORK = "10.244.0.0/16"
STAGES_FOLDER = SIMULATOR.folder
STAGES = ("node.yaml", "pod.yaml")
CONTROLLER_MANAGER_KUBECONFIG = "controller-manager.kubeconfig"
TOKEN_ISSUER = "https://kubernetes.default.svc.cluster.local"

# There are no nodes and no cloud: these would only log errors.
CONTROLLERS_OFF = (
    "node-ipam-controller",
    "node-lifecycle-controller",
    "node-route-controller",
    "service-lb-controller",
    "cloud-node-lifecycle-controller",
    "taint-eviction-controller",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A process of the lab; `environment` is set for it, as `NAME=value`.

    `ports` names the loopback ports it needs. `identity` is the client certificate and `authority` the one
    that signed the server's, for asking `ready_path` on the first port; no path means that a living process
    is a ready one.
    """

    name: str
    ports: tuple[str, ...] = ()
    authority: str = ""
    identity: str = ""
    ready_path: str = ""
    environment: tuple[str, ...] = ()
    arguments: Callable[[Layout, LabPlan], list[str]]

    def client(self, layout: Layout, plan: LabPlan) -> Client:
        """Return a client of this server, with the identity of its row."""
        files = layout.certificates
        return Client(
            port=plan.ports[self.ports[0]],
            authority=files.certificate(self.authority),
            certificate=files.certificate(self.identity),
            key=files.key(self.identity),
        )

    def url(self, plan: LabPlan) -> str:
        """Return where it serves, or an empty string."""
        return f"https://127.0.0.1:{plan.ports[self.ports[0]]}" if self.ports else ""


def _etcd(layout: Layout, plan: LabPlan) -> list[str]:
    files = layout.certificates
    client = f"https://127.0.0.1:{plan.ports['etcd']}"
    peer = f"https://127.0.0.1:{plan.ports['etcd-peer']}"
    server = [f"cert-file={files.certificate('etcd-server')}", f"key-file={files.key('etcd-server')}"]
    trust = [f"trusted-ca-file={files.certificate('etcd-ca')}", "client-cert-auth"]
    return [
        "--name=lab",
        f"--data-dir={layout.data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=lab={peer}",
        *(f"--{flag}" for flag in (*server, *trust)),
        *(f"--peer-{flag}" for flag in (*server, *trust)),
        "--unsafe-no-fsync",  # a lab's data may die with the machine
        "--auto-compaction-retention=0",
        "--log-level=warn",
    ]


def _apiserver(layout: Layout, plan: LabPlan) -> list[str]:
    files = layout.certificates
    return [
        "--bind-address=127.0.0.1",
        f"--secure-port={plan.ports['kube-apiserver']}",
        f"--tls-cert-file={files.certificate('apiserver')}",
        f"--tls-private-key-file={files.key('apiserver')}",
        f"--client-ca-file={files.certificate('ca')}",
        f"--etcd-servers=https://127.0.0.1:{plan.ports['etcd']}",
        f"--etcd-cafile={files.certificate('etcd-ca')}",
        f"--etcd-certfile={files.certificate('etcd-client')}",
        f"--etcd-keyfile={files.key('etcd-client')}",
        f"--service-account-key-file={files.service_account_public_key}",
        f"--service-account-signing-key-file={files.key('service-account')}",
        f"--service-account-issuer={TOKEN_ISSUER}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--external-hostname=localhost",  # else it takes the machine's outer address
        # It would write 127.0.0.1 into the Endpoints of `kubernetes`, which validation refuses.
        "--endpoint-reconciler-type=none",
        "--profiling=false",
        *([] if plan.options.watch_cache else ["--watch-cache=false"]),
        *plan.options.apiserver_flags,
    ]


def _controller_manager(layout: Layout, plan: LabPlan) -> list[str]:
    del plan
    files = layout.certificates
    kubeconfig = layout.folder / CONTROLLER_MANAGER_KUBECONFIG
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--root-ca-file={files.certificate('ca')}",
        f"--service-account-private-key-file={files.key('service-account')}",
        f"--cluster-signing-cert-file={files.certificate('ca')}",
        f"--cluster-signing-key-file={files.key('ca')}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--use-service-account-credentials",
        f"--controllers={','.join(['*', *(f'-{name}' for name in CONTROLLERS_OFF)])}",
        "--leader-elect=false",
        # At the default 20 requests per second its own start takes 4 s longer.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--secure-port=0",
        "--profiling=false",
    ]


def _kwok(layout: Layout, plan: LabPlan) -> list[str]:
    del plan
    return [
        f"--kubeconfig={layout.kubeconfig}",
        *(f"--config={STAGES_FOLDER / name}" for name in STAGES),
        "--manage-all-nodes",
        f"--cidr={POD_NETWORK}",
        "--node-ip=127.0.0.1",
        # A lease would make a restarted one wait until that of the one before expires.
        "--node-lease-duration-seconds=0",
        "--server-address=",
        "--node-port=0",
    ]


def _scheduler(layout: Layout, plan: LabPlan) -> list[str]:
    del plan
    return [
        f"--kubeconfig={layout.kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
    ]


ETCD = Component(
    name="etcd",
    ports=("etcd", "etcd-peer"),
    authority="etcd-ca",
    identity="etcd-client",
    ready_path="/health",
    arguments=_etcd,
)
APISERVER = Component(
    name="kube-apiserver",
    ports=("kube-apiserver",),
    authority="ca",
    identity="admin",
    ready_path="/readyz",
    arguments=_apiserver,
)
CONTROLLER_MANAGER = Component(name="kube-controller-manager", arguments=_controller_manager)

KWOK = Component(
    name="kwok",
    environment=("KWOK_WORKDIR=kwok",),  # else it would take in the user's own stages from ~/.kwok
    arguments=_kwok,
)
SCHEDULER = Component(name="kube-scheduler", arguments=_scheduler)

COMPONENTS = (ETCD, APISERVER, CONTROLLER_MANAGER)
POD_COMPONENTS = (KWOK, SCHEDULER)


def components(options: LabOptions) -> tuple[Component, ...]:
    """Return the processes of a lab with these options, in starting order."""
    return (*COMPONENTS, *POD_COMPONENTS) if options.pods else COMPONENTS


def port_names() -> list[str]:
    """Return the names of all the ports that a lab needs."""
    return [port for component in COMPONENTS for port in component.ports]
