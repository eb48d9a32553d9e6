"""Small, valid manifests for the repositories under test."""

from __future__ import annotations

from typing import Any

import yaml

Manifest = dict[str, Any]


def text(*objects: Manifest) -> str:
    """Return the objects as the documents of one YAML file."""
    return yaml.safe_dump_all(objects, sort_keys=False)


def config_map(name: str, *, namespace: str = "", **data: str) -> Manifest:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _named(name, namespace), "data": data}


def secret(name: str, **data: str) -> Manifest:
    """Return a Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": _named(name), "stringData": data}


def namespace(name: str) -> Manifest:
    """Return a Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": _named(name)}


def deployment(name: str, *, image: str = "registry.example/web:1", app: str = "web") -> Manifest:
    """Return a Deployment of one replica whose pods are selected by the label `app`."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _named(name),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": app}},
            "template": {
                "metadata": {"labels": {"app": app}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    }


def crashing(name: str) -> Manifest:
    """Return a Deployment whose container ends at once, again and again, on the lab's nodes."""
    made = deployment(name, app=name)
    template = made["spec"]["template"]["metadata"]
    template["labels"]["lab.nopea.io/behaviour"] = "crash"
    template["annotations"] = {"lab.nopea.io/behaviour": "crash"}
    return made


def service(name: str, *, port: int = 80) -> Manifest:
    """Return a Service."""
    spec = {"selector": {"app": "web"}, "ports": [{"name": "http", "port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _named(name), "spec": spec}


def definition(kind: str, *, group: str, scope: str = "Namespaced") -> Manifest:
    """Return a CustomResourceDefinition of version v1 whose spec may hold anything."""
    singular, plural = kind.lower(), f"{kind.lower()}s"
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": _named(f"{plural}.{group}"),
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": kind, "plural": plural, "singular": singular, "listKind": f"{kind}List"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


def custom(kind: str, name: str, *, group: str, namespace: str = "", **spec: Any) -> Manifest:
    """Return an object of a kind that `definition` defines."""
    return {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "metadata": _named(name, namespace),
        "spec": spec,
    }


def role(name: str, *, resources: tuple[str, ...], verbs: tuple[str, ...] = ("*",)) -> Manifest:
    """Return a Role for resources of the core group."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": _named(name),
        "rules": [{"apiGroups": [""], "resources": list(resources), "verbs": list(verbs)}],
    }


def role_binding(name: str, *, role: str, account: str, namespace: str) -> Manifest:
    """Return a RoleBinding that grants a Role of its namespace to a service account of a namespace."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": _named(name),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }


def service_account(name: str) -> Manifest:
    """Return a ServiceAccount."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _named(name)}


def job(name: str, *, image: str = "registry.example/migrate:1") -> Manifest:
    """Return a Job."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "migrate", "image": image}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _named(name),
        "spec": {"template": {"spec": pod}},
    }


def claim(name: str, *, size: str = "1Gi", storage_class: str = "fast") -> Manifest:
    """Return a PersistentVolumeClaim."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _named(name),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": size}},
        },
    }


def webhook_configuration(name: str, *, namespace: str) -> Manifest:
    """Return a ValidatingWebhookConfiguration for a kind that does not exist, so that it blocks nothing."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": _named(name),
        "webhooks": [
            {
                "name": "check.acme.example",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Ignore",
                "clientConfig": {"service": {"name": "web", "namespace": namespace}},
                "rules": [
                    {
                        "apiGroups": ["nobody.acme.example"],
                        "apiVersions": ["v1"],
                        "resources": ["nothings"],
                        "operations": ["CREATE"],
                    }
                ],
            }
        ],
    }


def annotated(manifest: Manifest, **annotations: str) -> Manifest:
    """Return the manifest with annotations of nopea.io: `wave="1"` is `nopea.io/wave: "1"`."""
    named = {f"nopea.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": named}}


def _named(name: str, namespace: str = "") -> dict[str, str]:
    return {"name": name, **({"namespace": namespace} if namespace else {})}
