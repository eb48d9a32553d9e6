"""`nopea doctor` with a real installation, whose controller runs with the rights of its service account."""

from __future__ import annotations

from pathlib import Path

import yaml
from tests.cli.conftest import DEPLOYMENT, MERGE_PATCH, SYSTEM, Kubelet
from tests.e2e.commands import say
from tests.e2e.process import Nopea
from tests.e2e.waiting import eventually
from tests.fakes.samples import READY
from tests.gitserver import Origin
from tests.unit.cli.conftest import APPLIED

from nopea.core.objects import ObjectKey
from nopea.core.plan.inventory import pack
from nopea_lab.lab import Lab

SHOP = "/apis/nopea.io/v1alpha1/namespaces/shop/gitrepositories"
ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/nopea"
MAP_YAML = """
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
"""


def wait_doctor(lab: Lab, text: str, *arguments: str) -> str:
    """Wait until the doctor's output has a text, and return it."""

    def told() -> str:
        out = say(lab, "doctor", *arguments).out
        assert text in out, out
        return out

    return eventually(told, seconds=60)


def test_from_an_installation_to_its_repair(clean: Lab, kubelet: Kubelet, tmp_path: Path) -> None:
    """All is well; then rights are taken away, named exactly, and given back by what --fix prints."""
    del kubelet
    assert say(clean, "install", "--profile=tenants").code == 0
    running = _controller(clean, tmp_path)
    try:
        out = wait_doctor(clean, "heartbeat")
        assert "✓ The controller and this program have the same version" in out
        assert "✓ The controller has its rights (service account nopea-system/nopea)." in out
        assert out.endswith("0 problems, 0 warnings\n")

        origin = Origin(tmp_path / "web.git")
        origin.commit({"web.yaml": MAP_YAML})
        _tenant(clean, f"file://{origin.path}")
        out = wait_doctor(clean, "Nopea may not")
        assert "✗ Nopea may not impersonate serviceaccounts/deployer in shop" in out
        assert say(clean, "doctor").code == 1
        _apply_fix(clean)
        wait_doctor(clean, "Git answers: this machine (1 repository)")
        out = wait_doctor(clean, "may not list and watch")
        blind = "✗ system:serviceaccount:shop:deployer may not list and watch configmaps in shop: drift of"
        assert blind in out
        _apply_fix(clean)
        assert "may not" not in say(clean, "doctor").out

        rules = clean.request("GET", ROLE).body["rules"]
        less = [rule for rule in rules if rule["resources"] != ["gitrepositories/status"]]
        assert clean.request("PATCH", ROLE, {"rules": less}, content_type=MERGE_PATCH).status == 200
        out = wait_doctor(clean, "The controller (")
        assert "may not patch gitrepositories/status.nopea.io." in " ".join(out.split())
        _apply_fix(clean)
        assert "may not" not in say(clean, "doctor").out
    finally:
        running.kill()
        clean.request("DELETE", f"{SHOP}/web")
        clean.request("DELETE", "/api/v1/namespaces/shop")
        _wait_gone(clean)


def test_a_tenant_gets_nothing_by_the_fix(clean: Lab) -> None:
    """Not with a Deployment that looks like Nopea, nor with an inventory of objects that are not its own."""
    assert say(clean, "install", "--no-wait").code == 0
    _tenant(clean, "https://git.example/web")
    try:
        fake = clean.request("GET", DEPLOYMENT).body
        fake["metadata"] = {"name": "nopea", "labels": fake["metadata"]["labels"]}
        fake["spec"]["template"]["spec"]["serviceAccountName"] = "deployer"
        deployments = DEPLOYMENT.replace(SYSTEM, "shop").removesuffix("/nopea")
        assert clean.request("POST", deployments, fake).status == 201
        secret = ObjectKey("", "Secret", "kube-system", "admin-token")
        blind = {**READY, "type": "Watching", "status": "False", "message": "Grant me everything."}
        status = {"conditions": [blind], "inventory": pack({secret: APPLIED})}
        path = f"{SHOP}/web/status"
        assert clean.request("PATCH", path, {"status": status}, content_type=MERGE_PATCH).status == 200

        printed = say(clean, "doctor", "--fix")
        clean.request("DELETE", DEPLOYMENT)
        without = say(clean, "doctor", "--fix")

        assert "kube-system" not in printed.out
        assert "Grant me everything." in printed.err
        roles = [each["metadata"]["name"] for each in yaml.safe_load_all(printed.out)]
        assert roles == ["nopea", "nopea"]  # to act as deployer in shop, which somebody has to decide
        assert without.out == ""
        assert "Deployments that look like it are in shop" in without.err
    finally:
        clean.request("DELETE", "/api/v1/namespaces/shop")
        _wait_gone(clean)


