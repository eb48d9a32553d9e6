"""What a rendering gets from the cluster: keys, variables, values, and what it can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nopea.core.api.spec import GitRepositorySpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What templates may know: a version such as `v1.36.0`, and `apps/v1` and `apps/v1/Deployment`, sorted.

    Empty where no cluster was asked: then the renderer's own defaults count.
    """

    kube_version: str = ""
    api_versions: tuple[str, ...] = ()


UNKNOWN = Capabilities()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderInputs:
    """Private keys, merged variables (None: nothing is substituted), and values of charts in YAML.

    Nothing in it prints. The name of each text of values says where it is from. With `private`, variables
    are from Secrets: what libraries say of them is not told.
    """

    age: tuple[str, ...] = field(default=(), repr=False)
    pgp: tuple[str, ...] = field(default=(), repr=False)
    variables: Mapping[str, str] | None = field(default=None, repr=False)
    private: bool = False
    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)


NO_INPUTS = RenderInputs()


def refers_to_cluster(spec: GitRepositorySpec) -> bool:
    """Return whether the rendering depends on ConfigMaps or Secrets, which may change without a commit."""
    has_values = spec.helm is not None and bool(spec.helm.values_from)
    return has_values or spec.decryption is not None or bool(spec.substitute_from)


def transforms(spec: GitRepositorySpec) -> bool:
    """Return whether plain manifests go through the renderer too."""
    options = (spec.decryption, spec.substitute, spec.kustomize)
    return any(option is not None for option in options) or bool(spec.substitute_from)
