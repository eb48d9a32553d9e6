"""Drift detection on objects that a real API server stores: a different spelling is not drift."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from tests.kube.objects import CONFIG_MAPS, DEPLOYMENTS, SECRETS, SERVICES

from nopea.core.api import names
from nopea.core.apply.ignore_rules import IgnoreRules
from nopea.core.apply.projection import projection_hash
from nopea.core.drift.find import FieldDrift, find_drift
from nopea.core.drift.three_way import DriftKind, three_way_diff
from nopea.core.manifests.normalize import normalize
from nopea.core.objects import Resource, Target
from nopea.kube.client import KubeClient
from nopea_lab.kubectl import Kubectl
from nopea_lab.lab import Lab

INGRESSES = Resource(
    group="networking.k8s.io", version="v1", kind="Ingress", plural="ingresses", namespaced=True
)
NETWORK_POLICIES = Resource(
    group="networking.k8s.io", version="v1", kind="NetworkPolicy", plural="networkpolicies", namespaced=True
)
STATEFUL_SETS = Resource(
    group="apps", version="v1", kind="StatefulSet", plural="statefulsets", namespaced=True
)
CRON_JOBS = Resource(group="batch", version="v1", kind="CronJob", plural="cronjobs", namespaced=True)
SCALERS = Resource(
    group="autoscaling",
    version="v2",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    namespaced=True,
)
QUOTAS = Resource(group="", version="v1", kind="ResourceQuota", plural="resourcequotas", namespaced=True)
LIMIT_RANGES = Resource(group="", version="v1", kind="LimitRange", plural="limitranges", namespaced=True)
CLAIMS = Resource(
    group="", version="v1", kind="PersistentVolumeClaim", plural="persistentvolumeclaims", namespaced=True
)
ACCOUNTS = Resource(group="", version="v1", kind="ServiceAccount", plural="serviceaccounts", namespaced=True)
BUDGETS = Resource(
    group="policy", version="v1", kind="PodDisruptionBudget", plural="poddisruptionbudgets", namespaced=True
)
ROLES = Resource(
    group="rbac.authorization.k8s.io", version="v1", kind="Role", plural="roles", namespaced=True
)

POD: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}, "annotations": {}},
    "spec": {
        "hostNetwork": False,
        "nodeSelector": {},
        "securityContext": {},
        "initContainers": [],
        "volumes": [
            {"name": "cache", "emptyDir": {"sizeLimit": "1024Mi"}},
            {"name": "scratch", "emptyDir": {}},
        ],
        "containers": [
            {
                "name": "web",
                "image": "web:1",
                "args": [],
                "tty": False,
                "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}],
                "env": [{"name": "EMPTY", "value": ""}, {"name": "MODE", "value": "on"}],
                "resources": {
                    "limits": {"cpu": "2000m", "memory": "1.0Gi"},
                    "requests": {"cpu": 1, "memory": "1024Ki"},
                },
                "volumeMounts": [{"name": "cache", "mountPath": "/cache", "readOnly": False}],
            }
        ],
    },
}


def _deployment(**spec: Any) -> dict[str, Any]:
    selector = {"matchLabels": {"app": "web"}}
    return {"spec": {"replicas": 2, "selector": selector, "template": POD, **spec}}


AWKWARD: list[tuple[Resource, dict[str, Any]]] = [
    (DEPLOYMENTS, _deployment(strategy={}, minReadySeconds=0, paused=False)),
    (
        STATEFUL_SETS,
        {
            "spec": {
                "serviceName": "web",
                "replicas": 0,
                "selector": {"matchLabels": {"app": "web"}},
                "template": POD,
                "volumeClaimTemplates": [
                    {
                        "metadata": {"name": "disk", "creationTimestamp": None},
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "resources": {"requests": {"storage": "1024Mi"}},
                        },
                    }
                ],
            }
        },
    ),
    (
        SERVICES,
        {
            "spec": {
                "selector": {"app": "web"},
                "ports": [{"port": 80, "targetPort": "http", "name": "http"}],
                "externalIPs": [],
            }
        },
    ),
    (CONFIG_MAPS, {"data": {}, "binaryData": {"blob": "AAEC\nAwQF\n"}, "metadata": {"annotations": {}}}),
    (SECRETS, {"stringData": {"password": "x"}, "data": {"key": "AAEC\nAwQF\n"}, "type": "Opaque"}),
    (
        INGRESSES,
        {
            "spec": {
                "tls": [],
                "rules": [
                    {
                        "host": "shop.acme.example",
                        "http": {
                            "paths": [
                                {
                                    "pathType": "Prefix",
                                    "path": "/",
                                    "backend": {"service": {"name": "web", "port": {"number": 80}}},
                                }
                            ]
                        },
                    }
                ],
            }
        },
    ),
    (
        NETWORK_POLICIES,
        {
            "spec": {
                "podSelector": {},
                "ingress": [{"ports": [{"port": 80}], "from": [{"namespaceSelector": {}}]}],
            }
        },
    ),
    (
        CRON_JOBS,
        {
            "spec": {
                "schedule": "0 0 * * *",
                "suspend": True,
                "jobTemplate": {
                    "spec": {"template": {"spec": {**POD["spec"], "restartPolicy": "Never"}}},
                },
            }
        },
    ),
    (
        SCALERS,
        {
            "spec": {
                "maxReplicas": 3,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nowhere"},
                "metrics": [
                    {
                        "type": "Pods",
                        "pods": {
                            "metric": {"name": "requests"},
                            "target": {"type": "AverageValue", "averageValue": "1000m"},
                        },
                    }
                ],
            }
        },
    ),
    (QUOTAS, {"spec": {"hard": {"cpu": "2000m", "pods": 100, "requests.storage": "1024Gi"}}}),
    (
        LIMIT_RANGES,
        {"spec": {"limits": [{"type": "Container", "default": {"cpu": 1.0, "memory": "1024Mi"}}]}},
    ),
    (
        CLAIMS,
        {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "0.5Gi"}}}},
    ),
    (ACCOUNTS, {"automountServiceAccountToken": False, "imagePullSecrets": [], "secrets": []}),
    (BUDGETS, {"spec": {"maxUnavailable": "50%", "selector": {"matchLabels": {"app": "web"}}}}),
    (ROLES, {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": []}]}),
]


@dataclass
class World:
    """An applied object: its desired state, its baseline, and kubectl to change it."""

    client: KubeClient
    target: Target
    desired: dict[str, Any]
    baseline: str | None
    run_kubectl: Callable[..., str]

    async def live(self) -> dict[str, Any]:
        """Return the live object."""
        return (await self.client.get(self.target)).json()

    async def hash(self, **rules: Any) -> str | None:
        """Return the hash of the live object's projection."""
        return projection_hash(await self.live(), **rules)

    async def drift(self, rules: IgnoreRules | None = None) -> tuple[FieldDrift, ...]:
        """Return the fields that drifted."""
        drift = find_drift(
            desired=self.desired,
            last_applied=self.desired,
            live=await self.live(),
            rules=rules or IgnoreRules(),
        )
        assert drift.kind is (DriftKind.MANUAL_DRIFT if drift.fields else DriftKind.NO_DRIFT)
        return drift.fields

    def patch(self, patch: Any, *options: str, kind: str = "merge") -> None:
        """Patch the object with kubectl, as a user does."""
        resource = self.target.resource
        what = f"{resource.plural}.{resource.group}".rstrip(".")
        self.run_kubectl(
            "patch", what, self.target.name, f"--type={kind}", f"--patch={json.dumps(patch)}", *options
        )


