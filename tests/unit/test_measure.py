"""The callable by which a room reports what it did."""

from __future__ import annotations

import inspect

from nopea.git.port import GitPort
from nopea.kube.client import KubeClient
from nopea.measure import Measure, not_measured


def test_nothing_is_kept_unless_somebody_counts() -> None:
    """The default of everything that measures takes any values and returns at once."""
    default: Measure = not_measured

    default("sync", "ok", 0.5)

    for measured in (GitPort.__init__, KubeClient.__init__):
        assert inspect.signature(measured).parameters["measure"].default is not_measured
