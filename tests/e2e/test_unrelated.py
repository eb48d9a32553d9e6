"""While one repository meets a fault, a push to one in another namespace is applied within a second."""

from __future__ import annotations

import secrets
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Json, Repo, Site
from tests.git import faulty
from tests.git.faulty import FaultyServer
from tests.git.sshd import SshServer, make_key
from tests.gitserver import GitServer

from nopea_lab.kubectl import Kubectl

pytestmark = pytest.mark.alone

MAPS = "v1 configmaps"
PUSHES = 3
MOST_SECONDS = 1.0
MANY = 20
"""More objects than a repository writes at once, and more repositories than are synced at once."""


@pytest.fixture(scope="module")
def other(cluster: Cluster, git_server: GitServer, nopea: Nopea) -> Iterator[Repo]:
    """A repository that has nothing to do with the faults."""
    del nopea
    site = Site(cluster, git_server, f"unrelated-{secrets.token_hex(4)}")
    cluster.put(f"v1 namespaces /{site.namespace}", yamls.namespace(site.namespace))
    yield site.sync("other", _numbered("0"))
    site.clear()
    cluster.delete(f"v1 namespaces /{site.namespace}")


@pytest.fixture
def stranger(cluster: Cluster, git_server: GitServer, namespace: str) -> Iterator[Site]:
    """The namespace of the fault."""
    made = Site(cluster, git_server, namespace)
    yield made
    made.clear()


@pytest.fixture
def group() -> str:
    """An API group of the test's own."""
    return f"u{secrets.token_hex(3)}.example.com"


def _numbered(number: str) -> dict[str, str]:
    return {"other.yaml": yamls.text(yamls.config_map("other", number=number))}


def _maps(colour: str = "blue") -> dict[str, str]:
    made = [yamls.config_map(f"map-{number}", colour=colour) for number in range(MANY)]
    return {"maps.yaml": yamls.text(*made)}


def _seconds(repo: Repo) -> float:
    """Push, and return after how many seconds the object is as pushed."""
    number, place = f"n{secrets.token_hex(4)}", repo.site.place(MAPS, "other")
    repo.git.commit(_numbered(number))
    begun = time.monotonic()
    repo.sync_now()
    while repo.site.cluster.must_get(place)["data"]["number"] != number:
        assert time.monotonic() - begun < 20, repo.status()
        time.sleep(0.01)
    return time.monotonic() - begun


def _assert_undisturbed(other: Repo) -> None:
    taken = [_seconds(other) for _ in range(PUSHES)]
    assert statistics.median(taken) < MOST_SECONDS, taken


@contextmanager
def dead_webhook(site: Site, kubectl: Kubectl, group: str) -> Iterator[None]:
    """A validating webhook that accepts connections and never answers."""
    del kubectl
    with FaultyServer(faulty.silent) as dead:
        body = yamls.webhook_configuration(f"guard-{group}", namespace=site.namespace)
        body["webhooks"][0] |= {
            "name": f"guard.{group}",
            "failurePolicy": "Fail",
            "timeoutSeconds": 5,
            "clientConfig": {"url": dead.url(scheme="https")},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": site.namespace}},
            "rules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"]}
            ],
        }
        place = f"admissionregistration.k8s.io/v1 validatingwebhookconfigurations /guard-{group}"
        site.cluster.put(place, body)
        time.sleep(1)  # for the API server to call it
        try:
            site.origin("web", _maps())
            site.follow("web")
            eventually(lambda: _assert_connected(dead))
            yield
        finally:
            site.cluster.delete(place)


def _assert_connected(server: FaultyServer) -> None:
    assert server.connections > 0


