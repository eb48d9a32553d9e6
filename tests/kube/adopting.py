"""A person with kubectl, and Nopea beside: what the tests of adoption do, and small manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from tests.kube.objects import DEPLOYMENTS

from nopea.core.apply.adoption import adopt
from nopea.core.apply.projection import LAST_APPLIED
from nopea.core.objects import Resource, Target
from nopea.kube.client import KubeClient
from nopea.kube.errors import ConflictError
from nopea.kube.requests import PatchKind
from nopea_lab.kubectl import Kubectl


@dataclass(frozen=True)
class World:
    """A namespace, a person's kubectl in it, and Nopea's client."""

    client: KubeClient
    kubectl: Kubectl
    namespace: str

    def run(self, *arguments: str, stdin: Mapping[str, Any] | None = None) -> str:
        """Do something as a person."""
        text = None if stdin is None else orjson.dumps(stdin).decode()
        return self.kubectl(f"--namespace={self.namespace}", *arguments, stdin=text)

    def at(self, resource: Resource, name: str) -> Target:
        """Name an object of the namespace."""
        return resource.at(name=name, namespace=self.namespace)

    async def get(self, target: Target) -> dict[str, Any]:
        """Read it."""
        return (await self.client.get(target)).json()

    async def adopt(self, target: Target) -> dict[str, Any]:
        """Take it over, which changes nothing else and leaves nothing to take over; return it as stored."""
        for _ in range(20):
            before = await self.get(target)
            patch = adopt(before)
            assert patch is not None
            try:
                after = (await self.client.patch(target, patch, kind=PatchKind.JSON)).json()
            except ConflictError:  # a controller was faster
                continue
            assert adopt(after) is None
            assert without_bookkeeping(after) == without_bookkeeping(before)
            if not (
                target.resource is DEPLOYMENTS and LAST_APPLIED in before["metadata"].get("annotations", {})
            ):
                # a Deployment's generation counts its annotations too
                assert after["metadata"].get("generation") == before["metadata"].get("generation")
            return after
        raise AssertionError(f"{target} never holds still")

    async def adopt_and_apply(self, target: Target, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Take an object over, then apply Git's manifest once; return it as stored."""
        before = await self.adopt(target)
        after = (await self.client.apply(target, orjson.dumps(manifest))).json()
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert adopt(after) is None
        return after


def without_bookkeeping(live: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object less what adoption may change, and less status, which controllers write meanwhile."""
    metadata = {
        key: value
        for key, value in live["metadata"].items()
        if key not in ("managedFields", "resourceVersion", "generation", "annotations")
    }
    annotations = {
        key: value
        for key, value in (live["metadata"].get("annotations") or {}).items()
        if key != LAST_APPLIED and not key.startswith("deployment.kubernetes.io/")
    }
    rest = {key: value for key, value in live.items() if key not in ("metadata", "status")}
    return {**rest, "metadata": {**metadata, "annotations": annotations}}


def config_map(name: str, data: Mapping[str, str], **metadata: Any) -> dict[str, Any]:
    """Return a ConfigMap's manifest."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data}


def managers(live: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """Return who claims something: manager, operation, subresource."""
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", ""))
        for entry in live["metadata"]["managedFields"]
    }


def deployment(*, template_annotations: Mapping[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a Deployment's manifest."""
    labels = {"app": "web"}
    metadata = {"labels": labels, **({"annotations": template_annotations} if template_annotations else {})}
    template = {"metadata": metadata, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def service(**spec: Any) -> dict[str, Any]:
    """Return the manifest of a Service with a node port that the API server chooses."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"type": "NodePort", "ports": [{"port": 80}], **spec},
    }


def labels_and_notes(live: Mapping[str, Any]) -> dict[str, Any]:
    """Return labels and annotations, less those of controllers."""
    metadata = without_bookkeeping(live)["metadata"]
    return {"labels": metadata.get("labels"), "annotations": metadata["annotations"]}
