"""Which user changed an object: the API server reports writes, the live object decides what is believed."""

from __future__ import annotations

import json
import secrets
import signal
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.e2e import yamls
from tests.e2e.commands import say
from tests.e2e.process import Nopea
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Json, Repo, Site

CONFIGURATION = "admissionregistration.k8s.io/v1 validatingwebhookconfigurations /nopea-users"
SECRET = "v1 secrets default/nopea-users"
WEBHOOK = Path(__file__).parents[2] / "deploy" / "record-users" / "webhook.yaml"


def configuration(port: int) -> Json:
    """Return the configuration of deploy/record-users, which calls this machine in place of the Service."""
    found: Json = yaml.safe_load(WEBHOOK.read_text(encoding="utf-8"))
    for webhook in found["webhooks"]:
        webhook["clientConfig"] = {"url": f"https://127.0.0.1:{port}/"}
    return found


@pytest.fixture(scope="module")
def port() -> int:
    """A free port for the API server's reports."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def nopea(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Nopea]:
    """A controller that records users, once the API server knows where to report."""
    cluster.put(CONFIGURATION, configuration(port))
    running = Nopea(
        kubeconfig=cluster.lab.kubeconfig,
        folder=tmp_path_factory.mktemp("nopea"),
        arguments=("--record-users", f"--users-port={port}"),
    )
    try:
        running.wait_until_ready()
        eventually(lambda: _assert_logged(running, "users recorded"))
        yield running
        assert running.stop() == 0, running.log_text()
        assert [line for line in running.logs() if "traceback" in line] == []
    finally:
        running.kill()
        cluster.delete(CONFIGURATION)
        cluster.delete(SECRET)


def _assert_logged(running: Nopea, message: str) -> None:
    assert running.logs(message), running.log_text()


@pytest.fixture(autouse=True)
def _people(site: Site) -> None:
    """Ada and Bob may edit the objects of the namespace, and nothing else."""
    for user in ("ada", "bob"):
        site.cluster.lab.run_kubectl(
            "-n", site.namespace, "create", "rolebinding", user, "--clusterrole=edit", f"--user={user}"
        )


def kubectl(site: Site, user: str, *arguments: str) -> str:
    """Run kubectl as a user of the group `developers`."""
    return site.cluster.lab.run_kubectl(
        *arguments, "-n", site.namespace, f"--as={user}", "--as-group=developers"
    )


def web() -> dict[str, str]:
    """Return a folder with a Deployment of two replicas and a ConfigMap."""
    deployment = yamls.deployment("web")
    deployment["spec"]["replicas"] = 2
    return {
        "web.yaml": yamls.text(deployment),
        "settings.yaml": yamls.text(yamls.config_map("settings", colour="blue", size="1")),
    }


def the_drift(repo: Repo, name: str) -> Json:
    """Wait for drift of an object of this name and return its entry in the status."""

    def found() -> Json:
        matching = [one for one in repo.status().get("drifts", ()) if one["object"]["name"] == name]
        assert matching, repo.status()
        return dict(matching[0])

    return eventually(found)


def test_a_scaling_names_the_user(site: Site) -> None:
    """`kubectl scale` by Ada: the status has the tool, the user, her groups and the time."""
    repo = site.sync("shop", web(), healPolicy="manual")
    before = time.time()
    kubectl(site, "ada", "scale", "deployment", "web", "--replicas=7")

    drift = the_drift(repo, "web")
    assert drift["fields"] == [{"path": ".spec.replicas", "from": "2", "to": "7"}]
    assert (drift["manager"], drift["user"]) == ("kubectl", "ada")
    assert drift["groups"] == ["developers"]
    since = time.mktime(time.strptime(drift["since"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert before - 1 <= since <= time.time()
    assert "changed by kubectl, user ada" in repo.wait_event("DriftDetected")["note"]
    assert "kubectl, user ada" in repo.condition("Drifted")["message"]


def test_an_edit_a_removal_and_a_deletion_name_their_users(site: Site) -> None:
    """Kubernetes records nobody for a removed field and a deleted object; here they have a user."""
    repo = site.sync("shop", web(), healPolicy="manual")
    kubectl(site, "ada", "patch", "configmap", "settings", "-p", '{"data":{"colour":"red"}}')
    drift = the_drift(repo, "settings")
    assert (drift["manager"], drift["user"]) == ("kubectl-patch", "ada")

    repo.sync_and_wait()
    kubectl(site, "bob", "patch", "configmap", "settings", "-p", '{"data":{"size":null}}')
    drift = the_drift(repo, "settings")
    assert drift["fields"] == [{"path": ".data.size", "from": "1"}]
    assert "manager" not in drift
    assert drift["user"] == "bob"

    kubectl(site, "ada", "delete", "deployment", "web")
    drift = the_drift(repo, "web")
    assert (drift["fields"][0]["path"], drift["user"]) == (".", "ada")

    def told() -> None:  # an Event follows the status
        notes = [event["note"] for event in repo.events() if event["reason"] == "DriftDetected"]
        assert any("it was deleted by user ada" in note for note in notes), notes

    eventually(told)


def test_the_first_deletion_of_an_object_with_a_finalizer_counts(site: Site) -> None:
    """Bob deletes what Ada had deleted, and which only waited for its finalizer."""
    repo = site.sync("shop", web(), healPolicy="manual")
    settings = site.place("v1 configmaps", "settings")
    site.cluster.merge(settings, {"metadata": {"finalizers": ["team.example/backup"]}})
    for user in ("ada", "bob"):
        kubectl(site, user, "delete", "configmap", "settings", "--wait=false")
    site.cluster.merge(settings, {"metadata": {"finalizers": None}})

    drift = the_drift(repo, "settings")
    assert (drift["fields"][0]["path"], drift["user"]) == (".", "ada")


def test_what_was_healed_stays_in_the_history_with_its_user(site: Site) -> None:
    """The revision, the Events of the GitRepository and those of the object itself say who it was."""
    repo = site.sync("shop", web())
    kubectl(site, "ada", "scale", "deployment", "web", "--replicas=7")

    def told() -> Json:
        uid = site.cluster.must_get(site.place("apps/v1 deployments", "web"))["metadata"]["uid"]
        events = site.cluster.list(site.place("events.k8s.io/v1 events"))
        about = [one for one in events if one["regarding"].get("uid") == uid]
        healed = [one for one in about if one["reason"] == "DriftHealed"]
        assert healed, events
        return healed[0]

    event = eventually(told)
    assert ".spec.replicas 7 → 2 (changed by kubectl, user ada)" in event["note"]
    assert event["related"]["kind"] == "GitRepository"
    assert event["related"]["name"] == "shop"
    described = site.cluster.lab.run_kubectl("-n", site.namespace, "describe", "deployment", "web")
    assert "user ada" in described
    (revision, *_) = repo.status()["revisions"]
    assert revision["reverted"] == [
        f"apps/Deployment {site.namespace}/web: .spec.replicas, by kubectl, user ada"
    ]


def test_a_dry_run_names_nobody_and_hides_nobody(site: Site) -> None:
    """Bob only tries; what Ada did stays hers."""
    repo = site.sync("shop", web(), healPolicy="manual")
    kubectl(site, "ada", "patch", "configmap", "settings", "-p", '{"data":{"colour":"red"}}')
    the_drift(repo, "settings")
    patch = '{"data":{"colour":"green"}}'
    kubectl(site, "bob", "patch", "configmap", "settings", "-p", patch, "--dry-run=server")
    kubectl(site, "bob", "annotate", "configmap", "settings", "note=x", "--overwrite")
    repo.change(interval="6m")
    repo.wait_synced()

    assert the_drift(repo, "settings")["user"] == "ada"


def test_nopea_diff_names_the_user(site: Site) -> None:
    """The command reads with the caller's rights, and takes the user from the status."""
    repo = site.sync("shop", web(), healPolicy="manual")
    kubectl(site, "ada", "scale", "deployment", "web", "--replicas=7")
    the_drift(repo, "web")

    diff = say(site.cluster.lab, "diff", "shop", "-n", site.namespace)
    assert ".spec.replicas: 7 by kubectl (Update/scale), user ada; 2 in Git" in diff.out
    why = say(site.cluster.lab, "why", "shop", "-n", site.namespace)
    assert "Changed by kubectl, user ada: .spec.replicas 2 → 7" in why.out


