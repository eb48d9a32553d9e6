"""Git never acts as the controller: attacks by pushes and kubectl on one with Nopea's own rights only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.tenancy import RBAC, Tenant, binding, least_rights, neighbour, tenant
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Cluster, Repo, Site
from tests.gitserver import GitServer

from nopea.informers.input_watches import LOOK_SECONDS

REPOSITORIES = "nopea.io/v1alpha1 gitrepositories"
MAPS = "v1 configmaps"
SOPS = Path(__file__).parents[2] / "renderer" / "testdata"


@pytest.fixture(scope="module")
def controller(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nopea]:
    """The module's controller, with the flags of deploy/: none."""
    with least_rights(cluster.lab, tmp_path_factory.mktemp("least")) as running:
        yield running


@pytest.fixture
def shop(cluster: Cluster, git_server: GitServer, namespace: str, controller: Nopea) -> Iterator[Tenant]:
    """A tenant."""
    del controller
    made = tenant(cluster, git_server, namespace)
    yield made
    made.clear()


@pytest.fixture
def platform(shop: Tenant) -> Iterator[Tenant]:
    """Another tenant, the victim of attacks."""
    with neighbour(shop, "platform") as made:
        yield made


def web(**data: str) -> dict[str, str]:
    """Return a folder with one ConfigMap."""
    return {"web.yaml": yamls.text(yamls.config_map("web", **(data or {"colour": "blue"})))}


def test_without_an_account_nothing_is_applied(shop: Tenant) -> None:
    """The GitRepository says what is missing; with an account it is applied."""
    shop.origin("web", web())
    repo = shop.follow("web")

    found = repo.wait_failed("NOPEA-S006")
    assert repo.condition("Stalled")["status"] == "True"
    assert found["status"]["summary"] == "No service account set; nothing is applied"
    assert "serviceAccountName" in found["status"]["errors"][0]["hint"]
    assert shop.cluster.get(shop.place(MAPS, "web")) is None

    repo.change(serviceAccountName="deployer")
    repo.wait_synced()
    assert shop.cluster.must_get(shop.place(MAPS, "web"))["data"] == {"colour": "blue"}


def test_a_secret_that_the_account_may_not_read_gives_no_variables(shop: Tenant) -> None:
    """Else a variable would be a way to its value."""
    _account(shop, "poor", ["*"])
    head = {"namespace": shop.namespace}
    secret = yamls.secret("other", colour="canary")
    shop.cluster.put(shop.place("v1 secrets", "other"), {**secret, "metadata": {**head, "name": "other"}})
    shop.origin("web", web(colour="${colour}"))
    references = [{"kind": "Secret", "name": "other"}]

    repo = shop.follow("web", serviceAccountName="poor", substituteFrom=references)

    repo.wait_failed("NOPEA-K002")
    assert shop.cluster.get(shop.place(MAPS, "web")) is None
    assert "canary" not in str(repo.get())


def _account(of: Tenant, name: str, verbs: list[str]) -> None:
    head = {"name": name, "namespace": of.namespace}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": head}
    of.cluster.put(of.place("v1 serviceaccounts", name), account)
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}]
    role = {"apiVersion": RBAC, "kind": "Role", "metadata": head, "rules": rules}
    of.cluster.put(of.place(f"{RBAC} roles", name), role)
    place = of.place(f"{RBAC} rolebindings", name)
    of.cluster.put(place, binding(place, name, f"{of.namespace}/{name}", kind="Role"))


@pytest.mark.parametrize(
    ("account", "seconds"), [("deployer", 15.0), ("modest", 2 * LOOK_SECONDS)], ids=["watches", "only gets"]
)
def test_a_change_of_variables_is_seen_as_the_account(shop: Tenant, account: str, seconds: float) -> None:
    """At once if it may watch, as the role `edit` allows, else within half a minute."""
    if account != "deployer":
        _account(shop, account, ["get", "create", "patch"])
    values = yamls.config_map("values", colour="blue")
    values["metadata"]["namespace"] = shop.namespace
    shop.cluster.put(shop.place(MAPS, "values"), values)
    references = [{"kind": "ConfigMap", "name": "values"}]
    fields = {"serviceAccountName": account, "substituteFrom": references, "interval": "1h"}
    shop.sync("web", web(colour="${colour}"), **fields)

    shop.cluster.merge(shop.place(MAPS, "values"), {"data": {"colour": "green"}})

    def green() -> None:
        assert shop.cluster.must_get(shop.place(MAPS, "web"))["data"] == {"colour": "green"}

    eventually(green, seconds=seconds)


