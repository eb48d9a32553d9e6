"""Map a field manager to a tool, so that a metric's label has few values. A manager may be any string."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from nopea.core.apply.ignore_rules import INTERACTIVE_TOOLS

TOOLS: Final = MappingProxyType(
    {
        **INTERACTIVE_TOOLS,
        "helm": "helm",
        "argocd": "argocd",
        "kustomize-controller": "flux",
        "helm-controller": "flux",
        "flux": "flux",
        "terraform": "terraform",
        "hashicorp": "terraform",
        "opentofu": "terraform",
        "pulumi": "pulumi",
        "ansible": "ansible",
        "kube-controller-manager": "kubernetes",
    }
)
"""Prefixes of field managers, in lower case, and their tools."""

_LONGEST_FIRST = sorted(TOOLS.items(), key=lambda pair: -len(pair[0]))


def tool_of(manager: str) -> str:
    """Return the tool; `unknown` without a manager, `other` for managers that are not listed."""
    if not manager:
        return "unknown"
    name = manager.lower()
    return next((tool for start, tool in _LONGEST_FIRST if name.startswith(start)), "other")
