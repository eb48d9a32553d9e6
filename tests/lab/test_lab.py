"""A real lab does what the lab promises."""

from __future__ import annotations

from nopea.lab.kubectl import Kubectl


def test_a_namespace_and_kubectl_are_there(namespace: str, kubectl: Kubectl) -> None:
    """The fixtures give a working cluster."""
    assert kubectl("get", "namespace", namespace, "-o", "name") == f"namespace/{namespace}\n"
