"""The identities of things in a cluster: repositories, kinds, served resources and objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True, order=True)
class RepoKey:
    """Namespace and name of a GitRepository; prints as `shop/web`."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def arguments(self) -> str:
        """The arguments of a command about it, for hints that can be pasted: `web -n shop`."""
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
    """Identity of an object in any version; `namespace` is empty for cluster-scoped objects.

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


def parse_key(text: str) -> ObjectKey | None:
    """Read a printed object key (`apps/Deployment shop/web`); None for anything else."""
    kind_text, separator, where = text.partition(" ")
    if not separator or not kind_text or not where or " " in where:
        return None
    group, _, kind = kind_text.rpartition("/")
    namespace, slash, name = where.partition("/")
    if not slash:
        namespace, name = "", where
    return ObjectKey(group, kind, namespace, name) if kind and name and "/" not in name else None


NAMESPACE: Final = GroupKind("", "Namespace")
SECRET: Final = GroupKind("", "Secret")
VOLUME_CLAIM: Final = GroupKind("", "PersistentVolumeClaim")
CUSTOM_RESOURCE_DEFINITION: Final = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")

PROTECTED_KINDS: Final = frozenset((NAMESPACE, VOLUME_CLAIM, CUSTOM_RESOURCE_DEFINITION))
"""Deleting one deletes more than the object: its content, all objects of the kind, the data."""


def split_api_version(api_version: str) -> tuple[str, str]:
    """Split `apps/v1` into `("apps", "v1")` and `v1` into `("", "v1")`."""
    group, _, version = api_version.rpartition("/")
    return group, version


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind as served in one version; `plural` is its name in URLs. Prints as `deployments.apps/v1`.

    `verbs` and `aliases` come from discovery; both are empty for a resource that is a constant. `aliases` are
    the singular and the short names that kubectl understands.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()
    aliases: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def api_version(self) -> str:
        """The apiVersion of its objects: `apps/v1`, or `v1` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_plural(self) -> str:
        """Its name for kubectl and in rules: `deployments.apps`, or `pods` in the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def group_kind(self) -> GroupKind:
        """The kind without its version."""
        return GroupKind(self.group, self.kind)

    def at(self, *, name: str, namespace: str = "") -> Target:
        """Return the target of one object; its name is checked when the request is built."""
        return Target(resource=self, name=name, namespace=namespace)

    def __str__(self) -> str:
        return f"{self.full_plural}/{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One object in one version; made by `Resource.at`. Prints as `deployments.apps/v1 shop/web`."""

    resource: Resource
    name: str
    namespace: str

    @property
    def key(self) -> ObjectKey:
        """The identity of the object, which may not exist yet."""
        return ObjectKey(self.resource.group, self.resource.kind, self.namespace, self.name)

    def __str__(self) -> str:
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.resource} {where}"
