"""What templates may know of a cluster."""

from __future__ import annotations

from nopea.core.manifests.capabilities import UNKNOWN


def test_without_a_cluster_nothing_is_known() -> None:
    """The renderer's defaults count."""
    assert (UNKNOWN.kube_version, UNKNOWN.api_versions) == ("", ())
