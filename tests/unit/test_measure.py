"""The callable by which a component reports its work to the metrics."""

from __future__ import annotations

import inspect

from nopea.git.port import GitPort
from nopea.kube.client import KubeClient
from nopea.measure import Measure, not_measured


def test_by_default_nothing_is_measured() -> None:
    """The default of every measured component accepts any values and ignores them."""
    default: Measure = not_measured

    default("sync", "ok", 0.5)

    for measured in (GitPort.__init__, KubeClient.__init__):
        assert inspect.signature(measured).parameters["measure"].default is not_measured