def test_a_forged_report_names_nobody(site: Site, port: int) -> None:
    """A tenant's Pod reaches the port, and does not know the address that the API server was given."""
    repo = site.sync("shop", web(), healPolicy="manual")
    live = site.cluster.must_get(site.place("v1 configmaps", "settings"))
    forged = {**live, "data": {"colour": "red", "size": "1"}}
    for path in ("/", "/users/", "/users/token", f"/users/{'A' * 43}"):
        assert post(port, path, review(live, forged, user="mallory")) == 404
    # even who knows the address cannot name somebody for a change that he did not make
    url = site.cluster.must_get(CONFIGURATION)["webhooks"][0]["clientConfig"]["url"]
    path = url.partition(f":{port}")[2]
    assert post(port, path, review(live, forged, user="mallory")) == 200
    assert post(port, path, review({**live, "metadata": {"uid": "x"}}, forged, user="mallory")) == 200
    assert post(port, path, b'{"request":') == 400

    kubectl(site, "ada", "patch", "configmap", "settings", "-p", '{"data":{"colour":"green"}}')
    assert the_drift(repo, "settings")["user"] == "ada"


def review(old: Json, new: Json, *, user: str) -> bytes:
    """Return the body of a report of an update of a ConfigMap."""
    request = {
        "uid": "1", "operation": "UPDATE",
        "resource": {"group": "", "version": "v1", "resource": "configmaps"},
        "namespace": new["metadata"]["namespace"], "name": new["metadata"]["name"],
        "userInfo": {"username": user}, "object": new, "oldObject": old, "dryRun": False,
    }  # fmt: skip
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return json.dumps(review).encode()


