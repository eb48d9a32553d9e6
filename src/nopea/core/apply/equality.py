"""Compare values as the API server does: `2000m` and `2` are equal, and so are null, `""` and absent.

The core has no schemas and uses the names of fields instead; for other names only identical values are equal.
Never changes a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from nopea.core.objects import split_api_version

BUILT_IN_GROUPS: Final = frozenset(
    (
        "", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps",
        "authentication.k8s.io", "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io",
        "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "extensions",
        "flowcontrol.apiserver.k8s.io", "internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io",
        "policy", "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
        "storagemigration.k8s.io",
    )
)  # fmt: skip
"""Groups whose objects are Go types: the API server normalizes quantities and omits zeros."""

MAP_FIELDS: Final = frozenset(
    (
        "annotations", "binaryData", "data", "default", "defaultRequest", "hard", "labels", "limits",
        "matchLabels", "max", "maxLimitRequestRatio", "min", "nodeSelector", "options", "overhead",
        "parameters", "podFixed", "requests", "selector", "stringData", "volumeAttributes",
    )
)  # fmt: skip
"""Fields of built-in kinds that are maps with free keys; an empty one is stored as absent."""

# Scalars that are pointers in Go (k8s.io/api v0.36): only for these is a zero stored, so that it differs from
# absent. The API server omits others, such as `tty: false`.
_KEPT_ZEROS: Final = frozenset(
    (
        "activeDeadlineSeconds", "allocateLoadBalancerNodePorts", "allowPrivilegeEscalation",
        "allowVolumeExpansion", "appProtocol", "attachRequired", "automountServiceAccountToken",
        "averageUtilization", "backoffLimit", "backoffLimitPerIndex", "borrowingLimitPercent", "completions",
        "defaultMode", "enableServiceLinks", "endPort", "expirationSeconds", "failedJobsHistoryLimit",
        "fsGroup", "hostProcess", "hostUsers", "hostnameOverride", "immutable", "ingressClassName",
        "leaseDurationSeconds", "leaseTransitions", "lendablePercent", "loadBalancerClass",
        "localhostProfile", "managedBy", "manualSelector", "maxFailedIndexes", "maxSurge", "maxUnavailable",
        "minAvailable", "minDomains", "minReplicas", "mode", "nodeAllocatableUpdatePeriodSeconds",
        "optional", "parallelism", "partition", "podInfoOnMount", "priority", "privileged",
        "progressDeadlineSeconds", "readOnlyRootFilesystem", "recursiveReadOnlyMounts", "replicas",
        "requiresRepublish", "revisionHistoryLimit", "runAsGroup", "runAsNonRoot", "runAsUser",
        "runAsUserName", "runtimeClassName", "scope", "seLinuxMount", "setHostnameAsFQDN",
        "shareProcessNamespace", "stabilizationWindowSeconds", "startingDeadlineSeconds", "storageCapacity",
        "storageClassName", "successfulJobsHistoryLimit", "suspend", "targetAverageUtilization",
        "targetCPUUtilizationPercentage", "terminationGracePeriodSeconds", "timeZone", "tolerationSeconds",
        "trafficDistribution", "ttlSecondsAfterFinished", "volumeAttributesClassName",
    )
)  # fmt: skip
# These two are embedded in many custom resources; the names of the others are too common.
_RESOURCES: Final = frozenset(("limits", "requests"))
_QUANTITY_MAPS: Final = _RESOURCES | {"allocatedResources", "capacity", "hard", "overhead", "podFixed"}
_LIMIT_RANGE_MAPS: Final = frozenset(("default", "defaultRequest", "max", "maxLimitRequestRatio", "min"))
_QUANTITIES: Final = frozenset(
    ("averageValue", "divisor", "maximumVolumeSize", "sizeLimit", "targetAverageValue", "tolerance")
)
_BYTES: Final = frozenset(("caBundle", "request"))

_QUANTITY: Final = re.compile(
    r"(?P<sign>[+-]?)(?P<number>\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})"
    r"(?:[eE](?P<exponent>[+-]?\d{1,2})|(?P<suffix>[numkMGTPE]|[KMGTPE]i)?)",
    re.ASCII,
)
_SCALES: Final[Mapping[str, Fraction]] = {
    **{suffix: Fraction(1000) ** power for power, suffix in enumerate(("n", "u", "m", "", *"kMGTPE"), -3)},
    **{f"{suffix}i": Fraction(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}


def quantity(value: Any) -> Fraction | None:
    """Return the value of a Kubernetes quantity, or None if it is not one or is absurdly long."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    match = _QUANTITY.fullmatch(value if isinstance(value, str) else repr(value))
    if match is None:
        return None
    amount = Fraction(f"{match['sign']}{match['number']}")
    if match["exponent"] is not None:
        return amount * Fraction(10) ** int(match["exponent"])
    return amount * _SCALES[match["suffix"] or ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """Compares values of one kind; `parent` and `name` are the fields in which they are."""

    kind: str
    built_in: bool

    @classmethod
    def of(cls, *objects: Any) -> Spelling:
        """Return the comparison for the kind of the first object that has one."""
        for item in objects:
            if isinstance(item, Mapping) and isinstance(item.get("apiVersion"), str):
                group = split_api_version(item["apiVersion"])[0]
                return cls(kind=str(item.get("kind", "")), built_in=group in BUILT_IN_GROUPS)
        return cls(kind="", built_in=False)

    def is_left_out(self, value: Any, name: str) -> bool:
        """Whether the API server stores this value as absent."""
        if value is None:
            return True
        if not self.built_in:
            return _is_empty(value)
        if isinstance(value, Mapping):
            return _is_empty(value) and name in MAP_FIELDS  # an empty struct is kept: `emptyDir: {}`
        if isinstance(value, (bool, int, float, str)):
            return not value and name not in _KEPT_ZEROS
        return _is_empty(value)

    def same(self, one: Any, other: Any, *, parent: str = "", name: str = "") -> bool:
        """Whether both values are equal; None means absent."""
        return self._agree(one, other, parent, name, partial=False)

    def holds(self, declared: Any, live: Any, *, parent: str = "", name: str = "") -> bool:
        """Whether a live value is as declared; fields that are not declared, such as defaults, are ignored.

        A list must have the same number of items, each as declared, in order.
        """
        return self._agree(declared, live, parent, name, partial=True)

    def _agree(self, one: Any, other: Any, parent: str, name: str, *, partial: bool) -> bool:
        waiting = [(one, other, parent, name)]  # no recursion: the depth comes from outside
        while waiting:
            one, other, parent, name = waiting.pop()
            if isinstance(one, Mapping) and isinstance(other, Mapping):
                waiting.extend(_members(one, other, name, partial=partial))
            elif isinstance(one, list) and isinstance(other, list):
                if len(one) != len(other):
                    return False
                waiting.extend((mine, theirs, name, "") for mine, theirs in zip(one, other, strict=True))
            elif one is None or other is None:
                if not self.is_left_out(one if other is None else other, name):
                    return False
            elif not self._same_scalar(one, other, parent, name):
                return False
        return True

    def _same_scalar(self, one: Any, other: Any, parent: str, name: str) -> bool:
        if isinstance(one, (Mapping, list)) or isinstance(other, (Mapping, list)):
            return False
        if one is other or (isinstance(one, bool) == isinstance(other, bool) and one == other):
            return True
        if self._is_quantity(parent, name):
            amount = quantity(one)
            return amount is not None and amount == quantity(other)
        if isinstance(one, str) and isinstance(other, str) and self._is_bytes(parent, name):
            return "".join(one.split()) == "".join(other.split())  # base64 may contain line breaks
        return False

    def _is_quantity(self, parent: str, name: str) -> bool:
        if parent in _RESOURCES or name == "sizeLimit":
            return True
        if not self.built_in:
            return False
        if self.kind == "LimitRange" and parent in _LIMIT_RANGE_MAPS:
            return True
        return parent in _QUANTITY_MAPS or name in _QUANTITIES or (parent, name) == ("target", "value")

    def _is_bytes(self, parent: str, name: str) -> bool:
        texts = {"Secret": "data", "ConfigMap": "binaryData"}
        return self.built_in and (parent == texts.get(self.kind) or name in _BYTES)


def _is_empty(value: Any) -> bool:
    """Whether a collection is empty; nulls in a mapping do not count."""
    if isinstance(value, Mapping):
        return all(item is None for item in value.values())
    return isinstance(value, list) and not value


def _members(
    one: Mapping[str, Any], other: Mapping[str, Any], name: str, *, partial: bool
) -> Iterator[tuple[Any, Any, str, str]]:
    for key in one if partial else {**one, **other}:
        yield one.get(key), other.get(key), name, key
