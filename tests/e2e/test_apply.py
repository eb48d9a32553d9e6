"""How objects from Git are applied: which namespace, which account, the order, and ownership."""

from __future__ import annotations

import pytest
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Json, Repo, Site
from tests.e2e.yamls import Manifest

CONFIG_MAPS = "v1 configmaps"
RBAC = "rbac.authorization.k8s.io/v1"


def _cluster_role(name: str, *, namespace: str = "") -> Manifest:
    made = {**yamls.role(name, resources=("configmaps",), verbs=("get",)), "kind": "ClusterRole"}
    return {**made, "metadata": {"name": name, **({"namespace": namespace} if namespace else {})}}


def _errors(repo: Repo) -> dict[str, Json]:
    """Return the repository's errors by their place in Git."""
    return {error["source"]: error for error in repo.status()["errors"]}


def _names(site: Site, repo: Repo, kind: str = CONFIG_MAPS) -> set[str]:
    """Return the names of the objects of a kind in the namespace that carry the repository's label."""
    listed = site.cluster.list(site.place(kind), query=f"labelSelector=nopea.io/repository={repo.label}")
    return {live["metadata"]["name"] for live in listed}


# Namespaces.


def test_target_namespace_applies_to_namespaced_objects_only(site: Site) -> None:
    """targetNamespace sets the namespace of namespaced objects; cluster-scoped objects do not change."""
    namespace, target, own = site.namespace, f"{site.namespace}-target", f"{site.namespace}-own"
    site.cluster.put(f"v1 namespaces /{target}", yamls.namespace(target))
    files = {
        "empty.yaml": yamls.text(yamls.config_map("filled-in")),
        "other.yaml": yamls.text(yamls.config_map("moved", namespace=own)),
        "cluster.yaml": yamls.text(
            yamls.namespace(own),
            _cluster_role(f"{namespace}-a"),
            _cluster_role(f"{namespace}-b", namespace=own),
        ),
    }

    found = site.sync("shop", files, targetNamespace=target).get()

    for place in (
        f"{CONFIG_MAPS} {target}/filled-in", f"{CONFIG_MAPS} {target}/moved", f"v1 namespaces /{own}",
        f"{RBAC} clusterroles /{namespace}-a", f"{RBAC} clusterroles /{namespace}-b",
    ):  # fmt: skip
        live = site.cluster.must_get(place)
        assert live["metadata"]["labels"]["nopea.io/repository"] == f"{namespace}.shop"
        assert "namespace" not in live["metadata"] or live["metadata"]["namespace"] == target
    assert site.cluster.get(f"{CONFIG_MAPS} {own}/moved") is None
    assert site.cluster.get(f"{CONFIG_MAPS} {namespace}/filled-in") is None
    assert found["status"]["inSyncCount"] == 5
    for place in (
        f"v1 namespaces /{target}", f"v1 namespaces /{own}",
        f"{RBAC} clusterroles /{namespace}-a", f"{RBAC} clusterroles /{namespace}-b",
    ):  # fmt: skip
        site.cluster.delete(place)


# Service accounts.


