"""Adoption of objects that kubectl, Helm and other managers created, on a real API server."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.kube.adopting import World, config_map, deployment, labels_and_notes, managers, service
from tests.kube.objects import CONFIG_MAPS, DEPLOYMENTS, SERVICES

from nopea.core.apply.adoption import adopt
from nopea.core.apply.projection import LAST_APPLIED
from nopea.core.objects import Resource
from nopea.kube.client import KubeClient
from nopea.kube.errors import ConflictError
from nopea.kube.requests import PatchKind
from nopea_lab.kubectl import Kubectl

HPAS = Resource(
    group="autoscaling", version="v2", kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers", namespaced=True,
)  # fmt: skip
CLAIMS = Resource(
    group="", version="v1", kind="PersistentVolumeClaim", plural="persistentvolumeclaims", namespaced=True
)


NOPEA = ("nopea", "Apply", "")


@pytest.fixture
def world(client: KubeClient, kubectl: Kubectl, namespace: str) -> World:
    """A namespace with a user's kubectl and Nopea's client."""
    return World(client, kubectl, namespace)


@pytest.mark.parametrize(
    ("command", "claims"),
    [
        (["apply", "-f", "-"], ("kubectl-client-side-apply", "Update", "")),
        (["create", "-f", "-"], ("kubectl-create", "Update", "")),
        (["apply", "--server-side", "-f", "-"], ("kubectl", "Apply", "")),
        (["create", "--save-config", "-f", "-"], ("kubectl-create", "Update", "")),
    ],
)
async def test_git_decides_about_objects_that_kubectl_created(
    world: World, command: list[str], claims: tuple[str, str, str]
) -> None:
    """After one apply, declared fields have Git's values, and omitted fields that kubectl set are removed."""
    made = config_map(
        "settings", {"same": "1", "other": "old", "extra": "1"},
        labels={"team": "shop", "old": "1"}, annotations={"note": "by hand"},
    )  # fmt: skip
    git = config_map("settings", {"same": "1", "other": "new", "added": "1"}, labels={"team": "shop"})
    target = world.at(CONFIG_MAPS, "settings")
    world.run(*command, stdin=made)
    assert claims in managers(await world.get(target))

    after = await world.adopt_and_apply(target, git)

    assert after["data"] == git["data"]
    assert after["metadata"]["labels"] == {"team": "shop"}
    assert "annotations" not in after["metadata"]
    assert managers(after) == {NOPEA}


@pytest.mark.parametrize(
    ("command", "manager"),
    [
        (["edit", "deployment/web"], "kubectl-edit"),
        (["patch", "deployment/web", "-p", '{"spec":{"minReadySeconds":7}}'], "kubectl-patch"),
        (["annotate", "deployment/web", "note=by-hand"], "kubectl-annotate"),
        (["label", "deployment/web", "note=by-hand"], "kubectl-label"),
        (["set", "env", "deployment/web", "DEBUG=1"], "kubectl-set"),
        (["rollout", "pause", "deployment/web"], "kubectl-rollout"),
    ],
)
async def test_changes_by_kubectl_are_reverted(
    world: World, monkeypatch: pytest.MonkeyPatch, command: list[str], manager: str
) -> None:
    """Changes by each kubectl command are adopted, so that the next apply reverts them."""
    monkeypatch.setenv("KUBE_EDITOR", "sed -i s/progressDeadlineSeconds:.600/progressDeadlineSeconds:\\ 700/")
    git, target = deployment(), world.at(DEPLOYMENTS, "web")
    ours = (await world.client.apply(target, orjson.dumps(git))).json()
    world.run(*command)
    assert manager in {name for name, _, _ in managers(await world.get(target))}

    after = await world.adopt_and_apply(target, git)

    assert after["spec"] == ours["spec"]
    assert labels_and_notes(after) == labels_and_notes(ours)
    assert manager not in {name for name, _, _ in managers(after)}