def post(port: int, path: str, body: bytes) -> int:
    """Send a request without checking the certificate, and return the status."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(f"https://127.0.0.1:{port}{path}", body, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def left_out(site: Site) -> float:
    """Return how many writes the API server has let through because Nopea did not answer about them."""
    text = str(site.cluster.lab.request("GET", "/metrics").body)
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("apiserver_admission_webhook_fail_open_count")
        and sample.labels["name"] == "writes.users.nopea.io"
    )


@pytest.mark.parametrize("how", ["frozen", "closed"])
def test_a_write_never_waits_long_for_a_dead_controller(site: Site, nopea: Nopea, how: str) -> None:
    """The API server waits a second for a process that hangs, not at all for one that is gone, and stores."""
    site.sync("shop", web(), healPolicy="manual")
    known = site.cluster.must_get(CONFIGURATION)
    assert {webhook["timeoutSeconds"] for webhook in known["webhooks"]} == {1}
    before = left_out(site)
    if how == "frozen":
        nopea.signal(signal.SIGSTOP)
    else:
        site.cluster.put(CONFIGURATION, configuration(1))
    try:

        def written_without_nopea() -> None:
            colour = secrets.token_hex(4)
            patch = json.dumps({"data": {"colour": colour}})
            kubectl(site, "ada", "patch", "configmap", "settings", "-p", patch)
            stored = site.cluster.must_get(site.place("v1 configmaps", "settings"))
            assert stored["data"]["colour"] == colour
            assert left_out(site) > before  # the API server follows its configuration a moment later

        eventually(written_without_nopea)
    finally:
        nopea.signal(signal.SIGCONT)
        site.cluster.merge(CONFIGURATION, {"webhooks": known["webhooks"]})