async def _apply(
    client: KubeClient, kubectl: Kubectl, namespace: str, resource: Resource, body: dict[str, Any]
) -> World:
    metadata = {"name": "thing", "namespace": namespace, **body.get("metadata", {})}
    metadata["labels"] = {names.REPOSITORY_LABEL: "shop.web"}
    metadata["annotations"] = {**metadata.get("annotations", {}), names.SOURCE_ANNOTATION: "web.yaml#1"}
    head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    desired = normalize({**body, **head})
    target = resource.at(name="thing", namespace=namespace)
    applied = await client.apply(target, orjson.dumps(desired))

    def run_kubectl(*arguments: str) -> str:
        return kubectl("-n", namespace, *arguments)

    return World(client, target, desired, projection_hash(applied.json()), run_kubectl)


@pytest.mark.parametrize(("resource", "body"), AWKWARD, ids=lambda value: getattr(value, "kind", ""))
async def test_a_different_spelling_is_not_drift(
    client: KubeClient, kubectl: Kubectl, namespace: str, resource: Resource, body: dict[str, Any]
) -> None:
    """Defaults, canonical quantities, omitted zeros and folded base64 are not drift in either comparison."""
    world = await _apply(client, kubectl, namespace, resource, body)
    again = await client.apply(world.target, orjson.dumps(world.desired))
    live = await world.live()

    assert world.baseline is not None
    assert projection_hash(again.json()) == projection_hash(live) == world.baseline
    assert await world.drift() == ()
    assert three_way_diff(world.desired, world.desired, live).changes == ()


