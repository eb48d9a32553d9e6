"""`nopea uninstall` on a real API server."""

from __future__ import annotations

from tests.cli.conftest import CRD, REPOSITORIES, SYSTEM, UNINSTALL_SECONDS, repository
from tests.e2e.commands import say

from nopea_lab.lab import Lab


def test_uninstall_keeps_what_was_applied(clean: Lab) -> None:
    """GitRepositories go without the controller, although they have its finalizer; their objects stay."""
    assert say(clean, "install", "--no-wait").code == 0
    assert clean.request("POST", REPOSITORIES, repository()).status == 201
    labels = {"nopea.io/repository": "default.web"}
    applied = {"metadata": {"name": "applied", "labels": labels}}
    assert clean.request("POST", "/api/v1/namespaces/default/configmaps", applied).status == 201

    asked = say(clean, "uninstall")
    looked = say(clean, "uninstall", "--dry-run")
    said = say(clean, "uninstall", "--yes", seconds=UNINSTALL_SECONDS)

    assert asked.code == 2
    assert "  GitRepository default/web" in looked.out
    assert said.code == 0, said.err
    assert said.out.endswith("✓ Deleted 20 objects of Nopea. What it applied stays.\n")
    assert clean.request("GET", CRD).status == 404
    assert clean.request("GET", f"/api/v1/namespaces/{SYSTEM}").status == 404
    assert clean.request("GET", "/api/v1/namespaces/default/configmaps/applied").status == 200
    clean.request("DELETE", "/api/v1/namespaces/default/configmaps/applied")
    assert say(clean, "uninstall", "--yes").out == "There is nothing of Nopea in this cluster.\n"


def test_no_tenant_can_keep_nopea_installed(clean: Lab) -> None:
    """Annotations that leave no room for ours stop nothing."""
    assert say(clean, "install", "--no-wait").code == 0
    full = {"annotations": {"acme.example/full": "x" * (256 * 1024 - len("acme.example/full"))}}
    assert clean.request("POST", REPOSITORIES, repository("full", **full)).status == 201
    assert clean.request("POST", REPOSITORIES, repository("web")).status == 201

    said = say(clean, "uninstall", "--yes", seconds=UNINSTALL_SECONDS)

    assert said.code == 0, said.err
    assert clean.request("GET", CRD).status == 404


def test_what_tenants_granted_is_named(clean: Lab) -> None:
    """Whoever creates the namespace again, and may create namespaces only, would have it."""
    assert say(clean, "install", "--no-wait").code == 0
    account = f"--serviceaccount={SYSTEM}:nopea"
    clean.run_kubectl("-n", "default", "create", "rolebinding", "reads", "--clusterrole=view", account)
    try:
        said = say(clean, "uninstall", "--yes", seconds=UNINSTALL_SECONDS)
    finally:
        clean.run_kubectl("-n", "default", "delete", "rolebinding", "reads")

    assert said.code == 0, said.err
    assert "Delete them, unless you do that: RoleBinding default/reads." in said.err
