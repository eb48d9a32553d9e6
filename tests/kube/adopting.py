"""A user's kubectl and Nopea's client: the steps of the adoption tests, and small manifests."""

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
    """A namespace, a user's kubectl for it, and Nopea's client."""

    client: KubeClient
    kubectl: Kubectl
    namespace: str

    def run(self, *arguments: str, stdin: Mapping[str, Any] | None = None) -> str:
        """Run kubectl as a user."""
        text = None if stdin is None else orjson.dumps(stdin).decode()
        return self.kubectl(f"--namespace={self.namespace}", *arguments, stdin=text)

    def at(self, resource: Resource, name: str) -> Target:
        """Return the target of an object in the namespace."""
        return resource.at(name=name, namespace=self.namespace)

    async def get(self, target: Target) -> dict[str, Any]:
        """Return the live object."""
        return (await self.client.get(target)).json()

    async def adopt(self, target: Target) -> dict[str, Any]:
        """Adopt the object and return it; assert that nothing else changes and nothing is left to adopt."""
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
        """Adopt an object, then apply Git's manifest once; return the stored object."""
        before = await self.adopt(target)
        after = (await self.client.apply(target, orjson.dumps(manifest))).json()
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert adopt(after) is None
        return after


def without_bookkeeping(live: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without what adoption may change and without status, which controllers write."""
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
    """Return the manager, operation and subresource of each managedFields entry."""
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
    """Return labels and annotations, without those of controllers."""
    metadata = without_bookkeeping(live)["metadata"]
    return {"labels": metadata.get("labels"), "annotations": metadata["annotations"]}
