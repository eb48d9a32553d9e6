"""What kubectl, Helm and other appliers made becomes Git's, on a real API server."""

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
    """A namespace with a person and Nopea in it."""
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
async def test_git_decides_about_what_kubectl_made(
    world: World, command: list[str], claims: tuple[str, str, str]
) -> None:
    """What Git declares has Git's value, what it omits and kubectl had set is gone after one apply."""
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
        (["rollout", "restart", "deployment/web"], "kubectl-rollout"),
    ],
)
async def test_what_people_add_to_our_object_goes(
    world: World, monkeypatch: pytest.MonkeyPatch, command: list[str], manager: str
) -> None:
    """Each way of changing an object with kubectl is taken over, so that the next apply takes it back."""
    monkeypatch.setenv("KUBE_EDITOR", "sed -i s/progressDeadlineSeconds:.600/progressDeadlineSeconds:\\ 700/")
    git, target = deployment(), world.at(DEPLOYMENTS, "web")
    ours = (await world.client.apply(target, orjson.dumps(git))).json()
    world.run(*command)
    assert manager in {name for name, _, _ in managers(await world.get(target))}

    after = await world.adopt_and_apply(target, git)

    assert after["spec"] == ours["spec"]
    assert labels_and_notes(after) == labels_and_notes(ours)
    assert manager not in {name for name, _, _ in managers(after)}


async def test_scaling_by_hand_goes(world: World) -> None:
    """A claim made through the scale subresource is taken over like the others."""
    target = world.at(DEPLOYMENTS, "web")
    await world.client.apply(target, orjson.dumps(deployment(replicas=2)))
    world.run("scale", "deployment/web", "--replicas=3")
    assert ("kubectl", "Update", "scale") in managers(await world.get(target))

    after = await world.adopt_and_apply(target, deployment())

    assert after["spec"]["replicas"] == 1
    assert ("kubectl", "Update", "scale") not in managers(after)


async def test_scaling_what_nobody_claims_leaves_no_claim(world: World) -> None:
    """The API server records no scaling of replicas that nobody had set: there is nothing to take over."""
    target = world.at(DEPLOYMENTS, "web")
    await world.client.apply(target, orjson.dumps(deployment()))
    world.run("scale", "deployment/web", "--replicas=3")

    assert adopt(await world.get(target)) is None


@pytest.mark.parametrize("command", ["apply", "create"])
async def test_a_deployment_does_not_notice(world: World, command: str) -> None:
    """Where Git says what kubectl had said, nothing changes, and no Pod is replaced."""
    target, git = world.at(DEPLOYMENTS, "web"), deployment(replicas=2)
    world.run(command, "-f", "-", stdin=git)
    world.run("wait", "deployment/web", "--for=jsonpath={.status.observedGeneration}", "--timeout=50s")
    before = await world.get(target)

    after = await world.adopt_and_apply(target, git)

    assert after["spec"] == before["spec"]
    seen = "--for=jsonpath={.status.observedGeneration}=" + str(after["metadata"]["generation"])
    world.run("wait", "deployment/web", seen, "--timeout=50s")
    assert len(world.run("get", "replicasets", "-o", "name").split()) == 1


async def test_one_item_goes_and_its_neighbours_stay(world: World) -> None:
    """Of a list that is merged by keys, Git's items stay as they were and the omitted ones go."""
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
    """The cluster IP and node port that the API server chose stay through the taking over."""
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
    """What a controller set in an object that kubectl made stays, immutable fields among it."""
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
    """Replicas that an autoscaler changed after kubectl are not ours to drop."""
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
    """Helm's and other appliers' claims stay: Git's values win by force, what they added is not deleted."""
    target = world.at(CONFIG_MAPS, "settings")
    world.run(*command, "-f", "-", stdin=config_map("settings", {"both": "old", "theirs": "1"}))
    assert adopt(await world.get(target)) is None

    git = config_map("settings", {"both": "new"})
    after = (await world.client.apply(target, orjson.dumps(git))).json()

    assert after["data"] == {"both": "new", "theirs": "1"}
    assert managers(after) == {NOPEA, entry}
    assert adopt(after) is None


async def test_helms_fields_stay_beside_kubectls(world: World) -> None:
    """In an object of several managers only the people's claims are taken over."""
    target = world.at(CONFIG_MAPS, "settings")
    world.run("apply", "-f", "-", stdin=config_map("settings", {"git": "old", "kubectl": "1"}))
    world.run("patch", "cm/settings", "--field-manager=helm", "-p", '{"data":{"helm":"1"}}')

    after = await world.adopt_and_apply(target, config_map("settings", {"git": "new"}))

    assert after["data"] == {"git": "new", "helm": "1"}
    assert managers(after) == {NOPEA, ("helm", "Update", "")}


async def test_how_people_steer_nopea_stays_theirs(world: World) -> None:
    """Annotations below nopea.io/ survive, whether set by annotate or by apply; others beside them go."""
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


async def test_break_glass_alone_is_nothing_to_take_over(world: World) -> None:
    """An object that people only steer is left as it is."""
    target = world.at(CONFIG_MAPS, "settings")
    await world.client.apply(target, orjson.dumps(config_map("settings", {"a": "1"})))
    world.run("annotate", "cm/settings", "nopea.io/suspend-heal=true")

    assert adopt(await world.get(target)) is None


async def test_a_race_is_noticed(world: World) -> None:
    """When the object changes between the look and the patch, the patch is refused as a conflict."""
    target = world.at(CONFIG_MAPS, "settings")
    world.run("apply", "-f", "-", stdin=config_map("settings", {"a": "1"}))
    patch = adopt(await world.get(target))
    world.run("label", "cm/settings", "meanwhile=1")

    assert patch is not None
    with pytest.raises(ConflictError):
        await world.client.patch(target, patch, kind=PatchKind.JSON)


async def test_kubectl_can_go_on_and_is_taken_over_again(world: World) -> None:
    """A kubectl apply after the taking over works, and Nopea wins again."""
    target, git = world.at(CONFIG_MAPS, "settings"), config_map("settings", {"a": "1"})
    made = config_map("settings", {"a": "2", "b": "2"})
    world.run("apply", "-f", "-", stdin=made)
    await world.adopt_and_apply(target, git)
    world.run("apply", "-f", "-", stdin=made)

    after = await world.adopt_and_apply(target, git)

    assert after["data"] == {"a": "1"}
    assert managers(after) == {NOPEA}


@pytest.mark.parametrize("command", ["apply", "create"])
async def test_what_was_there_before_the_first_apply(world: World, command: str) -> None:
    """Of an object without managedFields, what kubectl's annotation names is taken over, and nothing else."""
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


async def test_kubectl_used_another_version(world: World) -> None:
    """Claims made in another version of the kind are taken over where the field has the same name."""
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