CASES: list[tuple[str, list[str], str, Any, Any, str]] = [
    ("image", ["set", "image", "deploy/thing", "web=web:2"],
     '.spec.template.spec.containers[name="web"].image', "web:1", "web:2", "kubectl-set"),
    ("scale", ["scale", "deploy/thing", "--replicas=5"], ".spec.replicas", 2, 5, "kubectl"),
    ("label gone", ["label", "deploy", "thing", f"{names.REPOSITORY_LABEL}-"],
     ".metadata.labels", {names.REPOSITORY_LABEL: "shop.web"}, None, ""),
    ("annotation changed", ["annotate", "--overwrite", "deploy", "thing", f"{names.SOURCE_ANNOTATION}=x"],
     ".metadata.annotations.nopea.io/source", "web.yaml#1", "x", "kubectl-annotate"),
    ("annotation added", ["annotate", "deploy", "thing", "acme.example/note=hi"],
     ".metadata.annotations.acme.example/note", None, "hi", "kubectl-annotate"),
    ("restart", ["rollout", "pause", "deploy/thing"], ".spec.paused", None, True, "kubectl-rollout"),
    ("env added", ["set", "env", "deploy/thing", "DEBUG=1"],
     '.spec.template.spec.containers[name="web"].env[name="DEBUG"]', None, {"name": "DEBUG", "value": "1"},
     "kubectl-set"),
    ("env gone", ["set", "env", "deploy/thing", "MODE-"],
     '.spec.template.spec.containers[name="web"].env[name="MODE"]', {"name": "MODE", "value": "on"}, None,
     ""),
]  # fmt: skip


@pytest.mark.parametrize(("command", "path", "from_", "to", "manager"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])  # fmt: skip
async def test_each_kubectl_change_is_one_field(
    client: KubeClient,
    kubectl: Kubectl,
    namespace: str,
    command: list[str],
    path: str,
    from_: Any,
    to: Any,
    manager: str,
) -> None:
    """Each change alters the hash and is reported once, with path, old value, new value and manager."""
    world = await _apply(client, kubectl, namespace, DEPLOYMENTS, _deployment())

    world.run_kubectl(*command)

    assert await world.hash() != world.baseline
    (field,) = await world.drift()
    assert (field.path, field.from_, field.to, field.manager) == (path, from_, to, manager)
    if manager:
        assert field.operation == "Update"
        assert field.subresource == ("scale" if command[0] == "scale" else "")
        assert (field.changed_at is None) == (command[0] == "scale")


async def test_list_items(client: KubeClient, kubectl: Kubectl, namespace: str) -> None:
    """List items that a user adds, removes or changes are one field each, identified by their keys."""
    world = await _apply(client, kubectl, namespace, DEPLOYMENTS, _deployment())
    pod = "/spec/template/spec"

    world.patch(
        [
            {"op": "add", "path": f"{pod}/containers/0", "value": {"name": "debug", "image": "debug:1"}},
            {"op": "remove", "path": f"{pod}/containers/1/ports/1"},
            {"op": "remove", "path": f"{pod}/volumes/1/emptyDir"},
            {"op": "add", "path": f"{pod}/volumes/1/hostPath", "value": {"path": "/"}},
        ],
        kind="json",
    )

    drifted = {field.path: field for field in await world.drift()}
    containers = ".spec.template.spec.containers"
    assert list(drifted) == [
        '.spec.template.spec.volumes[name="scratch"].emptyDir',
        f'{containers}[name="web"].ports[containerPort=53,protocol="UDP"]',
        f'{containers}[name="debug"]',
        '.spec.template.spec.volumes[name="scratch"].hostPath',
    ]
    debug = drifted[f'{containers}[name="debug"]']
    assert (debug.from_, debug.to["image"], debug.manager) == (None, "debug:1", "kubectl-patch")
    assert drifted['.spec.template.spec.volumes[name="scratch"].hostPath'].to == {"path": "/", "type": ""}


async def test_an_atomic_value_is_one_field(client: KubeClient, kubectl: Kubectl, namespace: str) -> None:
    """An atomic list, such as the rules of a Role, is reported as a whole."""
    role = await _apply(client, kubectl, namespace, ROLES, AWKWARD[-1][1])
    role.patch([{"op": "add", "path": "/rules/0/verbs/-", "value": "delete"}], kind="json")
    (rules,) = await role.drift()

    assert (rules.path, rules.manager) == (".rules", "kubectl-patch")
    assert (rules.from_, rules.to[0]["verbs"]) == (role.desired["rules"], ["get", "delete"])


