"""No false drift: every built-in kind, spelled awkwardly, with the controllers at work, is left in peace.

What counts is what the API server was asked and what it stores, not what the controller says of itself.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.cluster import install_crds
from tests.e2e import yamls
from tests.e2e.tap import Asked, Tapped
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Json, Repo, Site
from tests.gitserver import GitServer

from nopea_lab.lab import Lab

SECONDS = 60.0
RECONCILES = 3
MANIFESTS = Path(__file__).with_name("every_kind.yaml")
NAMESPACE = "tidy"
WITHOUT_CREATION = {"GitRepository", "Inventory"}  # ours: not built in


@pytest.fixture
def site(private_lab: Lab, git_server: GitServer) -> Site:
    """A namespace in a control plane of one's own: what is created here would be in others' way."""
    install_crds(private_lab)
    cluster = Cluster(private_lab)
    cluster.put(f"v1 namespaces /{NAMESPACE}", yamls.namespace(NAMESPACE))
    return Site(cluster, git_server, NAMESPACE)


@pytest.fixture
def start_tapped(tmp_path: Path) -> Iterator[Callable[[Lab], Tapped]]:
    """Start controllers whose requests can be counted; they are killed with the test."""
    started: list[Tapped] = []

    def start(lab: Lab) -> Tapped:
        started.append(Tapped(lab, tmp_path / f"nopea-{len(started)}"))
        started[-1].wait_until_ready()
        return started[-1]

    yield start
    for running in started:
        running.kill()


def _manifests() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "acme")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    pem = base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()
    return MANIFESTS.read_text().replace("$NS", NAMESPACE).replace("$CSR", pem)


def _served_kinds(lab: Lab) -> set[str]:
    """Return the built-in kinds that can be created, as `Deployment`."""
    lines = lab.run_kubectl(
        "api-resources", "--verbs=create,patch,list", "--no-headers", "-o", "wide"
    ).splitlines()
    kinds = {re.split(r"\s+(?:true|false)\s+", line)[1].split()[0] for line in lines}
    return kinds - WITHOUT_CREATION


class _Declared:
    """The live objects that the manifests declare."""

    def __init__(self, site: Site, manifests: str) -> None:
        self._site = site
        plurals = _plurals(site.cluster.lab)
        self.manifests = [one for one in yaml.safe_load_all(manifests) if one]
        self.places = []
        for one in self.manifests:
            plural, namespaced = plurals.get((one["apiVersion"], one["kind"]), ("tidies", True))
            where = f"{NAMESPACE if namespaced else ''}/{one['metadata']['name']}"
            self.places.append(f"{one['apiVersion']} {plural} {where}")

    def ours(self) -> dict[str, Json]:
        """Return of each object what a write of ours, or a creation anew, would change."""
        return {place: _ours(self._site.cluster.must_get(place)) for place in self.places}


def _ours(live: Json) -> Json:
    entries = [one for one in live["metadata"]["managedFields"] if one["manager"] == "nopea"]
    return {"uid": live["metadata"]["uid"], "entries": entries}


def _plurals(lab: Lab) -> dict[tuple[str, str], tuple[str, bool]]:
    found: dict[tuple[str, str], tuple[str, bool]] = {}
    groups = lab.request("GET", "/apis").body["groups"]
    versions = ["v1", *(version["groupVersion"] for group in groups for version in group["versions"])]
    for version in versions:
        answer = lab.request("GET", f"/apis/{version}" if "/" in version else f"/api/{version}")
        for resource in answer.body["resources"] if answer.status == 200 else ():
            if "/" not in resource["name"]:
                found[version, resource["kind"]] = resource["name"], resource["namespaced"]
    return found


def _applies(lab: Lab) -> float:
    """Return how many apply requests the API server has counted, not to GitRepositories or Leases."""
    text = str(lab.request("GET", "/metrics").body)
    counted = re.findall(r"^apiserver_request_total\{(.*)\} (\S+)$", text, re.MULTILINE)
    return sum(
        float(number)
        for labels, number in counted
        if 'verb="APPLY"' in labels and not re.search('resource="(gitrepositories|leases)"', labels)
    )


def _reconciles(nopea: Tapped, repo: Repo) -> int:
    finished = nopea.logs("sync finished", repo=repo.log_key)
    return sum("reconcile" in line["triggers"] for line in finished)


def _wait_until_settled(site: Site) -> None:
    """Return when the controllers have done their part."""
    cluster = site.cluster

    def worked() -> None:
        assert (
            cluster.must_get(site.place("apps/v1 deployments", "web"))["status"]["unavailableReplicas"] == 1
        )
        assert cluster.must_get(site.place("apps/v1 deployments", "scaled"))["spec"]["replicas"] == 2
        assert cluster.must_get(site.place("apps/v1 statefulsets", "db"))["status"]["currentReplicas"] == 1
        assert cluster.must_get(site.place("batch/v1 jobs", "migrate"))["status"]["active"] == 1
        assert (
            cluster.must_get(site.place("v1 persistentvolumeclaims", "claim"))["status"]["phase"] == "Bound"
        )
        assert "used" in cluster.must_get(site.place("v1 resourcequotas", "quota"))["status"]
        assert "finalizers" in cluster.must_get(f"v1 persistentvolumes /{NAMESPACE}-volume")["metadata"]

    eventually(worked, seconds=SECONDS)


def _status_between_syncs(repo: Repo) -> Json:
    """A sync that takes seconds, as on a busy machine, shows its progress in the status."""
    return eventually(lambda: _assert_synced(repo), seconds=SECONDS)


def _assert_untouched(repo: Repo, before: Json) -> None:
    status = repo.status()
    assert _without_health(status) == _without_health(before), status
    assert status.get("driftedCount", 0) == 0
    notes = [event["note"] for event in repo.events() if event["reason"] not in ("Synced", "Changed")]
    assert [note for note in notes if not _is_of_admission(note)] == []  # Git moved every file


def _is_of_admission(note: str) -> bool:
    """Admission in the API server adds a taint to a new Node."""
    return note.startswith(f"Admission changed Node {NAMESPACE}-node: .spec.taints ")


def test_no_kind_drifts_by_itself(site: Site, start_tapped: Callable[[Lab], Tapped]) -> None:
    """Three reconciles over all kinds ask nothing and write nothing; nor does a restart, nor moving files."""
    lab = site.cluster.lab
    text = _manifests()
    declared = _Declared(site, text)
    assert _served_kinds(lab) <= {one["kind"] for one in declared.manifests}
    nopea = start_tapped(lab)
    site.origin("every", {"all.yaml": text})
    repo = site.follow("every", interval="1s")
    eventually(lambda: _assert_synced(repo), seconds=SECONDS)
    _wait_until_settled(site)
    _assert_untouched(repo, repo.status())

    quiet = _assert_quiet(nopea, repo, declared)
    again = repo.git.commit({"moved/all.yaml": text})  # the annotation that names the file changes in all
    repo.wait_synced(again, seconds=SECONDS)
    assert declared.ours() != quiet
    moved = _assert_quiet(nopea, repo, declared)

    status = _status_between_syncs(repo)
    nopea.kill()
    applies = _applies(lab)
    restarted = start_tapped(lab)
    eventually(lambda: _assert_reconciled(restarted, repo, 1), seconds=SECONDS)
    eventually(lambda: _assert_untouched(repo, status))
    assert [one for one in restarted.asked() if one.writes and not _is_about_others(one)] == []
    names = [place.rpartition("/")[2] for place in declared.places]
    assert [one for one in restarted.asked() if one.names_one_of(names)] == []
    assert declared.ours() == moved
    assert _applies(lab) == applies


def _assert_reconciled(nopea: Tapped, repo: Repo, count: int) -> None:
    assert _reconciles(nopea, repo) >= count, nopea.log_text()


def _is_about_others(asked: Asked) -> bool:
    """Whether a request is about no object in Git: about kinds that are served, or a workload's health.

    A definition that was applied makes Nopea look at the kinds for some seconds; and without a node every
    workload waits for its Pods, which is looked at, and told in the condition Healthy, when it may.
    """
    if asked.writes:
        return "/gitrepositories/every/status?" in asked.path
    return asked.path in ("/api", "/apis") or "/pods?labelSelector=" in asked.path


def _without_health(status: Json) -> Json:
    conditions = [one for one in status.get("conditions", ()) if one["type"] != "Healthy"]
    about_objects = {name: value for name, value in status.items() if name not in ("health", "objectStates")}
    return {**about_objects, "conditions": conditions}


def _assert_quiet(nopea: Tapped, repo: Repo, declared: _Declared) -> dict[str, Json]:
    """Fail unless reconciles come and go without a request about what Git declares; return what is stored."""
    lab = repo.site.cluster.lab
    before, status, ours = len(nopea.asked()), _status_between_syncs(repo), declared.ours()
    applies = _applies(lab)
    wanted = _reconciles(nopea, repo) + RECONCILES
    eventually(lambda: _assert_reconciled(nopea, repo, wanted), seconds=SECONDS)
    asked = [one for one in nopea.asked(before) if not one.watches and not _is_about_others(one)]
    assert asked == []
    assert declared.ours() == ours
    assert _applies(lab) == applies
    eventually(lambda: _assert_untouched(repo, status))
    return ours


def _assert_synced(repo: Repo) -> Json:
    status = repo.status()
    assert status.get("errors", []) == []
    assert "Reconciling" not in [each["type"] for each in status.get("conditions", ())]
    assert status.get("lastAppliedCommit")
    return status
