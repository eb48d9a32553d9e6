"""The ClusterRole nopea-operator on a real API server: what it allows, and what its policy refuses."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.conftest import DEPLOY, MERGE_PATCH
from tests.e2e.commands import Said, say

from nopea.core.api import names
from nopea_lab.kubectl import Kubectl, KubectlError
from nopea_lab.lab import Lab

ON_CALL, EDITOR, PATCHER, BOTH = "on-call", "editor", "patcher", "both"
GROUP = "nopea-test-operators"
BEFORE, NOW, NEVER = "a" * 40, "b" * 40, "c" * 40
SPEC = {
    "url": "https://git.example/acme/web",
    "path": "deploy/",
    "serviceAccountName": "deployer",
    "helm": {"chart": "oci://registry.example/charts/web", "version": "1.2.3", "values": {"replicas": 2}},
}
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Shop:
    """A namespace with the GitRepository `web` and users that have roles there."""

    lab: Lab
    namespace: str

    def patch(self, user: str, body: dict[str, Any], *, name: str = "web") -> str:
        """Merge-patch the GitRepository as a user; return the refusal, or nothing."""
        arguments = ("patch", "gitrepositories.nopea.io", name, "--type=merge", "-p", json.dumps(body))
        return self.refusal(user, *arguments)

    def refusal(self, user: str, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as a user; return the refusal, or nothing."""
        kubectl = Kubectl(binary=self.lab.kubectl, kubeconfig=self.lab.kubeconfig)
        try:
            kubectl("-n", self.namespace, f"--as={user}", *arguments, stdin=stdin)
        except KubectlError as error:
            return error.stderr
        return ""

    def get(self) -> dict[str, Any]:
        """Return the GitRepository as it is stored."""
        answer = self.lab.request("GET", self.path("web"))
        assert answer.status == 200, answer.body
        body: dict[str, Any] = answer.body
        return body

    def path(self, name: str = "") -> str:
        """Return the path of the GitRepositories, or of one."""
        path = f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/{names.PLURAL}"
        return f"{path}/{name}" if name else path

    def grant(self, user: str, role: str) -> None:
        """Bind a user to a Role or a ClusterRole, given as kubectl's flag."""
        arguments = ("create", "rolebinding", f"{user}-{role.partition('=')[2]}", role, f"--user={user}")
        self.lab.run_kubectl("-n", self.namespace, *arguments)


@pytest.fixture
def shop(lab: Lab, crds: None, namespace: str) -> Shop:
    """Apply the role and its policy, grant roles to users, create the GitRepository, wait for the policy."""
    del crds
    file = str(DEPLOY / "base" / "operator.yaml")
    lab.run_kubectl("apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", file)
    made = Shop(lab, namespace)
    for role, verbs in (("writes", "get,create,update,patch,delete"), ("patches", "get,patch")):
        rights = (f"--verb={verbs}", f"--resource={names.PLURAL}.{names.GROUP}")
        lab.run_kubectl("-n", namespace, "create", "role", role, *rights)
    for user, grants in (
        (ON_CALL, ("--clusterrole=nopea-operator",)),
        (EDITOR, ("--role=writes",)),
        (PATCHER, ("--role=patches",)),
        (BOTH, ("--role=writes", "--clusterrole=nopea-operator")),
    ):
        for grant in grants:
            made.grant(user, grant)
    body = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": "web", "labels": {"team": "shop"}, "annotations": {"note": "kept"}},
        "spec": SPEC,
    }
    created = lab.request("POST", made.path(), body)
    assert created.status == 201, created.body
    _wait_until_enforced(made)
    return made


def _wait_until_enforced(shop: Shop) -> None:
    """Wait until the role is bound and the policy refuses."""
    give_up_at = time.monotonic() + _SECONDS
    body = json.dumps({"spec": {"path": "x"}})
    arguments = ("patch", "gitrepositories.nopea.io", "web", "--type=merge", "--dry-run=server", "-p", body)
    while "may change spec.suspend" not in shop.refusal(ON_CALL, *arguments):
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


def _report(shop: Shop) -> None:
    """Write a status with two commits that were applied, as the controller does."""
    time_of = "2026-11-24T05:00:00Z"
    entry = {"message": "m", "author": "a", "time": time_of, "applied": time_of}
    status = {
        "lastAppliedCommit": NOW,
        "revisions": [{"commit": NOW, **entry}, {"commit": BEFORE, **entry}],
    }
    path = f"{shop.path('web')}/status"
    written = shop.lab.request("PATCH", path, {"status": status}, content_type=MERGE_PATCH)
    assert written.status == 200, written.body