async def test_a_field_inside_an_applied_empty_struct(
    client: KubeClient, kubectl: Kubectl, namespace: str
) -> None:
    """A field that a user sets inside an applied `strategy: {}` is drift, even if Nopea owns the struct."""
    world = await _apply(client, kubectl, namespace, DEPLOYMENTS, _deployment(strategy={}))

    world.patch({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}})

    assert await world.hash() != world.baseline
    (field,) = await world.drift()
    assert (field.path, field.to, field.manager) == (".spec.strategy.type", "Recreate", "kubectl-patch")


async def test_additions_of_controllers_and_control_annotations_are_not_drift(
    client: KubeClient, kubectl: Kubectl, namespace: str
) -> None:
    """Additions of other managers, status and control annotations keep the hash and are not drift."""
    world = await _apply(client, kubectl, namespace, DEPLOYMENTS, _deployment(strategy={}))
    operator = "--field-manager=acme-operator"

    world.patch({"metadata": {"annotations": {"acme.example/injected": "yes"}}}, operator)
    world.patch({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1}}}}, operator)
    world.patch(
        [
            {
                "op": "add",
                "path": "/spec/template/spec/containers/0",
                "value": {"name": "proxy", "image": "proxy:1"},
            }
        ],
        operator,
        kind="json",
    )
    world.run_kubectl("annotate", "deploy", "thing", f"{names.SUSPEND_HEAL_ANNOTATION}=true")
    world.patch({"status": {"observedGeneration": 7}}, "--subresource=status")

    assert await world.hash() == world.baseline
    assert await world.drift() == ()
    live = await world.live()
    assert three_way_diff(world.desired, world.desired, live).verdict is DriftKind.NO_DRIFT


async def test_a_controller_that_changes_a_declared_field(
    client: KubeClient, kubectl: Kubectl, namespace: str
) -> None:
    """A change to a declared field is drift, unless a rule ignores the field or the manager."""
    world = await _apply(client, kubectl, namespace, DEPLOYMENTS, _deployment())

    world.patch({"spec": {"replicas": 9}}, "--field-manager=acme-scaler")

    (field,) = await world.drift()
    assert (field.path, field.manager, field.to) == (".spec.replicas", "acme-scaler", 9)
    assert await world.drift(IgnoreRules(managers=("acme-scaler",))) == ()
    by_pointer = IgnoreRules(pointers=("/spec/replicas",))
    assert await world.drift(by_pointer) == ()
    before = (await client.apply(world.target, orjson.dumps(world.desired))).json()
    world.patch({"spec": {"replicas": 9}}, "--field-manager=acme-scaler")
    assert await world.hash(rules=by_pointer) == projection_hash(before, rules=by_pointer)


async def test_kubectl_apply_of_the_same_and_of_other_fields(
    client: KubeClient, kubectl: Kubectl, namespace: str
) -> None:
    """A kubectl apply of the same manifest is not drift; other values and additional fields are."""
    world = await _apply(client, kubectl, namespace, CONFIG_MAPS, {"data": {"color": "red"}})
    kubectl("apply", "-f", "-", stdin=json.dumps(world.desired))
    assert await world.hash() == world.baseline
    assert await world.drift() == ()

    kubectl("apply", "-f", "-", stdin=json.dumps({**world.desired, "data": {"color": "blue", "size": "big"}}))

    drifted = [(field.path, field.from_, field.to, field.manager) for field in await world.drift()]
    assert drifted == [
        (".data.color", "red", "blue", "kubectl-client-side-apply"),
        (".data.size", None, "big", "kubectl-client-side-apply"),
    ]


async def test_server_side_apply_by_another_manager(
    client: KubeClient, kubectl: Kubectl, namespace: str
) -> None:
    """Applying the same value as another manager is not drift; forcing a different one is."""
    world = await _apply(client, kubectl, namespace, CONFIG_MAPS, {"data": {"color": "red", "size": "big"}})
    head = {key: world.desired[key] for key in ("apiVersion", "kind")}
    metadata = {"name": "thing", "namespace": namespace}

    def apply(**data: str) -> None:
        manifest = {**head, "metadata": metadata, "data": data}
        arguments = ["--server-side", "--force-conflicts", "--field-manager=acme-tool", "-f", "-"]
        kubectl("apply", *arguments, stdin=json.dumps(manifest))

    apply(color="red")
    assert await world.hash() == world.baseline
    assert await world.drift() == ()

    apply(color="blue")
    (field,) = await world.drift()
    assert (field.path, field.to, field.manager, field.operation) == (
        ".data.color", "blue", "acme-tool", "Apply",
    )  # fmt: skip