def _wait_gone(lab: Lab) -> None:
    def gone() -> None:
        assert lab.request("GET", "/api/v1/namespaces/shop").status == 404

    eventually(gone, seconds=60)


def _controller(lab: Lab, tmp_path: Path) -> Nopea:
    kubeconfig = tmp_path / "nopea.kubeconfig"
    token = lab.run_kubectl("-n", SYSTEM, "create", "token", "nopea").strip()
    lab.write_kubeconfig(kubeconfig, token=token)
    config = yaml.safe_load(kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = SYSTEM
    kubeconfig.write_text(yaml.safe_dump(config))
    running = Nopea(
        kubeconfig=kubeconfig,
        folder=tmp_path / "nopea",
        arguments=("--allow-file-urls",),
        as_controller=False,
    )
    running.wait_until_ready()
    return running


def _tenant(lab: Lab, url: str) -> None:
    """Make a namespace whose account may write ConfigMaps, but not watch them."""
    lab.run_kubectl("create", "namespace", "shop")
    lab.run_kubectl("-n", "shop", "create", "serviceaccount", "deployer")
    verbs = "--verb=get,create,patch,delete"
    lab.run_kubectl("-n", "shop", "create", "role", "deployer", verbs, "--resource=configmaps")
    account = "--serviceaccount=shop:deployer"
    lab.run_kubectl("-n", "shop", "create", "rolebinding", "deployer", "--role=deployer", account)
    body = {
        "apiVersion": "nopea.io/v1alpha1",
        "kind": "GitRepository",
        "metadata": {"name": "web"},
        "spec": {"url": url, "serviceAccountName": "deployer", "interval": "1s"},
    }
    assert lab.request("POST", SHOP, body).status == 201


def _apply_fix(lab: Lab) -> None:
    """Apply what --fix prints, as the hint says."""
    printed = say(lab, "doctor", "--fix")
    assert printed.code == 1
    lab.run_kubectl("apply", "-f", "-", stdin=printed.out)


def test_a_viewer_is_told_what_may_not_be_read(clean: Lab, tmp_path: Path) -> None:
    """Nothing is guessed, and nothing that cannot be read is a problem of the cluster."""
    assert say(clean, "install", "--no-wait").code == 0
    kubeconfig = tmp_path / "viewer"
    clean.run_kubectl("create", "namespace", "team")
    clean.run_kubectl("-n", "team", "create", "serviceaccount", "viewer")
    clean.run_kubectl(
        "-n", "team", "create", "rolebinding", "viewer", "--clusterrole=admin", "--serviceaccount=team:viewer"
    )
    token = clean.run_kubectl("-n", "team", "create", "token", "viewer").strip()
    clean.write_kubeconfig(kubeconfig, token=token)

    said = say(clean, "doctor", f"--kubeconfig={kubeconfig}", "-n", "team")
    before = say(clean, "doctor", "--pre", f"--kubeconfig={kubeconfig}")
    installs = say(clean, "install", "--no-wait", f"--kubeconfig={kubeconfig}")
    clean.request("DELETE", "/api/v1/namespaces/team")

    assert "? nopea.io/v1alpha1 is served. You may not read its CustomResourceDefinitions." in said.out
    assert "? You may not read the Deployment of Nopea" in said.out
    assert "these are those of team" in said.err
    assert said.code == 0, said.out
    assert "✗ You may not get, create and patch " in before.out
    assert before.code == 1
    assert installs.code == 3


def test_programs_get_json(clean: Lab) -> None:
    """Also before an installation; wrong combinations are refused."""
    before = say(clean, "doctor", "--pre", "-o", "json")
    after = say(clean, "doctor", "-o", "json")

    assert (before.code, before.json["problems"]) == (0, 0)
    assert (after.code, after.json["problems"]) == (1, 1)
    assert clean.request("GET", DEPLOYMENT).status == 404
    assert [say(clean, "doctor", *each).code for each in (("--fix", "--pre"), ("--profile=tenants",))] == [
        2,
        2,
    ]


def test_a_cluster_that_does_not_answer_is_exit_code_3(clean: Lab, tmp_path: Path) -> None:
    """With the reason, and without a traceback."""
    config = tmp_path / "config"
    clean.write_kubeconfig(config, token="x")
    config.write_text(config.read_text().replace(clean.api_url, "https://127.0.0.1:1"))

    said = say(clean, "doctor", f"--kubeconfig={config}")

    assert said.code == 3
    assert said.err
