"""The tool of a field manager: managers are arbitrary strings, so a label has the known ones and `other`."""

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
"""Prefixes of field managers and their tools."""

_LONGEST_FIRST = sorted(TOOLS, key=lambda pair: -len(pair[0]))


def tool_of(manager: str) -> str:
    """Return the tool; `unknown` without a manager, `other` for managers that are not listed."""
    if not manager:
        return "unknown"
    name = manager.lower()
    return next((tool for start, tool in _LONGEST_FIRST if name.startswith(start)), "other")
