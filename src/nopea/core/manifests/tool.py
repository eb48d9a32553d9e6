"""The tools whose input a folder can be."""

from __future__ import annotations

import enum


class Tool(enum.StrEnum):
    """Whose input a folder is."""

    KUSTOMIZE = "kustomize"
    HELM = "helm"