def test_a_key_that_comes_later_is_seen_without_the_right_to_watch(shop: Tenant) -> None:
    """Nopea reads it by its name, now and then."""
    shop.origin("web", {"secret.yaml": (SOPS / "secret.yaml").read_bytes()})
    decryption = {"provider": "sops", "secretRef": {"name": "keys"}}
    repo = shop.follow("web", serviceAccountName="deployer", interval="1h", decryption=decryption)
    repo.wait_failed("NOPEA-S008")

    shop.cluster.lab.run_kubectl(
        "-n", shop.namespace, "create", "secret", "generic", "keys", f"--from-file={SOPS / 'shop.agekey'}"
    )

    repo.wait_synced(seconds=2 * LOOK_SECONDS)


def test_git_cannot_change_another_tenants_repository(shop: Tenant, platform: Tenant) -> None:
    """Neither without an account nor as one's own: the controller's right to patch it is not Git's."""
    infra = platform.sync("infra", web(), **platform.fields())
    before = infra.get()["spec"]
    evil = yamls.text(
        platform.declaration("infra", url=shop.url("evil"), serviceAccountName="deployer", prune=False)
    )
    shop.origin("evil", {"infra.yaml": evil})

    nobody = shop.follow("evil")
    nobody.wait_failed("NOPEA-S006")
    nobody.change(serviceAccountName="deployer")
    nobody.wait_failed("NOPEA-K002")

    always(lambda: _assert_spec(infra, before), seconds=2)


def _assert_spec(repo: Repo, expected: object) -> None:
    assert repo.get()["spec"] == expected


def test_a_controller_that_applies_as_itself_does_not_lend_its_own_rights(
    cluster: Cluster, git_server: GitServer, namespace: str, tmp_path: Path
) -> None:
    """Without cluster-admin, Git may not write what Nopea writes for itself, not even in its namespace."""
    site = tenant(cluster, git_server, namespace)
    with least_rights(cluster.lab, tmp_path, f"--namespace={namespace}", "--apply-as-controller"):
        site.origin("web", web())
        victim = site.follow("web", **site.fields())
        victim.wait_synced()
        before = victim.get()["spec"]
        site.origin("evil", {"web.yaml": yamls.text(site.declaration("web", url=site.url("evil")))})
        error = site.follow("evil").wait_failed("NOPEA-K002")["status"]["errors"][0]
        assert "Nopea's own rights" in error["message"]
        _assert_spec(victim, before)
        site.clear()


def test_an_account_by_default(
    cluster: Cluster, git_server: GitServer, namespace: str, tmp_path: Path
) -> None:
    """It is the one of this name in the GitRepository's own namespace."""
    site = tenant(cluster, git_server, namespace)
    arguments = (f"--namespace={namespace}", "--default-service-account=deployer")
    with least_rights(cluster.lab, tmp_path, *arguments):
        site.sync("web", web())
        site.origin("roles", {"role.yaml": yamls.text(yamls.namespace("not-mine"))})
        site.follow("roles").wait_failed("NOPEA-K002")
        site.clear()


def test_the_account_watches_for_itself(shop: Tenant) -> None:
    """This controller may watch nothing: drift is seen at once all the same, by the account."""
    app = shop.sync("app", web(), interval="1h", **shop.fields())
    assert (app.condition("Watching")["status"], app.condition("Watching")["reason"]) == ("True", "Watched")

    shop.cluster.merge(shop.place(MAPS, "web"), {"data": {"colour": "red"}})
    eventually(lambda: _assert_colour(shop, "blue"), seconds=10)

    shop.cluster.delete(shop.place(MAPS, "web"))
    eventually(lambda: _assert_colour(shop, "blue"), seconds=10)


def _assert_colour(site: Site, colour: str) -> None:
    found = site.cluster.get(site.place(MAPS, "web"))
    assert found is not None
    assert found["data"] == {"colour": colour}


