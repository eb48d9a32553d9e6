"""The dashboard in the controller, on a real API server: each visitor sees what their role lets them read."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from tests.e2e.process import HttpAnswer, Nopea
from tests.e2e.tenancy import ROLES, Tenant, least_rights
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster
from tests.e2e.yamls import config_map, deployment, text
from tests.gitserver import GitServer

FLAGS = (
    "--default-service-account=deployer", "--allow-http-credentials",
    "--dashboard", "--dashboard-port=0", "--dashboard-hosts=nopea.acme.example",
)  # fmt: skip
SiteMaker = Callable[[str], Tenant]


@pytest.fixture(scope="module")
def shown(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nopea]:
    """A controller with the least rights and those of deploy/dashboard."""
    folder = tmp_path_factory.mktemp("shown")
    roles = (*ROLES, "system:auth-delegator")
    with least_rights(cluster.lab, folder, *FLAGS, roles=roles) as running:
        yield running
        assert running.stop() == 0, running.log_text()
        assert "traceback" not in running.log_text()


@pytest.fixture
def tenant(cluster: Cluster, git_server: GitServer, namespace: str, shown: Nopea) -> Iterator[Tenant]:
    """A namespace with a repository that drifts; its owner has the account `viewer`."""
    del shown
    made = Tenant(cluster, git_server, namespace)
    made.prepare()
    repo = made.sync("app", {"web.yaml": text(config_map("web", colour="blue"))}, healPolicy="notify",
                     targetNamespace=namespace)  # fmt: skip
    cluster.merge(made.place("v1 configmaps", "web"), {"data": {"colour": "red"}})

    def drifts() -> None:
        assert repo.status().get("driftedCount") == 1

    eventually(drifts)
    yield made
    made.clear()


def _token(
    cluster: Cluster, namespace: str, *, verbs: str = "", resource: str = "gitrepositories.nopea.io"
) -> str:
    """Return a token of the account `viewer`, which may do that in the namespace."""
    run = cluster.lab.run_kubectl
    run("-n", namespace, "create", "serviceaccount", "viewer")
    if verbs:
        run("-n", namespace, "create", "role", "viewer", f"--verb={verbs}", f"--resource={resource}")
        account = f"--serviceaccount={namespace}:viewer"
        run("-n", namespace, "create", "rolebinding", "viewer", "--role=viewer", account)
    return run("-n", namespace, "create", "token", "viewer").strip()


def _get(nopea: Nopea, path: str, token: str = "", **headers: str) -> HttpAnswer:
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"http://127.0.0.1:{nopea.dashboard_port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return HttpAnswer(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return HttpAnswer(error.code, error.read().decode())


def _names(nopea: Nopea, token: str) -> set[str]:
    listed = json.loads(_get(nopea, "/api/v1/repositories", token).text)
    return {row["namespace"] for row in listed["repositories"]}


def test_viewer_sees_their_namespace_and_no_other(shown: Nopea, tenant: Tenant, cluster: Cluster) -> None:
    """State, drift with its author, objects and timeline, from the controller's memory."""
    token = _token(cluster, tenant.namespace, verbs="get,list")
    assert _names(shown, token) == {tenant.namespace}
    page = f"/r/{tenant.namespace}/app"
    state = _get(shown, page, token)
    assert state.status == 200
    for expected in ("Changed by", ".data.colour", "blue", "red", "ConfigMap", "Read-only."):
        assert expected in state.text, state.text
    assert "<form method" not in state.text
    assert "DriftDetected" in _get(shown, f"{page}/timeline", token).text
    assert f"system:serviceaccount:{tenant.namespace}:viewer" in state.text


@pytest.mark.parametrize("verbs", ["", "create", "watch"])
def test_who_may_not_read_gitrepositories_sees_none(
    shown: Nopea, tenant: Tenant, cluster: Cluster, verbs: str
) -> None:
    """A valid token is not enough; a tenant with every right on other kinds sees nothing either."""
    token = _token(cluster, tenant.namespace, verbs=verbs)
    assert _names(shown, token) == set()
    hidden = _get(shown, f"/r/{tenant.namespace}/app", token)
    assert (hidden.status, "blue" in hidden.text) == (404, False)


