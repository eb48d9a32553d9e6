"""`nopea install` and `upgrade` on a real API server, from what the package carries."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import yaml
from tests.cli.conftest import (
    CRD,
    DEPLOYMENT,
    MERGE_PATCH,
    REPOSITORIES,
    SYSTEM,
    UNINSTALL_SECONDS,
    Kubelet,
    repository,
)
from tests.deploy.conftest import DEPLOY
from tests.e2e.commands import say
from tests.e2e.waiting import eventually

from nopea import __version__
from nopea.cli.installation.installed import MANAGED_BY_LABEL, MANAGER, PROFILE_ANNOTATION, VERSION_LABEL
from nopea_lab.lab import Lab

ADMIN = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/nopea-cluster-admin"


def deployment(lab: Lab) -> dict[str, Any]:
    """Return the Deployment of Nopea."""
    answer = lab.request("GET", DEPLOYMENT)
    assert answer.status == 200, answer.body
    return dict(answer.body)


def change_deployment(lab: Lab, body: dict[str, Any], *, manager: str = "kubectl-edit") -> None:
    """Change the Deployment as a user does."""
    answer = lab.request("PATCH", f"{DEPLOYMENT}?fieldManager={manager}", body, content_type=MERGE_PATCH)
    assert answer.status == 200, answer.body


def test_nopea_is_installed_and_runs(clean: Lab, kubelet: Kubelet) -> None:
    """It waits for the Pod, says what was done, and ends with what the doctor finds."""
    del kubelet

    said = say(clean, "install", "--image=registry.example/acme/nopea:1")

    assert said.out.splitlines()[0] == "✓ Applied 19 objects, 19 of them new (profile tenants)."
    assert f"✓ Nopea {__version__} is ready in {SYSTEM}" in said.out
    assert "✓ Deployment nopea-system/nopea is ready: registry.example/acme/nopea:1" in said.out
    assert "✓ The controller has its rights (service account nopea-system/nopea)." in said.out
    assert said.code == 0, said.out + said.err
    found = deployment(clean)["metadata"]
    assert found["labels"][VERSION_LABEL] == __version__
    assert found["labels"][MANAGED_BY_LABEL] == MANAGER
    assert found["annotations"][PROFILE_ANNOTATION] == "tenants"


def test_the_heartbeat_of_the_new_pod_is_waited_for(clean: Lab, kubelet: Kubelet) -> None:
    """Right after an upgrade the Lease says that the old Pod has stopped, which is no problem."""
    del kubelet
    assert say(clean, "install", "--no-wait").code == 0
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases"
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    body = {"metadata": {"name": "nopea"}, "spec": {"renewTime": moment}}
    assert clean.request("POST", lease, body).status == 201
    alive = {"spec": {"renewTime": moment, "holderIdentity": "new", "leaseDurationSeconds": 600}}

    def beat() -> None:
        clean.request("PATCH", f"{lease}/nopea", alive, content_type=MERGE_PATCH)

    timer = threading.Timer(4.0, beat)
    timer.start()
    said = say(clean, "install")
    timer.join()

    assert "✓ The controller new runs" in said.out
    assert said.code == 0, said.out


def test_a_pod_that_cannot_start_is_told(clean: Lab) -> None:
    """With the reason of the kubelet; the doctor says what to do about it."""
    waiting = Kubelet(clean, waiting="ImagePullBackOff")
    waiting.start()
    try:
        said = say(clean, "install", "--timeout=2s")
        doctor = say(clean, "doctor")
    finally:
        waiting.stop()

    assert said.code == 1
    assert "✗ Nopea does not run after 2s: pod nopea-" in said.err
    assert "container nopea: ImagePullBackOff" in said.err
    assert "Name an image that the cluster can pull" in doctor.out
    assert doctor.code == 1


def test_a_dry_run_needs_no_cluster_and_prints_everything(lab: Lab) -> None:
    """What it prints is what the API server gets."""
    said = say(lab, "install", "--dry-run", "--profile=cluster-admin", "--kubeconfig=/nonexistent")

    assert said.code == 0, said.err
    printed = list(yaml.safe_load_all(said.out))
    assert len(printed) == 20
    assert printed[0]["kind"] == "CustomResourceDefinition"
    assert printed[-1]["spec"]["template"]["spec"]["containers"][0]["image"] == f"nopea:{__version__}"


def test_another_profile_takes_the_rights_of_the_first_away(clean: Lab) -> None:
    """Who leaves cluster-admin must not keep its binding; the profile is never changed unasked."""
    assert say(clean, "install", "--no-wait", "--profile=cluster-admin").code == 0
    assert clean.request("GET", ADMIN).status == 200

    unasked = say(clean, "install", "--no-wait")
    forced = say(clean, "install", "--no-wait", "--force")
    asked = say(clean, "install", "--no-wait", "--profile=tenants")

    assert (unasked.code, forced.code) == (3, 3)
    assert "The profile cluster-admin is installed." in unasked.err
    assert asked.code == 0, asked.err
    assert "Deleted ClusterRoleBinding nopea-cluster-admin" in asked.out
    assert clean.request("GET", ADMIN).status == 404


def test_a_look_comes_before_the_rights(clean: Lab, kubelet: Kubelet) -> None:
    """The profile that reads only is complete for the doctor, and goes when another one is installed."""
    del kubelet
    looking = say(clean, "install", "--profile=read-only")

    assert looking.code == 0, looking.out + looking.err
    assert "✓ The controller has its rights (service account nopea-system/nopea)." in looking.out
    assert not may_patch(clean, "gitrepositories")
    asked = say(clean, "install", "--no-wait", "--profile=tenants")
    assert asked.code == 0, asked.err
    assert "Deleted ClusterRoleBinding nopea-read-only-view" in asked.out
    assert may_patch(clean, "gitrepositories")
    container = deployment(clean)["spec"]["template"]["spec"]["containers"][0]
    assert "NOPEA_READ_ONLY" not in {each["name"] for each in container["env"]}


def may_patch(lab: Lab, resource: str) -> bool:
    """Return whether Nopea's account may patch these objects of Nopea's group anywhere."""
    attributes = {"verb": "patch", "group": "nopea.io", "resource": resource}
    user = f"system:serviceaccount:{SYSTEM}:nopea"
    body = {"spec": {"user": user, "resourceAttributes": attributes}}
    answer = lab.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(answer.body["status"]["allowed"])


def test_a_foreign_installation_is_not_overwritten(clean: Lab) -> None:
    """Neither that of kubectl nor one of Helm, unless it is forced."""
    clean.run_kubectl("apply", "--server-side", "-k", str(DEPLOY / "cluster-admin"))
    eventually(lambda: deployment(clean))

    refused = say(clean, "install", "--no-wait")
    removed = say(clean, "uninstall", "--yes", seconds=UNINSTALL_SECONDS)
    forced = say(clean, "install", "--no-wait", "--force", "--profile=cluster-admin")

    assert (refused.code, removed.code) == (3, 3)
    assert refused.err.startswith("✗ There is Nopea 0.1.0 in nopea-system, installed by kubectl.\n")
    assert forced.code == 0, forced.err
    assert deployment(clean)["metadata"]["labels"][MANAGED_BY_LABEL] == MANAGER


def test_what_is_taken_over_keeps_no_rights_that_its_profile_does_not_have(clean: Lab) -> None:
    """Neither the binding that kubectl made nor the option by which Nopea applies as itself."""
    clean.run_kubectl("apply", "--server-side", "-k", str(DEPLOY / "cluster-admin"))
    registry = "registry.example/acme/nopea:0.1.0"
    clean.run_kubectl("-n", SYSTEM, "set", "image", "deployment/nopea", f"nopea={registry}")

    unasked = say(clean, "install", "--no-wait", "--force")
    forced = say(clean, "install", "--no-wait", "--force", "--profile=tenants")

    assert unasked.code == 3
    assert "The profile of it is not known." in unasked.err
    assert forced.code == 0, forced.err
    assert "✓ Deleted ClusterRoleBinding nopea-cluster-admin, which the profile tenants" in forced.out
    assert clean.request("GET", ADMIN).status == 404
    assert "NOPEA_APPLY_AS_CONTROLLER" not in variables(clean)
    assert image(clean) == registry
    clean.run_kubectl("-n", SYSTEM, "set", "env", "deployment/nopea", "NOPEA_APPLY_AS_CONTROLLER=true")
    clean.run_kubectl("create", "clusterrolebinding", "nopea-cluster-admin", "--clusterrole=cluster-admin")

    told = say(clean, "install", "--no-wait")

    assert told.code == 0, told.err
    assert "`kubectl delete clusterrolebindings.rbac.authorization.k8s.io nopea-cluster-admin`" in told.err
    assert "`kubectl -n nopea-system set env deployment/nopea NOPEA_APPLY_AS_CONTROLLER-`" in told.err
    assert variables(clean)["NOPEA_APPLY_AS_CONTROLLER"] == "true"


def test_all_rights_are_not_given_to_what_waited_for_them(clean: Lab) -> None:
    """A GitRepository without a service account is applied by no profile but cluster-admin."""
    assert say(clean, "install", "--no-wait").code == 0
    assert clean.request("POST", REPOSITORIES, repository()).status == 201

    refused = say(clean, "upgrade", "--no-wait", "--profile=cluster-admin")
    forced = say(clean, "upgrade", "--no-wait", "--profile=cluster-admin", "--force")
    again = say(clean, "install", "--no-wait", "--profile=cluster-admin")

    assert refused.code == 3
    assert "these GitRepositories declare: default/web." in refused.err
    assert (forced.code, again.code) == (0, 0)


def test_the_image_stays_unless_another_is_named(clean: Lab) -> None:
    """A second `nopea install` repairs what is missing, and does not go back to an image that nobody has."""
    own = "registry.example/acme/nopea@sha256:" + "0" * 64
    assert say(clean, "install", "--no-wait", f"--image={own}").code == 0

    assert say(clean, "install", "--no-wait").code == 0
    assert image(clean) == own
    assert say(clean, "upgrade", "--no-wait").code == 0
    assert image(clean) == own
    assert say(clean, "install", "--no-wait", "--image=nopea:2").code == 0
    assert image(clean) == "nopea:2"


def test_changes_of_others_are_kept_or_overwritten_when_asked(clean: Lab) -> None:
    """A memory limit that somebody raised is named; --force takes it back."""
    assert say(clean, "install", "--no-wait").code == 0
    container = {"name": "nopea", "resources": {"limits": {"memory": "3Gi"}}}
    path = f"{DEPLOYMENT}?fieldManager=kubectl-edit"
    strategic = "application/strategic-merge-patch+json"
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    assert clean.request("PATCH", path, body, content_type=strategic).status == 200

    refused = say(clean, "install", "--no-wait")
    forced = say(clean, "install", "--no-wait", "--force")

    assert refused.code == 3
    assert "Others have changed what Nopea installs. Deployment nopea-system/nopea:" in refused.err
    assert "kubectl-edit" in refused.err
    assert forced.code == 0
    limits = deployment(clean)["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"memory": "2Gi"}


def test_an_upgrade_compares_versions(clean: Lab) -> None:
    """It keeps profile and registry, goes forward only, and replaces `install`."""
    assert say(clean, "upgrade").code == 3
    image = "registry.example:5000/acme/nopea:0.0.9"
    assert say(clean, "install", "--no-wait", "--profile=any-namespace", f"--image={image}").code == 0
    change_deployment(clean, {"metadata": {"labels": {VERSION_LABEL: "0.0.9"}}}, manager=MANAGER)

    installed = say(clean, "install", "--no-wait", "--profile=any-namespace")
    upgraded = say(clean, "upgrade", "--no-wait", "--force")

    assert installed.code == 3
    assert "`nopea upgrade` upgrades it" in installed.err
    assert upgraded.code == 0, upgraded.err
    assert upgraded.out.startswith(f"Upgrading from 0.0.9 to {__version__}.\n")
    found = deployment(clean)
    assert found["metadata"]["annotations"][PROFILE_ANNOTATION] == "any-namespace"
    new = found["spec"]["template"]["spec"]["containers"][0]["image"]
    assert new == f"registry.example:5000/acme/nopea:{__version__}"
    change_deployment(clean, {"metadata": {"labels": {VERSION_LABEL: "9.0.0"}}}, manager=MANAGER)
    back = say(clean, "upgrade", "--no-wait")
    assert back.code == 3
    assert "Version 9.0.0 is installed, newer than this program" in back.err


def test_stored_versions_are_not_lost(clean: Lab) -> None:
    """A definition without the version in which objects may be stored would make them unreadable."""
    assert say(clean, "install", "--no-wait").code == 0
    status = {"status": {"storedVersions": ["v1alpha0", "v1alpha1"]}}
    # The API server accepts a stored version only if the definition has it.
    version = clean.request("GET", CRD).body["spec"]["versions"][0]
    older = {**version, "name": "v1alpha0", "storage": False, "served": False}
    spec = {"spec": {"versions": [version, older]}}
    assert clean.request("PATCH", CRD, spec, content_type=MERGE_PATCH).status == 200
    assert clean.request("PATCH", f"{CRD}/status", status, content_type=MERGE_PATCH).status == 200

    refused = say(clean, "install", "--no-wait", "--force")

    assert refused.code == 3
    assert "may be stored as v1alpha0, which this version does not have" in refused.err


def test_a_namespace_that_others_have_rights_in_is_refused(clean: Lab) -> None:
    """Who may create namespaces could be first, and have all of Nopea's rights as soon as it is there.

    Neither labels nor a Deployment that looks installed make a difference.
    """
    clean.run_kubectl("create", "namespace", SYSTEM)
    clean.run_kubectl("-n", SYSTEM, "create", "rolebinding", "mine", "--clusterrole=admin", "--user=mallory")
    clean.run_kubectl("-n", SYSTEM, "label", "rolebinding", "mine", "app.kubernetes.io/part-of=nopea")
    decoy(clean, SYSTEM)

    refused = say(clean, "install", "--no-wait")

    assert refused.code == 3
    assert f"Namespace {SYSTEM} is there before Nopea" in refused.err
    assert "Deployment nopea" in refused.err
    assert "RoleBinding mine" in refused.err
    clean.run_kubectl("-n", SYSTEM, "delete", "deployment/nopea", "rolebinding/mine", "--wait")
    assert say(clean, "install", "--no-wait").code == 0


def test_a_tenant_gets_no_image_into_the_installation(clean: Lab) -> None:
    """A Deployment in a namespace of theirs with the labels and the manager of an installation is none."""
    decoy(clean, "default")
    try:
        upgraded = say(clean, "upgrade", "--no-wait", "--force")
        assert (upgraded.code, upgraded.err.splitlines()[0]) == (3, "✗ Nopea is not installed.")
        assert say(clean, "install", "--no-wait").code == 0
        again = say(clean, "upgrade", "--no-wait")
    finally:
        clean.run_kubectl("-n", "default", "delete", "deployment/nopea", "--wait")

    assert again.code == 0, again.err
    assert image(clean) == f"nopea:{__version__}"


def decoy(lab: Lab, namespace: str) -> None:
    """Create a Deployment that looks like one of this program, of a newer version."""
    labels = {"app.kubernetes.io/name": "nopea", "app.kubernetes.io/part-of": "nopea"}
    container = {"name": "nopea", "image": "evil.example/nopea:9.0.0"}
    body = {
        "metadata": {
            "name": "nopea",
            "labels": {**labels, VERSION_LABEL: "9.0.0", MANAGED_BY_LABEL: MANAGER},
            "annotations": {PROFILE_ANNOTATION: "cluster-admin"},
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": "nopea", "containers": [container]},
            },
        },
    }
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments?fieldManager={MANAGER}"
    answer = lab.request("POST", path, body)
    assert answer.status == 201, answer.body


def image(lab: Lab) -> str:
    """Return the image of Nopea's container."""
    return str(deployment(lab)["spec"]["template"]["spec"]["containers"][0]["image"])


def variables(lab: Lab) -> dict[str, str]:
    """Return the variables of Nopea's container."""
    (container,) = deployment(lab)["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}
