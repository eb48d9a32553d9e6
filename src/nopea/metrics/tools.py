"""Which tool a field manager is: managers are free text, so a label takes the known ones and `other`."""

from __future__ import annotations

from typing import Final

TOOLS: Final = (
    ("kubectl", "kubectl"),
    ("k9s", "k9s"),
    ("openlens", "lens"),
    ("freelens", "lens"),
    ("lens", "lens"),
    ("node-fetch", "lens"),
    ("headlamp", "headlamp"),
    ("rancher", "rancher"),
    ("mozilla", "browser"),
    ("helm", "helm"),
    ("argocd", "argocd"),
    ("kustomize-controller", "flux"),
    ("helm-controller", "flux"),
    ("flux", "flux"),
    ("terraform", "terraform"),
    ("hashicorp", "terraform"),
    ("opentofu", "terraform"),
    ("pulumi", "pulumi"),
    ("ansible", "ansible"),
    ("kube-controller-manager", "kubernetes"),
)
"""Beginnings of managers' names."""

_LONGEST_FIRST = sorted(TOOLS, key=lambda pair: -len(pair[0]))


def tool_of(manager: str) -> str:
    """Return the tool; `unknown` where Kubernetes notes no manager, `other` for what is not listed."""
    if not manager:
        return "unknown"
    name = manager.lower()
    return next((tool for start, tool in _LONGEST_FIRST if name.startswith(start)), "other")
