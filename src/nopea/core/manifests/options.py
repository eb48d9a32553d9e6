"""What the renderer is asked to do with a folder, as its requests carry it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from nopea.core.api.helm import Helm
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.manifests.inputs import Capabilities, RenderInputs
from nopea.core.manifests.tool import Tool
from nopea.core.objects import RepoKey


def render_options(
    spec: GitRepositorySpec, owner: RepoKey, tool: Tool, inputs: RenderInputs, known: Capabilities
) -> dict[str, Any]:
    """Return what is asked for a folder of Kustomize, or for a chart, which may know the cluster."""
    options = transformation(inputs)
    if tool is Tool.KUSTOMIZE:
        if spec.kustomize is not None:
            options["kustomize"] = msgspec.to_builtins(spec.kustomize)
        return options
    helm = spec.helm or Helm()
    options["helm"] = {
        "releaseName": helm.release_name or owner.name,
        "namespace": spec.target_namespace or owner.namespace,
        "values": helm.values or {},
        "valuesFiles": [*helm.values_files, *inputs.values],
        "includeCRDs": helm.include_crds,
        "kubeVersion": helm.kube_version or known.kube_version,
        "apiVersions": [*known.api_versions, *helm.api_versions],
    }
    return options


def transformation(inputs: RenderInputs) -> dict[str, Any]:
    """Return what is asked for folders of all kinds: to decrypt, and to replace variables."""
    options: dict[str, Any] = {}
    if inputs.decrypts:
        options["decryption"] = {"age": list(inputs.age), "pgp": list(inputs.pgp)}
    if inputs.variables is not None:
        options["substitute"] = {"vars": dict(inputs.variables)}
    if inputs.private:
        options["private"] = True
    return options


def digest_of(options: Mapping[str, Any], inputs: RenderInputs) -> bytes:
    """Return a digest of all that a rendering depends on beside files: who keeps it keeps no keys."""
    return hashlib.sha256(msgspec.msgpack.encode((options, inputs.values))).digest()