async def test_a_restart_is_not_adopted(world: World) -> None:
    """`kubectl rollout restart` keeps its annotation, so that the next apply does not undo the restart."""
    target = world.at(DEPLOYMENTS, "web")
    await world.client.apply(target, orjson.dumps(deployment()))
    world.run("rollout", "restart", "deployment/web")
    restarted = await world.get(target)

    assert adopt(restarted) is None
    after = (await world.client.apply(target, orjson.dumps(deployment()))).json()
    assert after["spec"] == restarted["spec"]


async def test_manual_scaling_is_reverted(world: World) -> None:
    """Ownership through the scale subresource is adopted like any other."""
    target = world.at(DEPLOYMENTS, "web")
    await world.client.apply(target, orjson.dumps(deployment(replicas=2)))
    world.run("scale", "deployment/web", "--replicas=3")
    assert ("kubectl", "Update", "scale") in managers(await world.get(target))

    after = await world.adopt_and_apply(target, deployment())

    assert after["spec"]["replicas"] == 1
    assert ("kubectl", "Update", "scale") not in managers(after)


async def test_scaling_an_unowned_field_records_no_owner(world: World) -> None:
    """The API server records no owner when replicas that no manager owns are scaled: nothing is adopted."""
    target = world.at(DEPLOYMENTS, "web")
    await world.client.apply(target, orjson.dumps(deployment()))
    world.run("scale", "deployment/web", "--replicas=3")

    assert adopt(await world.get(target)) is None


@pytest.mark.parametrize("command", ["apply", "create"])
async def test_an_adopted_deployment_does_not_roll_out(world: World, command: str) -> None:
    """If Git declares what kubectl applied, the spec does not change, and no Pod is replaced."""
    target, git = world.at(DEPLOYMENTS, "web"), deployment(replicas=2)
    world.run(command, "-f", "-", stdin=git)
    world.run("wait", "deployment/web", "--for=jsonpath={.status.observedGeneration}", "--timeout=50s")
    before = await world.get(target)

    after = await world.adopt_and_apply(target, git)

    assert after["spec"] == before["spec"]
    seen = "--for=jsonpath={.status.observedGeneration}=" + str(after["metadata"]["generation"])
    world.run("wait", "deployment/web", seen, "--timeout=50s")
    assert len(world.run("get", "replicasets", "-o", "name").split()) == 1


