"""Small objects for the tests, as JSON."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from nopea.core.objects import Resource
from nopea.kube.discovery import Discovery
from nopea.kube.errors import UnknownKindError

CONFIG_MAPS = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)
SECRETS = Resource(group="", version="v1", kind="Secret", plural="secrets", namespaced=True)
SERVICES = Resource(group="", version="v1", kind="Service", plural="services", namespaced=True)
NAMESPACES = Resource(group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False)
DEPLOYMENTS = Resource(group="apps", version="v1", kind="Deployment", plural="deployments", namespaced=True)
WIDGETS = Resource(group="shop.example.com", version="v1", kind="Widget", plural="widgets", namespaced=True)


def config_map(name: str, *, labels: dict[str, str] | None = None, **data: str) -> bytes:
    """Return a ConfigMap."""
    metadata = {"name": name, "labels": labels or {}}
    return orjson.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def deployment(name: str, *, app: str, **extra: Any) -> bytes:
    """Return a Deployment whose selector and Pods carry the label `app`."""
    pod = {"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    spec = {"selector": {"matchLabels": {"app": app}}, "template": pod, **extra}
    return orjson.dumps(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
    )


def widget_definition(group: str) -> bytes:
    """Return the CustomResourceDefinition of a Widget with a status subresource in the given group."""
    field = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": field, "status": field}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    return orjson.dumps(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"widgets.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"kind": "Widget", "plural": "widgets"},
                "versions": [version],
            },
        }
    )


async def served_soon(discovery: Discovery, api_version: str, kind: str) -> Resource:
    """Wait until a newly applied definition is served and return its resource; callers set a deadline."""
    while True:
        discovery.invalidate()
        try:
            return await discovery.find(api_version, kind)
        except UnknownKindError:
            await asyncio.sleep(0.1)
