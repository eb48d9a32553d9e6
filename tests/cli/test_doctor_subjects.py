"""`nopea doctor` about webhooks, receivers, what specs name, and a controller that is gone.

On a real API server, which has the objects; the controller does not run, because nothing here is synced.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.conftest import DEPLOYMENT, MERGE_PATCH, SYSTEM, Kubelet
from tests.e2e.commands import Said, say
from tests.e2e.waiting import eventually

from nopea_lab.lab import Lab

SHOP = "/apis/nopea.io/v1alpha1/namespaces/shop/gitrepositories"
SECRETS = "/api/v1/namespaces/{}/secrets"
SERVICE = f"/api/v1/namespaces/{SYSTEM}/services/nopea"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"
BINDING = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/nopea"
LONG = "Zm9yLW5vYm9keS10by1zZWUtYXQtYWxs"
SHORT = "hunter2"


@pytest.fixture
def shop(clean: Lab) -> Iterator[Lab]:
    """A cluster with Nopea, without its Pod, and a namespace."""
    assert say(clean, "install", "--no-wait").code == 0
    clean.run_kubectl("create", "namespace", "shop")
    yield clean
    clean.request("DELETE", "/api/v1/namespaces/shop")

    def gone() -> None:
        assert clean.request("GET", "/api/v1/namespaces/shop").status == 404

    eventually(gone)


def create_secret(lab: Lab, name: str, namespace: str = "shop", **values: str) -> None:
    """Store a Secret."""
    data = {key: base64.b64encode(text.encode()).decode() for key, text in values.items()}
    answer = lab.request("POST", SECRETS.format(namespace), {"metadata": {"name": name}, "data": data})
    assert answer.status == 201, answer.body


def create_repository(lab: Lab, name: str, **spec: Any) -> None:
    """Store a GitRepository in shop."""
    body = {
        "apiVersion": "nopea.io/v1alpha1",
        "kind": "GitRepository",
        "metadata": {"name": name},
        "spec": {"url": "https://git.acme.example/web", **spec},
    }
    answer = lab.request("POST", SHOP, body)
    assert answer.status == 201, answer.body


def webhook(secret: str) -> dict[str, Any]:
    """Return a spec with a webhook."""
    return {"webhook": {"secretRef": {"name": secret}}}


def notify(secret: str) -> dict[str, Any]:
    """Return a spec with a receiver."""
    return {"notify": [{"type": "slack", "secretRef": {"name": secret}}]}


def joined(said: Said) -> str:
    """Return the output without the values of Secrets, in one line."""
    assert LONG not in said.out + said.err
    assert SHORT not in said.out + said.err
    return " ".join(said.out.split())


def wait_told(lab: Lab, text: str, *arguments: str) -> Said:
    """Wait until the doctor says a text."""

    def told() -> Said:
        said = say(lab, "doctor", *arguments)
        assert text in joined(said), said.out
        return said

    return eventually(told)


def test_webhooks_from_end_to_end(shop: Lab, kubelet: Kubelet) -> None:
    """Their secrets, the Service, and the Pod behind it; a Service that is gone comes back by --fix."""
    del kubelet
    create_repository(shop, "web", **webhook("hook"))
    create_secret(shop, "nopea-webhook", SYSTEM, token=SHORT)

    said = wait_told(shop, "✓ Deployment nopea-system/nopea is ready")
    text = joined(said)
    assert "✗ spec.webhook.secretRef of shop/web: NOPEA-W005 Secret shop/hook does not exist." in text
    assert "⚠ The key `token` in Secret nopea-system/nopea-webhook has fewer than 16 characters" in text
    assert said.code == 1

    assert "✗ Service nopea-system/nopea has no ready endpoint" in text

    create_secret(shop, "hook", token=LONG)
    create_slice(shop)
    fine = "✓ Webhooks have 1 secret of GitRepositories and the process-wide secret."
    said = wait_told(shop, fine)
    assert "Service nopea-system/nopea leads to the controller." in joined(said)

    shop.request("DELETE", SERVICE)
    said = say(shop, "doctor", "--fix")
    assert f"✗ No Service in {SYSTEM} leads to port 4000: no webhook arrives." in " ".join(said.err.split())
    (service,) = [each for each in yaml.safe_load_all(said.out) if each["kind"] == "Service"]
    shop.run_kubectl("apply", "-f", "-", stdin=yaml.safe_dump(service))
    wait_told(shop, fine)

    nowhere = {"spec": {"selector": {"pod-template-hash": "gone"}}}
    assert shop.request("PATCH", SERVICE, nowhere, content_type=MERGE_PATCH).status == 200
    told = f"✗ No Service in {SYSTEM} leads to port 4000"
    assert told in joined(say(shop, "doctor"))


def create_slice(lab: Lab) -> None:
    """Store the EndpointSlice that Kubernetes makes of a Pod on a node, which is not there."""
    labels = {"kubernetes.io/service-name": "nopea"}
    body = {
        "metadata": {"name": "nopea-test", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.9"], "conditions": {"ready": True}}],
        "ports": [{"name": "webhooks", "port": 4000}],
    }
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{SYSTEM}/endpointslices"
    assert lab.request("POST", slices, body).status == 201


def test_what_many_repositories_name_is_few_lines(shop: Lab) -> None:
    """The same cause is one line; what is fine is one; no value is printed."""
    for each in range(60):
        create_repository(shop, f"r{each:02}", secretRef={"name": f"login-{each:02}"})
    create_repository(shop, "chart", helm={"valuesFrom": [{"kind": "Secret", "name": "values"}]})
    create_repository(shop, "keys", decryption={"provider": "sops", "secretRef": {"name": "values"}})
    create_repository(shop, "chat", **notify("chat"))
    create_repository(shop, "other", **notify("login-00"))
    create_secret(shop, "values", **{"values.yaml": SHORT})
    create_secret(shop, "chat", url=f"https://hooks.acme.example/{LONG}")
    create_secret(shop, "login-00", token=LONG)
    create_event(shop, "chat", "NOPEA-N001: https://hooks.acme.example/*** answered 404. Check the url.")

    said = say(shop, "doctor")
    text = joined(said)

    assert said.code == 1
    assert (
        "✗ spec.secretRef of 59 GitRepositories (shop/r01, shop/r02, shop/r03 and 56 more): "
        "NOPEA-G012 Its Secret does not exist." in text
    )
    assert (
        "✗ spec.decryption.secretRef of shop/keys: NOPEA-S008 Secret shop/values has no key that ends" in text
    )
    assert "✗ spec.notify of shop/other: NOPEA-N001 Secret shop/login-00 has no key `url`." in text
    assert "⚠ spec.notify of shop/chat, " in text
    assert "ago: NOPEA-N001: https://hooks.acme.example/*** answered 404." in text
    assert "✓ 1 Secret that specs name exists and has what is needed." in text
    assert len(said.out.splitlines()) < 40, said.out


def create_event(lab: Lab, name: str, note: str) -> None:
    """Store the Event that the controller writes about a receiver."""
    about = {"apiVersion": "nopea.io/v1alpha1", "kind": "GitRepository", "namespace": "shop", "name": name}
    body = {
        "metadata": {"name": f"{name}.1"},
        "regarding": about,
        "eventTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "reportingController": "nopea.io/controller",
        "reportingInstance": "nopea",
        "action": "Notify",
        "reason": "NotificationFailed",
        "type": "Warning",
        "note": note,
    }
    assert lab.request("POST", "/apis/events.k8s.io/v1/namespaces/shop/events", body).status == 201


def test_a_viewer_is_told_what_was_not_checked(shop: Lab, tmp_path: Path) -> None:
    """The role `view` reads no Secrets: nothing about them is claimed."""
    create_repository(shop, "web", secretRef={"name": "login"}, **webhook("hook"), **notify("chat"))
    create_secret(shop, "hook", token=SHORT)
    shop.run_kubectl("-n", "shop", "create", "serviceaccount", "viewer")
    roles = "--verb=get,list", "--resource=gitrepositories.nopea.io,events.events.k8s.io"
    shop.run_kubectl("-n", "shop", "create", "role", "viewer", *roles)
    bound = "--role=viewer", "--serviceaccount=shop:viewer"
    shop.run_kubectl("-n", "shop", "create", "rolebinding", "viewer", *bound)
    kubeconfig = tmp_path / "viewer"
    token = shop.run_kubectl("-n", "shop", "create", "token", "viewer").strip()
    shop.write_kubeconfig(kubeconfig, token=token)

    said = say(shop, "doctor", f"--kubeconfig={kubeconfig}", "-n", "shop")
    text = joined(said)

    assert "? 3 Secrets that specs name: not checked, because you may not read them (shop/chat," in text
    assert "? Whether webhooks arrive is not known without the Deployment of Nopea." in text
    assert "✗" not in text
    assert said.code == 0


def test_commit_statuses_need_a_token(shop: Lab) -> None:
    """Only a controller that sends them is asked about."""
    create_repository(shop, "web", url="https://github.com/acme/web", secretRef={"name": "login"})
    create_repository(shop, "api", url="https://git.acme.example/acme/api", secretRef={"name": "login"})
    create_secret(shop, "login", token=LONG)
    assert "ommit status" not in say(shop, "doctor").out

    container = {"name": "nopea", "args": ["run", "--commit-status"]}
    change = {"spec": {"template": {"spec": {"containers": [container]}}}}
    strategic = "application/strategic-merge-patch+json"
    assert shop.request("PATCH", DEPLOYMENT, change, content_type=strategic).status == 200

    text = joined(say(shop, "doctor"))
    assert "⚠ No commit statuses for shop/api: the host does not tell which API the server has." in text


def test_a_dead_controller_in_another_namespace(clean: Lab) -> None:
    """It is found by the binding of its role, which no tenant can write, and its own Lease counts."""
    assert say(clean, "install", "--no-wait").code == 0
    clean.run_kubectl("create", "namespace", "gitops")
    there = DEPLOYMENT.replace(SYSTEM, "gitops").removesuffix("/nopea")
    try:
        moved = clean.request("GET", DEPLOYMENT).body
        moved["metadata"] = {"name": "nopea", "labels": moved["metadata"]["labels"]}
        clean.request("DELETE", DEPLOYMENT)
        assert clean.request("POST", there, moved).status == 201
        assert "--system-namespace names" in say(clean, "doctor").out
        subjects = [{"kind": "ServiceAccount", "name": "nopea", "namespace": "gitops"}]
        changed = clean.request("PATCH", BINDING, {"subjects": subjects}, content_type=MERGE_PATCH)
        assert changed.status == 200
        beat(clean, "gitops", minutes_ago=30)

        said = say(clean, "doctor")
        named = say(clean, "doctor", "--system-namespace=gitops")

        text = joined(said)
        assert "✗ The controller nopea-1 has not been heard of for 30m" in text
        assert "(Lease gitops/nopea)" in text
        assert "Deployment gitops/nopea is not ready" in text
        assert (said.code, named.code) == (1, 1)
        assert joined(named) == text
    finally:  # it is an installation that this program did not make, and would not remove
        clean.request("DELETE", f"{there}/nopea")
        clean.request("DELETE", "/api/v1/namespaces/gitops")
        clean.request("DELETE", BINDING)


def beat(lab: Lab, namespace: str, *, minutes_ago: int) -> None:
    """Store the Lease of a controller that was alive then."""
    moment = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    spec = {
        "renewTime": f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}",
        "holderIdentity": "nopea-1",
        "leaseDurationSeconds": 60,
    }
    lease = {"metadata": {"name": "nopea"}, "spec": spec}
    assert lab.request("POST", LEASES.format(namespace), lease).status == 201
