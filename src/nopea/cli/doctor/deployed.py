"""How the controller is deployed: where, with which options, account, ports and Secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from nopea.cli.tenancy_options import hosts_of
from nopea.core.api.tenancy import TenancyPolicy
from nopea.kube.client import KubeClient, ServiceAccount
from nopea.kube.errors import ApiError
from nopea.kube.kinds import CLUSTER_ROLE_BINDINGS, DEPLOYMENTS
from nopea.kube.requests import Selection
from nopea.settings import Settings

LABELS = "app.kubernetes.io/name=nopea"
_ROLE = "nopea"

Raw = Mapping[str, Any]


class MountedSecret(NamedTuple):
    """A key of a Secret in the namespace of the controller, whose value a container gets."""

    name: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The Deployment of the controller."""

    raw: Raw

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.raw["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.raw["metadata"]["name"])

    @property
    def lease_namespace(self) -> str:
        """Where its heartbeat is: the namespace that it watches if that is only one, else its own."""
        return self.option("namespace") or self.namespace

    @property
    def container(self) -> Raw:
        """The container of Nopea; the first one if none has its name."""
        containers = list(self.raw["spec"]["template"]["spec"]["containers"])
        return next((each for each in containers if each["name"] == "nopea"), containers[0])

    @property
    def account(self) -> ServiceAccount:
        """The service account whose rights it has."""
        pod = self.raw["spec"]["template"]["spec"]
        return ServiceAccount(namespace=self.namespace, name=pod.get("serviceAccountName") or "default")

    @property
    def applies_as_itself(self) -> bool:
        """Whether it applies what names no service account with its own rights."""
        return self.flag("apply-as-controller")

    @property
    def reads_as_itself(self) -> bool:
        """Whether it only plans, with its own rights, whatever service account a spec names."""
        return self.applies_as_itself and self.flag("read-only")

    @property
    def policy(self) -> TenancyPolicy:
        """What it allows specs to name, as its options say."""
        return TenancyPolicy(
            allowed_hosts=hosts_of(self.option("allowed-hosts")),
            allow_http_credentials=self.flag("allow-http-credentials"),
        )

    @property
    def is_ready(self) -> bool:
        """Whether its Pod is ready."""
        return bool((self.raw.get("status") or {}).get("readyReplicas", 0))

    @property
    def webhook_port(self) -> int:
        """The port of webhooks."""
        text = self.option("port")
        return int(text) if text.isdecimal() else Settings().port

    def is_reached_by(self, service: Raw) -> bool:
        """Whether a Service of its namespace leads to the port of webhooks."""
        spec = service.get("spec") or {}
        selector = spec.get("selector") or {}
        labels = (self.raw["spec"]["template"].get("metadata") or {}).get("labels") or {}
        number = self.webhook_port
        names = {
            each.get("name") for each in self.container.get("ports") or () if each["containerPort"] == number
        }
        targets = [each.get("targetPort", each["port"]) for each in spec.get("ports") or ()]
        return (
            bool(selector)
            and selector.items() <= labels.items()
            and any(each == number or each in names for each in targets)
        )

    def flag(self, name: str) -> bool:
        """Return whether an option of `nopea run` without a value is set."""
        is_set = f"--{name}" in (self.container.get("args") or ())
        return is_set or self.option(name).lower() in ("true", "1", "yes", "on", "t", "y")

    def option(self, name: str) -> str:
        """Return the value of an option of `nopea run`, from its arguments or environment; empty if unset."""
        arguments = [str(each) for each in self.container.get("args") or ()]
        for place, argument in enumerate(arguments):
            if argument == f"--{name}" and arguments[place + 1 :]:
                return arguments[place + 1]
            if argument.startswith(f"--{name}="):
                return argument.partition("=")[2]
        return str(self._variable(name).get("value", ""))

    def from_secret(self, name: str) -> MountedSecret | None:
        """Return the key of a Secret that is the environment variable of an option; None without one."""
        reference = (self._variable(name).get("valueFrom") or {}).get("secretKeyRef")
        return MountedSecret(str(reference["name"]), str(reference["key"])) if reference else None

    def mounted_at(self, path: str) -> MountedSecret | None:
        """Return the key of a Secret that a file of the container is; None for any other file."""
        mounts = {
            str(each["mountPath"]).rstrip("/"): each["name"]
            for each in self.container.get("volumeMounts") or ()
        }
        folder, _, file = path.rpartition("/")
        for volume in self.raw["spec"]["template"]["spec"].get("volumes") or ():
            if volume["name"] == mounts.get(folder) and "secret" in volume:
                keys = {each["path"]: each["key"] for each in volume["secret"].get("items") or ()}
                return MountedSecret(str(volume["secret"]["secretName"]), str(keys.get(file, file)))
        return None

    def _variable(self, name: str) -> Raw:
        variable = f"NOPEA_{name.upper().replace('-', '_')}"
        return next((each for each in self.container.get("env") or () if each["name"] == variable), {})


async def find_controller(client: KubeClient, namespace: str) -> Deployed | None:
    """Return the Deployment of the controller in this namespace, None if there is none. Raises ApiError.

    No other namespace is looked at: a tenant could make one that looks like it, and be granted its rights.
    """
    listed = await client.list(DEPLOYMENTS, Selection(namespace=namespace, labels=LABELS))
    return Deployed(raw=listed.items[0].json()) if listed.items else None


async def bound_namespace(client: KubeClient) -> str:
    """Return the namespace of the account that has the ClusterRole of Nopea; empty if that is not known.

    Only who may grant rights in the whole cluster can say so, unlike with a Deployment or a Lease.
    """
    try:
        listed = await client.list(CLUSTER_ROLE_BINDINGS, Selection(labels=LABELS))
    except ApiError:
        return ""
    found = {
        str(subject["namespace"])
        for live in listed.items
        if (raw := live.json())["roleRef"]["name"] == _ROLE
        for subject in raw.get("subjects") or ()
        if subject["kind"] == "ServiceAccount"
    }
    return found.pop() if len(found) == 1 else ""


async def elsewhere(client: KubeClient) -> list[str]:
    """Return the namespaces with a Deployment that looks like Nopea; none where they cannot be listed."""
    try:
        listed = await client.list(DEPLOYMENTS, Selection(labels=LABELS, metadata_only=True))
    except ApiError:
        return []
    return sorted({live.meta.namespace for live in listed.items})
