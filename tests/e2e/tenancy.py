"""Namespaces of tenants, and a controller that has the rights of deploy/any-namespace and no others."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.process import Nopea
from tests.e2e.world import Cluster, Json, Site
from tests.gitserver import GitServer

from nopea_lab.lab import Lab

RBAC = "rbac.authorization.k8s.io/v1"
DEPLOY = Path(__file__).parents[2] / "deploy"
RBAC_FILES = (DEPLOY / "base" / "rbac.yaml", DEPLOY / "any-namespace" / "rbac.yaml")
OWN = "nopea"
"""The ClusterRole of the base."""
READING = ("", "-read-only", "-read-only-view")
"""The ends of the names of the roles and bindings by which deploy/read-only reads."""
ROLES = (OWN, "nopea-any-namespace")


class Mode(StrEnum):
    """With whose rights a controller writes what is in Git."""

    CONTROLLER = "as-controller"
    ACCOUNT = "as-account"


BOTH_MODES = pytest.mark.parametrize("mode", list(Mode), indirect=True, scope="module")
"""Runs the tests of a module in the mode of deploy/cluster-admin and in that of deploy/any-namespace."""


@contextmanager
def controller(lab: Lab, folder: Path, mode: Mode) -> Iterator[Nopea]:
    """Run a controller in a mode; for tenants it writes as the account `deployer` of each namespace."""
    if mode is Mode.ACCOUNT:
        flags = ("--default-service-account=deployer", "--cross-namespace-refs", "--allow-http-credentials")
        with least_rights(lab, folder, *flags) as running:
            yield running
        return
    running = Nopea(kubeconfig=lab.kubeconfig, folder=folder)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.kill()


@contextmanager
def least_rights(
    lab: Lab,
    folder: Path,
    *arguments: str,
    watches: tuple[str, ...] = (),
    roles: tuple[str, ...] = ROLES,
    mark: str = "",
) -> Iterator[Nopea]:
    """Run a controller as the account `default` with Nopea's own roles, in a new namespace called `mark`.

    It may list and watch the kinds in `watches` too, as docs/install.md offers.
    """
    mark = mark or f"nopea-{secrets.token_hex(4)}"
    cluster = Cluster(lab)
    lab.run_kubectl("create", "namespace", mark)
    documents = "\n---\n".join(file.read_text(encoding="utf-8") for file in RBAC_FILES).split("\n---\n")
    defined = [text for text in documents if "\nkind: ClusterRole\n" in text]
    (folder / "roles.yaml").write_text("\n---\n".join(defined), encoding="utf-8")
    lab.run_kubectl("apply", "--server-side", "--force-conflicts", "-f", str(folder / "roles.yaml"))
    granted = [*roles, f"{mark}-watch"]
    watcher = f"{RBAC} clusterroles /{mark}-watch"
    rule = {"apiGroups": ["", "apps"], "resources": [*watches], "verbs": ["list", "watch"]}
    cluster.put(
        watcher,
        {
            "apiVersion": RBAC,
            "kind": "ClusterRole",
            "metadata": {"name": f"{mark}-watch"},
            "rules": [rule] if watches else [],
        },
    )
    bindings = [f"{RBAC} clusterrolebindings /{mark}-{role}" for role in granted]
    for place, role in zip(bindings, granted, strict=True):
        cluster.put(place, binding(place, role, f"{mark}/default", kind="ClusterRole"))
    kubeconfig = folder / "kubeconfig"
    lab.write_kubeconfig(kubeconfig, token=lab.run_kubectl("-n", mark, "create", "token", "default").strip())
    running = Nopea(kubeconfig=kubeconfig, folder=folder, arguments=arguments, as_controller=False)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.kill()
        for place in (*bindings, watcher):
            cluster.delete(place)
        cluster.delete(f"v1 namespaces /{mark}")


@contextmanager
def read_only_account(lab: Lab, folder: Path) -> Iterator[str]:
    """Yield an account `namespace/name` with the rights of deploy/read-only, under names of its own."""
    own, renamed = f"nopea-{secrets.token_hex(4)}", {"nopea-system": "-system"}
    wanted = []
    for each in yaml.safe_load_all(lab.run_kubectl("kustomize", str(DEPLOY / "read-only"))):
        name = each["metadata"]["name"]
        is_right = each["apiVersion"] == RBAC and name.removeprefix("nopea") in READING
        if is_right or each["kind"] in ("Namespace", "ServiceAccount"):
            wanted.append(each)
            renamed[name] = name.removeprefix("nopea")
    text = yaml.safe_dump_all(wanted)
    for name, rest in renamed.items():
        text = re.sub(rf"(name|namespace): {name}$", rf"\1: {own}{rest}", text, flags=re.MULTILINE)
    file = folder / "read-only.yaml"
    file.write_text(text, encoding="utf-8")
    lab.run_kubectl("apply", "--server-side", "--validate=strict", "-f", str(file))
    try:
        yield f"{own}-system/{own}"
    finally:
        lab.run_kubectl("delete", "--wait=false", "-f", str(file))


def binding(place: str, role: str, account: str, *, kind: str) -> Json:
    """Return a binding of a role to the service account `namespace/name`."""
    _, plural, where = place.split(" ")
    owner, _, name = account.partition("/")
    namespace, _, own_name = where.partition("/")
    return {
        "apiVersion": RBAC,
        "kind": {"clusterrolebindings": "ClusterRoleBinding", "rolebindings": "RoleBinding"}[plural],
        "metadata": {"name": own_name, **({"namespace": namespace} if namespace else {})},
        "roleRef": {"apiGroup": RBAC.partition("/")[0], "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": owner, "name": name}],
    }


@dataclass(slots=True)
class Tenant(Site):
    """A namespace whose service account `deployer` may write the usual kinds and GitRepositories in it."""

    rules: list[Json] = field(default_factory=list)

    def prepare(self) -> None:
        """Create the account and its rights; the user `NAMESPACE-owner` may write GitRepositories here."""
        self.cluster.put(
            self.place("v1 serviceaccounts", "deployer"),
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "deployer", "namespace": self.namespace},
            },
        )
        role = {
            "apiVersion": RBAC,
            "kind": "Role",
            "metadata": {"name": "repositories", "namespace": self.namespace},
            "rules": [{"apiGroups": ["nopea.io"], "resources": ["gitrepositories"], "verbs": ["*"]}],
        }
        self.cluster.put(self.place(f"{RBAC} roles", "repositories"), role)
        for name, of, kind in (("edit", "edit", "ClusterRole"), ("repositories", "repositories", "Role")):
            place = self.place(f"{RBAC} rolebindings", f"deployer-{name}")
            self.cluster.put(place, binding(place, of, f"{self.namespace}/deployer", kind=kind))

    def grant_all(self) -> None:
        """Make its account a cluster administrator, until the end of the test."""
        account = f"{self.namespace}/deployer"
        bound = binding(self._admin, "cluster-admin", account, kind="ClusterRole")
        self.cluster.put(self._admin, bound)

    def clear(self) -> None:
        """Delete the GitRepositories and the binding."""
        Site.clear(self)
        self.cluster.delete(self._admin)

    @property
    def _admin(self) -> str:
        return f"{RBAC} clusterrolebindings /{self.namespace}-admin"

    def fields(self, **spec: Any) -> Json:
        """Return the spec of a GitRepository as its account."""
        return {"serviceAccountName": "deployer", **spec}


def tenant(cluster: Cluster, server: GitServer, namespace: str) -> Tenant:
    """Return the tenant of a namespace that exists."""
    made = Tenant(cluster, server, namespace)
    made.prepare()
    return made


@contextmanager
def neighbour(of: Tenant, name: str) -> Iterator[Tenant]:
    """Yield another tenant, in a namespace `NAMESPACE-name` that ends with it."""
    namespace = f"{of.namespace}-{name}"
    of.cluster.lab.run_kubectl("create", "namespace", namespace)
    made = tenant(of.cluster, of.server, namespace)
    yield made
    made.clear()
    of.cluster.delete(f"v1 namespaces /{namespace}")


SITES: Mapping[Mode, Callable[[Cluster, GitServer, str], Site]] = {
    Mode.CONTROLLER: Site,
    Mode.ACCOUNT: tenant,
}
"""Makes what a test works in: a namespace, for tenants with an account."""
