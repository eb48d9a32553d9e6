"""`nopea run --read-only` beside what applies the objects now: it says what it would do, and does nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e import yamls
from tests.e2e.collector import Collector
from tests.e2e.commands import say
from tests.e2e.process import Nopea
from tests.e2e.tenancy import RBAC, binding, least_rights, neighbour, read_only_account, tenant
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Json, Repo, Site
from tests.gitserver import GitServer

from nopea_lab.kubectl import Kubectl, KubectlError

MAPS = "v1 configmaps"
LEASES = "coordination.k8s.io/v1 leases"
FILES = {
    "web.yaml": yamls.text(yamls.config_map("web", colour="blue")),
    "api.yaml": yamls.text(yamls.config_map("api", size="1")),
}

Start = Callable[..., Nopea]


@pytest.fixture
def reading(cluster: Cluster, site: Site, tmp_path: Path) -> Iterator[Path]:
    """A kubeconfig of an account with the rights of deploy/read-only, and of its Role in the namespace."""
    lab = cluster.lab
    with read_only_account(lab, tmp_path) as account:
        owner, _, name = account.partition("/")
        role = cluster.must_get(f"{RBAC} roles {account}")
        place = site.place(f"{RBAC} roles", name)
        cluster.put(
            place, {"apiVersion": RBAC, "kind": "Role", "metadata": {"name": name}, "rules": role["rules"]}
        )
        bound = site.place(f"{RBAC} rolebindings", name)
        cluster.put(bound, binding(bound, name, account, kind="Role"))
        kubeconfig = tmp_path / "read-only-kubeconfig"
        token = lab.run_kubectl("-n", owner, "create", "token", name).strip()
        lab.write_kubeconfig(kubeconfig, token=token)
        yield kubeconfig


@pytest.fixture
def site(cluster: Cluster, git_server: GitServer, namespace: str) -> Site:
    """A namespace without a controller."""
    return Site(cluster, git_server, namespace)


def started(start_nopea: Start, site: Site, *arguments: str) -> Nopea:
    """Run a controller for the namespace."""
    nopea = start_nopea(site.cluster.lab, f"--namespace={site.namespace}", *arguments)
    nopea.wait_until_ready()
    return nopea


@contextmanager
def watching(site: Site, kubeconfig: Path, folder: Path) -> Iterator[Nopea]:
    """Run a controller as deploy/read-only does, with its account."""
    nopea = Nopea(
        kubeconfig=kubeconfig, folder=folder, arguments=(f"--namespace={site.namespace}", "--read-only")
    )
    try:
        nopea.wait_until_ready()
        yield nopea
        assert nopea.stop() == 0
        assert "traceback" not in nopea.log_text()
    finally:
        nopea.kill()


def wait_told(repo: Repo, text: str, status: str = "False", *, seconds: float = 60.0) -> Json:
    """Wait until Ready says this, and return the object's status."""

    def told() -> Json:
        ready = repo.condition("Ready")
        assert (ready.get("status"), ready.get("reason")) == (status, "ReadOnly"), ready
        assert text in ready["message"], ready
        return repo.status()

    return eventually(told, seconds=seconds)


def test_from_a_look_to_the_first_sync(site: Site, start_nopea: Start, reading: Path, tmp_path: Path) -> None:
    """What would be done is told after each change, wherever it is made; then another process does it."""
    site.origin("shop", FILES)
    site.cluster.put(site.place(MAPS, "web"), _applied("blue"), manager="kustomize-controller")
    repo = site.follow("shop", interval="1s", deletionPolicy="Delete", serviceAccountName="deployer")
    with watching(site, reading, tmp_path) as nopea:
        _look(site, repo)
        assert nopea.logs("heartbeat failed") == []

    assert (
        "nopea.io/read-only" in site.cluster.must_get(site.place(LEASES, "nopea"))["metadata"]["annotations"]
    )
    repo.change(serviceAccountName=None)
    started(start_nopea, site)
    repo.wait_synced(repo.git.tip())
    assert site.cluster.must_get(site.place(MAPS, "web"))["data"] == {"colour": "blue"}
    assert repo.get()["metadata"]["finalizers"] == ["nopea.io/finalizer"]


def _applied(colour: str) -> yamls.Manifest:
    """Return the ConfigMap as another tool applies it."""
    found = yamls.config_map("web", colour=colour)
    found["metadata"]["labels"] = {"kustomize.toolkit.fluxcd.io/name": "shop"}
    return found


def _look(site: Site, repo: Repo) -> None:
    """Check what is told, first of what is in Git, then of a change in the cluster and of a push."""

    status = wait_told(repo, "1 object would be created")
    assert "1 object is as in Git and would be adopted." in repo.condition("Ready")["message"]
    assert status["summary"] == "Read-only; would be: 1 created"
    assert "lastAppliedCommit" not in status
    assert "Would be created: ConfigMap" in repo.wait_event("Planned")["note"]

    site.cluster.put(site.place(MAPS, "web"), _applied("red"), manager="kustomize-controller")
    wait_told(repo, "1 object would be created, 1 changed")

    repo.git.commit({**FILES, "jobs.yaml": yamls.text(yamls.config_map("jobs"))})
    wait_told(repo, "2 objects would be created, 1 changed")
    assert repo.get()["metadata"].get("finalizers") is None
    assert {each["metadata"]["name"] for each in site.cluster.list(site.place(MAPS))} >= {"web"}
    site.cluster.assert_gone(site.place(MAPS, "api"))
    web = site.cluster.must_get(site.place(MAPS, "web"))
    assert "nopea.io/repository" not in web["metadata"].get("labels", {})
    assert site.cluster.list(site.place("v1 secrets")) == []