def test_a_service_account_limits_what_is_applied(site: Site) -> None:
    """What the account cannot apply is refused, although the controller could apply it; a grant fixes it."""
    namespace, elsewhere = site.namespace, f"{site.namespace}-b"
    site.cluster.put(f"v1 namespaces /{elsewhere}", yamls.namespace(elsewhere))
    site.cluster.put(site.place("v1 serviceaccounts", "porter"), yamls.service_account("porter"))
    role = site.place(f"{RBAC} roles", "porter")
    site.cluster.put(role, yamls.role("porter", resources=("configmaps",)))
    binding = yamls.role_binding("porter", role="porter", account="porter", namespace=namespace)
    site.cluster.put(site.place(f"{RBAC} rolebindings", "porter"), binding)
    site.origin(
        "shop",
        {
            "allowed.yaml": yamls.text(yamls.config_map("allowed")),
            "elsewhere.yaml": yamls.text(yamls.config_map("elsewhere", namespace=elsewhere)),
            "rights.yaml": yamls.text(_cluster_role(f"{namespace}-all")),
            "service.yaml": yamls.text(yamls.service("web")),
        },
    )
    repo = site.follow("shop", serviceAccountName="porter")

    repo.wait_failed("NOPEA-K002")

    errors = _errors(repo)
    assert set(errors) == {"elsewhere.yaml#1", "rights.yaml#1", "service.yaml#1"}
    for error in errors.values():
        assert error["code"] == "NOPEA-K002"
        assert f"system:serviceaccount:{namespace}:porter" in error["message"]
    assert _names(site, repo) == {"allowed"}
    assert site.cluster.get(f"{CONFIG_MAPS} {elsewhere}/elsewhere") is None
    assert site.cluster.get(f"{RBAC} clusterroles /{namespace}-all") is None

    site.cluster.put(role, yamls.role("porter", resources=("configmaps", "services")))
    eventually(lambda: site.cluster.must_get(site.place("v1 services", "web")))
    site.cluster.delete(f"v1 namespaces /{elsewhere}")


def test_a_missing_service_account_has_no_permissions(site: Site) -> None:
    """A missing service account does not fall back to the controller's own permissions."""
    site.origin("shop", {"web.yaml": yamls.text(yamls.config_map("web"))})
    repo = site.follow("shop", serviceAccountName="nobody")
    repo.wait_failed("NOPEA-K002")
    assert _names(site, repo) == set()


def test_a_definition_that_cannot_be_read_is_reported(site: Site, nopea: Nopea) -> None:
    """An account without `get` on CRDs cannot wait for one: the error says so, and the rest is applied."""
    namespace, group = site.namespace, f"{site.namespace}.acme.example"
    site.cluster.put(site.place("v1 serviceaccounts", "porter"), yamls.service_account("porter"))
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]},
        {
            "apiGroups": ["apiextensions.k8s.io"],
            "resources": ["customresourcedefinitions"],
            "verbs": ["create", "patch"],
        },
    ]
    role, binding = f"{RBAC} clusterroles /{namespace}", f"{RBAC} clusterrolebindings /{namespace}"
    site.cluster.put(role, {**_cluster_role(namespace), "rules": rules})
    bound = yamls.role_binding(namespace, role=namespace, account="porter", namespace=namespace)
    bound["roleRef"]["kind"] = "ClusterRole"
    site.cluster.put(binding, {**bound, "kind": "ClusterRoleBinding"})
    files = {
        "kind.yaml": yamls.text(yamls.definition("Widget", group=group)),
        "web.yaml": yamls.text(yamls.config_map("web")),
    }
    site.origin("shop", files)
    repo = site.follow("shop", serviceAccountName="porter")

    repo.wait_failed("NOPEA-K002")

    assert repo.sync_and_wait()["errors"]
    assert "get" in _errors(repo)["kind.yaml#1"]["message"]
    assert _names(site, repo) == {"web"}
    assert nopea.logs("worker crashed") == []
    for place in (f"apiextensions.k8s.io/v1 customresourcedefinitions /widgets.{group}", role, binding):
        site.cluster.delete(place)


# Ownership.


def test_an_object_of_another_repository_is_refused_until_its_owner_is_gone(site: Site) -> None:
    """The second repository names the owner in its error and applies the rest; the first keeps the object."""
    first = site.sync("first", {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))})
    before = site.cluster.must_get(site.place(CONFIG_MAPS, "web"))
    both = {
        "api.yaml": yamls.text(yamls.config_map("api")),
        "web.yaml": yamls.text(yamls.config_map("web", colour="red")),
    }
    site.origin("second", both)
    second = site.follow("second")

    second.wait_failed("NOPEA-K004")

    error = _errors(second)["web.yaml#1"]
    assert first.label in error["message"]
    assert error["object"] == {"kind": "ConfigMap", "namespace": site.namespace, "name": "web"}
    assert _names(site, second) == {"api"}
    assert site.cluster.must_get(site.place(CONFIG_MAPS, "web")) == before
    assert "errors" not in first.sync_and_wait()
    site.cluster.delete(first.place)
    second.wait_synced(seconds=40)
    assert site.cluster.must_get(site.place(CONFIG_MAPS, "web"))["data"] == {"colour": "red"}