def test_pruning_and_deletion_need_no_watch(shop: Tenant) -> None:
    """Where the account may not watch either, what must be known is read, so that nothing is old."""
    shop.cluster.put(shop.place("v1 serviceaccounts", "writer"), yamls.service_account("writer"))
    rule = {
        "apiGroups": ["", "apps"],
        "resources": ["configmaps", "deployments"],
        "verbs": ["get", "create", "patch", "delete"],
    }
    role = {
        "apiVersion": RBAC,
        "kind": "Role",
        "metadata": {"name": "writer", "namespace": shop.namespace},
        "rules": [rule],
    }
    shop.cluster.put(shop.place(f"{RBAC} roles", "writer"), role)
    place = shop.place(f"{RBAC} rolebindings", "writer")
    shop.cluster.put(place, binding(place, "writer", f"{shop.namespace}/writer", kind="Role"))
    api = yamls.text(yamls.deployment("api"))
    app = shop.sync(
        "app",
        {**web(), "api.yaml": api},
        serviceAccountName="writer",
        deletionPolicy="Delete",
        pruneLimit="100%",
    )
    watching = app.condition("Watching")
    assert (watching["status"], watching["reason"]) == ("False", "NotWatched")
    assert f"deployments.apps in {shop.namespace}" in watching["message"]
    shop.cluster.lab.run_kubectl("annotate", "deployment", "api", "-n", shop.namespace, "touched=yes")

    app.git.commit(web())
    app.sync_now()
    eventually(lambda: shop.cluster.assert_gone(f"apps/v1 deployments {shop.namespace}/api"))

    shop.cluster.lab.run_kubectl("annotate", "configmap", "web", "-n", shop.namespace, "touched=yes")
    shop.cluster.delete(app.place)
    eventually(lambda: shop.cluster.assert_gone(f"{REPOSITORIES} {shop.namespace}/app"))
    assert shop.cluster.get(shop.place(MAPS, "web")) is None


@pytest.mark.parametrize(
    ("secret_type", "code"),
    [("kubernetes.io/service-account-token", "NOPEA-G013"), ("helm.sh/release.v1", "NOPEA-G013")],
)
def test_a_secret_of_another_kind_is_not_sent(shop: Tenant, secret_type: str, code: str) -> None:
    """It was not made for Git, and who may create GitRepositories may not be allowed to read it."""
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "foreign",
            "namespace": shop.namespace,
            "annotations": {"kubernetes.io/service-account.name": "deployer"},
        },
        "type": secret_type,
        "stringData": {"token": "canary-token"},
    }
    shop.cluster.put(shop.place("v1 secrets", "foreign"), body)
    repo = shop.follow(
        "evil", url="https://127.0.0.1:1/evil.git", secretRef={"name": "foreign"}, **shop.fields()
    )

    error = repo.wait_failed(code)["status"]["errors"][0]

    assert secret_type in error["message"]
    assert "canary" not in str(repo.get()["status"])


def test_credentials_are_not_sent_in_the_clear(shop: Tenant) -> None:
    """A Git server over plain http, and everybody between, would read them."""
    shop.cluster.put(shop.place("v1 secrets", "git"), yamls.secret("git", token="canary"))
    shop.origin("web", web())

    repo = shop.follow("web", secretRef={"name": "git"}, **shop.fields())

    error = repo.wait_failed("NOPEA-S007")["status"]["errors"][0]
    assert "--allow-http-credentials" in error["hint"]


def test_a_dependency_in_another_namespace_is_refused(shop: Tenant, platform: Tenant) -> None:
    """Its health would be told to those who may not read it."""
    shop.origin("web", web())

    repo = shop.follow("web", dependsOn=[{"name": "infra", "namespace": platform.namespace}], **shop.fields())

    error = repo.wait_failed("NOPEA-S007")["status"]["errors"][0]
    assert f"{platform.namespace}/infra" in error["message"]


def test_hosts_and_intervals_have_limits(
    cluster: Cluster, git_server: GitServer, namespace: str, start_nopea: Callable[..., Nopea]
) -> None:
    """A host that is not listed is not asked; a shorter interval is raised."""
    site = Site(cluster, git_server, namespace)
    start_nopea(
        cluster.lab, f"--namespace={namespace}", "--allowed-hosts=git.acme.example,*.corp.example"
    ).wait_until_ready()
    site.origin("web", web())

    repo = site.follow("web")

    error = repo.wait_failed("NOPEA-S007")["status"]["errors"][0]
    assert "127.0.0.1" in error["message"]
    repo.change(url="https://git.CORP.example/web")
    repo.wait_failed("NOPEA-G001")
    site.clear()