def test_what_it_may_not_read_is_told(site: Site, reading: Path, tmp_path: Path) -> None:
    """A Secret in Git has an error, and the rest is planned. The account itself may write nothing in Git."""
    kubectl = Kubectl(binary=site.cluster.lab.kubectl, kubeconfig=reading)
    with pytest.raises(KubectlError, match="configmaps is forbidden"):
        kubectl("-n", site.namespace, "create", "configmap", "mine")
    site.origin("shop", {**FILES, "key.yaml": yamls.text(yamls.secret("key", value="hunter2"))})
    repo = site.follow("shop")
    with watching(site, reading, tmp_path):
        found = repo.wait_failed("NOPEA-K002")
        assert "2 objects would be created" in repo.condition("Ready")["message"]
        assert "Secret" in str(found["status"]["errors"])
        site.cluster.delete(repo.place)
        eventually(lambda: site.cluster.assert_gone(repo.place), seconds=15)


def test_a_request_is_answered(site: Site, start_nopea: Start) -> None:
    """The command does not wait for what will not come."""
    started(start_nopea, site, "--read-only")
    site.origin("shop", FILES)
    repo = site.follow("shop")
    wait_told(repo, "2 objects would be created")
    arguments = ("shop", f"--namespace={site.namespace}", "--wait", "--timeout=30s")

    said = say(site.cluster.lab, "sync", *arguments)
    assert said.code == 1
    assert "the controller runs read-only: Read-only: 2 objects would be created" in said.err
    assert say(site.cluster.lab, "heal", *arguments).code == 1
    why = say(site.cluster.lab, "why", *arguments[:2])
    assert "• read-only" in why.out
    assert f"{site.namespace}/shop" not in say(site.cluster.lab, "status", arguments[1]).out


def test_a_repository_that_is_deleted_is_gone_at_once(site: Site, start_nopea: Start) -> None:
    """Unless an earlier process has promised to delete its objects: then it waits for one that may."""
    writing = started(start_nopea, site)
    doomed = site.sync("doomed", {"web.yaml": FILES["web.yaml"]}, deletionPolicy="Delete")
    assert writing.stop() == 0
    reading = started(start_nopea, site, "--read-only")
    site.origin("shop", {"api.yaml": FILES["api.yaml"]})
    repo = site.follow("shop", deletionPolicy="Delete")
    wait_told(repo, "1 object would be created")

    site.cluster.delete(repo.place)
    site.cluster.delete(doomed.place)

    eventually(lambda: site.cluster.assert_gone(repo.place), seconds=15)
    found = doomed.wait_failed("NOPEA-K015")
    assert "read-only" in found["status"]["summary"].lower()
    assert site.cluster.must_get(site.place(MAPS, "web"))["data"] == {"colour": "blue"}

    assert reading.stop() == 0
    started(start_nopea, site)
    eventually(lambda: site.cluster.assert_gone(doomed.place))
    site.cluster.assert_gone(site.place(MAPS, "web"))


def test_a_tenant_learns_nothing_of_others(
    cluster: Cluster, git_server: GitServer, namespace: str, tmp_path: Path
) -> None:
    """Without `--apply-as-controller`, each repository is compared with the rights of its account."""
    shop = tenant(cluster, git_server, namespace)
    with (
        neighbour(shop, "other") as other,
        least_rights(cluster.lab, tmp_path, "--read-only", "--allow-http-credentials"),
    ):
        cluster.put(other.place(MAPS, "plan"), yamls.config_map("plan", price="7"))
        guess = yamls.config_map("plan", namespace=other.namespace, price="7")
        shop.origin("web", {**FILES, "guess.yaml": yamls.text(guess)})
        repo = shop.follow("web", serviceAccountName="deployer")

        found = repo.wait_failed("NOPEA-K002")

        assert [each["object"]["namespace"] for each in found["status"]["errors"]] == [other.namespace]
        assert "2 objects would be created" in repo.condition("Ready")["message"]
        shop.cluster.assert_gone(shop.place(MAPS, "web"))
        shop.clear()


@pytest.mark.parametrize("flags", [("--read-only",), ()], ids=["planning", "writing"])
def test_nobody_is_told_of_a_plan(site: Site, start_nopea: Start, flags: tuple[str, ...]) -> None:
    """Neither that something is deployed, nor that it fails: only a process that writes sends messages."""
    with Collector() as collector:
        nopea = started(
            start_nopea,
            site,
            f"--notify-url={collector.url('/json')}",
            "--notify-events=deployment,failure",
            f"--cdevents-sink={collector.url('/events')}",
            *flags,
        )
        site.origin("shop", FILES)
        site.origin("broken", {"web.yaml": "kind: ConfigMap\n  bad: [\n"})
        repo = site.follow("shop")
        site.follow("broken").wait_failed("NOPEA-M001")
        eventually(lambda: _assert_handled(repo))
        assert nopea.stop() == 0  # which sends what waits

        assert {post.path for post in collector.posts} == (set() if flags else {"/json", "/events"})


def _assert_handled(repo: Repo) -> None:
    assert repo.status().get("history"), repo.status()