def test_only_one_of_two_repositories_that_start_together_gets_an_object(site: Site) -> None:
    """If two repositories that declare the same object start together, one of them gets and keeps it."""
    repos = []
    for name, colour in (("first", "blue"), ("second", "red")):
        site.origin(name, {"web.yaml": yamls.text(yamls.config_map("web", colour=colour))})
        repos.append(site.follow(name))

    def settled() -> tuple[Repo, Repo]:
        by_ready = {repo.condition("Ready").get("status"): repo for repo in repos}
        assert set(by_ready) == {"True", "False"}
        return by_ready["True"], by_ready["False"]

    owner, refused = eventually(settled)
    refused.wait_failed("NOPEA-K004")
    before = site.cluster.must_get(site.place(CONFIG_MAPS, "web"))
    assert before["metadata"]["labels"]["nopea.io/repository"] == owner.label

    def untouched() -> None:
        assert site.cluster.must_get(site.place(CONFIG_MAPS, "web")) == before

    always(untouched, seconds=3)  # two retries of the refused one


# Order and selection.


def test_invalid_objects_do_not_block_the_others_and_are_reported_together(site: Site) -> None:
    """Five objects are refused, from the first stage to the last; every other one is applied."""
    group = f"{site.namespace}.acme.example"
    site.origin(
        "shop",
        {
            "a-role.yaml": yamls.text({**yamls.role("bad", resources=("pods",)), "rules": "none"}),
            "b-map.yaml": yamls.text(yamls.config_map("good"), yamls.config_map("Bad_Name")),
            "c-service.yaml": yamls.text(yamls.service("bad", port=99999), yamls.service("good")),
            "d-web.yaml": yamls.text(yamls.deployment("good")),
            "e-elsewhere.yaml": yamls.text(yamls.config_map("bad", namespace="nowhere-acme")),
            "f-unknown.yaml": yamls.text(yamls.custom("Widget", "bad", group=group)),
        },
    )
    repo = site.follow("shop")

    status = repo.wait_failed("NOPEA-K003")["status"]

    assert {source: error["code"] for source, error in _errors(repo).items()} == {
        "a-role.yaml#1": "NOPEA-K003",
        "b-map.yaml#2": "NOPEA-K003",
        "c-service.yaml#1": "NOPEA-K003",
        "e-elsewhere.yaml#1": "NOPEA-K006",
        "f-unknown.yaml#1": "NOPEA-K001",
    }
    assert status["inSyncCount"] == 3
    for kind in (CONFIG_MAPS, "v1 services", "apps/v1 deployments"):
        assert _names(site, repo, kind) == {"good"}


def test_waves_order_objects_across_stages(site: Site) -> None:
    """A lower wave is applied first, regardless of the kind; without the annotation, the wave is 0."""
    waved = {
        "late": yamls.annotated(yamls.role("late", resources=("configmaps",)), wave="2"),
        "next": yamls.annotated(yamls.config_map("next"), wave="1"),
        "plain": yamls.config_map("plain"),
        "early": yamls.annotated(yamls.config_map("early"), wave="-1"),
        "first": yamls.annotated(yamls.config_map("first"), wave="-20"),
    }
    site.sync("shop", {f"{name}.yaml": yamls.text(one) for name, one in waved.items()})
    versions = {
        name: int(site.cluster.must_get(site.place(CONFIG_MAPS, name))["metadata"]["resourceVersion"])
        for name in ("first", "early", "plain", "next")
    }
    late = site.cluster.must_get(site.place(f"{RBAC} roles", "late"))
    versions["late"] = int(late["metadata"]["resourceVersion"])
    assert sorted(versions, key=versions.__getitem__) == ["first", "early", "plain", "next", "late"]