ANNOTATIONS = {
    names.SYNC_REQUESTED_ANNOTATION: "2026-11-25T10:00:00Z",
    names.HEAL_REQUESTED_ANNOTATION: "2026-11-25T10:00:00Z apps/Deployment shop/web",
    names.CONFIRM_PRUNE_ANNOTATION: NOW,
}


@pytest.mark.parametrize(
    "steps",
    [
        [{"spec": {"suspend": True}}, {"spec": {"suspend": False}}, {"spec": {"suspend": None}}],
        *(
            [{"metadata": {"annotations": {name: value}}} for value in (text, "2026", None)]
            for name, text in ANNOTATIONS.items()
        ),
    ],
    ids=["suspend", *ANNOTATIONS],
)
def test_an_operator_may(shop: Shop, steps: list[dict[str, Any]]) -> None:
    """Setting, changing and removing what the role is for is allowed, and changes nothing else."""
    before = shop.get()
    for step in steps:
        assert shop.patch(ON_CALL, step) == ""

    after = shop.get()
    assert after["spec"] == before["spec"]
    assert after["metadata"]["annotations"] == {"note": "kept"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spec": {"url": "https://git.example/mallory/web"}}, "not spec.url"),
        ({"spec": {"path": "other/"}}, "not spec.path"),
        ({"spec": {"path": None}}, "not spec.path"),
        ({"spec": {"serviceAccountName": "admin"}}, "not spec.serviceAccountName"),
        ({"spec": {"ref": {"commit": NEVER}}}, "not spec.ref"),
        ({"spec": {"helm": {"values": {"replicas": 3}}}}, "not spec.helm"),
        ({"spec": {"deletionPolicy": "Delete", "suspend": True}}, "not spec.deletionPolicy"),
        ({"spec": {"suspend": True, "url": "https://x.example/y", "prune": True}}, "spec.url"),
        ({"metadata": {"labels": {"team": "mallory"}}}, "not metadata.labels"),
        ({"metadata": {"labels": None}}, "not metadata.labels"),
        ({"metadata": {"finalizers": [names.FINALIZER]}}, "not metadata.finalizers"),
        (
            {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "A", "name": "a", "uid": "a"}]}},
            "not metadata.ownerReferences",
        ),
        (
            {"metadata": {"annotations": {names.ABANDON_ANNOTATION: "true"}}},
            f"not {names.ABANDON_ANNOTATION}",
        ),
        ({"metadata": {"annotations": {"note": "changed"}}}, "not note"),
        ({"metadata": {"annotations": {"note": None}}}, "not note"),
        ({"metadata": {"annotations": None}}, "not note"),
    ],
    ids=str,
)
def test_an_operator_may_not(shop: Shop, change: dict[str, Any], message: str) -> None:
    """Any other change is refused with the name of the field, also together with an allowed one."""
    before = shop.get()

    refusal = shop.patch(ON_CALL, change)

    assert "'nopea-operator' with binding 'nopea-operator' denied request" in refusal
    assert message in refusal
    assert shop.get() == before


def test_an_operator_rolls_back_to_known_commits_only(shop: Shop) -> None:
    """Commits that were never synced, such as those of a fork, are refused; ending a rollback is allowed."""
    assert "may roll back to a commit that was synced before" in _roll_back(shop, NOW)
    _report(shop)

    assert _roll_back(shop, BEFORE) == ""
    assert _roll_back(shop, NOW) == ""
    assert "may roll back to a commit that was synced before" in _roll_back(shop, NEVER)
    assert _roll_back(shop, None) == ""


def _roll_back(shop: Shop, commit: str | None, *, user: str = ON_CALL) -> str:
    return shop.patch(user, {"metadata": {"annotations": {names.ROLLBACK_ANNOTATION: commit}}})