@contextmanager
def broken_api_service(site: Site, kubectl: Kubectl, group: str) -> Iterator[None]:
    """The API service of a kind that Git declares does not answer."""
    definition = site.cluster.define(yamls.definition("Gizmo", group=group))
    repo = site.sync("web", {"g.yaml": yamls.text(yamls.custom("Gizmo", "g", group=group))} | _maps())
    patch = (
        '[{"op":"remove","path":"/metadata/labels/kube-aggregator.kubernetes.io~1automanaged"},'
        '{"op":"add","path":"/spec/service","value":{"name":"nobody","namespace":"default"}},'
        '{"op":"add","path":"/spec/insecureSkipTLSVerify","value":true}]'
    )
    kubectl("wait", "--for=create", f"apiservice/v1.{group}", "--timeout=50s")
    kubectl("patch", "apiservice", f"v1.{group}", "--type=json", "-p", patch)
    try:
        changed = yamls.custom("Gizmo", "g", group=group, size=2)
        repo.git.commit({"g.yaml": yamls.text(changed)} | _maps("red"))
        repo.sync_now()
        repo.wait_failed("NOPEA-K010")
        yield
    finally:
        kubectl("delete", "apiservice", f"v1.{group}", "--wait=false")
        site.cluster.delete(definition)


@contextmanager
def dead_conversion(site: Site, kubectl: Kubectl, group: str) -> Iterator[None]:
    """Objects of a kind cannot be read: the Service of its conversion webhook does not exist."""
    del kubectl
    made = yamls.definition("Gizmo", group=group)
    (version,) = made["spec"]["versions"]
    made["spec"]["versions"] = [{**version, "name": "v1beta1"}]
    place = site.cluster.define(made)
    stray = yamls.custom("Gizmo", "stray", group=group) | {"apiVersion": f"{group}/v1beta1"}
    site.cluster.put(site.place(f"{group}/v1beta1 gizmos", "stray"), stray)
    made["spec"]["versions"] = [{**version, "name": "v1beta1", "storage": False}, version]
    service = {"service": {"name": "nobody", "namespace": "default"}}
    webhook = {"conversionReviewVersions": ["v1"], "clientConfig": service}
    made["spec"]["conversion"] = {"strategy": "Webhook", "webhook": webhook}
    site.cluster.put(place, made)
    time.sleep(2)  # for the API server to begin with the new storage version
    site.origin("web", {"g.yaml": yamls.text(yamls.custom("Gizmo", "g", group=group))} | _maps())
    repo = site.follow("web")
    eventually(lambda: _assert_condition(repo, "Watching", "False"))
    try:
        yield
    finally:
        site.cluster.merge(place, {"spec": {"conversion": {"strategy": "None", "webhook": None}}})
        site.cluster.delete(place)


def _assert_condition(repo: Repo, type_: str, status: str) -> None:
    assert repo.condition(type_).get("status") == status, repo.status()


@contextmanager
def full_quota(site: Site, kubectl: Kubectl, group: str) -> Iterator[None]:
    """A ResourceQuota refuses nearly every object."""
    del kubectl, group
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}}
    body = quota | {"spec": {"hard": {"count/configmaps": "2"}}}
    kept = site.cluster.put(site.place("v1 resourcequotas", "full"), body)
    eventually(lambda: _assert_counted(site, kept))
    site.origin("web", _maps())
    site.follow("web", retryInterval="1s").wait_failed("NOPEA-K012")
    yield


def _assert_counted(site: Site, quota: Json) -> None:
    place = site.place("v1 resourcequotas", quota["metadata"]["name"])
    assert "used" in site.cluster.must_get(place).get("status", {})


@contextmanager
def storm_of_definitions(site: Site, kubectl: Kubectl, group: str) -> Iterator[None]:
    """CustomResourceDefinitions come one after another: each may change every kind that is served."""
    del kubectl
    ended, made = threading.Event(), list[str]()

    def define() -> None:
        while not ended.wait(0.1):
            kind = f"Storm{len(made)}"
            made.append(f"apiextensions.k8s.io/v1 customresourcedefinitions /{kind.lower()}s.{group}")
            site.cluster.put(made[-1], yamls.definition(kind, group=group))

    storm = threading.Thread(target=define)
    storm.start()
    try:
        eventually(lambda: _assert_many(made))
        yield
    finally:
        ended.set()
        storm.join(timeout=30)
        for place in made:
            site.cluster.delete(place)


def _assert_many(made: list[str]) -> None:
    assert len(made) > 5


def git_server_that(
    behaviour: faulty.Behaviour, *, repositories: int = MANY
) -> Callable[..., AbstractContextManager[None]]:
    """Return the fault of many repositories on a Git server that behaves in this way."""

    @contextmanager
    def fault(site: Site, kubectl: Kubectl, group: str) -> Iterator[None]:
        del kubectl, group
        with FaultyServer(behaviour) as server:
            for number in range(repositories):
                site.follow(f"web-{number}", url=server.url(f"{number}.git"))
            eventually(lambda: _assert_asked(server))
            yield
            site.clear()

    return fault


