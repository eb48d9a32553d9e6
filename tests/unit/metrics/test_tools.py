"""The tool to which a field manager belongs."""

from __future__ import annotations

import pytest

from nopea.core.apply.ignore_rules import PEOPLE
from nopea.metrics.tools import TOOLS, tool_of


@pytest.mark.parametrize(
    ("manager", "tool"),
    [
        ("kubectl-client-side-apply", "kubectl"),
        ("Mozilla", "browser"),
        ("OpenLens", "lens"),
        ("node-fetch", "lens"),
        ("argocd-controller", "argocd"),
        ("Terraform", "terraform"),
        ("kube-controller-manager", "kubernetes"),
        ("acme-operator-7f9c", "other"),
        ("", "unknown"),
    ],
)
def test_a_manager_is_a_known_tool_or_other(manager: str, tool: str) -> None:
    """The name of a manager is never used as a label."""
    assert tool_of(manager) == tool


def test_every_user_tool_is_known() -> None:
    """Each tool that drift detection treats as a user's has a label."""
    for pattern in PEOPLE.patterns:
        assert tool_of(pattern.rstrip("*")) in set(TOOLS.values())