def test_an_operator_may_not_create_replace_or_delete(shop: Shop) -> None:
    """RBAC refuses the other verbs, a server-side apply that creates, and the status."""
    other = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": "other"},
        "spec": {"url": SPEC["url"]},
    }
    for arguments in (
        ("create", "-f", "-"),
        ("apply", "--server-side", "-f", "-"),
        ("delete", "gitrepositories.nopea.io", "web"),
        ("delete", "gitrepositories.nopea.io", "--all"),
        ("patch", "gitrepositories.nopea.io", "web", "--subresource=status", "--type=merge", "-p", "{}"),
        ("get", "secrets"),
    ):
        assert "(Forbidden)" in shop.refusal(ON_CALL, *arguments, stdin=json.dumps(other)), arguments
    replaced = {**shop.get(), "spec": {**SPEC, "suspend": True}}
    assert "(Forbidden)" in shop.refusal(ON_CALL, "replace", "-f", "-", stdin=json.dumps(replaced))


def test_an_operator_has_no_other_right(shop: Shop) -> None:
    """What the authorizer lists for the user in this namespace is about kinds of Nopea, and about itself."""
    kubectl = Kubectl(binary=shop.lab.kubectl, kubeconfig=shop.lab.kubeconfig)
    listed = kubectl("-n", shop.namespace, f"--as={ON_CALL}", "auth", "can-i", "--list", "--no-headers")
    rights = {
        line.split()[0]: line.rpartition("[")[2].rstrip("] ").split()
        for line in listed.splitlines()
        if not line.startswith((" ", "selfsubject"))  # URLs, and questions about itself
    }

    assert rights == {
        f"{names.PLURAL}.{names.GROUP}": ["get", "list", "watch", "patch", "operate"],
        f"{names.INVENTORY_PLURAL}.{names.GROUP}": ["get", "list", "watch"],
    }


def test_an_operator_reads_everything_of_nopea(shop: Shop) -> None:
    """GitRepositories and Inventories can be read and watched."""
    for plural in (names.PLURAL, names.INVENTORY_PLURAL):
        assert shop.refusal(ON_CALL, "get", f"{plural}.{names.GROUP}") == ""


@pytest.mark.parametrize("user", [EDITOR, PATCHER, BOTH, "system:admin"])
def test_others_are_not_limited(shop: Shop, user: str) -> None:
    """Who may update or create, and who may patch without `operate`, may change everything as before."""
    if user == "system:admin":
        shop.grant(user, "--clusterrole=cluster-admin")
    change = {
        "metadata": {"annotations": {names.ABANDON_ANNOTATION: "true"}, "finalizers": [names.FINALIZER]},
        "spec": {"url": "https://git.example/acme/other", "serviceAccountName": None},
    }

    assert shop.patch(user, change) == ""
    assert _roll_back(shop, NEVER, user=user) == ""
    assert shop.patch(user, {"metadata": {"finalizers": None}}) == ""


@pytest.fixture
def as_operator(shop: Shop, tmp_path: Path) -> Path:
    """Return the kubeconfig of a service account with the role."""
    shop.lab.run_kubectl("-n", shop.namespace, "create", "serviceaccount", "on-call")
    account = f"--serviceaccount={shop.namespace}:on-call"
    bind = ("create", "rolebinding", "on-call", "--clusterrole=nopea-operator", account)
    shop.lab.run_kubectl("-n", shop.namespace, *bind)
    kubeconfig = tmp_path / "kubeconfig"
    token = shop.lab.run_kubectl("-n", shop.namespace, "create", "token", "on-call").strip()
    shop.lab.write_kubeconfig(kubeconfig, token=token)
    return kubeconfig


def test_the_commands_need_no_more_than_the_role(shop: Shop, as_operator: Path) -> None:
    """`nopea sync`, `heal`, `suspend`, `resume`, `rollback` and `confirm-prune` work for an operator."""
    _report(shop)

    def run(*arguments: str) -> Said:
        kubeconfig = f"--kubeconfig={as_operator}"
        return say(shop.lab, *arguments, "-n", shop.namespace, kubeconfig)

    for arguments in (("sync", "web"), ("heal", "web"), ("rollback", "web"), ("rollback", "web", "--resume")):
        said = run(*arguments)
        assert said.code == 0, (arguments, said)
    assert run("confirm-prune", "web").out.endswith("holds nothing back.\n")
    for arguments in (("suspend", "web"), ("resume", "web")):
        assert run(*arguments).code == 0, arguments
    refused = run("rollback", "web", NEVER)
    assert refused.code == 3
    assert "may roll back to a commit that was synced before" in refused.err
