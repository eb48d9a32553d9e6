"""Ask the API server what a caller may do; it decides by all of its authorizers, not by roles alone."""

from __future__ import annotations

import msgspec

from nopea.core.objects import Resource
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiFailure, ServerError
from nopea.kube.kinds import ACCESS_REVIEWS


class _ReviewStatus(msgspec.Struct):
    allowed: bool = False


class _Review(msgspec.Struct):
    status: _ReviewStatus


async def may(client: KubeClient, verb: str, resource: Resource, *, namespace: str = "") -> bool:
    """Return whether the caller may do that to objects of a kind; without a namespace, cluster-wide.

    Raises ApiError.
    """
    attributes = {"verb": verb, "group": resource.group, "resource": resource.plural, "namespace": namespace}
    answer = await client.review(
        msgspec.json.encode(
            {
                "apiVersion": ACCESS_REVIEWS.api_version,
                "kind": ACCESS_REVIEWS.kind,
                "spec": {"resourceAttributes": attributes},
            }
        )
    )
    try:
        return msgspec.json.decode(answer, type=_Review).status.allowed
    except msgspec.MsgspecError as error:
        failure = ApiFailure(code=0, reason="", message="the answer to an access review cannot be read")
        raise ServerError(failure) from error
