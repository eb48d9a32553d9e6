"""Ask the API server who somebody is and what they may do; it decides by all of its authorizers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from nopea.core.objects import Resource
from nopea.core.secret import Secret
from nopea.kube.client import KubeClient, ServiceAccount
from nopea.kube.errors import ApiFailure, ServerError
from nopea.kube.kinds import ACCESS_REVIEWS, SUBJECT_REVIEWS, TOKEN_REVIEWS

T = TypeVar("T")


class ClusterUser(msgspec.Struct, frozen=True):
    """Who somebody is to the cluster."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}

    @classmethod
    def of_account(cls, account: ServiceAccount) -> ClusterUser:
        """Return a service account, with the groups that the API server gives it."""
        namespace = account.namespace
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return cls(username=str(account), groups=groups)


class _ReviewStatus(msgspec.Struct):
    allowed: bool = False


class _Review(msgspec.Struct):
    status: _ReviewStatus


class _TokenStatus(msgspec.Struct):
    authenticated: bool = False
    user: ClusterUser = ClusterUser()


class _TokenReview(msgspec.Struct):
    status: _TokenStatus


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


async def is_allowed(
    client: KubeClient, access: Permission, *, to: ServiceAccount | ClusterUser | None = None
) -> bool:
    """Return whether the caller may do that, or somebody else; raises ApiError.

    To ask about others, the caller must be allowed to create SubjectAccessReviews.
    """
    resource = ACCESS_REVIEWS if to is None else SUBJECT_REVIEWS
    spec: dict[str, Any] = {"resourceAttributes": access.attributes()}
    if to is not None:
        user = ClusterUser.of_account(to) if isinstance(to, ServiceAccount) else to
        spec |= {"user": user.username, "uid": user.uid, "groups": user.groups, "extra": user.extra}
    return _read(await client.review(_body(resource, spec), of=resource), _Review).status.allowed


async def user_of(client: KubeClient, token: Secret) -> ClusterUser | None:
    """Return who the bearer of a token is; None for a token that the cluster does not accept.

    The caller must be allowed to create TokenReviews. Raises ApiError.
    """
    body = _body(TOKEN_REVIEWS, {"token": token.reveal().decode("ascii")})
    status = _read(await client.review(body, of=TOKEN_REVIEWS), _TokenReview).status
    return status.user if status.authenticated and status.user.username else None


def _body(resource: Resource, spec: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"apiVersion": resource.api_version, "kind": resource.kind, "spec": spec})


def _read(answer: bytes, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(answer, type=type_)
    except msgspec.MsgspecError as error:
        failure = ApiFailure(code=0, reason="", message="the answer to a review cannot be read")
        raise ServerError(failure) from error
