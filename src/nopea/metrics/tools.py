"""Map a field manager to a tool, so that a metric's label has few values. Managers are free text."""

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
"""How the names of a tool's managers start, in lower case, and the tool."""

_LONGEST_FIRST = sorted(TOOLS.items(), key=lambda pair: -len(pair[0]))


def tool_of(manager: str) -> str:
    """Return the tool; `unknown` where Kubernetes records no manager, `other` for what is not listed."""
    if not manager:
        return "unknown"
    name = manager.lower()
    return next((tool for start, tool in _LONGEST_FIRST if name.startswith(start)), "other")
