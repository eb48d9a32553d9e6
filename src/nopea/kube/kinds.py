"""The resources that Nopea itself reads and writes, whatever repositories declare."""

from __future__ import annotations

from nopea.core.api import names
from nopea.core.objects import RepoKey, Resource, Target

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
LEASES = Resource(group="coordination.k8s.io", version="v1", kind="Lease", plural="leases", namespaced=True)
ACCESS_REVIEWS = Resource(
    group="authorization.k8s.io",
    version="v1",
    kind="SelfSubjectAccessReview",
    plural="selfsubjectaccessreviews",
    namespaced=False,
)
TOKEN_REVIEWS = Resource(
    group="authentication.k8s.io",
    version="v1",
    kind="TokenReview",
    plural="tokenreviews",
    namespaced=False,
)
SUBJECT_REVIEWS = Resource(
    group="authorization.k8s.io",
    version="v1",
    kind="SubjectAccessReview",
    plural="subjectaccessreviews",
    namespaced=False,
)
DEPLOYMENTS = Resource(group="apps", version="v1", kind="Deployment", plural="deployments", namespaced=True)
CLUSTER_ROLE_BINDINGS = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRoleBinding",
    plural="clusterrolebindings",
    namespaced=False,
)
ROLE_BINDINGS = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="RoleBinding",
    plural="rolebindings",
    namespaced=True,
)
NAMESPACES = Resource(group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False)
SERVICE_ACCOUNTS = Resource(
    group="", version="v1", kind="ServiceAccount", plural="serviceaccounts", namespaced=True
)
PODS = Resource(group="", version="v1", kind="Pod", plural="pods", namespaced=True)
SERVICES = Resource(group="", version="v1", kind="Service", plural="services", namespaced=True)
ENDPOINT_SLICES = Resource(
    group="discovery.k8s.io", version="v1", kind="EndpointSlice", plural="endpointslices", namespaced=True
)
CONFIG_MAPS = Resource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True)
VALIDATING_WEBHOOKS = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingWebhookConfiguration",
    plural="validatingwebhookconfigurations",
    namespaced=False,
)
SECRETS = Resource(group="", version="v1", kind="Secret", plural="secrets", namespaced=True)


def repository_target(key: RepoKey) -> Target:
    """Return the target of a GitRepository."""
    return GIT_REPOSITORIES.at(name=key.name, namespace=key.namespace)
