"""Ask the API server what somebody may do; it decides by all of its authorizers, not by roles alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from nopea.core.objects import Resource
from nopea.kube.client import KubeClient, ServiceAccount
from nopea.kube.errors import ApiFailure, ServerError
from nopea.kube.kinds import ACCESS_REVIEWS, SUBJECT_REVIEWS


class _ReviewStatus(msgspec.Struct):
    allowed: bool = False


class _Review(msgspec.Struct):
    status: _ReviewStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One verb on objects of a kind; without a namespace in all of them, without a name on all objects.

    `resource` is the plural, with a subresource after a slash.
    """

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    def attributes(self) -> dict[str, str]:
        """Return the attributes of an access review."""
        plural, _, subresource = self.resource.partition("/")
        found = {
            "verb": self.verb, "group": self.group, "resource": plural, "subresource": subresource,
            "namespace": self.namespace, "name": self.name,
        }  # fmt: skip
        return {key: value for key, value in found.items() if value or key in ("group", "namespace")}


async def may(client: KubeClient, verb: str, resource: Resource, *, namespace: str = "") -> bool:
    """Return whether the caller may do that to objects of a kind; without a namespace, cluster-wide.

    Raises ApiError.
    """
    access = Permission(verb=verb, group=resource.group, resource=resource.plural, namespace=namespace)
    return await is_allowed(client, access)


async def is_allowed(client: KubeClient, access: Permission, *, to: ServiceAccount | None = None) -> bool:
    """Return whether the caller may do that, or a service account; raises ApiError.

    To ask about an account, the caller must be allowed to create SubjectAccessReviews.
    """
    resource = ACCESS_REVIEWS if to is None else SUBJECT_REVIEWS
    spec: dict[str, Any] = {"resourceAttributes": access.attributes()}
    if to is not None:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{to.namespace}", "system:authenticated")
        spec |= {"user": str(to), "groups": groups}
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "spec": spec}
    answer = await client.review(msgspec.json.encode(body), of=resource)
    try:
        return msgspec.json.decode(answer, type=_Review).status.allowed
    except msgspec.MsgspecError as error:
        failure = ApiFailure(code=0, reason="", message="the answer to an access review cannot be read")
        raise ServerError(failure) from error