async def test_changed_and_changed_back(client: KubeClient, kubectl: Kubectl, namespace: str) -> None:
    """A value that a user changed and changed back has another owner: it is reported with equal values."""
    world = await _apply(client, kubectl, namespace, CONFIG_MAPS, {"data": {"color": "red"}})
    world.patch({"data": {"color": "blue"}})
    world.patch({"data": {"color": "red"}})

    assert await world.hash() != world.baseline
    (field,) = await world.drift()
    assert (field.from_, field.to, field.manager) == ("red", "red", "kubectl-patch")


async def test_recreated_by_a_user(client: KubeClient, kubectl: Kubectl, namespace: str) -> None:
    """An object that a user recreated has no entry of Nopea: only differences are reported."""
    world = await _apply(client, kubectl, namespace, CONFIG_MAPS, {"data": {"color": "red", "size": "big"}})
    world.run_kubectl("delete", "configmap", "thing")
    world.run_kubectl("create", "configmap", "thing", "--from-literal=color=red", "--from-literal=size=small")

    assert await world.hash() is None
    drifted = {field.path: (field.from_, field.to, field.manager) for field in await world.drift()}
    assert drifted[".data.size"] == ("big", "small", "kubectl-create")
    assert ".data.color" not in drifted
    assert ".metadata.labels" in drifted


async def test_healing_restores_the_baseline(client: KubeClient, kubectl: Kubectl, namespace: str) -> None:
    """After drift and another apply, the hash is the baseline, whatever else is in managedFields."""
    world = await _apply(client, kubectl, namespace, DEPLOYMENTS, _deployment())
    world.patch({"spec": {"replicas": 9, "template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}})
    assert {field.path for field in await world.drift()} == {
        ".spec.replicas", ".spec.template.spec.nodeSelector",
    }  # fmt: skip

    healed = await client.apply(world.target, orjson.dumps(world.desired))

    assert projection_hash(healed.json()) == world.baseline
    assert await world.drift() == ()


async def test_a_custom_resource(lab: Lab, client: KubeClient, kubectl: Kubectl, namespace: str) -> None:
    """Lists follow their definition: they are merged by keys if it names them, and are atomic otherwise."""
    group = f"{secrets.token_hex(4)}.acme.example"
    lab.define([_definition(group)])
    shops = Resource(group=group, version="v1", kind="Shop", plural="shops", namespaced=True)
    spec = {
        "open": False,
        "issuer": {},
        "doors": [{"id": 1, "color": "red"}, {"id": 2, "color": "green"}],
        "shelves": [{"id": 1, "size": "1.0"}],
    }
    world = await _apply(client, kubectl, namespace, shops, {"spec": spec})
    assert await world.drift() == ()
    assert three_way_diff(world.desired, world.desired, await world.live()).changes == ()

    world.patch(
        [
            {"op": "replace", "path": "/spec/doors/1/color", "value": "blue"},
            {"op": "replace", "path": "/spec/shelves/0/size", "value": "1"},
            {"op": "remove", "path": "/spec/issuer"},
            {"op": "remove", "path": "/spec/open"},
        ],
        kind="json",
    )

    drifted = {field.path: (field.from_, field.to) for field in await world.drift()}
    assert drifted == {
        ".spec.doors[id=2].color": ("green", "blue"),
        ".spec.shelves": ([{"id": 1, "size": "1.0"}], [{"id": 1, "size": "1", "kind": "plain"}]),
        ".spec.issuer": ({}, None),
        ".spec.open": (False, None),
    }


def _definition(group: str) -> dict[str, Any]:
    item = {
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "integer"},
            "color": {"type": "string"},
            "size": {"type": "string"},
            "kind": {"type": "string", "default": "plain"},
        },
    }
    doors = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["id"],
        "items": item,
    }
    properties = {
        "open": {"type": "boolean"},
        "issuer": {"type": "object", "properties": {"name": {"type": "string"}}},
        "doors": doors,
        "shelves": {"type": "array", "items": item},
    }
    spec = {"type": "object", "properties": properties}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"shops.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Shop", "plural": "shops"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
