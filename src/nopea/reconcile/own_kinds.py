"""What Git may not declare with Nopea's own rights: the kinds that Nopea writes for itself.

The controller may patch every GitRepository, because it writes their status. Without this check, whoever may
push could change any of them, and so act as any service account that one of them names.
"""

from __future__ import annotations

from collections.abc import Iterable

from nopea.core.api import names
from nopea.core.manifests.render import Desired
from nopea.core.objects import GroupKind
from nopea.core.problem import Code, Problem, TransientError
from nopea.kube.access import may
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError
from nopea.kube.problems import to_problem

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


async def refuse_own_kinds(
    client: KubeClient, desired: Iterable[Desired]
) -> tuple[list[Desired], list[Problem]]:
    """Return what may be written as Nopea, and a problem for each object that may not.

    Raises TransientError if the API server does not say which.
    """
    allowed: dict[tuple[GroupKind, str], bool] = {}
    kept, problems = [], []
    for one in desired:
        place = one.key.group_kind, one.key.namespace
        if one.key.group_kind in _OWN_KINDS and place not in allowed:
            try:
                allowed[place] = await may(client, _VERB, one.target.resource, namespace=one.key.namespace)
            except ApiError as error:
                raise TransientError(to_problem(error, object=str(one.key))) from error
        if allowed.get(place, True):
            kept.append(one)
        else:
            problems.append(_refused(one))
    return kept, problems


def _refused(one: Desired) -> Problem:
    return Problem(
        code=Code.FORBIDDEN,
        message=f"Git may not write {one.key.kind} objects with Nopea's own rights.",
        hint="Set spec.serviceAccountName to a service account that may write them in "
        f"namespace {one.key.namespace}.",
        source=one.source,
        object=str(one.key),
    )