def _assert_asked(server: FaultyServer) -> None:
    assert len(server.requests) >= 4


@contextmanager
def wrong_host_key(site: Site, kubectl: Kubectl, group: str) -> Iterator[None]:
    """An SSH server has another key than known_hosts says."""
    del kubectl
    folder = site.server.root / group
    with SshServer(folder / "sshd") as server:
        login = {
            "identity": _made(folder / "login")[0],
            "known_hosts": f"[127.0.0.1]:{server.port} {_made(folder / 'host')[1]}",
        }
        site.cluster.put(site.place("v1 secrets", "git"), yamls.secret("git", **login))
        ssh = {"url": server.url(folder / "web.git"), "secretRef": {"name": "git"}}
        repos = [site.follow(f"web-{number}", **ssh) for number in range(MANY)]
        repos[0].wait_failed("NOPEA-G006")
        yield
        site.clear()


def _made(path: Path) -> tuple[str, str]:
    """Return a new key and its public part."""
    public = make_key(path)
    return path.read_text(), public


@contextmanager
def dying_namespace(site: Site, kubectl: Kubectl, group: str) -> Iterator[None]:
    """A namespace is being deleted, and a finalizer in it holds it up."""
    del kubectl, group
    dying = f"{site.namespace}-dying"
    site.cluster.put(f"v1 namespaces /{dying}", yamls.namespace(dying))
    held = yamls.config_map("held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    site.cluster.put(f"{MAPS} {dying}/held", held)
    site.cluster.delete(f"v1 namespaces /{dying}")
    site.origin("web", _maps())
    repo = site.follow("web", targetNamespace=dying, retryInterval="1s")
    try:
        repo.wait_failed("NOPEA-K011")
        yield
    finally:
        site.cluster.merge(f"{MAPS} {dying}/held", {"metadata": {"finalizers": None}})


@contextmanager
def refused_watch(site: Site, kubectl: Kubectl, group: str) -> Iterator[None]:
    """An account may write a kind, and neither list nor watch it."""
    del kubectl, group
    rbac = "rbac.authorization.k8s.io/v1"
    writes = yamls.role("writer", resources=("configmaps",), verbs=("get", "create", "patch", "delete"))
    bound = yamls.role_binding("writer", role="writer", account="writer", namespace=site.namespace)
    site.cluster.put(site.place("v1 serviceaccounts", "writer"), yamls.service_account("writer"))
    site.cluster.put(site.place(f"{rbac} roles", "writer"), writes)
    site.cluster.put(site.place(f"{rbac} rolebindings", "writer"), bound)
    repo = site.sync("web", _maps(), serviceAccountName="writer", interval="1s")
    assert repo.condition("Watching") != {}
    yield


FAULTS = {
    "a dead validating webhook": dead_webhook,
    "a broken API service": broken_api_service,
    "a dead conversion webhook": dead_conversion,
    "a full quota": full_quota,
    "a storm of definitions": storm_of_definitions,
    "a Git server that hangs": git_server_that(faulty.silent),
    "a Git server that drips": git_server_that(faulty.drip_refs),
    "a Git server that limits the rate": git_server_that(
        faulty.always(faulty.answer("429 Too Many Requests", headers=b"Retry-After: 1\r\n"))
    ),
    "a Git server that is busy": git_server_that(faulty.always(faulty.answer("503 Service Unavailable"))),
    "a Git server that talks nonsense": git_server_that(faulty.always(b"\xff" * 512 + b"\r\n\r\n")),
    "a huge repository": git_server_that(faulty.big_pack(32 * 1024 * 1024), repositories=2),
    "a wrong host key": wrong_host_key,
    "a dying namespace": dying_namespace,
    "a refused watch": refused_watch,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_push_of_an_unrelated_repository_is_applied_at_once(
    stranger: Site, other: Repo, kubectl: Kubectl, group: str, fault: str
) -> None:
    """Whatever fails in one namespace costs another one nothing that its users notice."""
    with FAULTS[fault](stranger, kubectl, group):
        _assert_undisturbed(other)