def test_right_on_secrets_is_no_right_to_look(shown: Nopea, tenant: Tenant, cluster: Cluster) -> None:
    """The question is about GitRepositories, and nothing else."""
    token = _token(cluster, tenant.namespace, verbs="*", resource="secrets,configmaps")
    assert _names(shown, token) == set()


def test_pods_are_shown_if_the_viewer_and_the_controller_may_list_them(
    shown: Nopea, tenant: Tenant, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Otherwise the tree ends at the objects, and one line says who may not."""
    namespace = tenant.namespace
    tenant.sync("pods", {"web.yaml": text(deployment("web"))}, targetNamespace=namespace)
    token = _token(cluster, namespace, verbs="get,list")
    page = f"/r/{namespace}/pods?pods=1"

    def pods(nopea: Nopea, *expected: str) -> bool:
        answer = _get(nopea, page, token)
        assert answer.status == 200
        for each in expected:
            assert each in answer.text, answer.text
        return '<span class="kind">Pod</span>' in answer.text

    assert not pods(shown, f"pods in {namespace}: you may not list them")
    run = cluster.lab.run_kubectl
    run("-n", namespace, "create", "role", "pods", "--verb=list", "--resource=pods,replicasets.apps")
    run(
        "-n",
        namespace,
        "create",
        "rolebinding",
        "pods",
        "--role=pods",
        f"--serviceaccount={namespace}:viewer",
    )
    other = run(
        "-n", namespace, "create", "token", "viewer", "--duration=20m"
    ).strip()  # answers are remembered
    token = other
    assert not pods(shown, f"pods in {namespace}: Nopea may not list them")
    folder = tmp_path_factory.mktemp("pods")
    flags, roles = (*FLAGS, f"--namespace={namespace}"), (*ROLES, "system:auth-delegator")
    with least_rights(cluster.lab, folder, *flags, roles=roles, watches=("pods", "replicasets")) as running:

        def is_shown() -> None:
            assert pods(running, "ReplicaSet")

        eventually(is_shown)
        assert running.stop() == 0


def test_strangers_and_other_names_get_nothing(shown: Nopea, tenant: Tenant, cluster: Cluster) -> None:
    """No token, a wrong one, one for another audience, an unknown Host header, each method that writes."""
    namespace = tenant.namespace
    token = _token(cluster, namespace, verbs="get,list")
    other = cluster.lab.run_kubectl(
        "-n", namespace, "create", "token", "viewer", "--audience=vault.example"
    ).strip()
    for wrong in ("", "rubbish", other):
        refused = _get(shown, "/", wrong)
        assert (refused.status, namespace in refused.text) == (401, False)
    assert _get(shown, "/", token, Host="attacker.example").status == 421
    assert _get(shown, "/", token, Host="nopea.acme.example").status == 200
    assert _get(shown, "/", token, Origin="https://attacker.example").status == 403
    url = f"http://127.0.0.1:{shown.dashboard_port}/r/{namespace}/app/sync"
    headers = {"Authorization": f"Bearer {token}", "Origin": url.partition("/r/")[0]}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        request = urllib.request.Request(url, data=b"csrf=", method=method, headers=headers)
        with pytest.raises(urllib.error.HTTPError) as refused_write:
            urllib.request.urlopen(request, timeout=20)
        refused_write.value.close()
        assert refused_write.value.code in (404, 405)
    assert token not in shown.log_text()


def test_without_the_rights_to_review_nothing_is_shown(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, namespace: str
) -> None:
    """The page says what to do; by default nothing listens at all."""
    token = _token(cluster, namespace, verbs="get,list")
    folder = tmp_path_factory.mktemp("without")
    with least_rights(cluster.lab, folder, *FLAGS) as running:
        page = _get(running, "/", token)
        assert page.status == 503
        assert "deploy/dashboard grants that" in page.text
        assert token not in page.text + running.log_text()
    folder = tmp_path_factory.mktemp("off")
    with least_rights(cluster.lab, folder) as running:
        assert running.logs("listening", serves="dashboard") == []
