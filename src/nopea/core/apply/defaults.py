"""Recognise the defaults of built-in kinds: one that is removed comes back with the same value, unchanged.

The core has no schemas, so it knows the defaults by the names of fields. A default that it does not know only
makes a message longer. Never changes a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_DEFAULTS: Final[Mapping[str, tuple[Any, ...]]] = {
    "apiVersion": ("v1",),  # of a fieldRef
    "backoffLimit": (6,),
    "completionMode": ("NonIndexed",),
    "completions": (1,),
    "concurrencyPolicy": ("Allow",),
    "defaultMode": (420,),
    "deprecated.daemonset.template.generation": ("1",),
    "dnsPolicy": ("ClusterFirst",),
    "externalTrafficPolicy": ("Cluster",),
    "failedJobsHistoryLimit": (1,),
    "failureThreshold": (3,),
    "imagePullPolicy": ("Always", "IfNotPresent"),
    "internalTrafficPolicy": ("Cluster",),
    "ipFamilyPolicy": ("SingleStack",),
    "manualSelector": (False,),
    "maxSurge": ("25%", 0),
    "maxUnavailable": ("25%", 1),
    "minReplicas": (1,),
    "parallelism": (1,),
    "partition": (0,),
    "periodSeconds": (10,),
    "podManagementPolicy": ("OrderedReady",),
    "podReplacementPolicy": ("TerminatingOrFailed",),
    "progressDeadlineSeconds": (600,),
    "protocol": ("TCP",),
    "replicas": (1,),
    "resources": ({},),
    "restartPolicy": ("Always",),
    "revisionHistoryLimit": (10,),
    "schedulerName": ("default-scheduler",),
    "scheme": ("HTTP",),
    "securityContext": ({},),
    "sessionAffinity": ("None",),
    "successThreshold": (1,),
    "successfulJobsHistoryLimit": (3,),
    "suspend": (False,),
    "terminationGracePeriodSeconds": (30,),
    "terminationMessagePath": ("/dev/termination-log",),
    "terminationMessagePolicy": ("File",),
    "timeoutSeconds": (1,),
    "type": ("ClusterIP", "Opaque", "RollingUpdate"),
    "volumeMode": ("Filesystem",),
    "whenDeleted": ("Retain",),
    "whenScaled": ("Retain",),
}


def is_default(name: str, value: Any, *, inside: Any = None) -> bool:
    """Return whether the API server sets this value in a field of a built-in kind that nobody sets.

    `inside` is the value that has the field.
    """
    if name == "targetPort" and isinstance(inside, Mapping):
        return bool(inside.get("port") == value)
    if name in _DEFAULTS:
        return any(value == default and type(value) is type(default) for default in _DEFAULTS[name])
    if isinstance(value, Mapping) and value:  # such as `strategy`
        return all(is_default(key, item) for key, item in value.items())
    return False