async def test_an_omitted_list_item_is_removed_and_the_others_stay(world: World) -> None:
    """In a list that is merged by keys, Git's items stay unchanged and omitted ones are removed."""
    target, git, made = world.at(DEPLOYMENTS, "web"), deployment(), deployment()
    container = made["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "DEBUG", "value": "1"}]
    made["spec"]["template"]["spec"]["containers"].append({"name": "old", "image": "old:1"})
    world.run("apply", "-f", "-", stdin=made)
    before = await world.get(target)

    after = await world.adopt_and_apply(target, git)

    expected = before["spec"]["template"]["spec"]["containers"][0]
    del expected["env"]
    assert after["spec"]["template"]["spec"]["containers"] == [expected]


@pytest.mark.parametrize("command", ["apply", "create"])
async def test_a_service_keeps_its_address(world: World, command: str) -> None:
    """The cluster IP and the node port that the API server chose stay after the adoption."""
    target, git = world.at(SERVICES, "web"), service(selector={"app": "web"})
    made = service(selector={"app": "web"}, sessionAffinity="ClientIP")
    world.run(command, "-f", "-", stdin=made)
    before = await world.get(target)

    after = await world.adopt_and_apply(target, git)

    assert after["spec"]["clusterIP"] == before["spec"]["clusterIP"]
    assert after["spec"]["ports"] == before["spec"]["ports"]
    assert after["spec"]["ports"][0]["nodePort"]
    assert after["spec"]["sessionAffinity"] == "None"


async def test_a_claim_keeps_its_volume(world: World) -> None:
    """Fields that a controller set stay after the adoption, including immutable ones."""
    target = world.at(CLAIMS, "disk")
    git = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "disk"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    world.run("create", "-f", "-", stdin=git)
    bound = '{"spec":{"volumeName":"pv-1"}}'
    world.run("patch", "pvc/disk", "--field-manager=kube-controller-manager", "-p", bound)

    after = await world.adopt_and_apply(target, git)

    assert after["spec"]["volumeName"] == "pv-1"
    assert after["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]


async def test_an_autoscalers_replicas_stay(world: World) -> None:
    """Replicas that an autoscaler changed after kubectl stay after the adoption."""
    target = world.at(DEPLOYMENTS, "web")
    world.run("create", "-f", "-", stdin=deployment(replicas=2))
    world.run("scale", "deployment/web", "--replicas=5")
    move_scale_to = [
        {**entry, "manager": "kube-controller-manager"} if entry.get("subresource") == "scale" else entry
        for entry in (await world.get(target))["metadata"]["managedFields"]
    ]
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": move_scale_to}]
    await world.client.patch(target, orjson.dumps(patch), kind=PatchKind.JSON)

    after = await world.adopt_and_apply(target, deployment())

    assert after["spec"]["replicas"] == 5


@pytest.mark.parametrize(
    ("command", "entry"),
    [
        (["create", "--field-manager=helm"], ("helm", "Update", "")),
        (["apply", "--server-side", "--field-manager=acme-deployer"], ("acme-deployer", "Apply", "")),
    ],
)
async def test_other_managers_lose_values_not_fields(
    world: World, command: list[str], entry: tuple[str, str, str]
) -> None:
    """Other managers keep their own fields; for shared fields, Git's values win by force."""
    target = world.at(CONFIG_MAPS, "settings")
    world.run(*command, "-f", "-", stdin=config_map("settings", {"both": "old", "theirs": "1"}))
    assert adopt(await world.get(target)) is None

    git = config_map("settings", {"both": "new"})
    after = (await world.client.apply(target, orjson.dumps(git))).json()

    assert after["data"] == {"both": "new", "theirs": "1"}
    assert managers(after) == {NOPEA, entry}
    assert adopt(after) is None


async def test_helms_fields_stay_when_kubectls_are_adopted(world: World) -> None:
    """In an object with several managers, only kubectl's fields are adopted."""
    target = world.at(CONFIG_MAPS, "settings")
    world.run("apply", "-f", "-", stdin=config_map("settings", {"git": "old", "kubectl": "1"}))
    world.run("patch", "cm/settings", "--field-manager=helm", "-p", '{"data":{"helm":"1"}}')

    after = await world.adopt_and_apply(target, config_map("settings", {"git": "new"}))

    assert after["data"] == {"git": "new", "helm": "1"}
    assert managers(after) == {NOPEA, ("helm", "Update", "")}


async def test_control_annotations_stay(world: World) -> None:
    """Nopea's control annotations stay, whether set by annotate or apply; other annotations are removed."""
    target = world.at(CONFIG_MAPS, "settings")
    git = config_map("settings", {"a": "1"}, annotations={"nopea.io/source": "a.yaml#1"})
    by_apply = {"nopea.io/prune": "false", "nopea.io/source": "b.yaml#1", "note": "by hand"}
    world.run("apply", "-f", "-", stdin=config_map("settings", {"a": "1"}, annotations=by_apply))
    steering = ["nopea.io/suspend-heal=true", "nopea.io/suspend-heal-until=2030-01-01T00:00:00Z"]
    world.run("annotate", "cm/settings", *steering, "nopea.io/force=true", "other=1")

    after = await world.adopt_and_apply(target, git)

    kept = {
        "nopea.io/suspend-heal": "true",
        "nopea.io/suspend-heal-until": "2030-01-01T00:00:00Z",
        "nopea.io/force": "true",
        "nopea.io/prune": "false",
    }
    assert after["metadata"]["annotations"] == {**kept, "nopea.io/source": "a.yaml#1"}
    world.run("annotate", "cm/settings", *(f"{name}-" for name in kept))
    assert (await world.get(target))["metadata"]["annotations"] == {"nopea.io/source": "a.yaml#1"}


async def test_control_annotations_alone_are_not_adopted(world: World) -> None:
    """An object to which a user added only control annotations needs no adoption."""
    target = world.at(CONFIG_MAPS, "settings")
    await world.client.apply(target, orjson.dumps(config_map("settings", {"a": "1"})))
    world.run("annotate", "cm/settings", "nopea.io/suspend-heal=true")

    assert adopt(await world.get(target)) is None


async def test_a_change_before_the_adoption_is_a_conflict(world: World) -> None:
    """If the object changes between the read and the patch, the patch is refused as a conflict."""
    target = world.at(CONFIG_MAPS, "settings")
    world.run("apply", "-f", "-", stdin=config_map("settings", {"a": "1"}))
    patch = adopt(await world.get(target))
    world.run("label", "cm/settings", "meanwhile=1")

    assert patch is not None
    with pytest.raises(ConflictError):
        await world.client.patch(target, patch, kind=PatchKind.JSON)


async def test_a_later_kubectl_apply_is_adopted_again(world: World) -> None:
    """A kubectl apply after an adoption succeeds, and its fields are adopted again."""
    target, git = world.at(CONFIG_MAPS, "settings"), config_map("settings", {"a": "1"})
    made = config_map("settings", {"a": "2", "b": "2"})
    world.run("apply", "-f", "-", stdin=made)
    await world.adopt_and_apply(target, git)
    world.run("apply", "-f", "-", stdin=made)

    after = await world.adopt_and_apply(target, git)

    assert after["data"] == {"a": "1"}
    assert managers(after) == {NOPEA}


@pytest.mark.parametrize("command", ["apply", "create"])
async def test_an_object_without_managed_fields(world: World, command: str) -> None:
    """Without managedFields, only the fields in kubectl's last-applied annotation are adopted."""
    target, git = world.at(DEPLOYMENTS, "web"), deployment()
    made = deployment(minReadySeconds=7, template_annotations={"note": "by hand"})
    made["metadata"]["finalizers"] = ["acme.example/hold"] if command == "create" else []
    world.run(command, "-f", "-", stdin=made)
    world.run("scale", "deployment/web", "--replicas=5")
    world.run("patch", "deployment/web", "-p", '{"metadata":{"managedFields":[{}]}}', "--type=merge")
    assert adopt(await world.get(target)) is None

    first = (await world.client.apply(target, orjson.dumps(git))).json()
    assert ("before-first-apply", "Update", "") in managers(first)
    after = await world.adopt_and_apply(target, git)

    assert {name for name, _, _ in managers(after)} <= {"nopea", "kube-controller-manager"}
    assert after["spec"]["replicas"] == 5
    if command == "apply":
        assert "minReadySeconds" not in after["spec"]
        assert "annotations" not in after["spec"]["template"]["metadata"]
        assert LAST_APPLIED not in after["metadata"].get("annotations", {})
    else:
        assert after["spec"]["minReadySeconds"] == 7
        assert after["metadata"]["finalizers"] == ["acme.example/hold"]
        world.run("patch", "deployment/web", "-p", '{"metadata":{"finalizers":null}}', "--type=merge")


async def test_fields_of_another_version_are_adopted(world: World) -> None:
    """Fields that were set in another version of the kind are adopted if they have the same name."""
    target = world.at(HPAS, "web")
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    made = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "labels": {"old": "1"}},
        "spec": {
            "scaleTargetRef": reference,
            "minReplicas": 3,
            "maxReplicas": 5,
            "targetCPUUtilizationPercentage": 50,
        },
    }  # fmt: skip
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    git: dict[str, Any] = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": reference, "maxReplicas": 4, "metrics": [{"type": "Resource", "resource": cpu}],
        },
    }  # fmt: skip
    world.run("apply", "-f", "-", stdin=made)

    after = await world.adopt_and_apply(target, git)

    assert "labels" not in after["metadata"]
    assert after["spec"] == {**git["spec"], "minReplicas": 1}
    people = {name for name, _, _ in managers(after)} - {"nopea", "kube-controller-manager"}
    assert not people
