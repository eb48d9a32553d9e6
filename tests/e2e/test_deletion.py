"""The deletion of a GitRepository ends, and nothing is deleted that nobody meant."""

from __future__ import annotations

from collections.abc import Callable

from tests.cluster import install_crds
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.tenancy import BOTH_MODES, RBAC, SITES, Mode, binding
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Cluster, Site
from tests.gitserver import GitServer

from nopea_lab.lab import Lab

MAPS = "v1 configmaps"


@BOTH_MODES
def test_protected_objects_do_not_block_the_deletion(site: Site) -> None:
    """A namespace, a claim and a definition stay, as an Event says; the rest and the GitRepository go."""
    site.grant_all()
    space, group = f"{site.namespace}-kept", f"{site.namespace}.acme.example"
    files = {
        "space.yaml": yamls.text(yamls.namespace(space)),
        "claim.yaml": yamls.text(yamls.claim("data")),
        "kind.yaml": yamls.text(yamls.definition("Widget", group=group)),
        "web.yaml": yamls.text(yamls.config_map("web")),
    }
    repo = site.sync("shop", files, deletionPolicy="Delete")
    site.cluster.delete(repo.place)

    eventually(lambda: site.cluster.assert_gone(repo.place), seconds=15)
    site.cluster.assert_gone(site.place(MAPS, "web"))
    definition = f"apiextensions.k8s.io/v1 customresourcedefinitions /widgets.{group}"
    for place in (f"v1 namespaces /{space}", site.place("v1 persistentvolumeclaims", "data"), definition):
        assert "deletionTimestamp" not in site.cluster.must_get(place)["metadata"]

    def noted() -> None:
        events = site.cluster.list(site.place("events.k8s.io/v1 events"))
        (note,) = [event["note"] for event in events if event["reason"] == "Orphaned"]
        assert "3 objects stay in the cluster" in note
        assert f"Namespace {space}" in note
        assert "deleted only on request" in note

    eventually(noted)
    site.cluster.delete(definition)
    site.cluster.delete(f"v1 namespaces /{space}")


@BOTH_MODES
def test_a_namespace_is_deleted_with_its_repositories(
    site: Site, cluster: Cluster, nopea: Nopea, mode: Mode
) -> None:
    """Nobody has to help, and what the GitRepository applied elsewhere stays."""
    name, other = f"{site.namespace}-doomed", f"{site.namespace}-other"
    for each in (name, other):
        cluster.lab.run_kubectl("create", "namespace", each)
    doomed = SITES[mode](cluster, site.server, name)
    doomed.grant_all()
    elsewhere = yamls.config_map("elsewhere", namespace=other)
    files = {"web.yaml": yamls.text(yamls.config_map("web"), elsewhere)}
    doomed.sync("shop", files, deletionPolicy="Delete")

    cluster.delete(f"v1 namespaces /{name}")

    eventually(lambda: cluster.assert_gone(f"v1 namespaces /{name}"), seconds=30)
    assert cluster.get(f"{MAPS} {other}/elsewhere") is not None

    def logged() -> None:
        (line,) = nopea.logs("objects orphaned", repo=f"{name}/shop")
        assert f"ConfigMap {other}/elsewhere" in line["note"]

    eventually(logged)
    doomed.clear()
    cluster.delete(f"v1 namespaces /{other}")


@BOTH_MODES
def test_a_namespace_that_is_gone_holds_up_no_deletion(site: Site, cluster: Cluster) -> None:
    """The account's rights in another namespace went with it, so it cannot even ask for what was there."""
    other = f"{site.namespace}-other"
    cluster.lab.run_kubectl("create", "namespace", other)
    bound = f"{RBAC} rolebindings {other}/deployer"
    cluster.put(bound, binding(bound, "edit", f"{site.namespace}/deployer", kind="ClusterRole"))
    files = {"web.yaml": yamls.text(yamls.config_map("web"), yamls.config_map("far", namespace=other))}
    repo = site.sync("shop", files, deletionPolicy="Delete")
    cluster.delete(f"v1 namespaces /{other}")
    eventually(lambda: cluster.assert_gone(f"v1 namespaces /{other}"), seconds=30)

    cluster.delete(repo.place)

    eventually(lambda: cluster.assert_gone(repo.place), seconds=15)
    cluster.assert_gone(site.place(MAPS, "web"))


def test_deleting_the_kind_deletes_no_object(
    private_lab: Lab, git_server: GitServer, start_nopea: Callable[..., Nopea]
) -> None:
    """`kubectl delete crd gitrepositories.nopea.io` ends, and everything that was applied stays."""
    install_crds(private_lab)
    start_nopea(private_lab).wait_until_ready()
    site = Site(Cluster(private_lab), git_server, "default")
    files = {"web.yaml": yamls.text(yamls.config_map("web"), yamls.deployment("web"))}
    site.sync("shop", files, deletionPolicy="Delete")
    definition = "apiextensions.k8s.io/v1 customresourcedefinitions /gitrepositories.nopea.io"

    site.cluster.delete(definition)

    eventually(lambda: site.cluster.assert_gone(definition), seconds=30)
    always(lambda: site.cluster.must_get(site.place(MAPS, "web")), seconds=2)
    assert "deletionTimestamp" not in site.cluster.must_get(site.place(MAPS, "web"))["metadata"]
    assert site.cluster.get(site.place("apps/v1 deployments", "web")) is not None
    (note,) = [
        event["note"]
        for event in site.cluster.list(site.place("events.k8s.io/v1 events"))
        if event["reason"] == "Orphaned"
    ]
    assert "2 objects stay in the cluster" in note
