"""What Git may not declare with Nopea's own rights: the kinds that Nopea writes for itself.

The controller may patch every GitRepository, because it writes their status. Without this check, whoever may
push could change any of them, and so act as any service account that one of them names.
"""

from __future__ import annotations

from nopea.core.api import names
from nopea.core.manifests.render import Desired
from nopea.core.objects import GroupKind
from nopea.core.problem import Code, Problem
from nopea.kube.access import may
from nopea.kube.client import KubeClient

_OWN_KINDS = frozenset(
    {
        GroupKind(names.GROUP, names.KIND),
        GroupKind(names.GROUP, names.INVENTORY_KIND),
        GroupKind("events.k8s.io", "Event"),
        GroupKind("", "Event"),
    }
)
_VERB = "update"
"""No role in deploy/ but cluster-admin grants it on these kinds, so it tells the two apart."""


class OwnKinds:
    """Asks about each kind and namespace once; make one for each sync."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._allowed: dict[tuple[GroupKind, str], bool] = {}

    async def problem_of(self, one: Desired) -> Problem | None:
        """Return why an object may not be written with Nopea's own rights; raises ApiError."""
        place = one.key.group_kind, one.key.namespace
        if one.key.group_kind not in _OWN_KINDS:
            return None
        if place not in self._allowed:
            self._allowed[place] = await may(
                self._client, _VERB, one.target.resource, namespace=one.key.namespace
            )
        return None if self._allowed[place] else _refused(one)


def _refused(one: Desired) -> Problem:
    return Problem(
        code=Code.FORBIDDEN,
        message=f"Git may not write {one.key.kind} objects with Nopea's own rights.",
        hint="Set spec.serviceAccountName to a service account that may write them in "
        f"namespace {one.key.namespace}.",
        source=one.source,
        object=str(one.key),
    )
