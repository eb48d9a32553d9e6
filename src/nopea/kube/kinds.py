"""Where desired objects are in the API: between the core's endpoints and the client's resources."""

from __future__ import annotations

from nopea.core.api import names
from nopea.core.manifests.render import Desired, Endpoint, Scope
from nopea.core.objects import RepoKey
from nopea.kube.resource import Resource, Target

GIT_REPOSITORIES = Resource(
    group=names.GROUP, version=names.VERSION, kind=names.KIND, plural=names.PLURAL, namespaced=True
)
DEFINITIONS = Resource(
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    namespaced=False,
)
INVENTORIES = Resource(
    group=names.GROUP,
    version=names.VERSION,
    kind=names.INVENTORY_KIND,
    plural=names.INVENTORY_PLURAL,
    namespaced=True,
)
PODS = Resource(group="", version="v1", kind="Pod", plural="pods", namespaced=True)
SECRETS = Resource(group="", version="v1", kind="Secret", plural="secrets", namespaced=True)


def repository_target(key: RepoKey) -> Target:
    """Return the place of a GitRepository."""
    return GIT_REPOSITORIES.at(name=key.name, namespace=key.namespace)


def resource_of(endpoint: Endpoint) -> Resource:
    """Return the client's view of an endpoint."""
    return Resource(
        group=endpoint.group,
        version=endpoint.version,
        kind=endpoint.kind,
        plural=endpoint.plural,
        namespaced=endpoint.scope is Scope.NAMESPACED,
    )


def endpoint_of(resource: Resource) -> Endpoint:
    """Return the core's view of a served resource."""
    return Endpoint(
        group=resource.group,
        version=resource.version,
        kind=resource.kind,
        plural=resource.plural,
        scope=Scope.NAMESPACED if resource.namespaced else Scope.CLUSTER,
    )


def target_of(desired: Desired) -> Target:
    """Return the place of a desired object; raises InvalidError for a name that no path can hold."""
    return resource_of(desired.endpoint).at(name=desired.key.name, namespace=desired.key.namespace)
