"""Names of things in a cluster: repositories, kinds and objects. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class RepoKey:
    """Namespace and name of a GitRepository; prints as `shop/web`."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def arguments(self) -> str:
        """It as a command takes it, so that an advice can be pasted: `web -n shop`."""
        return f"{self.name} -n {self.namespace}"


@dataclass(frozen=True, slots=True, order=True)
class GroupKind:
    """A kind and its API group (empty for the core group); prints as `apps/Deployment` or `Service`."""

    group: str
    kind: str

    def __str__(self) -> str:
        return f"{self.group}/{self.kind}" if self.group else self.kind


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """Identity of an object, whatever version serves it; `namespace` is empty for cluster-scoped ones.

    Prints as `apps/Deployment shop/web` or `Namespace shop`.
    """

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def group_kind(self) -> GroupKind:
        """The kind with its group."""
        return GroupKind(self.group, self.kind)

    def __str__(self) -> str:
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.group_kind} {where}"


def split_api_version(api_version: str) -> tuple[str, str]:
    """Split `apps/v1` into `("apps", "v1")` and `v1` into `("", "v1")`."""
    group, _, version = api_version.rpartition("/")
    return group, version