def test_a_list_is_its_items(site: Site) -> None:
    """Each item of a List is a separate object, with its own position in the file."""
    listed = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [yamls.config_map("api"), yamls.service("web"), yamls.config_map("web")],
    }
    repo = site.sync("shop", {"all.yaml": yamls.text(yamls.config_map("first"), listed)})
    assert _names(site, repo) == {"first", "api", "web"}
    live = site.cluster.must_get(site.place(CONFIG_MAPS, "web"))
    assert live["metadata"]["annotations"]["nopea.io/source"] == "all.yaml#2[2]"
    assert repo.status()["resourceCount"] == 4


def test_excluded_files_are_not_read(site: Site) -> None:
    """spec.exclude and .nopeaignore leave files out; without them each is an error that names the file."""
    files = {
        "deploy/web.yaml": yamls.text(yamls.config_map("web")),
        "deploy/values.yaml": "replicas: 3\n",
        "deploy/charts/api/Chart.yaml": "name: api\n",
        "deploy/charts/api/kept.yaml": yamls.text(yamls.config_map("kept")),
        "deploy/tests/broken.yaml": "a: [\n",
        "other/values.yaml": "not: looked at\n",
    }
    site.origin("shop", files)
    repo = site.follow("shop", path="deploy", interval="1s")
    repo.wait_failed("NOPEA-M001")
    places = {source.replace(":", "#").partition("#")[0] for source in _errors(repo)}
    assert places == {"deploy/values.yaml", "deploy/charts/api/Chart.yaml", "deploy/tests/broken.yaml"}

    repo.change(exclude=["values.yaml", "charts/*/Chart.yaml"])
    repo.git.commit({**files, "deploy/.nopeaignore": "# not ours\ntests/\n"})

    repo.wait_synced(repo.git.tip())
    assert _names(site, repo) == {"web", "kept"}


def test_a_definition_whose_names_are_taken_is_reported_in_every_sync(site: Site) -> None:
    """A definition that cannot become Established fails the first sync and every later one."""
    group = f"{site.namespace}.acme.example"
    kind = "apiextensions.k8s.io/v1 customresourcedefinitions"
    taken, wanted = yamls.definition("Widget", group=group), yamls.definition("Gadget", group=group)
    wanted["spec"]["names"]["kind"] = "Widget"
    site.cluster.put(f"{kind} /widgets.{group}", taken)
    site.origin("shop", {"kind.yaml": yamls.text(wanted), "web.yaml": yamls.text(yamls.config_map("web"))})
    repo = site.follow("shop")
    repo.wait_failed("NOPEA-K007")
    assert "already in use" in _errors(repo)["kind.yaml#1"]["message"]
    assert repo.sync_and_wait()["errors"]
    assert _names(site, repo) == {"web"}

    site.cluster.delete(f"{kind} /widgets.{group}")

    repo.wait_synced(seconds=40)
    site.cluster.delete(f"{kind} /gadgets.{group}")


@pytest.mark.parametrize("wave", ["soon", "1.5", "1001"])
def test_an_invalid_wave_is_reported(site: Site, wave: str) -> None:
    """An object with an invalid wave is skipped and named in the error; the other objects are applied."""
    bad = yamls.annotated(yamls.config_map("bad"), wave=wave)
    site.origin("shop", {"bad.yaml": yamls.text(bad), "web.yaml": yamls.text(yamls.config_map("web"))})
    repo = site.follow("shop")
    repo.wait_failed("NOPEA-M010")
    assert "nopea.io/wave" in _errors(repo)["bad.yaml#1"]["message"]
    assert _names(site, repo) == {"web"}
